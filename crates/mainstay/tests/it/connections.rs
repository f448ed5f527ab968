//! The connections to PostgreSQL that a process opens are those that the design decided.

use crate::database::Database;
use crate::harness::{Folder, Server, run};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const MODEL: &str = "
system: pools
actors: { user: oidc }
contexts:
  desk:
    resources:
      Note: { fields: { text: string max 40 }, allow: { read: user, write: user } }
decisions:
  database: { choose: postgresql, because: the test needs a pool }
";

/// Connections that the store has open; those that only look at the server end at once.
fn open(database: &Database) -> usize {
    let text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name LIKE 'mainstay %' AND backend_type = 'client backend'";
    database.query(text)[0][0].parse().expect("a number")
}

/// Makes the store want more than it has: writes wait for a table, and reads go round.
fn most(database: &Database, server: &Server) -> usize {
    let user = server.token("user", &[]);
    server.post("/v1/notes", json!({ "text": "first" })).bearer(&user).send().expect(201);
    let url = database.url();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // In the way of every insert, for as long as the statement runs.
            let text = "BEGIN; LOCK TABLE desk.notes IN SHARE MODE; SELECT pg_sleep(3); COMMIT";
            crate::database::query(&url, text).expect("the table is locked");
        });
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..40 {
            let request = server.post("/v1/notes", json!({ "text": "more" })).bearer(&user);
            scope.spawn(|| request.send());
        }
        watched(database, || drop(server.get("/v1/notes").bearer(&user).send().expect(200)))
    })
}

/// The most that were seen open while something is done again and again.
fn watched(database: &Database, mut again: impl FnMut()) -> usize {
    let until = Instant::now() + Duration::from_secs(2);
    let mut most = 0;
    while Instant::now() < until {
        (0..8).for_each(|_| again());
        most = most.max(open(database));
    }
    most
}

#[test]
fn a_process_opens_as_many_connections_as_were_decided_or_said() {
    let Some(database) = Database::new() else { return };
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let url = database.url();
    let design = run(&["export", "architecture", folder.path()]);
    let design: Value = serde_json::from_str(&design.stdout).expect("the design is JSON");
    let decided = design["settings"]["database_connections"].as_u64().expect("a number");
    let decided = usize::try_from(decided).expect("a small one");
    let rule = design["decisions"].as_array().expect("a list").iter();
    let rule = rule.filter(|one| one["name"] == "pools").collect::<Vec<_>>();
    let choice = rule[0]["choice"].as_str().expect("a text");
    assert!(choice.starts_with(&format!("{decided} for each node")), "{choice}");
    for (flags, wanted, why) in [
        (&[][..], decided, "decision D051"),
        (&["--database-connections", "9"][..], 9, "--database-connections"),
    ] {
        let more = [&["--database", &url, "--log-format", "json"][..], flags].concat();
        let mut server = Server::start(folder.path(), &folder.0.join("data"), &more);
        let log = server.log();
        assert!(log.contains(&format!("\"connections\":{wanted}")), "{log}");
        assert!(log.contains(why), "{log}");
        assert_eq!(most(&database, &server), wanted, "{why}");
        server.stop();
    }
}
