//! Views over windows of time: what happened before they were in the model is folded into them, in
//! the order of the log, with times that the tests give the events.

use crate::audit::behind_its_back;
use crate::events_verbs::fine;
use crate::harness::{Folder, Server, until};
use crate::scenes::{Scene, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const USER: &str = "user - ann";

/// Visits; what is counted of them stands behind.
const VISITS: &str = "
system: visits
actors: { user: oidc }
contexts:
  gate:
    resources:
      Visit:
        fields: { who: string max 9, minute: int, amount: int }
        emit: [created]
        allow: { read: user, write: user }
";

/// What is counted.
const VIEWS: &str = "    views:
      InTurn:
        path: in-turn
        from: visit.created
        key: { who: event.who }
        set: { visits: count(), total: sum(event.amount), most: max(event.amount) }
        window: 5 min tumbling
        late: 2 min
        allow: { read: user }
      Sliding:
        path: sliding
        from: visit.created
        key: { who: event.who }
        set: { visits: count(), total: sum(event.amount), most: max(event.amount) }
        window: 10 min sliding 5 min
        late: 2 min
        allow: { read: user }
      Stays:
        path: stays
        from: visit.created
        key: { who: event.who }
        set: { visits: count(), total: sum(event.amount), most: max(event.amount) }
        window: 3 min session
        late: 2 min
        allow: { read: user }
";

/// Who, in which minute of the day, how much.
type Visit = (&'static str, i64, i64);
/// Who, from and to which minute of the day, whether it is closed, visits, their sum, the greatest.
type Row = (String, i64, i64, bool, i64, i64, i64);

fn batch(gate: &Scene, visits: &[Visit]) {
    let operation = |(who, minute, amount): &Visit| {
        let body = json!({"who": who, "minute": minute, "amount": amount});
        json!({"method": "POST", "path": "/v1/visits", "body": body})
    };
    for some in visits.chunks(100) {
        let operations: Vec<Value> = some.iter().map(operation).collect();
        gate.post(USER, "/v1/batch", json!({"operations": operations})).expect(200);
    }
}

/// Gives the events that have none the times of their visits.
fn retime(gate: &Scene) {
    let from = 1_767_225_600_000_000_i64;
    let sqlite = format!(
        "UPDATE mainstay_outbox SET time = {from} + json_extract(data, '$.minute') * 60000000"
    );
    let postgresql = "UPDATE mainstay.outbox SET \"time\" = '2026-01-01T00:00:00Z'::timestamptz + \
                      (data->>'minute')::int * interval '1 minute'";
    behind_its_back(&gate.folder.0.join("data"), &sqlite, postgresql).expect("it is changed");
}

/// Visits with times of their own, and a backend that counts them from the first.
fn counted(visits: &[Visit]) -> (Scene, String) {
    let folder = Folder::new().with("mainstay.yaml", VISITS);
    let file = folder.0.join("mainstay.yaml");
    let model = file.display().to_string();
    let mut gate = Scene::of(&model, folder);
    batch(&gate, visits);
    gate.server.stop();
    retime(&gate);
    std::fs::write(file, format!("{VISITS}{VIEWS}")).expect("writable");
    gate.server = Server::start(&model, &gate.folder.0.join("data"), &[]);
    (gate, model)
}

/// The minute of the first day; the day before is less than none.
fn minute(time: &str) -> i64 {
    let number = |at: std::ops::Range<usize>| -> i64 { time[at].parse().expect("a number") };
    let day = if time.starts_with("2025") { -1 } else { number(8..10) - 1 };
    (day * 24 + number(11..13)) * 60 + number(14..16)
}

/// All rows of a view, once all events so far are in it.
fn rows(gate: &Scene, view: &str) -> Vec<Row> {
    let mut query = "limit=100&sort=window_start".to_owned();
    let mut found = Vec::new();
    let waiting = |query: &str| {
        gate.request(USER, "GET", &format!("/v1/{view}?{query}")).header("prefer", "wait=30")
    };
    let up_to_date = || waiting(&query).send().header("preference-applied") == "wait=30";
    until(|| gate.server.log(), up_to_date);
    loop {
        let page = waiting(&query).send().expect(200);
        for item in page["items"].as_array().expect("items") {
            let whole = |of: &str| item[of].as_i64().unwrap_or_else(|| panic!("{of} in {item}"));
            let times = ["window_start", "window_end"].map(|of| minute(&text(item, of)));
            let closed = item["closed"].as_bool().unwrap_or_else(|| panic!("closed in {item}"));
            let numbers = ["visits", "total", "most"].map(whole);
            let [visits, total, most] = numbers;
            found.push((text(item, "who"), times[0], times[1], closed, visits, total, most));
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=100&sort=window_start&cursor={cursor}"),
            None => break,
        }
    }
    found.sort();
    found
}

fn row(who: &str, (start, end): (i64, i64), closed: bool, folds: (i64, i64, i64)) -> Row {
    (who.to_owned(), start, end, closed, folds.0, folds.1, folds.2)
}

#[test]
pub(crate) fn events_are_counted_in_windows_of_their_own_time_and_late_ones_change_nothing_closed()
{
    let (mut gate, model) = counted(&[
        ("a", 1, 10),
        ("a", 5, 20),
        // Between two sessions, and late by no more than may be.
        ("a", 3, 1),
        ("b", 6, 5),
        ("a", 8, 2),
        // Too late for what ended at 5 or before 6.
        ("a", 2, 100),
        ("b", 9, 7),
        ("c", 20, 1),
    ]);
    let in_turn = vec![
        row("a", (0, 5), true, (2, 11, 10)),
        row("a", (5, 10), true, (2, 22, 20)),
        row("b", (5, 10), true, (2, 12, 7)),
        row("c", (20, 25), false, (1, 1, 1)),
    ];
    assert_eq!(rows(&gate, "in-turn"), in_turn);
    let sliding = vec![
        row("a", (-5, 5), true, (2, 11, 10)),
        row("a", (0, 10), true, (5, 133, 100)),
        row("a", (5, 15), true, (2, 22, 20)),
        row("b", (0, 10), true, (2, 12, 7)),
        row("b", (5, 15), true, (2, 12, 7)),
        row("c", (15, 25), false, (1, 1, 1)),
        row("c", (20, 30), false, (1, 1, 1)),
    ];
    assert_eq!(rows(&gate, "sliding"), sliding);
    let stays = vec![
        row("a", (1, 8), true, (3, 31, 20)),
        row("a", (8, 11), true, (1, 2, 2)),
        row("b", (6, 9), true, (1, 5, 5)),
        row("b", (9, 12), true, (1, 7, 7)),
        row("c", (20, 23), false, (1, 1, 1)),
    ];
    assert_eq!(rows(&gate, "stays"), stays);
    let metrics = gate.server.get("/metrics").send().text();
    for view in ["InTurn", "Sliding", "Stays"] {
        let line = format!("mainstay_view_late_events_total{{view=\"gate.{view}\"}} 1\n");
        assert!(metrics.contains(&line), "no `{line}` in {metrics}");
    }
    let closed = gate.get(USER, "/v1/stays?closed=false").expect(200);
    assert_eq!(closed["items"].as_array().map(Vec::len), Some(1), "{closed}");
    let after =
        "/v1/stays?window_start.gte=2026-01-01T00:09:00Z&window_end.lt=2026-01-01T00:20:00Z";
    let after = gate.get(USER, after).expect(200);
    assert_eq!(after["items"].as_array().map(Vec::len), Some(1), "{after}");
    gate.server.stop();
    for (view, events) in [("InTurn", 8), ("Sliding", 8), ("Stays", 8)] {
        let rebuilt = fine(&gate, &["views", "rebuild", view, &model]);
        let told = (&rebuilt["events"], &rebuilt["changed"], &rebuilt["left_out"]);
        assert_eq!(told, (&json!(events), &json!(0), &json!(0)), "{view}: {rebuilt}");
    }
    gate.server = Server::start(&model, &gate.folder.0.join("data"), &[]);
    assert_eq!(rows(&gate, "in-turn"), in_turn);
    assert_eq!(rows(&gate, "sliding"), sliding);
    assert_eq!(rows(&gate, "stays"), stays);
}

/// An even draw below `below`; the state goes on.
fn draw(state: &mut u64, below: u64) -> i64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    i64::try_from((*state >> 33) % below).expect("a small number")
}

/// Visits of a day, each after younger ones by no more than may be.
fn busy_day(number: usize) -> Vec<Visit> {
    let mut state = 11;
    let mut arriving = Vec::new();
    for at in 0..number {
        let time = i64::try_from(at * 1_400 / number).expect("a minute");
        let who = ["a", "b", "c", "d", "e"][usize::try_from(draw(&mut state, 5)).expect("few")];
        // Some people are seldom there.
        let who = if draw(&mut state, 20) > 0 { "a" } else { who };
        let delay = draw(&mut state, 3);
        arriving.push((time + delay, (who, time, draw(&mut state, 100))));
    }
    arriving.sort_by_key(|(at, _)| *at);
    arriving.into_iter().map(|(_, visit)| visit).collect()
}

fn folds(all: &[(i64, i64)]) -> (i64, i64, i64) {
    let visits = i64::try_from(all.len()).expect("a count");
    let total = all.iter().map(|(_, amount)| amount).sum();
    (visits, total, all.iter().map(|(_, amount)| *amount).max().unwrap_or(0))
}

/// The rows of windows of fixed places.
fn in_windows(visits: &[Visit], (size, every): (i64, i64)) -> Vec<Row> {
    let mut windows: BTreeMap<(&str, i64), Vec<(i64, i64)>> = BTreeMap::new();
    for (who, time, amount) in visits {
        for start in (-2..400).map(|at| at * every) {
            if (start..start + size).contains(time) {
                windows.entry((who, start)).or_default().push((*time, *amount));
            }
        }
    }
    let last = visits.iter().map(|(_, time, _)| *time).max().unwrap_or(0) - 2;
    let row_of = |((who, start), all): (&(&str, i64), &Vec<(i64, i64)>)| {
        row(who, (*start, start + size), start + size <= last, folds(all))
    };
    let mut rows: Vec<Row> = windows.iter().map(row_of).collect();
    rows.sort();
    rows
}

/// The rows of sessions that end with a pause.
fn in_sessions(visits: &[Visit], gap: i64) -> Vec<Row> {
    let mut of: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for (who, time, amount) in visits {
        of.entry(who).or_default().push((*time, *amount));
    }
    let last = visits.iter().map(|(_, time, _)| *time).max().unwrap_or(0) - 2;
    let mut rows = Vec::new();
    for (who, mut all) in of {
        all.sort_unstable();
        for session in all.chunk_by(|one, next| next.0 - one.0 < gap) {
            let (start, end) = (session[0].0, session[session.len() - 1].0 + gap);
            rows.push(row(who, (start, end), end <= last, folds(session)));
        }
    }
    rows.sort();
    rows
}

#[test]
pub(crate) fn after_kill_9_and_after_a_rebuild_windows_hold_each_event_once() {
    let visits = busy_day(3_000);
    let (mut gate, model) = counted(&visits);
    let data = gate.folder.0.join("data");
    for view in ["in-turn", "stays"] {
        // As soon as some of it is there.
        let some = || {
            let page = gate.get(USER, &format!("/v1/{view}?limit=1")).expect(200);
            page["items"].as_array().is_some_and(|items| !items.is_empty())
        };
        until(|| gate.server.log(), some);
        gate.server.kill();
        gate.server = Server::start(&model, &data, &[]);
    }
    let expected = [
        ("in-turn", "InTurn", in_windows(&visits, (5, 5))),
        ("sliding", "Sliding", in_windows(&visits, (10, 5))),
        ("stays", "Stays", in_sessions(&visits, 3)),
    ];
    for (path, _, expected) in &expected {
        assert!(expected.len() > 60, "there is something to compare in {path}");
        assert_eq!(rows(&gate, path), *expected, "{path}");
    }
    gate.server.stop();
    for (_, view, expected) in &expected {
        let rebuilt = fine(&gate, &["views", "rebuild", view, &model]);
        let told = (&rebuilt["events"], &rebuilt["rows"], &rebuilt["changed"]);
        assert_eq!(told, (&json!(3_000), &json!(expected.len()), &json!(0)), "{view}");
    }
}
