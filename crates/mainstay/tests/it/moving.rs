//! Data goes from files to a server while it is served: no request fails, whatever was acknowledged
//! is there afterwards as it was, and whatever breaks the move leaves the files served.

use crate::database::Database;
use crate::harness::{Folder, Server, mainstay, run, until};
use crate::live::Kept;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MODEL: &str = "
system: moving
TENANCY
actors: { user: oidc, office: oidc across tenants, robot: api_key }
contexts:
  main:
    resources:
      Topic:
        shared: true
        fields: { name: string max 40 unique }
        allow: { read: anyone, write: office }
      Book:
        fields: { title: string max 80, topic: Topic optional, copies: many Copy 0..5 }
        allow: { read: [user, robot], write: user }
      Copy:
        fields: { shelf: int }
      Note:
        fields: { book: Book on delete cascade, code: string max 40 unique, text: string max 80 }
        allow: { read: user, write: user }
";

/// A backend on files, in a folder of its own.
struct Moving {
    server: Server,
    folder: Folder,
    database: Database,
}

impl Moving {
    /// None where there is no server to move to.
    fn start(tenancy: &str) -> Option<Self> {
        let database = Database::new()?;
        let text = MODEL.replace("TENANCY", &format!("tenancy: {tenancy} by org"));
        let folder = Folder::new().with("mainstay.yaml", &text);
        let server = Server::start(folder.path(), &folder.0.join("data"), &[]);
        Some(Self { server, folder, database })
    }

    fn data(&self) -> PathBuf {
        self.folder.0.join("data")
    }

    fn token(&self, tenant: &str) -> String {
        self.server.token("user", &["--tenant", tenant, "--subject", "alice"])
    }

    fn arguments(&self, to: &str) -> Vec<String> {
        let data = self.data();
        let data = data.to_str().expect("plain");
        let all = ["move", self.folder.path(), "--data", data, "--to", to];
        all.map(str::to_owned).to_vec()
    }

    fn moves(&self, to: &str) -> crate::harness::Ran {
        let arguments = self.arguments(to);
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[track_caller]
    fn moved(&self) -> crate::harness::Ran {
        let ran = self.moves(&self.database.url());
        assert_eq!(ran.code, 0, "{}\n{}", ran.stderr, self.server.log());
        ran
    }

    #[track_caller]
    fn refused(&self, to: &str, told: &[&str]) {
        let ran = self.moves(to);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        for told in told {
            assert!(ran.stderr.contains(told), "`{told}` is not in {}", ran.stderr);
        }
    }

    /// Ends it and starts it where its data is by now.
    fn again(&mut self, more: &[&str]) {
        self.server.kill();
        self.server = Server::start(self.folder.path(), &self.data(), more);
    }

    fn hash(&self) -> String {
        let text = self.server.get("/metrics").send().text();
        let line = text.lines().find_map(|line| line.strip_prefix("mainstay_model_info{hash=\""));
        line.and_then(|rest| rest.split_once('"')).expect("the model is told").0.to_owned()
    }

    fn serves_from(&self, store: &str) -> bool {
        let line = format!("mainstay_store_info{{store=\"{store}\"}} 1");
        self.server.get("/metrics").send().text().contains(&line)
    }

    /// Asks for a move as `mainstay move` does.
    fn asks(&self, to: &str) -> UnixStream {
        let mut stream = UnixStream::connect(self.data().join("_control")).expect("it listens");
        let asked = json!({ "move": { "to": to, "force": false, "model": self.hash() } });
        stream.write_all(format!("{asked}\n").as_bytes()).expect("it is taken");
        stream
    }
}

/// What was acknowledged.
struct Known {
    token: String,
    path: String,
    /// None where it was deleted.
    is: Option<(String, Value)>,
    /// The key that it was made with, what was sent, and what was answered.
    made: Option<(String, String, String)>,
}

/// Until when clients go on.
struct Stop<'a>(&'a AtomicBool, Instant);

