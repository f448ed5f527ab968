//! Versions of events: what was told before a model changed is read as it would be told now.

use crate::audit::behind_its_back;
use crate::database::{on_postgresql, query, url_for};
use crate::events_verbs::{fine, verb};
use crate::harness::{Folder, Server, until};
use crate::scenes::{Scene, text};
use serde_json::{Value, json};

const USER: &str = "user - ann";

/// Orders whose amounts are in a currency that nobody spoke of.
const FIRST: &str = "
system: till
actors: { user: oidc }
contexts:
  till:
    resources:
      Order:
        fields: { amount: int, note: string max 20, state: open | paid }
        commands: { pay: { state: open -> paid, emit: order.paid, by: user } }
        allow: { read: user, write: user }
      Receipt:
        fields: { sum: int, unit: string max 9, note: string max 9 }
        allow: { read: user, write: [] }
    views:
      Sales:
        path: sales
        from: order.paid
        key: { note: event.note }
        set: { orders: count(), total: sum(event.amount) }
        allow: { read: user }
    reacts:
      order.paid: { create: Receipt, with: { sum: event.amount, unit: \"'none'\", note: event.note } }
events:
  order.paid: { data: [id, amount, note, state] }
";

/// They are `total` now, and have a currency; there is a view more, and receipts take more.
const SECOND: &[(&str, &str)] = &[
    (
        "{ amount: int, note: string max 20, state",
        "{ total: { type: int, was: amount }, currency: string max 9 = 'EUR', note: string max 20, state",
    ),
    ("sum(event.amount)", "sum(event.total)"),
    ("unit: string max 9, note: string max 9", "unit: string max 9, note: string max 20"),
    ("sum: event.amount, unit: \"'none'\"", "sum: event.total, unit: event.currency"),
    (
        "{ data: [id, amount, note, state] }",
        "
    version: 2
    data: [id, total, currency, note, state]
    from:
      1:
        data: { id: uuid, amount: int, note: string max 20, state: open | paid }
        with: { total: amount, currency: \"'DEM'\" }",
    ),
    (
        "    reacts:",
        "      ByCurrency:
        path: by-currency
        from: order.paid
        key: { currency: event.currency }
        set: { orders: count(), total: sum(event.total) }
        allow: { read: user }
    reacts:",
    ),
];

/// A view more.
const THIRD: &[(&str, &str)] = &[(
    "    reacts:",
    "      Again:
        path: again
        from: order.paid
        key: { currency: event.currency }
        set: { orders: count() }
        allow: { read: user }
    reacts:",
)];

fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (was, now)| {
        assert!(text.contains(was), "{was}");
        text.replace(was, now)
    })
}

/// Makes an order and pays it.
fn pay(till: &Scene, body: Value) {
    let id = text(&till.post(USER, "/v1/orders", body).expect(201), "id");
    till.command(USER, &format!("/v1/orders/{id}/pay")).expect(200);
}

/// Some members of the items of a list, sorted; of a view once all events so far are in it.
fn items(till: &Scene, path: &str, members: &[&str]) -> Vec<Value> {
    let page = till.request(USER, "GET", path).header("prefer", "wait=30").send().expect(200);
    let items = page["items"].as_array().expect("items");
    let of = |item: &Value| members.iter().map(|name| item[name].clone()).collect();
    let mut found: Vec<Value> = items.iter().map(of).collect();
    found.sort_by_key(Value::to_string);
    found
}

/// Version and data of what the log keeps.
fn kept(till: &Scene) -> Vec<(i64, String)> {
    let data = till.folder.0.join("data");
    if let Some(url) = url_for(&data) {
        let text = "SELECT \"version\"::text, \"data\"::text FROM mainstay.outbox \
                    WHERE \"event\" = 'order.paid' ORDER BY \"position\"";
        let rows = query(&url, text).expect("it is read");
        let row = |row: Vec<String>| (row[0].parse().expect("a number"), row[1].clone());
        return rows.into_iter().map(row).collect();
    }
    let file = rusqlite::Connection::open(data.join("till.db")).expect("it opens");
    let text = "SELECT version, data FROM mainstay_outbox WHERE event = 'order.paid' \
                ORDER BY position";
    let mut statement = file.prepare(text).expect("it is read");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("it is read");
    rows.map(|row| row.expect("a row")).collect()
}

/// The tables as they were before there were versions.
fn without_versions(till: &Scene) {
    let sqlite = "ALTER TABLE mainstay_outbox DROP COLUMN version;
                  ALTER TABLE mainstay_deliveries DROP COLUMN version";
    let postgresql = "ALTER TABLE mainstay.outbox DROP COLUMN version;
                      ALTER TABLE mainstay.deliveries DROP COLUMN version;
                      DELETE FROM mainstay.meta WHERE name = 'format'";
    behind_its_back(&till.folder.0.join("data"), sqlite, postgresql).expect("they are changed");
}

/// Serves another model, on tables that were made before there were versions.
fn restart(till: &mut Scene, model: &str, text: &str) {
    till.server.stop();
    without_versions(till);
    std::fs::write(till.folder.0.join("mainstay.yaml"), text).expect("writable");
    till.server = Server::start(model, &till.folder.0.join("data"), &[]);
}

/// Three orders that were paid before the model changed; for one of them nobody could make a
/// receipt.
fn before() -> (Scene, String) {
    let folder = Folder::new().with("mainstay.yaml", FIRST);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    let till = Scene::of(&model, folder);
    for (amount, note) in [(1, "bread"), (2, "milk"), (3, "much too long")] {
        pay(&till, json!({"amount": amount, "note": note}));
    }
    let dead = || till.get(USER, "/v1/dead-letters").expect(200)["items"].clone();
    until(dead, || dead().as_array().is_some_and(|dead| dead.len() == 1));
    until(|| till.server.log(), || items(&till, "/v1/receipts", &["sum"]).len() == 2);
    until(|| till.server.log(), || items(&till, "/v1/sales", &["note"]).len() == 3);
    (till, model)
}

fn an_old_event_is_read_as_the_current_version_by_everybody() {
    let (mut till, model) = before();
    restart(&mut till, &model, &changed(FIRST, SECOND));
    pay(&till, json!({"total": 10, "note": "bread"}));

    let versions: Vec<i64> = kept(&till).iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, [1, 1, 1, 2], "the log keeps what was written");
    assert!(kept(&till)[..3].iter().all(|(_, data)| data.contains("amount")), "{:?}", kept(&till));

    let events = till.get(USER, "/v1/events?limit=100").expect(200)["items"].clone();
    let told = |event: &Value| {
        let data = &event["data"];
        assert_eq!(data.as_object().map(serde_json::Map::len), Some(5), "{data}");
        (text(event, "type"), data["total"].clone(), text(data, "currency"))
    };
    let told: Vec<_> = events.as_array().expect("items").iter().map(told).collect();
    let now = |total: i64, currency: &str| ("order.paid.v2".into(), json!(total), currency.into());
    assert_eq!(told, [now(1, "DEM"), now(2, "DEM"), now(3, "DEM"), now(10, "EUR")]);
    assert_eq!(json!(till.get(USER, "/v1/events?type=order.paid.v2").expect(200)["items"]), events);
    let refused = till.get(USER, "/v1/events?type=order.paid.v1").problem(400);
    assert_eq!(refused, "invalid-parameter");
    let listed = verb(&till, &["events", &model, "--format", "json"]);
    let listed: Vec<Value> =
        listed.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(json!(listed), events);

    // A view that came with the change, one that was there, and that one made anew.
    let currencies = || items(&till, "/v1/by-currency", &["currency", "orders", "total"]);
    until(|| till.server.log(), || currencies().len() == 2);
    assert_eq!(currencies(), [json!(["DEM", 3, 6]), json!(["EUR", 1, 10])]);
    let sales = [json!(["bread", 2, 11]), json!(["milk", 1, 2]), json!(["much too long", 1, 3])];
    let members = ["note", "orders", "total"];
    until(|| till.server.log(), || items(&till, "/v1/sales", &members) == sales);
    till.server.stop();
    for view in ["till.Sales", "till.ByCurrency"] {
        let made = fine(&till, &["views", "rebuild", view, &model]);
        assert_eq!((&made["events"], &made["changed"]), (&json!(4), &json!(0)), "{made}");
    }
    till.server = Server::start(&model, &till.folder.0.join("data"), &[]);
    assert_eq!(items(&till, "/v1/sales", &members), sales);

    // What was given up is shown as it would be told now, and done so.
    let dead = till.get(USER, "/v1/dead-letters").expect(200)["items"][0].clone();
    assert_eq!(dead["event"]["type"], "order.paid.v2");
    assert_eq!(dead["event"]["data"]["total"], 3);
    let id = text(&dead, "id").replace(' ', "%20");
    till.post(USER, &format!("/v1/dead-letters/{id}/redrive"), json!({})).expect(202);
    let receipts = || items(&till, "/v1/receipts", &["sum", "unit"]);
    until(receipts_of(&till), || receipts().len() == 4);
    let made = [json!([1, "none"]), json!([10, "EUR"]), json!([2, "none"]), json!([3, "DEM"])];
    assert_eq!(receipts(), made);
}

