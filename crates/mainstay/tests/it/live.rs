//! A model that changes while it is served: no request fails, no connection ends, and a model that
//! can't be served changes nothing.

use crate::harness::{Folder, Server, WAIT, until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A model with one resource; lines of fields, of the rest of it, and of other resources.
pub(crate) fn model(fields: &str, rest: &str, more: &str) -> String {
    format!(
        "system: live\nactors: {{ writer: oidc }}\ncontexts:\n  main:\n    resources:\n      \
         Note:\n        fields:\n          title: string max 80\n{fields}{rest}        \
         allow: {{ read: anyone, write: writer }}\n{more}"
    )
}

pub(crate) const COLOUR: &str = "          colour: string max 20 optional\n";
pub(crate) const TINT: &str =
    "          tint: { type: string, max: 20, optional: true, was: colour }\n";
const COMMAND: &str = "        commands: { clear: { set: { title: ('cleared') }, by: writer } }\n";
pub(crate) const TAG: &str = "      Tag:\n        fields:\n          word: string max 20\n        allow: { \
                   read: anyone, write: writer }\n";

/// A served model in a folder of its own.
pub(crate) struct Live {
    pub(crate) server: Server,
    folder: Folder,
    pub(crate) token: String,
}

impl Live {
    pub(crate) fn start(text: &str, more: &[&str]) -> Self {
        let folder = Folder::new().with("model/mainstay.yaml", text);
        let path = folder.0.join("model");
        let server = Server::start(path.to_str().expect("plain"), &folder.0.join("data"), more);
        let token = server.token("writer", &[]);
        Self { server, folder, token }
    }

    fn file(&self) -> PathBuf {
        self.folder.0.join("model/mainstay.yaml")
    }

    /// Puts another text in the place of the model, as editors do.
    pub(crate) fn save(&self, text: &str) {
        let new = self.folder.0.join("model/.mainstay.yaml.new");
        std::fs::write(&new, text).expect("writable");
        std::fs::rename(&new, self.file()).expect("renamed");
    }

    /// What it logged, without a line for each request.
    pub(crate) fn log(&self) -> String {
        let log = self.server.log();
        let told = log.lines().filter(|line| !line.contains(r#""message":"request""#));
        told.collect::<Vec<_>>().join("\n")
    }

    /// Runs a statement of the store's own language, by hand.
    #[track_caller]
    pub(crate) fn sql(&self, (sqlite, postgresql): (&str, &str)) {
        let data = self.folder.0.join("data");
        match crate::database::url_for(&data) {
            Some(url) => drop(crate::database::query(&url, postgresql).expect("it runs")),
            None => {
                let store = rusqlite::Connection::open(data.join("live.db")).expect("it opens");
                store.busy_timeout(WAIT).expect("it waits");
                store.execute_batch(sqlite).expect("it runs");
            }
        }
    }

    /// The hash of the model, as metrics tell it.
    pub(crate) fn hash(&self) -> String {
        let text = self.server.get("/metrics").send().text();
        let line = text.lines().find_map(|line| line.strip_prefix("mainstay_model_info{hash=\""));
        let hash = line.and_then(|rest| rest.split_once('"')).expect("the model is told").0;
        hash.to_owned()
    }

    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        until(|| format!("{what}: {}", self.log()), holds);
    }

    /// Saves a text and waits until it is served.
    #[track_caller]
    pub(crate) fn swap(&self, text: &str) {
        let former = self.hash();
        self.save(text);
        self.until("the model is swapped", || self.hash() != former);
    }

    #[track_caller]
    pub(crate) fn make(&self, path: &str, body: Value) -> Value {
        self.server.post(path, body).bearer(&self.token).send().expect(201)
    }
}

/// Asks for a look at the model.
pub(crate) fn hang_up(server: &Server) {
    let process = server.process().to_string();
    let sent = std::process::Command::new("kill").args(["-HUP", &process]).status();
    assert!(sent.expect("kill runs").success());
}

/// A connection of HTTP/1.1 that is kept for as long as the server keeps it.
pub(crate) struct Kept(BufReader<TcpStream>);

impl Kept {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("it can have one");
        Self(BufReader::new(socket))
    }

    /// Status, entity tag and body of an answer.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        more: &str,
        body: &str,
    ) -> Told {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n{more}\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes()).expect("a request is taken");
        let (mut status, mut length, mut tag) = (0, 0, String::new());
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a request is answered");
            assert!(!line.is_empty(), "the connection ended");
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            match line.split_once(": ") {
                None => status = word(line),
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(("etag", value)) => value.clone_into(&mut tag),
                Some(("connection", value)) => assert_ne!(value, "close", "it is kept"),
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("the body is whole");
        (status, tag, String::from_utf8(body).expect("UTF-8"))
    }
}

