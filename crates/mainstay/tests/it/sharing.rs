//! Processes that share one database without a broker, and how far consumers are behind, as metrics
//! tell it.

use crate::brokers::by_nats;
use crate::database::{on_postgresql, query, url_for};
use crate::events::{ALICE, FAILING, MANAGER, messages, paid};
use crate::harness::{Folder, Server, until};
use crate::scenes::{Scene, product, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Who tells shoppers of their orders.
const NOTIFICATIONS: &str = "notifications";
/// As long as a claim of a process that died holds, and some time to find that out.
const TAKEN_OVER: Duration = Duration::from_secs(16);

/// As long as processes take to share the work evenly, and some more.
const SHARED: Duration = Duration::from_secs(25);

/// Each time that a letter is copied is a note of it, with a number that grows.
const NOTING: &str = "
system: letters
actors: { user: oidc, staff: oidc }
contexts:
  post:
    resources:
      Letter:
        fields: { text: string max 40, copies: int = 0 }
        commands:
          again: { set: { copies: copies + 1 }, by: user, emit: letter.again }
        allow: { read: [user, staff], write: [user, staff] }
  archive:
    resources:
      Note:
        fields: { letter: post.Letter, number: int }
        allow: { read: [user, staff], write: staff }
    reacts:
      letter.again: { create: Note, with: { letter: event.id, number: event.copies } }
events:
  letter.again: { data: [id, copies] }
";

/// Asks the database of a shop.
#[track_caller]
fn ask(shop: &Scene, statement: &str) -> Vec<Vec<String>> {
    let url = url_for(&shop.folder.0.join("data")).expect("it is on PostgreSQL");
    query(&url, statement).expect("the statement runs")
}

/// A gauge of a consumer in `/metrics`; none where it is not told yet.
fn gauge(server: &Server, name: &str, consumer: &str) -> Option<i64> {
    let text = server.get("/metrics").send().text();
    let begin = format!("{name}{{consumer=\"{consumer}\",");
    let line = text.lines().find(|line| line.starts_with(&begin))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn lag(server: &Server, consumer: &str) -> Option<i64> {
    gauge(server, "mainstay_consumer_lag_events", consumer)
}

#[track_caller]
fn until_lag(server: &Server, consumer: &str, wanted: i64) {
    let told = || lag(server, consumer);
    until(|| format!("{consumer} is {:?} behind, not {wanted}", told()), || told() == Some(wanted));
}

#[test]
fn metrics_tell_how_many_events_a_consumer_is_behind_and_0_when_all_is_done() {
    on_postgresql(|| {
        let mut shop = Scene::empty("shop");
        let product = product(&shop, "acme", "A-1", "1.00");
        paid(&shop, ALICE, &product);
        until(|| shop.server.log(), || messages(&shop, ALICE).len() == 1);
        until_lag(&shop.server, NOTIFICATIONS, 0);
        // A process that does nothing takes the work on while this one is away.
        assert_eq!(shop.server.stop(), 0);
        let held_up = "UPDATE mainstay.consumers SET owner = 'idle', epoch = epoch + 1, \
                       \"until\" = now() + interval '1 hour' WHERE consumer = 'notifications'";
        ask(&shop, held_up);
        shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
        for _ in 0..3 {
            paid(&shop, ALICE, &product);
        }
        // Some may have no number yet: they get one when they are first read.
        let past = "SELECT count(*) FROM mainstay.outbox WHERE number IS NULL OR number > \
                    (SELECT position FROM mainstay.consumers WHERE consumer = 'notifications')";
        let more: i64 = ask(&shop, past).concat().concat().parse().expect("a count");
        assert!(more >= 6, "three orders are placed and paid: {more}");
        until_lag(&shop.server, NOTIFICATIONS, more);
        until_lag(&shop.server, "view ordering.SalesByDay", 0);
        assert_eq!(messages(&shop, ALICE).len(), 1);
        let over =
            "UPDATE mainstay.consumers SET \"until\" = now() WHERE consumer = 'notifications'";
        ask(&shop, over);
        until_lag(&shop.server, NOTIFICATIONS, 0);
        assert_eq!(messages(&shop, ALICE).len(), 4);
    });
}

#[test]
fn a_key_that_is_parked_is_told_as_such_and_is_no_lag() {
    let folder = Folder::new().with("mainstay.yaml", FAILING);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    let post = Scene::of(&model, folder);
    let user = "user - ann";
    let dead = || gauge(&post.server, "mainstay_consumer_dead_keys", "archive");
    for words in ["far too long", "brief", "again far too long"] {
        post.post(user, "/v1/letters", json!({"text": words})).expect(201);
    }
    until(|| format!("{:?} dead keys", dead()), || dead() == Some(2));
    until_lag(&post.server, "archive", 0);
}

#[test]
fn of_two_processes_on_one_database_one_reacts_and_the_other_takes_over_when_it_is_killed() {
    on_postgresql(|| {
        let mut shop = Scene::empty("shop");
        let data = shop.folder.0.join("data");
        let product = product(&shop, "acme", "A-1", "1.00");
        let mut second = Server::start("examples/shop", &data, &[]);
        // The process is the first part of the name of who has the claim.
        let has = |shop: &Scene, server: &Server| {
            let row = "SELECT owner FROM mainstay.consumers WHERE consumer = 'notifications'";
            let owner = ask(shop, row).concat().concat();
            owner.starts_with(&format!("{}-", server.process()))
        };
        let all_told_once = |shop: &Scene, orders: &[String]| {
            let left = || {
                let told = messages(shop, MANAGER);
                orders.iter().filter(|id| !told.contains_key(*id)).count()
            };
            until(|| format!("{} of {} are left", left(), orders.len()), || left() == 0);
            for (order, templates) in messages(shop, MANAGER) {
                assert_eq!(templates, ["order_paid"], "{order}");
            }
        };
        // Orders come to both processes; whoever reacts does it for both.
        let mut orders = Vec::new();
        for _ in 0..10 {
            orders.push(paid(&shop, ALICE, &product));
            std::mem::swap(&mut shop.server, &mut second);
        }
        all_told_once(&shop, &orders);
        // The two share what there is to do: the work may go over once.
        let one_has = || has(&shop, &shop.server) || has(&shop, &second);
        until(|| "one of the two has the work", one_has);
        std::thread::sleep(SHARED / 3);
        until(|| "one of the two has the work", one_has);
        if has(&shop, &shop.server) {
            std::mem::swap(&mut shop.server, &mut second);
        }
        assert!(has(&shop, &second), "one of the two has the work");
        for _ in 0..5 {
            orders.push(paid(&shop, ALICE, &product));
        }
        second.kill();
        let killed = Instant::now();
        orders.push(paid(&shop, ALICE, &product));
        all_told_once(&shop, &orders);
        assert!(killed.elapsed() < TAKEN_OVER, "it took {:?}", killed.elapsed());
        assert!(has(&shop, &shop.server), "the other goes on");
        until_lag(&shop.server, NOTIFICATIONS, 0);
    });
}

/// Letters that are copied again and again, and how often by now.
struct Letters<'s> {
    post: &'s Scene,
    copies: BTreeMap<String, i64>,
}

impl<'s> Letters<'s> {
    const USER: &'static str = "user - ann";

    fn new(post: &'s Scene) -> Self {
        let write = |_| {
            let made = post.post(Self::USER, "/v1/letters", json!({"text": "brief"})).expect(201);
            (text(&made, "id"), 0)
        };
        Self { post, copies: (0..24).map(write).collect() }
    }

    /// Copies them all the while until something holds, which it does soon.
    #[track_caller]
    fn copy_until(&mut self, told: impl Fn() -> String, holds: impl Fn() -> bool) {
        let began = Instant::now();
        loop {
            for (letter, copies) in &mut self.copies {
                self.post.command(Self::USER, &format!("/v1/letters/{letter}/again")).expect(200);
                *copies += 1;
            }
            if holds() {
                return;
            }
            assert!(began.elapsed() < SHARED, "{} after {:?}", told(), began.elapsed());
        }
    }

    /// The numbers of the notes of each, in the order in which these were made.
    fn notes(&self) -> BTreeMap<String, Vec<i64>> {
        let mut found: Vec<(String, String, i64)> = Vec::new();
        let mut query = "limit=100".to_owned();
        loop {
            let page = self.post.get(Self::USER, &format!("/v1/notes?{query}")).expect(200);
            for note in page["items"].as_array().expect("items") {
                let number = note["number"].as_i64().expect("a number");
                found.push((text(note, "id"), text(note, "letter"), number));
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(cursor) => query = format!("limit=100&cursor={cursor}"),
                None => break,
            }
        }
        // Ids grow with time.
        found.sort();
        let mut by_letter: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (_, letter, number) in found {
            by_letter.entry(letter).or_default().push(number);
        }
        by_letter
    }
}

/// How many partitions each process has, by its number.
fn partitions(post: &Scene) -> BTreeMap<u32, i64> {
    let text = "SELECT split_part(owner, '-', 1), count(*)::text FROM mainstay.consumers WHERE \
                consumer = 'archive' AND source LIKE 'nats %' AND \"until\" > now() GROUP BY 1";
    let url = url_for(&post.folder.0.join("data")).expect("it is on PostgreSQL");
    // Where the server is full of others' connections it is asked again.
    let rows = query(&url, text).unwrap_or_default().into_iter();
    rows.map(|row| (row[0].parse().expect("a process"), row[1].parse().expect("a count"))).collect()
}

#[test]
fn two_processes_share_the_partitions_of_a_topic_and_no_event_is_lost_doubled_or_overtaken() {
    by_nats(|| {
        on_postgresql(|| {
            let folder = Folder::new().with("mainstay.yaml", NOTING);
            let model = folder.0.join("mainstay.yaml").display().to_string();
            let post = Scene::of(&model, folder);
            let data = post.folder.0.join("data");
            let (told, first) = (|| format!("{:?}", partitions(&post)), post.server.process());
            let mut letters = Letters::new(&post);
            let alone = || partitions(&post) == BTreeMap::from([(first, 8)]);
            letters.copy_until(told, alone);
            let mut second = Server::start(&model, &data, &[]);
            let half = |other: &Server| BTreeMap::from([(first, 4), (other.process(), 4)]);
            letters.copy_until(told, || partitions(&post) == half(&second));
            // One that ends in peace gives all back, and one that is killed is missed soon.
            assert_eq!(second.stop(), 0);
            letters.copy_until(told, alone);
            let mut third = Server::start(&model, &data, &[]);
            letters.copy_until(told, || partitions(&post) == half(&third));
            third.kill();
            letters.copy_until(told, alone);
            let wanted: i64 = letters.copies.values().sum();
            let made = || letters.notes().values().map(Vec::len).sum::<usize>() as i64;
            until(|| format!("{} of {wanted} notes", made()), || made() == wanted);
            for (letter, numbers) in letters.notes() {
                let all: Vec<i64> = (1..=letters.copies[&letter]).collect();
                assert_eq!(numbers, all, "each once, in order");
            }
        });
    });
}
