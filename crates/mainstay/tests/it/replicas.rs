//! Reads from a streaming replica: a real one, of a server that these tests make and end.

use crate::cluster::{Cluster, free_port, skipped, url};
use crate::database::query;
use crate::harness::{Server, run, until};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MODEL: &str = "system: copies\nactors: { writer: oidc }\ncontexts:\n  main:\n    \
                     resources:\n      Note:\n        fields:\n          title: string max 80\n        \
                     allow: { read: anyone, write: writer }\n";

/// A primary and its replica, which end with the test.
struct Pair {
    cluster: Cluster,
    primary: u16,
    replica: u16,
}

impl Pair {
    /// None where no server can be made, which is told (and a failure with `CI`).
    fn new() -> Option<Self> {
        let cluster = Cluster::new()?;
        let pair = Self { cluster, primary: free_port(), replica: free_port() };
        let made = pair.make();
        made.map_err(|why| skipped::<()>(&format!("no replica for the tests: {why}"))).ok()?;
        Some(pair)
    }

    fn make(&self) -> Result<(), String> {
        self.cluster.init("primary")?;
        self.start("primary", self.primary)?;
        let (copy, port) = (self.cluster.at("replica"), self.primary.to_string());
        let of = ["-D", &copy, "-R", "-X", "stream", "-c", "fast", "-N", "-h", "127.0.0.1"];
        let of = [&of[..], &["-p", &port, "-U", "postgres"]].concat();
        self.cluster.run("pg_basebackup", &of)?;
        self.start("replica", self.replica)
    }

    fn start(&self, name: &str, port: u16) -> Result<(), String> {
        let settings = "-c wal_receiver_status_interval=1 -c max_wal_senders=4";
        self.cluster.start(name, port, settings)
    }

    fn stop(&self, name: &str) -> Result<(), String> {
        self.cluster.stop(name, "immediate")
    }

    #[track_caller]
    fn on_replica(&self, statement: &str) -> Vec<Vec<String>> {
        query(&url(self.replica), statement).expect("the replica answers")
    }

    fn serve(&self, name: &str) -> Served {
        let model = self.cluster.folder.0.join("mainstay.yaml");
        std::fs::write(&model, MODEL).expect("writable");
        let (primary, replica) = (url(self.primary), url(self.replica));
        let more = ["--database", &primary, "--replica", &replica];
        let data = self.cluster.folder.0.join(name);
        let server = Server::start(model.to_str().expect("plain"), &data, &more);
        let token = server.token("writer", &[]);
        let served = Served { server, token };
        served.until("the replica is used", || {
            let before = served.read_by_replica();
            served.server.get("/v1/notes").send().expect(200);
            served.read_by_replica() > before
        });
        served
    }
}

/// A backend over the pair.
struct Served {
    server: Server,
    token: String,
}

impl Served {
    /// A number of `/metrics`.
    fn told(&self, name: &str) -> i64 {
        let text = self.server.get("/metrics").send().text();
        let line = text.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        number.unwrap_or_else(|| panic!("`{name}` is told: {text}"))
    }

    fn read_by_replica(&self) -> i64 {
        self.told("mainstay_replica_reads_total")
    }

    fn lag(&self) -> i64 {
        self.told("mainstay_replica_lag_milliseconds")
    }

    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        until(|| format!("{what}: {}", self.server.log()), holds);
    }

    /// A new note: its path, and the position of the store after it.
    #[track_caller]
    fn make(&self, title: &str) -> (String, String) {
        let post = self.server.post("/v1/notes", json!({ "title": title })).bearer(&self.token);
        let made = post.send();
        let id = made.expect(201)["id"].as_str().expect("an id").to_owned();
        let position = made.header("mainstay-position").to_owned();
        assert!(!position.is_empty(), "a write tells the position");
        (format!("/v1/notes/{id}"), position)
    }
}