pub(crate) type Told = (u16, String, String);

/// The status of a first line.
fn word(line: &str) -> u16 {
    line.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status")
}

/// Writes, reads and changes notes until it is told to stop; how many requests were answered.
fn one_client(address: SocketAddr, token: &str, stop: &AtomicBool) -> u64 {
    let (mut kept, mut done) = (Kept::open(address), 0);
    while !stop.load(Ordering::Relaxed) {
        let (status, tag, body) = kept.ask("POST", "/v1/notes", token, "", r#"{"title":"a"}"#);
        assert_eq!(status, 201, "{body}");
        let note: Value = serde_json::from_str(&body).expect("JSON");
        let path = format!("/v1/notes/{}", note["id"].as_str().expect("an id"));
        let (status, _, body) = kept.ask("GET", &path, token, "", "");
        assert_eq!(status, 200, "{body}");
        let (status, _, body) = kept.ask("GET", "/v1/notes?limit=5", token, "", "");
        assert_eq!(status, 200, "{body}");
        let more = format!("if-match: {tag}\r\n");
        let (status, _, body) = kept.ask("PATCH", &path, token, &more, r#"{"title":"b"}"#);
        assert_eq!(status, 200, "{body}");
        done += 4;
    }
    done
}

/// The same over HTTP/2, with a connection of its own.
fn one_client_of_two(address: SocketAddr, token: &str, stop: &AtomicBool) -> u64 {
    // It is asked for though nothing here is encrypted.
    let _there = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = reqwest::Client::builder()
            .http2_prior_knowledge()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        let (notes, mut done) = (format!("http://{address}/v1/notes"), 0);
        while !stop.load(Ordering::Relaxed) {
            let post = client.post(&notes).bearer_auth(token).json(&json!({"title": "a"}));
            let made = post.send().await.expect("a request is answered");
            assert_eq!(made.status().as_u16(), 201, "{:?}", made.text().await);
            let note: Value = made.json().await.expect("JSON");
            let path = format!("{notes}/{}", note["id"].as_str().expect("an id"));
            for url in [&path, &notes] {
                let read = client.get(url).bearer_auth(token).send().await;
                let read = read.expect("a request is answered");
                assert_eq!(read.version(), reqwest::Version::HTTP_2);
                assert_eq!(read.status().as_u16(), 200, "{:?}", read.text().await);
            }
            done += 3;
        }
        done
    })
}

/// Sixteen clients, half of each version, while something is done; how many answers they got.
fn under_load(live: &Live, act: impl FnOnce()) -> u64 {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let (address, token) = (live.server.address, live.token.as_str());
    std::thread::scope(|scope| {
        for number in 0..16 {
            let (stop, done) = (&stop, &done);
            scope.spawn(move || {
                let client = if number % 2 == 0 { one_client } else { one_client_of_two };
                done.fetch_add(client(address, token, stop), Ordering::Relaxed);
            });
        }
        struct Stops<'a>(&'a AtomicBool);
        impl Drop for Stops<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        // Also where the act fails.
        let _stops = Stops(&stop);
        std::thread::sleep(Duration::from_millis(200));
        act();
        std::thread::sleep(Duration::from_millis(200));
    });
    done.load(Ordering::Relaxed)
}

