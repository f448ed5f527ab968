//! Recurring work: missed runs, and processes that stand by for one another.

use crate::database::Database;
use crate::harness::{Folder, Server, until};
use crate::scenes::{Scene, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A year of 365 days: due times are so far apart that none comes while a test runs.
const MISSED: &str = "
system: clocks
actors: { user: oidc }
contexts:
  tower:
    resources:
      Clock:
        if_match: required
        fields: { none: int = 0, one: int = 0, all: int = 0 }
        commands:
          none: { set: { none: none + 1 }, by: system }
          one: { set: { one: one + 1 }, by: system }
          all: { set: { all: all + 1 }, by: system }
        allow: { read: user, write: user }
schedules:
  none: { every: 365 d, for: Clock, do: Clock.none, catch_up: none }
  one: { every: 365 d, for: Clock, do: Clock.one }
  all: { every: 365 d, for: Clock, do: Clock.all, catch_up: all up to 3 }
";

#[test]
fn missed_runs_are_made_up_for_as_the_model_says() {
    let folder = Folder::new().with("mainstay.yaml", MISSED);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    let data = folder.0.join("data");
    let mut tower = Scene::of(&model, folder);
    let id = text(&tower.post("user - ann", "/v1/clocks", json!({})).expect(201), "id");
    let file = || rusqlite::Connection::open(data.join("clocks.db")).expect("it opens");
    let asked = |which: &str| -> i64 {
        let text = format!("SELECT count(*) FROM mainstay_consumers WHERE {which}");
        file().query_row(&text, [], |row| row.get(0)).expect("a count")
    };
    until(|| "no schedule is known", || asked("consumer LIKE 'schedule %'") == 3);
    tower.server.stop();
    let until_now = "\"until\" <= CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + 999999";
    assert_eq!(asked(&format!("consumer LIKE 'schedule %' AND {until_now}")), 3, "given back");
    let years_ago = "UPDATE mainstay_consumers SET position = position - 5 * 365 * 86400 * 1000000";
    file().execute(years_ago, []).expect("it is changed");
    let year_ago = "position < (CAST(strftime('%s', 'now') AS INTEGER) - 86400 * 365) * 1000000";
    tower.server = Server::start(&model, &data, &[]);
    until(|| tower.server.log(), || asked(year_ago) == 0);
    let clock = tower.get("user - ann", &format!("/v1/clocks/{id}")).expect(200);
    assert_eq!([&clock["none"], &clock["one"], &clock["all"]], [&json!(0), &json!(1), &json!(3)]);
}

/// A clock that counts seconds.
const TICKING: &str = "
system: ticks
actors: { user: oidc }
contexts:
  tower:
    resources:
      Clock:
        fields: { ticks: int = 0 }
        commands: { tick: { set: { ticks: ticks + 1 }, by: system } }
        allow: { read: user, write: user }
schedules:
  tick: { every: 1 s, for: Clock, do: Clock.tick, catch_up: none }
";

/// As long as a claim of a process that died holds, and some time to find that out.
const TAKEN_OVER: Duration = Duration::from_secs(16);

#[test]
fn of_two_processes_one_runs_a_schedule_and_the_other_takes_over_when_it_ends_or_dies() {
    let Some(database) = Database::new() else { return };
    let folder = Folder::new().with("mainstay.yaml", TICKING);
    let (model, data, url) = (folder.path().to_owned(), folder.0.join("data"), database.url());
    let start = || Server::start(&model, &data, &["--database", &url]);
    let mut servers = [start(), start()];
    let user = servers[0].token("user", &[]);
    let made = servers[0].post("/v1/clocks", json!({})).bearer(&user).send().expect(201);
    let (path, began) = (format!("/v1/clocks/{}", text(&made, "id")), Instant::now());
    let ticks = |server: &Server| -> u64 {
        let clock: Value = server.get(&path).bearer(&user).send().expect(200);
        clock["ticks"].as_u64().unwrap_or_else(|| panic!("no ticks in {clock}"))
    };
    // The process is the first part of the name of who has the claim.
    let owner = |servers: &[Server; 2]| {
        let row = "SELECT owner FROM mainstay.consumers WHERE consumer = 'schedule tick'";
        let owner = database.query(row).concat().concat();
        let is = |server: &Server| owner.starts_with(&format!("{}-", server.process()));
        servers.iter().position(is).unwrap_or_else(|| panic!("`{owner}` is neither"))
    };
    let no_more_than_seconds = |server: &Server| {
        let seen = ticks(server);
        let (seconds, told) = (began.elapsed().as_secs() + 1, "a tick a second at most");
        assert!(seen <= seconds, "{told}: {seen} in {seconds} s");
        seen
    };
    let goes_on = |server: &Server, before: u64, within: Duration| {
        let since = Instant::now();
        until(|| server.log(), || ticks(server) > before + 1);
        assert!(since.elapsed() < within, "it took {:?}", since.elapsed());
        no_more_than_seconds(server);
    };
    goes_on(&servers[0], 2, TAKEN_OVER);
    // One ends: its claim is free at once.
    let first = owner(&servers);
    servers[first].stop();
    let other = 1 - first;
    let before = no_more_than_seconds(&servers[other]);
    goes_on(&servers[other], before, Duration::from_secs(8));
    assert_eq!(owner(&servers), other);
    // One is killed: its claim holds to its end.
    servers[first] = start();
    servers[other].kill();
    let before = no_more_than_seconds(&servers[first]);
    goes_on(&servers[first], before, TAKEN_OVER);
    assert_eq!(owner(&servers), first);
}
