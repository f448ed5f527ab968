//! What can go wrong with PostgreSQL, on servers that these tests make, misuse and end.

use crate::cluster::{Cluster, free_port, skipped, url};
use crate::database::query;
use crate::harness::{Answer, Ran, Server, WAIT, run};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MODEL: &str = "system: notes\nactors: { writer: oidc }\ncontexts:\n  main:\n    resources:\n      \
                     Note:\n        fields:\n          title: string max 200000\n        \
                     allow: { read: anyone, write: writer }\n";

/// A server, and a model to run on it.
struct Place {
    cluster: Cluster,
    port: u16,
}

impl Place {
    /// A server that runs with these settings; none where it can't be made, which is told.
    fn new(settings: &str) -> Option<Self> {
        let cluster = Cluster::new()?;
        std::fs::write(cluster.at("mainstay.yaml"), MODEL).expect("writable");
        let place = Self { cluster, port: free_port() };
        let made = place.cluster.init("server").and_then(|()| place.start(settings));
        made.map_err(|why| skipped::<()>(&format!("no PostgreSQL for the test: {why}"))).ok()?;
        Some(place)
    }

    fn start(&self, settings: &str) -> Result<(), String> {
        self.cluster.start("server", self.port, settings)
    }

    fn stop(&self, how: &str) {
        self.cluster.stop("server", how).expect("it ends");
    }

    /// As its superuser.
    #[track_caller]
    fn query(&self, statement: &str) -> Vec<Vec<String>> {
        query(&url(self.port), statement).expect("the server answers")
    }

    /// Who may come in, one line each.
    fn admit(&self, lines: &[&str]) {
        let lines = [&["host all postgres 127.0.0.1/32 trust"], lines].concat().join("\n");
        std::fs::write(self.cluster.at("server/pg_hba.conf"), lines + "\n").expect("writable");
        self.cluster.reload("server", self.port).expect("it reads them");
    }

    /// A file that only the server may read, as it demands of keys.
    fn private(&self, name: &str, text: &str) {
        let path = self.cluster.at(name);
        std::fs::write(&path, text).expect("writable");
        let only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, only).expect("it is ours");
        give(&path);
    }

    fn address(&self, user: &str, host: &str, query: &str) -> String {
        format!("postgres://{user}@{host}:{}/postgres{query}", self.port)
    }

    fn up(&self, address: &str) -> Server {
        let data = self.cluster.folder.0.join("data");
        Server::start(&self.cluster.at("mainstay.yaml"), &data, &["--database", address])
    }

    /// What a backend says that does not start there.
    #[track_caller]
    fn refused(&self, address: &str) -> String {
        let (model, data) = (self.cluster.at("mainstay.yaml"), self.cluster.at("refused"));
        let listen = ["--listen", "127.0.0.1:0", "--data", &data, "--database", address];
        let Ran { stderr, code, .. } = run(&[&["up", &model][..], &listen].concat());
        assert_eq!(code, 2, "{stderr}");
        assert!(!stderr.contains("hunter"), "a password is told: {stderr}");
        stderr
    }
}

/// Gives something to who runs the server.
fn give(path: &str) {
    if rustix::process::geteuid().is_root() {
        let given = Command::new("chown").args(["postgres", path]).status();
        assert!(given.expect("chown runs").success());
    }
}

#[track_caller]
fn says(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "`{part}` is missing: {told}");
    }
}