#[test]
pub(crate) fn under_load_a_model_is_swapped_again_and_again_and_no_request_fails() {
    let live = Live::start(&model("", "", ""), &[]);
    let old = live.make("/v1/notes", json!({"title": "old"}));
    let done = under_load(&live, || {
        live.swap(&model(COLOUR, "", ""));
        let note = live.make("/v1/notes", json!({"title": "b", "colour": "red"}));
        live.swap(&model(COLOUR, "", TAG));
        live.make("/v1/tags", json!({"word": "w"}));
        live.swap(&model(COLOUR, COMMAND, TAG));
        let path = format!("/v1/notes/{}", note["id"].as_str().unwrap());
        let cleared = live.server.post(&format!("{path}/clear"), json!({})).bearer(&live.token);
        assert_eq!(cleared.send().expect(200)["title"], "cleared");
        live.swap(&model(TINT, COMMAND, TAG));
        assert_eq!(live.server.get(&path).send().expect(200)["tint"], "red", "values are kept");
        let shaped = live.server.post("/v1/notes", json!({"title": "c", "colour": "red"}));
        assert_eq!(shaped.bearer(&live.token).send().status, 400, "the new model answers");
        live.swap(&model(
            &TINT.replace("optional: true", "optional: true, unique: true"),
            COMMAND,
            TAG,
        ));
        let again = live.server.post("/v1/notes", json!({"title": "d", "tint": "red"}));
        assert_eq!(again.bearer(&live.token).send().problem(409), "duplicate");
    });
    assert!(done > 100, "requests were running: {done}");
    let path = format!("/v1/notes/{}", old["id"].as_str().unwrap());
    assert_eq!(live.server.get(&path).send().expect(200)["title"], "old");
    // It is told a moment after it is served.
    let told = || live.log().matches("serving the model").count();
    live.until("the last is told", || told() >= 5);
    assert_eq!(told(), 5, "{}", live.log());
}

/// What a store can do whose tables only grow.
#[test]
pub(crate) fn under_load_a_model_grows_again_and_again_and_no_request_fails() {
    let live = Live::start(&model("", "", ""), &[]);
    let done = under_load(&live, || {
        live.swap(&model(COLOUR, "", ""));
        live.make("/v1/notes", json!({"title": "b", "colour": "red"}));
        live.swap(&model(COLOUR, "", TAG));
        live.make("/v1/tags", json!({"word": "w"}));
        live.swap(&model(COLOUR, COMMAND, TAG));
        live.swap(&model(&COLOUR.replace("optional", "optional unique"), COMMAND, TAG));
        let again = live.server.post("/v1/notes", json!({"title": "d", "colour": "red"}));
        assert_eq!(again.bearer(&live.token).send().problem(409), "duplicate");
    });
    assert!(done > 100, "requests were running: {done}");
}

#[test]
pub(crate) fn a_model_with_a_fault_changes_nothing_and_the_fault_is_told_once() {
    let live = Live::start(&model("", "", ""), &[]);
    let (hash, note) = (live.hash(), live.make("/v1/notes", json!({"title": "kept"})));
    live.save(&model("          colour: strnig max 20\n", "", ""));
    live.until("the fault is told", || live.log().contains("still serving the model"));
    std::thread::sleep(Duration::from_secs(1));
    let log = live.log();
    assert_eq!(log.matches("still serving the model").count(), 1, "{log}");
    assert!(log.contains("error[E"), "as `check` tells it: {log}");
    assert_eq!(live.hash(), hash);
    let path = format!("/v1/notes/{}", note["id"].as_str().unwrap());
    assert_eq!(live.server.get(&path).send().expect(200)["title"], "kept");
    live.make("/v1/notes", json!({"title": "more"}));
    live.swap(&model(COLOUR, "", ""));
    live.make("/v1/notes", json!({"title": "c", "colour": "red"}));
}

#[test]
fn a_comment_changes_nothing_and_says_so() {
    let live = Live::start(&model("", "", ""), &[]);
    let hash = live.hash();
    live.save(&format!("# a word\n{}", model("", "", "")));
    live.until("it is told", || live.log().contains("nothing that matters changed"));
    assert_eq!(live.hash(), hash);
}

