//! Scenarios whose events go by a broker, and what only that can show.

use crate::cluster::free_port;
use crate::events::{ALICE, FAILING, MANAGER, paid};
use crate::harness::{Folder, Server, WAIT, run, until};
use crate::scenes::{Scene, product, text};
use runtime::adapters::broker::Address;
use runtime::ports::broker::{Connect, Topic};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

thread_local! {
    /// Where this thread's backends send their events: a prefix for each data directory.
    static BROKER: RefCell<Option<(String, BTreeMap<PathBuf, usize>)>> = const { RefCell::new(None) };
    /// The whole address that all of them use.
    static ONLY: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A server of NATS or Redis that ends when it is dropped.
struct Broker {
    kind: &'static str,
    port: u16,
    folder: Folder,
    process: Option<Child>,
}

impl Broker {
    /// A new one; none where its program is not there, which is told (and a failure with `CI`).
    fn new(kind: &'static str, configuration: &str) -> Option<Self> {
        let folder = Folder::new().with("configuration", configuration);
        let mut broker = Self { kind, port: free_port(), folder, process: None };
        match broker.spawn() {
            Ok(()) => Some(broker),
            Err(why) => {
                skipped(&format!("no {kind}-server for the tests: {why}"));
                None
            }
        }
    }

    fn spawn(&mut self) -> std::io::Result<()> {
        let (port, directory) = (self.port.to_string(), self.folder.0.join("broker"));
        std::fs::create_dir_all(&directory)?;
        let configuration = self.folder.0.join("configuration");
        let mut command = Command::new(format!("{}-server", self.kind));
        match self.kind {
            "nats" => {
                command.args(["-a", "127.0.0.1", "-js", "-p", &port, "-sd"]).arg(directory);
                command.arg("-c").arg(configuration);
            }
            _ => {
                command.arg(configuration).args(["--bind", "127.0.0.1", "--port", &port]);
                command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
                command.arg("--dir").arg(directory);
            }
        }
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(quiet.spawn()?);
        until(|| "it does not come up", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        Ok(())
    }

    fn start(&mut self) {
        self.spawn().expect("it starts again");
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _killed = process.kill();
            let _reaped = process.wait();
        }
    }

    fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.kind, self.port)
    }

    /// What was published under a subject, read by another client: the headers and the data.
    fn published(&self, subject: &str, count: usize) -> Vec<(BTreeMap<String, String>, Value)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(WAIT)).expect("it can have one");
        // A reader of the stream by the protocol itself: it is asked for so many messages.
        let (stream_name, filter) = subject.split_once(' ').expect("a stream and a subject");
        let create = json!({
            "stream_name": stream_name,
            "config": {"ack_policy": "none", "filter_subject": filter, "deliver_subject": "here"},
        });
        let create = create.to_string();
        let text = format!(
            "CONNECT {{\"verbose\":false,\"headers\":true}}\r\nSUB here 1\r\n\
             PUB $JS.API.CONSUMER.CREATE.{stream_name} {}\r\n{create}\r\n",
            create.len()
        );
        stream.write_all(text.as_bytes()).expect("it is taken");
        let mut reader = BufReader::new(stream);
        let mut found = Vec::new();
        while found.len() < count {
            let mut line = String::new();
            reader.read_line(&mut line).expect("there is more");
            let Some(rest) = line.strip_prefix("HMSG ") else { continue };
            let mut sizes = rest.split_whitespace().rev().map(|n| n.parse().expect("a size"));
            let (all, head): (usize, usize) = (sizes.next().expect("1"), sizes.next().expect("2"));
            let mut bytes = vec![0; all + 2];
            reader.read_exact(&mut bytes).expect("it is whole");
            let headers = String::from_utf8(bytes[..head].to_vec()).expect("text");
            let headers = headers.lines().filter_map(|line| line.split_once(": "));
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let data = serde_json::from_slice(&bytes[head..all]).expect("the data is JSON");
            found.push((headers.collect(), data));
        }
        found
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The address of this thread's broker for a data directory; none where there is to be none.
pub(crate) fn url_for(data: &Path) -> Option<String> {
    if let Some(only) = ONLY.with(|only| only.borrow().clone()) {
        return Some(only);
    }
    BROKER.with(|broker| {
        let mut broker = broker.borrow_mut();
        let (url, known) = broker.as_mut()?;
        let next = known.len();
        let number = known.entry(data.to_owned()).or_insert(next);
        Some(format!("{url}?prefix=t{number}"))
    })
}