fn receipts_of(till: &Scene) -> impl Fn() -> String {
    move || format!("{:?} {}", items(till, "/v1/receipts", &["sum"]), till.server.log())
}

#[test]
fn an_old_event_is_read_as_the_current_version_by_everybody_on_sqlite() {
    an_old_event_is_read_as_the_current_version_by_everybody();
}

#[test]
fn an_old_event_is_read_as_the_current_version_by_everybody_on_postgresql() {
    on_postgresql(an_old_event_is_read_as_the_current_version_by_everybody);
}

/// Changes what the log says of the last event, and lets reactions begin anew with it alone.
fn last_is_of(till: &Scene, version: u32) {
    let sqlite = format!(
        "UPDATE mainstay_outbox SET version = {version} WHERE event = 'order.paid' AND position = \
         (SELECT max(position) FROM mainstay_outbox);
         UPDATE mainstay_consumers SET position = 0 WHERE consumer = 'till';
         DELETE FROM mainstay_inbox WHERE event = (SELECT id FROM mainstay_outbox \
         ORDER BY position DESC LIMIT 1)"
    );
    behind_its_back(&till.folder.0.join("data"), &sqlite, "").expect("it is changed");
}

#[test]
fn an_event_of_a_newer_version_waits_for_a_model_that_knows_it() {
    let (mut till, model) = before();
    let second = changed(FIRST, SECOND);
    restart(&mut till, &model, &second);
    pay(&till, json!({"total": 10, "note": "bread"}));
    let receipts = || items(&till, "/v1/receipts", &["sum"]).len();
    until(receipts_of(&till), || receipts() == 3);
    till.server.stop();
    last_is_of(&till, 3);
    let again = changed(&second, THIRD);
    std::fs::write(till.folder.0.join("mainstay.yaml"), &again).expect("writable");
    let data = till.folder.0.join("data");
    till.server = Server::start(&model, &data, &[]);

    till.server.logs("its version is newer than the model that this process serves");
    let listed = till.get(USER, "/v1/events");
    assert_eq!(listed.header("retry-after"), "1");
    assert_eq!(listed.problem(503), "unavailable");
    let orders = |till: &Scene| {
        let page = till.get(USER, "/v1/again").expect(200);
        page["items"][0]["orders"].as_i64().unwrap_or(0)
    };
    until(|| till.server.log(), || orders(&till) == 3);
    let dead = till.get(USER, "/v1/dead-letters").expect(200);
    assert_eq!(dead["items"].as_array().map(Vec::len), Some(1), "only the one from before");
    assert_eq!(items(&till, "/v1/receipts", &["sum"]).len(), 3, "nothing was done");
    let shown = verb(&till, &["events", &model, "--type", "order.paid"]).stdout;
    assert!(shown.contains("order.paid.v3"), "whoever looks after it sees what is there: {shown}");
    // Whoever serves the newer model comes; here it is the same, and the event is of its version.
    till.server.stop();
    let refused = verb(&till, &["views", "rebuild", "till.Again", &model]);
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    assert!(refused.stderr.contains("`order.paid.v3`"), "{}", refused.stderr);
    behind_its_back(
        &data,
        "UPDATE mainstay_outbox SET version = 2 WHERE version = 3;
        UPDATE mainstay_deliveries SET version = 2 WHERE version = 3",
        "",
    )
    .expect("it is changed");
    till.server = Server::start(&model, &data, &[]);
    until(receipts_of(&till), || items(&till, "/v1/receipts", &["sum"]).len() == 4);
    let counted = || items(&till, "/v1/again", &["currency", "orders"]);
    until(|| till.server.log(), || counted() == [json!(["DEM", 3]), json!(["EUR", 1])]);
    let dead = till.get(USER, "/v1/dead-letters").expect(200);
    assert_eq!(dead["items"].as_array().map(Vec::len), Some(1), "it was not given up");
}