#[test]
fn what_would_be_lost_is_kept_and_the_words_that_let_it_go_are_told() {
    let live = Live::start(&model(COLOUR, "", ""), &[]);
    live.make("/v1/notes", json!({"title": "a", "colour": "red"}));
    live.swap(&model("", "", ""));
    live.until("it is told", || live.log().contains("--allow-destroy main.notes.colour"));
    live.swap(&model(COLOUR, "", ""));
    let notes = live.server.get("/v1/notes").send().expect(200);
    assert_eq!(notes["items"][0]["colour"], "red", "it was there all the time: {notes}");
}

#[test]
fn what_the_tables_cannot_become_leaves_the_old_model_serving() {
    let live = Live::start(&model("          size: int optional\n", "", ""), &[]);
    live.make("/v1/notes", json!({"title": "a", "size": 7}));
    let hash = live.hash();
    live.save(&model("          size: date optional\n", "", ""));
    live.until("it is told", || live.log().contains("still serving the model"));
    assert!(live.log().contains("main.notes.size"), "{}", live.log());
    assert_eq!(live.hash(), hash);
    live.make("/v1/notes", json!({"title": "b", "size": 8}));
}

#[test]
fn the_hash_of_the_model_is_seen_wherever_operators_look() {
    let live = Live::start(&model("", "", ""), &[]);
    for text in [model("", "", ""), model(COLOUR, "", "")] {
        if text != model("", "", "") {
            live.swap(&text);
        }
        let hash = live.hash();
        assert_eq!(hash.len(), 16);
        let health = live.server.get("/readyz?verbose").send().expect(200);
        assert_eq!(health["model"], hash.as_str());
        assert_eq!(live.server.get("/").send().expect(200)["model"], hash.as_str());
        assert!(live.server.get("/docs").send().text().contains(&hash));
        live.server.logs(&hash);
    }
    let contract = live.server.get("/openapi.json").send().expect(200);
    let note = &contract["components"]["schemas"]["Note"]["properties"];
    assert!(note["colour"].is_object(), "the contract follows: {note}");
}

#[test]
fn cursors_tags_and_keys_of_the_former_model_are_good_in_the_next() {
    let live = Live::start(&model("", "", ""), &[]);
    for _ in 0..5 {
        live.make("/v1/notes", json!({"title": "a"}));
    }
    let page = live.server.get("/v1/notes?limit=2").send().expect(200);
    let next = page["next"].as_str().or(page["next_cursor"].as_str()).unwrap_or_default();
    let post = || {
        let post = live.server.post("/v1/notes", json!({"title": "once"}));
        post.bearer(&live.token).header("idempotency-key", "k").send()
    };
    let made = post();
    let path = format!("/v1/notes/{}", made.expect(201)["id"].as_str().unwrap());
    live.swap(&model("", COMMAND, TAG));
    assert!(!next.is_empty(), "{page}");
    let url = match next.starts_with('/') {
        true => next.to_owned(),
        false => format!("/v1/notes?limit=2&cursor={next}"),
    };
    assert_eq!(live.server.get(&url).send().expect(200)["items"].as_array().unwrap().len(), 2);
    let again = post();
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.expect(201), made.expect(201));
    let read = live.server.get(&path).header("if-none-match", made.header("etag")).send();
    assert_eq!(read.status, 304, "{}", read.text());
}

#[test]
fn in_production_files_are_looked_at_when_asked_and_tables_are_left_alone() {
    let issuer = ["--production", "--issuer", "https://id.example.org"];
    let folder = Folder::new().with("model/mainstay.yaml", &model("", "", ""));
    let path = folder.0.join("model/mainstay.yaml");
    let mut more = issuer.to_vec();
    more.extend(["--operator-token", "letmein"]);
    let server = Server::start(path.to_str().expect("plain"), &folder.0.join("data"), &more);
    std::fs::write(&path, model("", COMMAND, "")).expect("writable");
    std::thread::sleep(Duration::from_secs(1));
    assert!(!server.log().contains("serving the model"), "{}", server.log());
    hang_up(&server);
    server.logs("serving the model");
    std::fs::write(&path, model(COLOUR, COMMAND, "")).expect("writable");
    hang_up(&server);
    server.logs("still serving the model");
    assert!(server.log().contains("mainstay migrate"), "{}", server.log());
    assert!(server.log().contains("to be done: add main.notes.colour"), "{}", server.log());
    assert_eq!(server.get("/v1/notes").send().status, 200);
}