/// Writes, changes and deletes rows and reads each back, until it is told to stop. An answer that
/// is not what it should be is a failure, but for connections that end with a server.
fn client(
    address: SocketAddr,
    tokens: &[String],
    number: u64,
    stop: &Stop<'_>,
    done: &AtomicU64,
) -> Vec<Known> {
    let (mut kept, mut known, mut last) = (Kept::open(address), Vec::new(), None);
    let mut turned = Instant::now();
    for turn in 0.. {
        if stop.0.load(Ordering::Relaxed) || Instant::now() > stop.1 {
            break;
        }
        // Who calls thinks for a moment, on a slow machine as long as it was waited for: else all of
        // it is busy with calls, and the move with following them.
        std::thread::sleep(turned.elapsed().max(Duration::from_millis(120)));
        turned = Instant::now();
        let token = &tokens[usize::try_from(turn).expect("few") % tokens.len()];
        let mut expect = |status: u16, method: &str, path: &str, more: &str, body: &str| {
            let (found, tag, text) = kept.ask(method, path, token, more, body);
            assert_eq!(found, status, "{method} {path}: {text}");
            done.fetch_add(1, Ordering::Relaxed);
            (tag, text)
        };
        let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let id = |row: &Value| row["id"].as_str().expect("an id").to_owned();
        let key = format!("\"{number}-{turn}\"");
        let sent = json!({ "title": format!("{number} {turn}"), "copies": [{ "shelf": turn }] });
        let sent = sent.to_string();
        let once = format!("idempotency-key: {key}\r\n");
        let (tag, made) = expect(201, "POST", "/v1/books", &once, &sent);
        let (_, again) = expect(201, "POST", "/v1/books", &once, &sent);
        assert_eq!(again, made, "the same answer");
        let book = format!("/v1/books/{}", id(&value(&made)));
        let code = format!("{number}-{turn}");
        let note = json!({ "book": id(&value(&made)), "code": code, "text": "a" }).to_string();
        let (_, note) = expect(201, "POST", "/v1/notes", "", &note);
        let note = format!("/v1/notes/{}", id(&value(&note)));
        let matches = format!("if-match: {tag}\r\n");
        let patch = json!({ "title": "changed", "copies": [{ "shelf": 1 }, { "shelf": 2 }] });
        let (tag, _) = expect(200, "PATCH", &book, &matches, &patch.to_string());
        let (read, text) = expect(200, "GET", &book, "", "");
        assert_eq!(read, tag, "what was written is read: {text}");
        let made = Some((key, sent, made));
        if turn % 3 == 0 {
            expect(204, "DELETE", &book, &format!("if-match: {tag}\r\n"), "");
            let token = || token.clone();
            known.push(Known { token: token(), path: book, is: None, made });
            expect(404, "GET", &note, "", "");
            known.push(Known { token: token(), path: note, is: None, made: None });
            continue;
        }
        let row = Some((tag, value(&text)));
        known.push(Known { token: token.clone(), path: book, is: row, made });
        // A code goes from one note to the next, which waits for it under another.
        if let Some((path, of)) = last.replace((note.clone(), token.clone()))
            && of == *token
        {
            let free = json!({ "code": format!("{code}-free") }).to_string();
            expect(200, "PATCH", &path, "", &free);
            let taken = json!({ "code": format!("{number}-taken-{}", turn % 2) }).to_string();
            let (status, _, _) = kept.ask("PATCH", &note, token, "", &taken);
            assert!([200, 409].contains(&status), "{status}");
        }
    }
    known
}

/// Requests that are answered before something is done, and after.
const ANSWERS_MIN: u64 = 100;

/// Clients while something is done; what they know.
fn under_load(
    moving: &Moving,
    clients: &[Vec<String>],
    act: impl FnOnce(&AtomicU64),
) -> Vec<Known> {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let address = moving.server.address;
    // Whatever hangs ends.
    let end = Instant::now() + Duration::from_secs(600);
    struct Stops<'a>(&'a AtomicBool);
    impl Drop for Stops<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        let run = |(number, tokens): (usize, &Vec<String>)| {
            let (stop, done, tokens) = (&stop, &done, tokens.clone());
            let stop = Stop(stop, end);
            scope.spawn(move || client(address, &tokens, number as u64, &stop, done))
        };
        let threads: Vec<_> = clients.iter().enumerate().map(run).collect();
        {
            // Also where the act fails.
            let _stops = Stops(&stop);
            let more = |than: u64| done.load(Ordering::Relaxed) > than;
            until(|| "no requests run", || more(ANSWERS_MIN));
            act(&done);
            let before = done.load(Ordering::Relaxed);
            until(|| "no requests run any more", || more(before + ANSWERS_MIN));
        }
        threads.into_iter().flat_map(|thread| thread.join().expect("no request failed")).collect()
    })
}