#[test]
fn callers_see_what_they_wrote_at_once_and_replicas_answer_them_again_later() {
    let Some(pair) = Pair::new() else { return };
    let served = pair.serve("one");
    for number in 0..100 {
        let (path, _) = served.make("first");
        let read = || served.server.get(&path).bearer(&served.token).send();
        let tag = read();
        assert_eq!(tag.expect(200)["title"], "first");
        let title = format!("changed {number}");
        let change = served.server.patch(&path, json!({ "title": title }));
        let change = change.bearer(&served.token).header("if-match", tag.header("etag"));
        change.send().expect(200);
        assert_eq!(read().expect(200)["title"], title);
    }
    served.until("the replica answers the writer too", || {
        let before = served.read_by_replica();
        served.server.get("/v1/notes").bearer(&served.token).send().expect(200);
        served.read_by_replica() > before
    });
    served.until("the replica is close behind", || (0..5_000).contains(&served.lag()));
}

#[test]
fn while_replay_is_paused_own_writes_are_read_elsewhere_and_a_long_lag_leaves_the_replica_out() {
    let Some(pair) = Pair::new() else { return };
    let (served, other) = (pair.serve("one"), pair.serve("other"));
    let (before, _) = served.make("before");
    let there = || other.server.get(&before).send().status == 200;
    served.until("the other process sees it", there);
    let paused = Instant::now();
    pair.on_replica("SELECT pg_wal_replay_pause()");
    // It is asked for: what is being replayed comes to its end first.
    let state = || pair.on_replica("SELECT pg_get_wal_replay_pause_state()");
    until(|| "replay goes on", || state() == [["paused"]]);
    let (path, position) = served.make("own");
    let own = served.server.get(&path).bearer(&served.token).send();
    assert_eq!(own.expect(200)["title"], "own", "the caller's own write");
    let elsewhere = || other.server.get(&path);
    let long = Duration::from_secs(3);
    let asks_the_replica = || {
        let before = other.read_by_replica();
        let found = elsewhere().send().status;
        let asked = other.read_by_replica() > before;
        assert_eq!(found, if asked { 404 } else { 200 }, "it knows nothing of the write");
        asked
    };
    // It is left out for a moment where it is slow to say how far it has come.
    while !asks_the_replica() && paused.elapsed() < long {}
    for (position, why) in [
        (position.as_str(), "who brings the position finds the write"),
        ("forged", "what can't be read asks for the newest"),
    ] {
        let read = elsewhere().header("mainstay-position", position).send();
        assert_eq!(read.status, 200, "{why}");
    }
    // Not before it lags too much.
    served.until("it is left out", || paused.elapsed() > long && !asks_the_replica());
    let before = other.read_by_replica();
    for _ in 0..10 {
        other.server.get(&path).send().expect(200);
    }
    assert_eq!(other.read_by_replica(), before, "nobody reads there");
    pair.on_replica("SELECT pg_wal_replay_resume()");
    served.until("it comes back by itself", || {
        other.server.get(&path).send().expect(200);
        other.read_by_replica() > before
    });
}

#[test]
fn a_replica_that_is_killed_under_load_fails_no_request_and_comes_back() {
    let Some(pair) = Pair::new() else { return };
    let served = pair.serve("one");
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (served, stop, done) = (&served, &stop, &done);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if number == 0 {
                        let (path, _) = served.make("a");
                        let own = served.server.get(&path).bearer(&served.token);
                        own.send().expect(200);
                    }
                    served.server.get("/v1/notes?limit=3").send().expect(200);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        struct Stops<'a>(&'a AtomicBool);
        impl Drop for Stops<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _stops = Stops(&stop);
        std::thread::sleep(Duration::from_millis(300));
        pair.stop("replica").expect("it ends");
        served.until("it is left out", || served.lag() == -1);
        let before = served.read_by_replica();
        std::thread::sleep(Duration::from_millis(500));
        pair.start("replica", pair.replica).expect("it starts");
        served.until("it comes back", || served.read_by_replica() > before + 10);
        served.until("calls were answered", || done.load(Ordering::Relaxed) > 100);
    });
}

#[test]
fn a_backend_on_a_standby_is_told_to_name_the_primary() {
    let Some(pair) = Pair::new() else { return };
    let (model, data, url) =
        (pair.cluster.at("mainstay.yaml"), pair.cluster.at("data"), url(pair.replica));
    std::fs::write(&model, MODEL).expect("writable");
    let ran = run(&["up", &model, "--listen", "127.0.0.1:0", "--data", &data, "--database", &url]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let told = "takes no writes, it is a standby: name the primary";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
}