/// Runs a scenario whose events go by NATS.
fn on_nats(scenario: impl FnOnce(&mut Broker)) {
    let Some(mut nats) = Broker::new("nats", "") else { return };
    go_by(Some(&nats));
    scenario(&mut nats);
    go_by(None);
}

/// From now on this thread's backends send their events there.
fn go_by(nats: Option<&Broker>) {
    BROKER.with(|broker| {
        let mut broker = broker.borrow_mut();
        let known = broker.take().map(|(_, known)| known).unwrap_or_default();
        *broker = nats.map(|nats| (nats.url(), known));
    });
}

/// Tells that tests of a broker are left out; a failure with `CI`.
fn skipped(told: &str) {
    assert!(std::env::var_os("CI").is_none(), "{told}");
    let text = format!("\n**** SKIPPED: {told} ****\n");
    std::io::stderr().write_all(text.as_bytes()).expect("stderr takes it");
}

/// Runs a scenario whose events go by Redis.
pub(crate) fn on_redis(scenario: impl FnOnce()) {
    let Some(redis) = Broker::new("redis", "") else { return };
    go_by(Some(&redis));
    scenario();
    go_by(None);
}

/// Runs a scenario on the shop whose events go by the RabbitMQ that runs; what it made there goes.
pub(crate) fn on_rabbitmq(scenario: impl FnOnce()) {
    let Some(server) = shared("RabbitMQ", "MAINSTAY_TEST_RABBITMQ", "127.0.0.1:5672") else {
        return;
    };
    on_shared(&format!("amqp://guest:guest@{server}?"), scenario);
}

/// The same by Amazon's services, as an emulator has them.
#[cfg(feature = "sqs")]
fn on_sqs(scenario: impl FnOnce()) {
    let Some(server) = shared("moto", "MAINSTAY_TEST_SQS", "127.0.0.1:5000") else { return };
    on_shared(&format!("sqs://id:key@us-east-1?endpoint=http://{server}&"), scenario);
}

/// A server that tests share; none where it can't be reached, which is told.
fn shared(kind: &str, named: &str, usual: &str) -> Option<String> {
    let server = std::env::var(named).unwrap_or_else(|_| usual.to_owned());
    match TcpStream::connect(&server) {
        Ok(_reached) => Some(server),
        Err(why) => {
            skipped(&format!("no {kind} at {server} for the tests: {why}"));
            None
        }
    }
}

/// Runs a scenario on the shop by an address that goes on with a prefix; what it made there goes.
fn on_shared(address: &str, scenario: impl FnOnce()) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("it{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let whole = format!("{address}prefix={name}");
    ONLY.with(|only| only.replace(Some(whole.clone())));
    scenario();
    ONLY.with(|only| only.replace(None));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let broker = Address::parse(&whole).expect("an address").open();
        let topic = Topic {
            name: format!("{name}.shop.shop").into(),
            partitions: 8,
            groups: vec!["notifications".into()],
            retention: WAIT,
        };
        broker.remove(&topic).await.expect("it goes");
    });
}

/// Runs scenarios of other files as tests of this one.
macro_rules! on_brokers {
    ($($broker:ident: $($file:ident $scenario:ident,)*;)*) => {
        $(mod $broker {
            $(#[test]
            fn $scenario() {
                super::$broker(crate::$file::$scenario);
            })*
        })*
    };
}

/// Runs a scenario whose events go by NATS, and that knows nothing of it.
pub(crate) fn by_nats(scenario: impl FnOnce()) {
    on_nats(|_| scenario());
}