/// Everything that was acknowledged is there as it was acknowledged.
#[track_caller]
fn all_is_there(server: &Server, known: &[Known]) {
    let mut kept = Kept::open(server.address);
    for (at, one) in known.iter().enumerate() {
        let (status, tag, text) = kept.ask("GET", &one.path, &one.token, "", "");
        match &one.is {
            None => assert_eq!(status, 404, "{}: {text}", one.path),
            Some((version, row)) => {
                assert_eq!((status, &tag), (200, version), "{}: {text}", one.path);
                assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), *row);
            }
        }
        if let Some((key, sent, answer)) = one.made.as_ref().filter(|_| at % 7 == 0) {
            let once = format!("idempotency-key: {key}\r\n");
            let (status, _, text) = kept.ask("POST", "/v1/books", &one.token, &once, sent);
            assert_eq!((status, &text), (201, answer), "the key is that of before");
        }
    }
}

/// Sixteen clients of two tenants, and of tenants that come while the data moves.
fn clients(moving: &Moving) -> Vec<Vec<String>> {
    let two = [moving.token("acme"), moving.token("bluebird")];
    let late: Vec<String> = (0..12).map(|at| moving.token(&format!("late{at}"))).collect();
    let mut all: Vec<Vec<String>> = (0..15).map(|at| vec![two[at % 2].clone()]).collect();
    all.push(late);
    all
}

