//! The connections to PostgreSQL that a process opens are those that the design decided.

use crate::database::Database;
use crate::harness::{Folder, Server, WAIT, run};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Makes the store want more than it has until it has what is wanted: writes wait for a table, and
/// reads go round. The most connections that were seen.
fn most(database: &Database, server: &Server, wanted: usize) -> usize {
    let user = server.token("user", &[]);
    server.post("/v1/notes", json!({ "text": "first" })).bearer(&user).send().expect(201);
    // In the way of every insert.
    let held = database.hold("LOCK TABLE desk.notes IN SHARE MODE");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            // Those that were refused, for others wait already, come again.
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let request = server.post("/v1/notes", json!({ "text": "more" }));
                    let _waited = request.bearer(&user).try_send();
                }
            });
        }
        let again = || drop(server.get("/v1/notes").bearer(&user).send().expect(200));
        let most = watched(database, wanted, again);
        stop.store(true, Ordering::Relaxed);
        drop(held);
        most
    })
}

/// The most that were seen open while something is done again and again: until there are as many
/// as are wanted, and a second longer, for there might be more.
fn watched(database: &Database, wanted: usize, mut again: impl FnMut()) -> usize {
    let (end, mut most, mut since) = (Instant::now() + WAIT, 0, None);
    while Instant::now() < end {
        (0..8).for_each(|_| again());
        most = most.max(open(database));
        if most >= wanted {
            let since = since.get_or_insert_with(Instant::now);
            if since.elapsed() > Duration::from_secs(1) {
                break;
            }
        }
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
        server.logs(&format!("\"connections\":{wanted}"));
        server.logs(why);
        assert_eq!(most(&database, &server, wanted), wanted, "{why}");
        server.stop();
        database.until_left();
    }
}
