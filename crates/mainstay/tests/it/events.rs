//! What follows from events, over HTTP: reactions once each, dead letters, the list and the stream.

use crate::harness::{Folder, Server, WAIT, until};
use crate::scenes::{Scene, order, product, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const ALICE: &str = "shopper acme alice";
const BOB: &str = "shopper acme bob";
pub(crate) const MANAGER: &str = "staff.manager acme";
const SYSTEM: &str = "system acme";

/// An order that is paid for; its id.
pub(crate) fn paid(shop: &Scene, shopper: &str, product: &str) -> String {
    let id = order(shop, shopper, product);
    shop.command(shopper, &format!("/v1/orders/{id}/place")).expect(200);
    shop.command(SYSTEM, &format!("/v1/orders/{id}/pay")).expect(200);
    id
}

/// The messages that a caller sees, by order.
pub(crate) fn messages(shop: &Scene, caller: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut query = "limit=100".to_owned();
    loop {
        let page = shop.get(caller, &format!("/v1/messages?{query}")).expect(200);
        for item in page["items"].as_array().expect("items") {
            found.entry(text(item, "order")).or_default().push(text(item, "template"));
        }
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(cursor) => query = format!("limit=100&cursor={cursor}"),
            None => return found,
        }
    }
}

#[test]
pub(crate) fn a_reaction_makes_a_row_for_each_event_once() {
    let mut shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A-1", "12.50");
    let first = paid(&shop, ALICE, &product);
    let told = || messages(&shop, ALICE);
    until(|| format!("{:?}", told()), || told().len() == 1);
    assert_eq!(told()[&first], ["order_paid"]);
    assert!(messages(&shop, BOB).is_empty(), "a message is for its shopper alone");
    assert!(messages(&shop, "staff globex").is_empty(), "tenants never meet");
    let ship = format!("/v1/orders/{first}/ship");
    shop.command("staff.picker acme", &ship).expect(200);
    until(|| format!("{:?}", messages(&shop, ALICE)), || messages(&shop, ALICE)[&first].len() == 2);
    // What is done is not done again by the next process.
    assert_eq!(shop.server.stop(), 0);
    shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
    let second = paid(&shop, BOB, &product);
    until(|| format!("{:?}", messages(&shop, BOB)), || messages(&shop, BOB).len() == 1);
    assert_eq!(messages(&shop, MANAGER)[&second], ["order_paid"]);
    assert_eq!(messages(&shop, MANAGER)[&first].len(), 2);
}

#[test]
pub(crate) fn events_are_listed_as_cloud_events_to_whom_the_rows_are_shown() {
    let shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A-1", "12.50");
    let (mine, _) = (paid(&shop, ALICE, &product), paid(&shop, BOB, &product));
    let page = shop.get(MANAGER, "/v1/events?type=order.paid.v1").expect(200);
    let items = page["items"].as_array().expect("items");
    assert_eq!(items.len(), 2);
    let event = &items[0];
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "order.paid.v1");
    assert_eq!(event["source"], "/shop/ordering");
    assert_eq!(event["subject"], format!("orders/{mine}"));
    assert_eq!(event["partitionkey"], mine);
    assert_eq!(event["data"]["total"]["amount"], "25.00");
    assert_eq!(event["data"]["shopper"], "alice");
    assert_eq!(text(event, "traceparent").len(), 55);
    let own = shop.get(ALICE, "/v1/events").expect(200);
    let subjects: Vec<String> =
        own["items"].as_array().expect("items").iter().map(|one| text(one, "subject")).collect();
    assert_eq!(subjects, vec![format!("orders/{mine}"); 2], "placed and paid, of her own order");
    assert!(shop.get(MANAGER, "/v1/events?limit=1").header("link").contains("rel=\"next\""));
    let other = shop.get("staff globex", "/v1/events").expect(200);
    assert_eq!(other["items"], json!([]), "tenants never meet");
    assert_eq!(shop.server.get("/v1/events").send().problem(401), "unauthenticated");
    let wrong = shop.get(MANAGER, "/v1/events?kind=x").problem(400);
    assert_eq!(wrong, "unknown-parameter");
    // Page by page, and on from the end.
    let mut query = "limit=1".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = shop.get(MANAGER, &format!("/v1/events?{query}")).expect(200);
        seen.extend(page["items"].as_array().expect("items").iter().map(|one| text(one, "id")));
        query = format!("limit=1&cursor={}", text(&page, "end_cursor"));
        if page.get("next_cursor").is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 4);
    assert_eq!(shop.get(MANAGER, &format!("/v1/events?{query}")).expect(200)["items"], json!([]));
    paid(&shop, BOB, &product);
    let next = shop.get(MANAGER, &format!("/v1/events?{query}")).expect(200);
    assert_eq!(next["items"].as_array().map(Vec::len), Some(1), "{next}");
    let refused = shop.get(ALICE, &format!("/v1/events?{query}")).problem(400);
    assert_eq!(refused, "invalid-cursor", "a cursor is its caller's");
}