#[test]
pub(crate) fn fifty_swaps_in_a_row_leave_no_thread_descriptor_or_memory_behind() {
    let live = Live::start(&model("", "", ""), &[]);
    let swap = |number: u32| {
        let about = format!("about: number {number}\n        ");
        let text = model("", "", "").replace("fields:", &format!("{about}fields:"));
        let former = live.hash();
        live.save(&text);
        hang_up(&live.server);
        live.until("the model is swapped", || live.hash() != former);
        live.make("/v1/notes", json!({"title": "a"}));
    };
    (0..10).for_each(swap);
    let before = Held::of(live.server.process());
    (10..60).for_each(swap);
    // What the last of them replaced may still be on its way out.
    let after = || Held::of(live.server.process());
    let gone = |after: &Held| {
        after.threads <= before.threads + 2
            && after.descriptors <= before.descriptors + 4
            && after.kib < before.kib + 20_000
    };
    until(|| format!("{before:?} {:?}", after()), || gone(&after()));
}

/// What a process holds.
#[derive(Debug)]
struct Held {
    threads: usize,
    descriptors: usize,
    kib: u64,
}

impl Held {
    fn of(process: u32) -> Self {
        let count = |what: &str| {
            std::fs::read_dir(format!("/proc/{process}/{what}")).expect("it runs").count()
        };
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("told");
        let kib = kib.trim().trim_end_matches(" kB").parse().expect("a number");
        Self { threads: count("task"), descriptors: count("fd"), kib }
    }
}

#[test]
pub(crate) fn killed_in_the_middle_of_a_swap_it_starts_again_with_every_row() {
    let text = model(COLOUR, "", "");
    for pause in [0, 250, 300, 350, 400, 450, 500, 600] {
        let mut live = Live::start(&text, &[]);
        for _ in 0..20 {
            live.make("/v1/notes", json!({"title": "a", "colour": "red"}));
        }
        live.save(&model(TINT, COMMAND, TAG));
        std::thread::sleep(Duration::from_millis(pause));
        live.server.kill();
        let model = live.folder.0.join("model");
        let data = live.folder.0.join("data");
        // As long as somebody seems to use the former model its tables stay.
        crate::database::url_for(&data).iter().for_each(|url| crate::database::until_left(url));
        let again = Server::start(model.to_str().expect("plain"), &data, &[]);
        let notes = again.get("/v1/notes?limit=100").send().expect(200);
        let notes = notes["items"].as_array().expect("items").clone();
        assert_eq!(notes.len(), 20);
        assert!(notes.iter().all(|note| note["tint"] == "red"), "{notes:?}");
    }
}

#[test]
fn a_request_that_is_on_its_way_over_a_swap_is_answered() {
    let live = Live::start(&model("", "", ""), &[]);
    let mut socket = TcpStream::connect(live.server.address).expect("it listens");
    socket.set_read_timeout(Some(WAIT)).expect("it can have one");
    let body = r#"{"title":"slow"}"#;
    let head = format!(
        "POST /v1/notes HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        live.token,
        body.len()
    );
    socket.write_all(head.as_bytes()).expect("taken");
    socket.write_all(&body.as_bytes()[..5]).expect("taken");
    std::thread::sleep(Duration::from_millis(100));
    // An actor that comes first: who calls is known by another number from then on.
    let text = model(COLOUR, "", TAG).replace("{ writer", "{ admin: oidc, writer");
    live.swap(&text.replace("write: writer", "write: [writer, admin]"));
    socket.write_all(&body.as_bytes()[5..]).expect("taken");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}