on_brokers! {
    by_nats:
        events a_reaction_makes_a_row_for_each_event_once,
        events the_first_events_of_a_tenant_with_a_place_of_its_own_have_their_effects,
        events a_dead_letter_parks_its_key_and_is_mended_and_redriven,
        webhooks_in each_scheme_is_accepted_and_the_reaction_follows,
        events a_view_has_what_happened_before_it_is_waited_for,
        events after_kill_9_under_load_every_event_has_had_its_effect_once,;
    on_redis:
        events a_reaction_makes_a_row_for_each_event_once,
        events a_dead_letter_parks_its_key_and_is_mended_and_redriven,
        events after_kill_9_under_load_every_event_has_had_its_effect_once,;
    on_rabbitmq:
        events a_reaction_makes_a_row_for_each_event_once,
        events after_kill_9_under_load_every_event_has_had_its_effect_once,;
}

#[cfg(feature = "sqs")]
on_brokers! {
    on_sqs:
        events a_reaction_makes_a_row_for_each_event_once,
        events after_kill_9_under_load_every_event_has_had_its_effect_once,;
}

/// How many messages staff sees.
fn messages(shop: &Scene) -> usize {
    let page = shop.get(MANAGER, "/v1/messages?limit=100").expect(200);
    page["items"].as_array().expect("items").len()
}

#[track_caller]
fn until_messages(shop: &Scene, count: usize) {
    until(|| format!("{} messages of {count}", messages(shop)), || messages(shop) == count);
}

#[test]
fn events_on_a_broker_are_cloud_events_in_binary_mode() {
    on_nats(|nats| {
        let shop = Scene::empty("shop");
        let product = product(&shop, "acme", "A-1", "12.50");
        let order = paid(&shop, ALICE, &product);
        until_messages(&shop, 1);
        let found = nats.published("t0_shop_shop t0.shop.shop.*.order.paid", 1);
        let (headers, data) = &found[0];
        let header = |name: &str| headers.get(name).map_or("", String::as_str);
        assert_eq!(header("ce-specversion"), "1.0");
        assert_eq!(header("ce-type"), "order.paid.v1");
        assert_eq!(header("ce-source"), "/shop/ordering");
        assert_eq!(header("ce-subject"), format!("orders/{order}"));
        assert_eq!(header("ce-partitionkey"), order);
        assert_eq!(header("ce-tenant"), "acme");
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("ce-traceparent").len(), 55);
        assert_eq!(header("Nats-Msg-Id"), header("ce-id"));
        let listed = shop.get(MANAGER, "/v1/events?type=order.paid.v1").expect(200);
        let listed = &listed["items"][0];
        assert_eq!(header("ce-id"), text(listed, "id"), "it has the id of the log");
        assert_eq!(header("ce-time"), text(listed, "time"));
        assert_eq!(*data, listed["data"]);
    });
}

#[test]
fn while_the_broker_is_away_writes_go_on_and_their_effects_follow() {
    on_nats(|nats| {
        let mut shop = Scene::empty("shop");
        let product = product(&shop, "acme", "A-1", "1.00");
        paid(&shop, ALICE, &product);
        until_messages(&shop, 1);
        nats.kill();
        paid(&shop, ALICE, &product);
        // A process that starts then serves all the same.
        assert_eq!(shop.server.stop(), 0);
        shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
        paid(&shop, ALICE, &product);
        assert_eq!(messages(&shop), 1);
        shop.server.logs("the broker cannot be used");
        nats.start();
        until_messages(&shop, 3);
    });
}

#[test]
fn a_backend_goes_over_to_a_broker_and_back_and_nothing_is_lost_or_done_twice() {
    on_nats(|nats| {
        go_by(None);
        let mut shop = Scene::empty("shop");
        let data = shop.folder.0.join("data");
        let product = product(&shop, "acme", "A-1", "1.00");
        let mut count = 0;
        for over in [true, false, true, false] {
            // Some whose effects may not have happened when the process is gone.
            for _ in 0..5 {
                paid(&shop, ALICE, &product);
            }
            count += 5;
            shop.server.kill();
            go_by(over.then_some(&*nats));
            shop.server = Server::start("examples/shop", &data, &[]);
            paid(&shop, ALICE, &product);
            count += 1;
            until_messages(&shop, count);
        }
    });
}