/// The lines of a stream of events, until an event has come whose type ends so.
fn follow(shop: &Scene, caller: &str, last: Option<&str>, until: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(shop.server.address).expect("it listens");
    stream.set_read_timeout(Some(WAIT)).expect("it can have one");
    let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    let head = format!(
        "GET /v1/events HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{last}\
         Authorization: Bearer {}\r\n\r\n",
        shop.server.address,
        shop.token(caller)
    );
    stream.write_all(head.as_bytes()).expect("it is taken");
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line.expect("the stream goes on");
        let ends = line.starts_with("data: ") && line.contains(until);
        lines.push(line);
        if ends {
            return lines;
        }
    }
    panic!("the stream ended: {lines:?}");
}

#[test]
pub(crate) fn a_stream_of_events_goes_on_where_a_client_left_it() {
    let shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A-1", "12.50");
    let lines = std::thread::scope(|scope| {
        let following = scope.spawn(|| follow(&shop, MANAGER, None, "order.paid"));
        paid(&shop, ALICE, &product);
        following.join().expect("the stream comes")
    });
    let events: Vec<&String> = lines.iter().filter(|line| line.starts_with("event: ")).collect();
    assert_eq!(events, ["event: order.placed.v1", "event: order.paid.v1"]);
    let id = lines.iter().find_map(|line| line.strip_prefix("id: ")).expect("an id");
    let again = follow(&shop, MANAGER, Some(id), "order.paid");
    assert_eq!(again.iter().filter(|line| line.starts_with("event: ")).count(), 1, "{again:?}");
}

/// A model whose reaction can fail: a note of 5 characters is taken, a longer one never.
pub(crate) const FAILING: &str = "
system: letters
actors: { user: oidc, staff: oidc }
contexts:
  post:
    resources:
      Letter:
        fields: { text: string max 40, copies: int = 1 }
        emit: [created]
        commands:
          again: { set: { copies: copies + 1 }, by: user, emit: letter.again }
        allow: { read: [user, staff], write: [user, staff] }
  archive:
    resources:
      Note:
        fields: { letter: post.Letter, text: string max 5 }
        allow: { read: [user, staff], write: staff }
    reacts:
      letter.created: { create: Note, with: { letter: event.id, text: event.text } }
      letter.again: { create: Note, with: { letter: event.id, text: ('again') } }
events:
  letter.again: { data: [id] }
";

#[test]
pub(crate) fn the_first_events_of_a_tenant_with_a_place_of_its_own_have_their_effects() {
    let model = FAILING.replace("system: letters", "system: letters\ntenancy: database by org");
    let folder = Folder::new().with("mainstay.yaml", &model);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    let post = Scene::of(&model, folder);
    for tenant in ["acme", "globex"] {
        let user = format!("user {tenant} ann");
        for _ in 0..3 {
            post.post(&user, "/v1/letters", json!({"text": "brief"})).expect(201);
        }
        let notes = || post.get(&user, "/v1/notes").expect(200)["items"].clone();
        until(
            || format!("{} {}", notes(), post.server.log()),
            || notes().as_array().is_some_and(|all| all.len() == 3),
        );
    }
}