#[track_caller]
fn until(what: &str, server: &Server, holds: impl Fn() -> bool) {
    let end = Instant::now() + 2 * WAIT;
    while !holds() {
        assert!(Instant::now() < end, "{what}: {}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn readiness(server: &Server) -> u16 {
    server.get("/readyz").send().status
}

/// What readiness knows of a check.
#[track_caller]
fn check(server: &Server, name: &str) -> Value {
    let told = server.get("/readyz?verbose").send().json();
    let checks = told["checks"].as_array().or(told["health"]["checks"].as_array());
    let found = checks.and_then(|all| all.iter().find(|one| one["name"] == name));
    found.unwrap_or_else(|| panic!("no check `{name}`: {told}")).clone()
}

fn create(server: &Server, token: &str, title: &str, key: &str) -> Answer {
    let post = server.post("/v1/notes", json!({ "title": title })).bearer(token);
    if key.is_empty() { post.send() } else { post.header("idempotency-key", key).send() }
}

/// A refusal that says when to come back and nothing of the inside.
#[track_caller]
fn unavailable(answer: &Answer, detail: &str) {
    assert_eq!(answer.problem(503), "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.json()["detail"], detail, "{}", answer.text());
}

/// Whether it is refused, and as it should be: another call may be answered by a connection that
/// has not heard of it yet.
#[track_caller]
fn is_refused(answer: &Answer, detail: &str) -> bool {
    let refused = answer.status == 503;
    if refused {
        unavailable(answer, detail);
    }
    refused
}

/// A root, and a certificate for an address that it signed, with the key.
fn certificates(root_name: &str, name: &str) -> [String; 3] {
    let key = || KeyPair::generate().expect("a key");
    let mut root = CertificateParams::new(Vec::new()).expect("parameters");
    root.distinguished_name.push(DnType::CommonName, root_name);
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, key()).expect("a root");
    let (one, own) = (CertificateParams::new([name.to_owned()]).expect("parameters"), key());
    let one = one.signed_by(&own, &root).expect("a certificate");
    [root.pem(), one.pem(), own.serialize_pem()]
}

#[test]
fn tls_proves_the_server_or_says_what_does_not_fit() {
    let Some(place) = Place::new("") else { return };
    let [root, certificate, key] = certificates("root", "127.0.0.1");
    place.private("server.crt", &certificate);
    place.private("server.key", &key);
    let [right, wrong] = ["root.pem", "other.pem"].map(|name| place.cluster.at(name));
    std::fs::write(&right, root).expect("writable");
    std::fs::write(&wrong, &certificates("other", "127.0.0.1")[0]).expect("writable");
    place.query("CREATE ROLE guarded LOGIN; GRANT CREATE ON DATABASE postgres TO guarded");
    place.query("CREATE EXTENSION btree_gist; CREATE EXTENSION pg_trgm");
    place.admit(&["hostssl all guarded 127.0.0.1/32 trust"]);
    let at = |host: &str, query: &str| place.address("guarded", host, query);
    let told = place.refused(&at("127.0.0.1", "?sslmode=require"));
    says(&told, &["refuses", "server does not support TLS", "`sslmode`"]);
    let (certificate, key) = (place.cluster.at("server.crt"), place.cluster.at("server.key"));
    place.stop("fast");
    let files = format!("-c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={key}");
    place.start(&files).expect("it starts");
    let verified = |root: &str| format!("?sslmode=verify-full&sslrootcert={root}");
    let told = place.refused(&at("127.0.0.1", &verified(&wrong)));
    says(&told, &["refuses", "UnknownIssuer", "not signed by `sslrootcert`"]);
    let told = place.refused(&at("localhost", &verified(&right)));
    says(&told, &["refuses", "its certificate is for other names", "localhost"]);
    let told = place.refused(&at("127.0.0.1", "?sslmode=disable"));
    says(&told, &["refuses", "28000", "pg_hba.conf", "`sslmode=require`"]);
    for query in [verified(&right), "?sslmode=require".to_owned(), String::new()] {
        let mut server = place.up(&at("127.0.0.1", &query));
        let token = server.token("writer", &[]);
        assert_eq!(create(&server, &token, "safe", "").status, 201, "{query}");
        let plain = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
                     WHERE a.usename = 'guarded' AND NOT s.ssl";
        assert_eq!(place.query(plain), [["0"]], "{query}");
        server.stop();
    }
}

#[test]
fn a_password_opens_the_server_and_is_never_told() {
    let Some(place) = Place::new("-c password_encryption=scram-sha-256") else { return };
    place.query("CREATE ROLE me LOGIN PASSWORD 'hunter2'; GRANT CREATE ON DATABASE postgres TO me");
    place.admit(&["host all me 127.0.0.1/32 scram-sha-256"]);
    let told = place.refused(&place.address("me:hunter3", "127.0.0.1", ""));
    says(&told, &["refuses", "28P01", "user and password"]);
    let told = place.refused(&place.address("me", "127.0.0.1", ""));
    says(&told, &["refuses", "password missing", "user and password"]);
    let told = place.refused(&place.address("nobody:hunter2", "127.0.0.1", ""));
    says(&told, &["refuses", "28000", "needs a line for this user"]);
    let server = place.up(&place.address("me:hunter2", "127.0.0.1", ""));
    let token = server.token("writer", &[]);
    create(&server, &token, "secret", "").expect(201);
    // It is changed while the backend runs, and committed before the backend is thrown out: in
    // one statement list the next connection could still come in by the old one.
    place.query("ALTER ROLE me PASSWORD 'hunter4'");
    place.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'me'");
    let detail = "the store cannot read or write its data";
    until("it is refused", &server, || is_refused(&server.get("/v1/notes").send(), detail));
    place.query("ALTER ROLE me PASSWORD 'hunter2'");
    until("it is let in", &server, || server.get("/v1/notes").send().status == 200);
    assert!(!server.log().contains("hunter"), "{}", server.log());
}

#[test]
fn a_user_without_rights_is_told_which_and_how_they_are_given() {
    let Some(place) = Place::new("") else { return };
    place.query("CREATE ROLE poor LOGIN");
    let address = place.address("poor", "127.0.0.1", "");
    let told = place.refused(&address);
    let grant = "GRANT CREATE ON DATABASE postgres TO poor";
    says(&told, &["lets poor make no schema", grant]);
    place.query(grant);
    let mut server = place.up(&address);
    let token = server.token("writer", &[]);
    create(&server, &token, "first", "").expect(201);
    server.stop();
    // What is made needs no right to make more.
    place.query("REVOKE CREATE ON DATABASE postgres FROM poor");
    let server = place.up(&address);
    assert_eq!(server.get("/v1/notes").send().expect(200)["items"][0]["title"], "first");
}

/// How long a server may be gone that nobody is to notice: calls wait a little longer.
const BRIDGED: Duration = Duration::from_millis(3_500);

#[test]
fn a_restart_of_the_server_under_load_fails_no_read_and_no_write_with_a_key() {
    let Some(place) = Place::new("") else { return };
    let server = place.up(&url(place.port));
    let token = server.token("writer", &[]);
    let first = create(&server, &token, "first", "").expect(201);
    let path = format!("/v1/notes/{}", first["id"].as_str().expect("an id"));
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let (made, refused) = (AtomicU64::new(1), AtomicU64::new(0));
    // Asks until it is not refused; how often it is, is counted.
    let answered = |ask: &dyn Fn() -> Answer, status: u16| {
        let end = Instant::now() + WAIT;
        loop {
            let answer = ask();
            if answer.status != 503 || Instant::now() > end {
                return drop(answer.expect(status));
            }
            refused.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    std::thread::scope(|scope| {
        for worker in 0..6 {
            let (server, token, path) = (&server, &token, &path);
            let (stop, done, made, answered) = (&stop, &done, &made, &answered);
            scope.spawn(move || {
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    match worker % 3 {
                        0 => answered(&|| server.get(path).send(), 200),
                        1 => answered(&|| server.get("/v1/notes?limit=3").send(), 200),
                        _ => {
                            let key = format!("{worker}-{round}");
                            answered(&|| create(server, token, "again", &key), 201);
                            made.fetch_add(1, Ordering::Relaxed);
                        }
                    }
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
        for how in ["fast", "immediate"] {
            std::thread::sleep(Duration::from_millis(300));
            let gone = Instant::now();
            place.stop(how);
            place.start("").expect("it starts again");
            let gone = gone.elapsed();
            let before = done.load(Ordering::Relaxed);
            until("calls go on", &server, || done.load(Ordering::Relaxed) > before + 20);
            // Nobody waits longer than that for a server.
            let refused = refused.swap(0, Ordering::Relaxed);
            assert!(refused == 0 || gone > BRIDGED, "{how}, {gone:?}: {refused} were refused");
        }
    });
    let made = made.load(Ordering::Relaxed).to_string();
    assert_eq!(place.query("SELECT count(*) FROM main.notes"), [[made]], "each was made once");
}

#[test]
fn while_the_server_is_down_the_process_stays_up_and_is_ready_again_by_itself() {
    let Some(place) = Place::new("") else { return };
    let server = place.up(&url(place.port));
    let token = server.token("writer", &[]);
    create(&server, &token, "first", "").expect(201);
    until("it is ready", &server, || readiness(&server) == 200);
    place.stop("fast");
    let gone = "the store cannot read or write its data";
    unavailable(&server.get("/v1/notes").send(), gone);
    unavailable(&create(&server, &token, "lost", "lost"), gone);
    // Whoever came first has waited for it; nobody else does.
    let quickest = (0..3).map(|_| {
        let asked = Instant::now();
        unavailable(&server.get("/v1/notes").send(), gone);
        asked.elapsed()
    });
    let quickest = quickest.min().expect("three of them");
    assert!(quickest < Duration::from_secs(2), "{quickest:?}");
    until("it is not ready", &server, || readiness(&server) == 503);
    says(&check(&server, "store").to_string(), &["fail"]);
    assert_eq!(server.get("/livez").send().status, 200);
    place.start("").expect("it starts again");
    until("it is ready again", &server, || readiness(&server) == 200);
    // Whoever found it away leaves it alone for half a second.
    until("it reads again", &server, || server.get("/v1/notes").send().status == 200);
    until("it writes again", &server, || create(&server, &token, "lost", "lost").status == 201);
    assert_eq!(
        server.get("/v1/notes").send().expect(200)["items"].as_array().map(Vec::len),
        Some(2)
    );
    let told = server.log().matches("the store cannot be used").count();
    assert!((1..=2).contains(&told), "operators are told once a minute: {}", server.log());
}

#[test]
fn a_backend_that_starts_before_its_server_waits_for_it() {
    let Some(place) = Place::new("") else { return };
    place.stop("fast");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Soon after the backend was started, which waits for some seconds.
            let (log, end) = (place.cluster.folder.0.join("data.log"), Instant::now() + WAIT);
            while !log.exists() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
            std::thread::sleep(Duration::from_millis(500));
            place.start("").expect("it starts again");
        });
        let server = place.up(&url(place.port));
        server.get("/v1/notes").send().expect(200);
    });
}

#[test]
fn a_server_that_is_read_only_answers_reads_refuses_writes_and_says_so() {
    let Some(place) = Place::new("") else { return };
    let server = place.up(&url(place.port));
    let token = server.token("writer", &[]);
    create(&server, &token, "first", "").expect(201);
    let switch = |to: &str| {
        place.query(&format!("ALTER SYSTEM SET default_transaction_read_only = {to}"));
        place.cluster.reload("server", place.port).expect("it reads its settings");
    };
    switch("on");
    // Each connection hears of it for itself: the next write may find one that has not yet.
    until("a write is refused", &server, || {
        is_refused(&create(&server, &token, "second", ""), "the store takes no writes")
    });
    server.get("/v1/notes").send().expect(200);
    until("readiness tells", &server, || check(&server, "writes")["status"] == "fail");
    says(&check(&server, "writes").to_string(), &["ReadOnly"]);
    assert_eq!(readiness(&server), 200, "it still answers reads");
    let told = place.refused(&url(place.port));
    says(&told, &["takes no writes", "`default_transaction_read_only`"]);
    query(
        &url(place.port),
        "BEGIN READ WRITE; ALTER DATABASE postgres \
          SET default_transaction_read_only = off; COMMIT",
    )
    .expect("it may be written so");
    // A connection keeps what its database had when it was made.
    place.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE application_name LIKE 'mainstay%'",
    );
    until("a write is taken", &server, || create(&server, &token, "fourth", "").status == 201);
    until("readiness tells", &server, || check(&server, "writes")["status"] == "pass");
}

/// A file system that ends with the test.
struct Small(String);

impl Small {
    fn new(at: String) -> Option<Self> {
        std::fs::create_dir_all(&at).expect("writable");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m,mode=777", "none", &at]);
        let mounted = mount.output();
        match mounted.is_ok_and(|done| done.status.success()) {
            true => {
                let small = Self(at);
                give(&small.0);
                Some(small)
            }
            false => {
                // Nobody else than root can make one, in CI neither.
                eprintln!("\n**** SKIPPED: no small file system can be mounted ****\n");
                None
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _gone = Command::new("umount").args(["-l", &self.0]).status();
    }
}

#[test]
fn a_server_without_room_refuses_writes_and_takes_them_again_when_there_is_some() {
    let Some(place) = Place::new("") else { return };
    let Some(small) = Small::new(place.cluster.at("small")) else { return };
    place.query(&format!("CREATE TABLESPACE small LOCATION '{}'", small.0));
    place.query("GRANT CREATE ON TABLESPACE small TO PUBLIC");
    place.query("ALTER ROLE postgres SET default_tablespace = small");
    let server = place.up(&url(place.port));
    let token = server.token("writer", &[]);
    create(&server, &token, "first", "").expect(201);
    let filler = format!("{}/filler", small.0);
    let mut fill = Command::new("dd");
    let filled = fill.args(["if=/dev/zero", &format!("of={filler}"), "bs=64k"]).output();
    let filled = filled.expect("dd runs");
    assert!(!filled.status.success(), "it ends where no room is left");
    // What can't be compressed.
    let long = |number: u64| -> String {
        let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            char::from(b'!' + u8::try_from(seed % 90).expect("small"))
        };
        (0..100_000).map(|_| next()).collect()
    };
    let number = AtomicU64::new(0);
    let write = || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        create(&server, &token, &long(number), "")
    };
    let detail = "the store has no room left: it takes no writes until some is free";
    until("a write is refused", &server, || is_refused(&write(), detail));
    server.get("/v1/notes?limit=1").send().expect(200);
    until("readiness tells", &server, || check(&server, "writes")["status"] == "fail");
    says(&check(&server, "writes").to_string(), &["Full"]);
    std::fs::remove_file(filler).expect("it is there");
    until("a write is taken", &server, || write().status == 201);
    until("readiness tells", &server, || check(&server, "writes")["status"] == "pass");
    assert_eq!(server.get("/livez").send().status, 200);
}