#[test]
fn what_is_held_when_a_broker_comes_is_redriven_all_the_same() {
    on_nats(|nats| {
        go_by(None);
        let folder = Folder::new().with("mainstay.yaml", FAILING);
        let model = folder.0.join("mainstay.yaml").display().to_string();
        let mut post = Scene::of(&model, folder);
        let (user, staff) = ("user - ann", "staff - bob");
        let long = json!({"text": "far too long"});
        let letter = text(&post.post(user, "/v1/letters", long).expect(201), "id");
        let letters =
            |post: &Scene| post.get(staff, "/v1/dead-letters").expect(200)["items"].clone();
        let dead = |post: &Scene| letters(post).as_array().map_or(0, Vec::len);
        until(|| letters(&post), || dead(&post) == 1);
        assert_eq!(post.server.stop(), 0);
        go_by(Some(nats));
        post.server = Server::start(&model, &post.folder.0.join("data"), &[]);
        let path = format!("/v1/dead-letters/{}", text(&letters(&post)[0], "id"));
        let data = json!({"data": {"id": letter, "text": "brief"}});
        post.post(staff, &format!("{path}/redrive"), data).expect(202);
        let notes = || post.get(user, "/v1/notes").expect(200)["items"].clone();
        until(notes, || notes().as_array().is_some_and(|all| all.len() == 1));
        assert_eq!(letters(&post), json!([]));
    });
}

#[test]
fn what_a_broker_never_takes_is_a_dead_letter_of_the_relay() {
    let Some(nats) = Broker::new("nats", "max_payload: 2000\n") else { return };
    go_by(Some(&nats));
    let model = FAILING.replace("max 40", "max 4000").replace("max 5", "max 4000");
    let folder = Folder::new().with("mainstay.yaml", &model);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    let post = Scene::of(&model, folder);
    let (user, staff) = ("user - ann", "staff - bob");
    post.post(user, "/v1/letters", json!({"text": "x".repeat(3_000)})).expect(201);
    post.post(user, "/v1/letters", json!({"text": "brief"})).expect(201);
    let notes = || post.get(user, "/v1/notes").expect(200)["items"].clone();
    until(notes, || notes().as_array().is_some_and(|all| all.len() == 1));
    assert_eq!(notes()[0]["text"], "brief", "other keys go on");
    let letters = || post.get(staff, "/v1/dead-letters").expect(200)["items"].clone();
    until(letters, || letters().as_array().is_some_and(|all| all.len() == 1));
    let letter = letters()[0].clone();
    assert_eq!(letter["consumer"], "nats t0.letters.letters");
    assert_eq!(letter["errors"][0]["problem"], "broker", "{letter}");
    go_by(None);
}

#[test]
fn an_address_of_no_broker_is_refused_with_the_way_to_one() {
    let folder = Folder::new();
    let data = folder.0.join("data").display().to_string();
    for (url, part) in [
        ("kafkaesque://h", "no broker is spoken to by `kafkaesque://`"),
        ("nats://u:secret@", "can't be read"),
    ] {
        let ran = run(&["up", "examples/shop", "--data", &data, "--broker", url]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
        assert!(ran.stderr.contains("nats://127.0.0.1:4222"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("secret"));
    }
}

/// Two processes on one database and one broker.
#[test]
fn of_two_processes_one_goes_on_where_the_other_was_killed() {
    on_nats(|_| {
        crate::database::on_postgresql(|| {
            let mut shop = Scene::empty("shop");
            let data = shop.folder.0.join("data");
            let product = product(&shop, "acme", "A-1", "1.00");
            paid(&shop, ALICE, &product);
            until_messages(&shop, 1);
            let mut second = Server::start("examples/shop", &data, &[]);
            paid(&shop, ALICE, &product);
            std::mem::swap(&mut shop.server, &mut second);
            for _ in 0..5 {
                paid(&shop, ALICE, &product);
            }
            second.kill();
            let killed = Instant::now();
            paid(&shop, ALICE, &product);
            until_messages(&shop, 8);
            assert!(killed.elapsed() < WAIT / 2, "within the time of a claim");
        });
    });
}