#[test]
pub(crate) fn a_dead_letter_parks_its_key_and_is_mended_and_redriven() {
    let folder = Folder::new().with("mainstay.yaml", FAILING);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    let post = Scene::of(&model, folder);
    let (user, staff) = ("user - ann", "staff - bob");
    let write = |words: &str| {
        text(&post.post(user, "/v1/letters", json!({"text": words})).expect(201), "id")
    };
    let (long, short) = (write("far too long"), write("short"));
    post.command(user, &format!("/v1/letters/{long}/again")).expect(200);
    let notes = || post.get(user, "/v1/notes").expect(200)["items"].clone();
    let of = |letter: &str| {
        let all = notes();
        let all = all.as_array().expect("items").clone();
        let texts = all.iter().filter(|note| note["letter"] == letter);
        let mut texts: Vec<String> = texts.map(|note| text(note, "text")).collect();
        texts.sort();
        texts
    };
    until(notes, || of(&short) == ["short"]);
    let letters = || post.get(staff, "/v1/dead-letters").expect(200);
    until(letters, || letters()["items"].as_array().is_some_and(|all| all.len() == 1));
    let letter = letters()["items"][0].clone();
    assert_eq!(letter["consumer"], "archive");
    assert_eq!(letter["attempts"], 1, "what can never succeed is not tried again");
    assert_eq!(letter["errors"][0]["problem"], "invalid-value", "{letter}");
    assert_eq!(letter["event"]["data"]["text"], "far too long");
    assert!(of(&long).is_empty(), "what comes later of its key waits");
    let path = format!("/v1/dead-letters/{}", text(&letter, "id"));
    assert_eq!(post.get(staff, &path).expect(200), letter);
    let stranger = post.server.get(&path).send().problem(401);
    assert_eq!(stranger, "unauthenticated");
    // As it is it fails again.
    post.command(staff, &format!("{path}/redrive")).expect(202);
    until(letters, || {
        letters()["items"][0]["errors"].as_array().is_some_and(|errors| errors.len() == 2)
    });
    let data = json!({"data": {"id": long, "text": "brief"}});
    assert_eq!(post.post(staff, &format!("{path}/redrive"), data).expect(202)["redriven"], 1);
    until(notes, || of(&long) == ["again", "brief"]);
    assert_eq!(letters()["items"], json!([]));
    assert_eq!(post.get(staff, &path).problem(404), "not-found");
}

/// The day's orders and revenue, as the view has them once everything so far is in it.
pub(crate) fn sales(shop: &Scene, caller: &str) -> Vec<(i64, String)> {
    let asked = shop.request(caller, "GET", "/v1/sales-by-day").header("prefer", "wait=30");
    // Where a process was killed, the next may wait for the end of its claim.
    let caught_up = || asked.clone().send().header("preference-applied") == "wait=30";
    until(|| "it is still behind", caught_up);
    let page = asked.send().expect(200);
    let items = page["items"].as_array().expect("items");
    let row = |item: &Value| {
        let orders = item["orders"].as_i64().unwrap_or_else(|| panic!("no orders in {item}"));
        (orders, text(&item["revenue"], "amount"))
    };
    items.iter().map(row).collect()
}

#[test]
pub(crate) fn a_view_has_what_happened_before_it_is_waited_for() {
    let mut shop = Scene::empty("shop");
    let mine = product(&shop, "acme", "A-1", "12.50");
    let theirs = product(&shop, "globex", "A-1", "1.00");
    assert!(sales(&shop, MANAGER).is_empty());
    for paid_so_far in 1..=3 {
        paid(&shop, ALICE, &mine);
        let all = sales(&shop, MANAGER);
        let orders: i64 = all.iter().map(|(orders, _)| orders).sum();
        assert_eq!(orders, paid_so_far, "{all:?}");
    }
    let id = order(&shop, "shopper globex carol", &theirs);
    shop.command("shopper globex carol", &format!("/v1/orders/{id}/place")).expect(200);
    shop.command("system globex", &format!("/v1/orders/{id}/pay")).expect(200);
    let all = sales(&shop, "staff.manager globex");
    assert_eq!(all, [(1, "2.00".to_owned())], "tenants never meet");
    // Unless the day ended meanwhile, it is one row.
    let all = sales(&shop, MANAGER);
    if let [one] = all.as_slice() {
        assert_eq!(*one, (3, "75.00".to_owned()));
    }
    assert_eq!(shop.get(ALICE, "/v1/sales-by-day").problem(403), "forbidden");
    assert_eq!(
        shop.post(MANAGER, "/v1/sales-by-day", json!({})).problem(405),
        "method-not-allowed"
    );
    shop.server.kill();
    shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
    assert_eq!(sales(&shop, MANAGER), all, "what is folded is not folded again");
}