fn moves_under_load(tenancy: &str) {
    let Some(mut moving) = Moving::start(tenancy) else { return };
    let office = moving.server.token("office", &["--tenant", "acme"]);
    let topic = moving.server.post("/v1/topics", json!({ "name": "all" })).bearer(&office);
    let topic = topic.send().expect(201);
    let (model, data) = (moving.folder.path().to_owned(), moving.data());
    let made = run(&[
        "key",
        "create",
        &model,
        "--data",
        data.to_str().expect("plain"),
        "--actor",
        "robot",
        "--tenant",
        "acme",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let robot = made.stdout.trim().to_owned();
    let acme = moving.token("acme");
    for number in 0..5 {
        let book = json!({ "title": format!("b{number}"), "topic": topic["id"] });
        moving.server.post("/v1/books", book).bearer(&acme).send().expect(201);
    }
    let page = moving.server.get("/v1/books?limit=2&sort=id").bearer(&acme).send().expect(200);
    let cursor = page["next_cursor"].as_str().expect("more").to_owned();
    let socket = std::fs::metadata(data.join("_control")).expect("it listens");
    assert_eq!(socket.permissions().mode() & 0o777, 0o600, "its owner's alone");
    assert!(moving.serves_from("sqlite"));
    let all = clients(&moving);
    let mut told = String::new();
    let known = under_load(&moving, &all, |done| {
        let before = done.load(Ordering::Relaxed);
        let ran = moving.moved();
        assert!(done.load(Ordering::Relaxed) > before + 20, "requests were answered meanwhile");
        assert!(ran.stdout.contains("main_books "), "{}", ran.stdout);
        told = ran.stderr;
    });
    assert!(told.contains("equal on both; requests waited "), "{told}");
    assert!(moving.serves_from("postgresql") && !moving.serves_from("sqlite"));
    // Who asked is told first.
    moving.server.logs("equal on both");
    all_is_there(&moving.server, &known);
    let page = format!("/v1/books?limit=2&sort=id&cursor={cursor}");
    let page = moving.server.get(&page).bearer(&acme).send().expect(200);
    assert_eq!(page["items"][0]["title"], "b2", "a cursor of before goes on");
    moving.server.get("/v1/books").header("x-api-key", &robot).send().expect(200);
    assert!(moving.server.get("/readyz").send().status == 200);
    moving.refused(&moving.database.url(), &["the data was moved already"]);
    let unseen = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated";
    let seen = || moving.database.query(unseen) == [["0"]];
    until(|| format!("foreign keys are not looked at: {}", moving.server.log()), seen);
    assert_eq!(moving.server.stop(), 0);
    let up = ["up", &model, "--data", data.to_str().expect("plain"), "--listen", "127.0.0.1:0"];
    let ran = run(&up);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("was moved to `postgres://"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--database"), "{}", ran.stderr);
    let url = moving.database.url();
    moving.again(&["--database", &url]);
    all_is_there(&moving.server, &known[..known.len() / 8]);
}

#[test]
fn sixteen_clients_see_nothing_of_a_move_of_tenants_that_share_tables() {
    moves_under_load("row");
}

#[test]
fn sixteen_clients_see_nothing_of_a_move_of_tenants_with_files_to_schemas() {
    moves_under_load("schema");
}

#[test]
fn sixteen_clients_see_nothing_of_a_move_of_tenants_with_files_to_databases() {
    moves_under_load("database");
}

#[test]
fn killed_at_any_moment_of_a_move_nothing_is_lost_and_one_place_serves() {
    let Some(mut moving) = Moving::start("row") else { return };
    let url = moving.database.url();
    let token = moving.token("acme");
    let mut known = Vec::new();
    for pause in [40, 80, 120, 160, 200, 250, 300, 350, 400, 500, 600, 800] {
        for number in 0..40 {
            let book = json!({ "title": format!("{pause} {number}") });
            let made = moving.server.post("/v1/books", book).bearer(&token).send();
            let (tag, row) = (made.header("etag").to_owned(), made.expect(201));
            let path = format!("/v1/books/{}", row["id"].as_str().expect("an id"));
            let is = Some((tag, row));
            known.push(Known { token: token.clone(), path, is, made: None });
        }
        let mut command = moving.arguments(&url);
        command.push("--force".to_owned());
        let mut command = mainstay(&command.iter().map(String::as_str).collect::<Vec<_>>());
        let mut moves = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs");
        std::thread::sleep(Duration::from_millis(pause));
        moving.server.kill();
        let ended = moves.wait().expect("it ends");
        moving.database.until_left();
        let moved = moving.data().join("_moved").exists();
        if ended.success() {
            assert!(moved, "who was told that it is done finds it done");
        }
        if moved {
            moving.again(&["--database", &url]);
            all_is_there(&moving.server, &known);
            return;
        }
        moving.again(&[]);
        assert!(!moving.data().join("_moving").exists(), "what the kill left is gone");
        all_is_there(&moving.server, &known);
    }
    let ran = moving.moves(&url);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    all_is_there(&moving.server, &known);
}

/// The word in the directory decides: a kill right behind it is made up for by the next start.
#[test]
fn killed_between_the_word_in_the_directory_and_that_in_the_database_it_was_decided() {
    let Some(mut moving) = Moving::start("row") else { return };
    let token = moving.token("acme");
    moving.server.post("/v1/books", json!({ "title": "a" })).bearer(&token).send().expect(201);
    moving.moved();
    moving.server.kill();
    let url = moving.database.url();
    let word = std::fs::read_to_string(moving.data().join("_moved")).expect("it is there");
    let name = word.lines().nth(1).expect("the name of the move");
    let marked = |name: &str| {
        moving.database.query(&format!(
            "INSERT INTO mainstay.meta VALUES ('importing', 'whole {name}') \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ))
    };
    let elsewhere = moving.folder.0.join("elsewhere");
    let elsewhere = elsewhere.to_str().expect("plain");
    let listen = ["--listen", "127.0.0.1:0", "--database", &url];
    for (name, data) in [(name, elsewhere), ("of-another", moving.data().to_str().expect("plain"))]
    {
        marked(name);
        let up = [&["up", moving.folder.path(), "--data", data], &listen[..]].concat();
        let ran = run(&up);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("the data directory that it came from"), "{}", ran.stderr);
    }
    marked(name);
    moving.again(&["--database", &url]);
    let page = moving.server.get("/v1/books").bearer(&token).send().expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
}

#[test]
fn who_asks_and_goes_away_has_not_asked() {
    let Some(moving) = Moving::start("database") else { return };
    let token = moving.token("acme");
    moving.server.post("/v1/books", json!({ "title": "a" })).bearer(&token).send().expect(201);
    for times in 1..=3 {
        drop(moving.asks(&moving.database.url()));
        let told = || moving.server.log().matches("the data stays where it is").count();
        until(|| moving.server.log(), || told() == times);
    }
    assert!(moving.server.log().contains("who asked for it has gone"), "{}", moving.server.log());
    assert!(moving.serves_from("sqlite"));
    assert!(!moving.data().join("_moving").exists());
    moving.server.post("/v1/books", json!({ "title": "b" })).bearer(&token).send().expect(201);
    until(|| moving.server.log(), || moving.moves(&moving.database.url()).code == 0);
    let page = moving.server.get("/v1/books").bearer(&token).send().expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(2), "{page}");
    // The model is followed there as it was here.
    let (file, former) = (moving.folder.0.join("mainstay.yaml"), moving.hash());
    let text = std::fs::read_to_string(&file).expect("readable");
    let text = text.replace("copies: many", "colour: string max 9 optional, copies: many");
    std::fs::write(&file, text).expect("writable");
    until(|| moving.server.log(), || moving.hash() != former);
    let red = json!({ "title": "c", "colour": "red" });
    moving.server.post("/v1/books", red).bearer(&token).send().expect(201);
}

#[test]
fn what_can_t_be_moved_to_is_told_and_the_files_go_on() {
    let Some(moving) = Moving::start("row") else { return };
    let token = moving.token("acme");
    let make = || {
        let book = json!({ "title": "a" });
        moving.server.post("/v1/books", book).bearer(&token).send().expect(201)
    };
    make();
    // Nobody speaks there for as long as this is open.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent_at = silent.local_addr().expect("it has one").to_string();
    let unreachable = format!("postgres://postgres:s3cret@{silent_at}/nowhere");
    let mut first = BufReader::new(moving.asks(&unreachable));
    moving.refused(&moving.database.url(), &["the data is being moved already"]);
    drop(silent);
    let mut line = String::new();
    first.read_line(&mut line).expect("it is answered");
    assert!(line.contains("failed") && line.contains(&silent_at), "{line}");
    assert!(!line.contains("s3cret") && !moving.server.log().contains("s3cret"), "{line}");
    moving.refused("postgres://postgres@127.0.0.1:1/nowhere", &["127.0.0.1:1"]);
    make();
    // Rows of another system's backend that was there before.
    let other = Folder::new();
    let mut before = Server::start(
        moving.folder.path(),
        &other.0.join("data"),
        &["--database", &moving.database.url()],
    );
    let theirs = before.token("user", &["--tenant", "acme", "--subject", "bob"]);
    before.post("/v1/books", json!({ "title": "theirs" })).bearer(&theirs).send().expect(201);
    moving.refused(&moving.database.url(), &["there are rows in", "--force"]);
    before.stop();
    moving.database.until_left();
    make();
    assert!(moving.serves_from("sqlite"));
    let elsewhere = moving.folder.0.join("elsewhere");
    moving.refused(elsewhere.to_str().expect("plain"), &["in use by another `mainstay`"]);
    let mut forced = moving.arguments(&moving.database.url());
    forced.push("--force".to_owned());
    let ran = run(&forced.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let page = moving.server.get("/v1/books").bearer(&token).send().expect(200);
    let titles = page["items"].as_array().expect("items").iter().map(|book| &book["title"]);
    assert!(titles.clone().count() == 3 && titles.clone().all(|title| title == "a"), "{page}");
}

#[test]
fn what_is_not_understood_is_refused_and_the_socket_goes_with_the_backend() {
    let Some(mut moving) = Moving::start("row") else { return };
    let path = moving.data().join("_control");
    let say = |text: &[u8]| {
        let mut stream = UnixStream::connect(&path).expect("it listens");
        // It may be closed before all of it is taken.
        let _taken = stream.write_all(text);
        let mut answer = String::new();
        let _cut = stream.read_to_string(&mut answer);
        answer
    };
    assert!(say(b"{\"move\": 1}\n").contains("does not know what is asked"));
    assert!(say(b"\n").contains("does not know what is asked"));
    let _long = say(&[b'a'; 40_000]);
    let asked = json!({ "move": { "to": "postgres://h/d", "force": false, "model": "other" } });
    let answer = say(format!("{asked}\n").as_bytes());
    assert!(answer.contains("serves another model"), "{answer}");
    assert_eq!(moving.server.get("/readyz").send().status, 200);
    moving.server.stop();
    assert!(!path.exists(), "it goes with the backend");
    assert!(is_quiet(&moving.data()));
}

/// Whose rows they are takes them along.
#[test]
fn what_somebody_else_keeps_beside_the_data_is_not_left_behind_unsaid() {
    let Some(database) = Database::new() else { return };
    let model = "system: legacy\nactors: { user: oidc }\ncontexts:\n  desk:\n    resources:\n      \
                 Note:\n        fields: { text: string max 40 }\n        \
                 allow: { read: user, write: user }\n";
    let folder = Folder::new().with("mainstay.yaml", model);
    let data = folder.0.join("data");
    let mut server = Server::start(folder.path(), &data, &[]);
    let token = server.token("user", &[]);
    server.post("/v1/notes", json!({ "text": "kept" })).bearer(&token).send().expect(201);
    server.stop();
    let theirs = "      Note:\n        table: desk.notes\n        managed: no_ddl\n";
    let folder = folder.with("mainstay.yaml", &model.replace("      Note:\n", theirs));
    let server = Server::start(folder.path(), &data, &[]);
    let data = data.to_str().expect("plain");
    let ran = run(&["move", folder.path(), "--data", data, "--to", &database.url()]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("stay behind: `desk.notes`"), "{}", ran.stderr);
    let page = server.get("/v1/notes").bearer(&token).send().expect(200);
    assert_eq!(page["items"][0]["text"], "kept");
}

/// Nothing of a move is in a directory.
fn is_quiet(data: &Path) -> bool {
    ["_moving", "_moved", "_control"].iter().all(|name| !data.join(name).exists())
}