/// A model whose schedule closes tickets that are done, every second.
const CLOSING: &str = "
system: desk
tenancy: row by org
actors: { user: oidc }
contexts:
  help:
    resources:
      Ticket:
        fields: { title: string max 40, done: bool = false, status: open | closed, weight: int = 1 }
        commands:
          close: { input: { by: int }, status: open -> closed, set: { weight: by }, by: system }
        allow: { read: user, write: user }
schedules:
  close_done:
    every: 1 s
    for: Ticket
    where: done && status == open
    do: Ticket.close
    with: { by: weight + 1 }
";

#[test]
pub(crate) fn a_schedule_calls_its_command_on_each_row_of_every_tenant() {
    let folder = Folder::new().with("mainstay.yaml", CLOSING);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    let desk = Scene::of(&model, folder);
    let callers = ["user acme ann", "user globex bob"];
    let make = |caller: &str, done: bool| {
        let body = json!({"title": "t", "done": done, "weight": 4});
        text(&desk.post(caller, "/v1/tickets", body).expect(201), "id")
    };
    let done = callers.map(|caller| make(caller, true));
    let open = callers.map(|caller| make(caller, false));
    for (caller, id) in callers.iter().zip(&done) {
        let ticket = || desk.get(caller, &format!("/v1/tickets/{id}")).expect(200);
        until(ticket, || ticket()["status"] == "closed");
        assert_eq!(ticket()["weight"], 5, "inputs are worked out from the row");
    }
    for (caller, id) in callers.iter().zip(&open) {
        let ticket = desk.get(caller, &format!("/v1/tickets/{id}")).expect(200);
        assert_eq!(ticket["status"], "open", "others stay as they are");
    }
}

/// Pays orders from several threads until told to end; those that were acknowledged as paid.
pub(crate) fn pay_until(shop: &Scene, product: &str, done: &Mutex<Vec<String>>, stop: &AtomicBool) {
    let (alice, system) = (shop.token(ALICE), shop.token(SYSTEM));
    let step = |path: String, token: &str, body: Option<Value>| {
        let request = shop.server.request("POST", &path).bearer(token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.try_send().ok().filter(|answer| answer.status < 300).map(|answer| answer.json())
    };
    let one = || {
        let lines = json!({"lines": [{"product": product, "quantity": 1}]});
        let id = text(&step("/v1/orders".to_owned(), &alice, Some(lines))?, "id");
        step(format!("/v1/orders/{id}/place"), &alice, None)?;
        step(format!("/v1/orders/{id}/pay"), &system, None)?;
        Some(id)
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    if let Some(id) = one() {
                        done.lock().expect("whole").push(id);
                    }
                }
            });
        }
    });
}

/// Kills of one run; `MAINSTAY_KILLS` asks for more.
fn kills() -> usize {
    std::env::var("MAINSTAY_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(6)
}

#[test]
pub(crate) fn after_kill_9_under_load_every_event_has_had_its_effect_once() {
    let mut shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A-1", "1.00");
    let paid: Mutex<Vec<String>> = Mutex::default();
    for kill in 0..kills() {
        let stop = AtomicBool::new(false);
        let process = shop.server.process().to_string();
        std::thread::scope(|scope| {
            scope.spawn(|| pay_until(&shop, &product, &paid, &stop));
            let before = paid.lock().expect("whole").len();
            // Some time after the start, another each time.
            let more = 1 + kill * 7 % 13;
            until(|| shop.server.log(), || paid.lock().expect("whole").len() > before + more);
            let killed = std::process::Command::new("kill").args(["-9", &process]).status();
            assert!(killed.expect("kill runs").success());
            stop.store(true, Ordering::Relaxed);
        });
        shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
    }
    let acknowledged = paid.into_inner().expect("whole");
    let left = || {
        let told = messages(&shop, MANAGER);
        acknowledged.iter().filter(|id| !told.contains_key(*id)).count()
    };
    until(|| format!("{} of {} are left", left(), acknowledged.len()), || left() == 0);
    // Of those too whose answer was lost: each in the view once, and a message for each.
    let folded: i64 = sales(&shop, MANAGER).iter().map(|(orders, _)| orders).sum();
    let folded = usize::try_from(folded).expect("a count");
    let told = || messages(&shop, MANAGER);
    until(|| format!("{} messages of {folded}", told().len()), || told().len() == folded);
    for (order, templates) in told() {
        assert_eq!(templates, ["order_paid"], "{order}");
    }
}
