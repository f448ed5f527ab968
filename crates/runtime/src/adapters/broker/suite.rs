//! What every broker has to do, once for each kind.

mod requests;
mod server;

use crate::adapters::broker::Address;
use crate::ports::broker::{
    Broker, Connect, Declared, Delivered, MESSAGE_BYTES_MIN, Message, NotPublished, Reading, Topic,
};
use crate::ports::store::Unavailable;
use bytes::Bytes;
use futures::FutureExt;
use server::Server;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// More than anything takes here.
const WAIT: Duration = Duration::from_secs(30);
/// So long nothing comes where nothing is left.
const QUIET: Duration = Duration::from_millis(400);
/// Where nobody listens.
const NOBODY: &str = "127.0.0.1:9";
/// A group that is not there from the beginning.
const LATE: &str = "late";

/// A broker under test, with a topic of its own.
pub(super) struct Under {
    server: Server,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) topic: Topic,
    declared: Declared,
}

impl Under {
    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    #[cfg(feature = "kafka")]
    pub(super) fn fake(&self) -> &krafka::testing::FakeBroker {
        self.server.fake()
    }

    pub(super) fn reading(&self, group: &str, partition: u32) -> Reading {
        Reading { topic: Arc::clone(&self.topic.name), group: group.into(), partition }
    }

    pub(super) async fn read(
        &self,
        group: &str,
        partition: u32,
        position: i64,
        count: usize,
    ) -> Vec<Delivered> {
        let reading = self.reading(group, partition);
        let subscription = self.broker.subscribe(&reading, position).await;
        let mut subscription = subscription.expect("it can be read");
        let mut read = Vec::with_capacity(count);
        while read.len() < count {
            let next = timeout(WAIT, subscription.next()).await;
            let next = next.expect("there is more").expect("it is delivered");
            if (read.len() + 1) % self.server.unsettled_max() == 0 {
                subscription.settle(next.position).await.expect("it is settled");
            }
            read.push(next);
        }
        if let Some(last) = read.last() {
            subscription.settle(last.position).await.expect("it is settled");
        }
        read
    }

    pub(super) async fn publish(&self, partition: u32, key: u32, number: usize) {
        let message = message(partition, key, number, Bytes::from(format!("{{\"n\":{number}}}")));
        let deadline = Instant::now() + WAIT;
        loop {
            match self.broker.publish(&self.topic.name, &message).await {
                Ok(()) => return,
                Err(NotPublished::Unavailable(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(why) => panic!("{number} is not published: {why:?}"),
            }
        }
    }
}

/// A message whose id is its number.
pub(super) fn message(partition: u32, key: u32, number: usize, body: Bytes) -> Message {
    Message {
        id: format!("id-{partition}-{number}").into(),
        key: format!("key-{key}").into(),
        partition,
        subject: "order.paid".into(),
        attributes: vec![
            ("id", format!("id-{partition}-{number}")),
            ("type", "order.paid.v1".to_owned()),
            ("subject", "orders/größe %".to_owned()),
            ("datacontenttype", "application/json".to_owned()),
        ],
        body,
    }
}

fn attribute<'d>(delivered: &'d Delivered, name: &str) -> &'d str {
    let found = delivered.attributes.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value.as_str())
}

pub(super) fn ids(read: &[Delivered]) -> Vec<&str> {
    read.iter().map(|one| attribute(one, "id")).collect()
}

pub(super) fn named(partition: u32, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("id-{partition}-{number}")).collect()
}

/// Scenarios that need a server for themselves: it is killed, or has limits of its own.
const ALONE: [&str; 2] = [
    "after_a_restart_in_the_middle_everything_has_arrived_in_order",
    "what_is_too_large_is_refused_and_holds_up_no_other",
];

/// Runs a scenario on a broker of a kind, where one can be had.
pub(super) fn on<F: Future<Output = ()>>(
    kind: &str,
    alone: bool,
    scenario: impl FnOnce(Under) -> F,
) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(server) = Server::start(kind, alone) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let broker = Address::parse(&server.url()).expect("an address").open();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let topic = Topic {
            name: format!("t{}-{number}.shop.ordering", std::process::id()).into(),
            partitions: 3,
            groups: vec!["notifications".into(), "billing".into()],
            retention: Duration::from_secs(3_600),
        };
        let declared = broker.declare(&topic).await.expect("it is declared");
        let all = Topic { groups: [&topic.groups[..], &[LATE.into()]].concat(), ..topic.clone() };
        let under = Under { server, broker: Arc::clone(&broker), topic, declared };
        let ran = AssertUnwindSafe(scenario(under)).catch_unwind().await;
        // A server of its own is gone by now; another is left as it was.
        let _gone = timeout(WAIT, broker.remove(&all)).await;
        if let Err(why) = ran {
            std::panic::resume_unwind(why);
        }
    });
}

async fn each_group_gets_every_message_of_a_partition_in_order(under: Under) {
    for number in 0..100 {
        under.publish(number as u32 % 3, 7, number).await;
    }
    for group in ["notifications", "billing"] {
        for partition in 0..3 {
            let count = if partition == 0 { 34 } else { 33 };
            let read = under.read(group, partition, 0, count).await;
            let numbers = (0..100).filter(|number| number % 3 == partition as usize);
            let wanted: Vec<String> = numbers.map(|n| format!("id-{partition}-{n}")).collect();
            assert_eq!(ids(&read), wanted, "{group}");
            assert!(read.windows(2).all(|pair| pair[0].position < pair[1].position));
            assert!(read[0].position > 0);
            assert_eq!(attribute(&read[0], "type"), "order.paid.v1");
            assert_eq!(attribute(&read[0], "subject"), "orders/größe %");
            assert_eq!(attribute(&read[0], "datacontenttype"), "application/json");
            assert_eq!(read[0].body, format!("{{\"n\":{partition}}}"));
        }
    }
}

async fn what_was_not_settled_is_delivered_again_and_nothing_else(under: Under) {
    for number in 0..10 {
        under.publish(1, 7, number).await;
    }
    let reading = under.reading("billing", 1);
    assert_eq!(under.broker.waiting(&reading, 0).await, Ok(10));
    let mut first = under.broker.subscribe(&reading, 0).await.expect("it can be read");
    let mut read = Vec::new();
    for _ in 0..8 {
        read.push(timeout(WAIT, first.next()).await.expect("there is more").expect("one"));
    }
    let settled = read[3].position;
    first.settle(settled).await.expect("it is settled");
    // It dies with four that it has and has not settled.
    drop(first);
    assert_eq!(under.broker.waiting(&reading, settled).await, Ok(6));
    let again = under.read("billing", 1, settled, 6).await;
    assert_eq!(ids(&again), named(1, 4..10));
    assert!(again[0].position > settled, "positions grow");
    let last = again[5].position;
    let mut quiet = under.broker.subscribe(&reading, last).await.expect("it can be read");
    assert!(timeout(QUIET, quiet.next()).await.is_err(), "nothing is left");
    assert_eq!(under.broker.waiting(&reading, last).await, Ok(0));
    // Whoever waits hears what comes.
    under.publish(1, 7, 10).await;
    let next = timeout(WAIT, quiet.next()).await.expect("it comes").expect("one");
    assert_eq!(attribute(&next, "id"), "id-1-10");
}

async fn a_message_of_one_megabyte_arrives_whole(under: Under) {
    let body: Bytes = (0..MESSAGE_BYTES_MIN - 16_384).map(|at| b'a' + (at % 23) as u8).collect();
    let message = message(0, 7, 1, body.clone());
    under.broker.publish(&under.topic.name, &message).await.expect("it is published");
    under.publish(0, 7, 2).await;
    let read = under.read("billing", 0, 0, 2).await;
    assert!(read[0].body == body, "{} bytes", read[0].body.len());
    assert_eq!(attribute(&read[1], "id"), "id-0-2");
}

async fn a_slow_reader_loses_nothing_and_holds_up_no_other(under: Under) {
    let many = under.server.many();
    let reading = under.reading("billing", 0);
    let mut slow = under.broker.subscribe(&reading, 0).await.expect("it can be read");
    for number in 0..many {
        under.publish(0, 7, number).await;
    }
    under.publish(1, 8, 0).await;
    let other = under.read("billing", 1, 0, 1).await;
    assert_eq!(ids(&other), ["id-1-0"]);
    tokio::time::sleep(QUIET).await;
    let mut read = Vec::new();
    while read.len() < many {
        let next = timeout(WAIT, slow.next()).await.expect("there is more").expect("one");
        let position = next.position;
        read.push(next);
        if read.len() % under.server.unsettled_max() == 0 {
            slow.settle(position).await.expect("it is settled");
        }
    }
    assert_eq!(ids(&read), named(0, 0..many));
}

async fn who_begins_at_the_end_hears_what_comes_from_then_on(under: Under) {
    under.publish(2, 7, 0).await;
    let reading = under.reading("billing", 2);
    let end = under.broker.end(&reading).await.expect("it has one");
    let position = match end {
        // Groups have queues of their own: what was there is theirs.
        0 => under.read("billing", 2, 0, 1).await[0].position,
        end => end,
    };
    under.publish(2, 7, 1).await;
    assert_eq!(ids(&under.read("billing", 2, position, 1).await), ["id-2-1"]);
    let same = under.broker.declare(&under.topic).await.expect("it is there");
    assert_eq!(same, under.declared);
    let more = Topic { partitions: 9, ..under.topic.clone() };
    let kept = under.broker.declare(&more).await.expect("it is there");
    assert_eq!(kept.partitions, 3, "as it was made");
    under.broker.remove(&under.topic).await.expect("it goes");
    let anew = under.broker.declare(&under.topic).await.expect("it is made");
    assert_ne!(anew.incarnation, under.declared.incarnation);
    let empty = under.reading("billing", 2);
    assert_eq!(under.broker.waiting(&empty, 0).await, Ok(0));
}

/// Publishes while the broker goes and comes back, and reads with a subscription that is made anew
/// whenever it ended; what was answered for has arrived, in the order of its key.
async fn after_a_restart_in_the_middle_everything_has_arrived_in_order(mut under: Under) {
    let many = under.server.many() / 5;
    for number in 0..many / 2 {
        under.publish(0, 7, number).await;
    }
    let reading = under.reading("billing", 0);
    let mut subscription = under.broker.subscribe(&reading, 0).await.expect("it can be read");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut order = Vec::new();
    let mut position = 0;
    for _ in 0..many / 4 {
        let next = timeout(WAIT, subscription.next()).await.expect("there is more").expect("one");
        position = next.position;
        order.push(attribute(&next, "id").to_owned());
        if order.len() % under.server.unsettled_max() == 0 {
            subscription.settle(position).await.expect("it is settled");
        }
    }
    subscription.settle(position).await.expect("it is settled");
    under.server.restart();
    for number in many / 2..many {
        under.publish(0, 7, number).await;
    }
    let deadline = Instant::now() + WAIT;
    while order.last().is_none_or(|last| *last != format!("id-0-{}", many - 1)) {
        assert!(Instant::now() < deadline, "the last one is {:?}", order.last());
        match timeout(Duration::from_secs(2), subscription.next()).await {
            Ok(Ok(next)) => {
                position = next.position;
                order.push(attribute(&next, "id").to_owned());
                if order.len() % under.server.unsettled_max() == 0 {
                    // Where it fails, it comes again.
                    let _settled = subscription.settle(position).await;
                }
            }
            Ok(Err(_)) | Err(_) => match under.broker.subscribe(&reading, position).await {
                Ok(again) => subscription = again,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
    // Some may come twice; the first time of each is in order, and none is missing.
    order.retain(|id| {
        let times = seen.entry(id.clone()).or_default();
        *times += 1;
        *times == 1
    });
    assert_eq!(order, named(0, 0..many));
}

async fn those_who_declare_at_once_agree(under: Under) {
    under.broker.remove(&under.topic).await.expect("it goes");
    let others: Vec<_> = (1..=4)
        .map(|partitions| {
            let broker = Address::parse(&under.server.url()).expect("an address").open();
            (broker, Topic { partitions, ..under.topic.clone() })
        })
        .collect();
    let all = others.iter().map(|(broker, topic)| broker.declare(topic));
    let all = futures::future::join_all(all).await;
    let first = all[0].as_ref().expect("it is declared");
    assert_ne!(first.incarnation, under.declared.incarnation);
    for declared in &all {
        assert_eq!(declared.as_ref(), Ok(first));
    }
}

async fn a_group_that_comes_later_gets_what_is_published_from_then_on(under: Under) {
    under.publish(1, 7, 0).await;
    let topic = Topic { groups: vec![LATE.into()], ..under.topic.clone() };
    let same = under.broker.declare(&topic).await.expect("it is there");
    assert_eq!(same, under.declared);
    let end = under.broker.end(&under.reading(LATE, 1)).await.expect("it has one");
    under.publish(1, 7, 1).await;
    assert_eq!(ids(&under.read(LATE, 1, end, 1).await), ["id-1-1"]);
    assert_eq!(ids(&under.read("billing", 1, 0, 2).await), named(1, 0..2));
}

/// Where the server gives a partition to one reader of a group at a time.
async fn the_next_reader_begins_where_the_one_before_it_settled(under: Under) {
    for number in 0..10 {
        under.publish(1, 7, number).await;
    }
    let reading = under.reading("billing", 1);
    let mut first = under.broker.subscribe(&reading, 0).await.expect("it can be read");
    let mut read = Vec::new();
    for _ in 0..8 {
        read.push(timeout(WAIT, first.next()).await.expect("there is more").expect("one"));
    }
    let other = Address::parse(&under.server.url()).expect("an address").open();
    let mut second = other.subscribe(&reading, 0).await.expect("it can be read");
    assert!(timeout(QUIET, second.next()).await.is_err(), "the first has it");
    assert_eq!(under.broker.waiting(&reading, 0).await, Ok(10));
    first.settle(read[3].position).await.expect("it is settled");
    // Once more, and one of an earlier subscription: nothing is to be done.
    first.settle(read[1].position).await.expect("it is settled");
    first.settle(1).await.expect("it is settled");
    under.publish(1, 7, 10).await;
    drop(first);
    let mut rest = Vec::new();
    for _ in 0..7 {
        rest.push(timeout(WAIT, second.next()).await.expect("there is more").expect("one"));
    }
    assert_eq!(ids(&rest), named(1, 4..11));
}

async fn what_is_too_large_is_refused_and_holds_up_no_other(under: Under) {
    let large = message(0, 7, 0, vec![b'a'; server::MESSAGE_BYTES_MAX + 1].into());
    let small = message(0, 7, 1, Bytes::from_static(b"{}"));
    let topic = &under.topic.name;
    let (refused, published) =
        tokio::join!(under.broker.publish(topic, &large), under.broker.publish(topic, &small));
    assert!(matches!(refused, Err(NotPublished::Refused(_))), "{refused:?}");
    assert_eq!(published, Ok(()));
    under.publish(0, 7, 2).await;
    let mut arrived: Vec<_> = under.read("billing", 0, 0, 2).await;
    // The first may have been sent twice, on the channel that the large one closed and after it.
    if attribute(&arrived[1], "id") == "id-0-1" {
        arrived.remove(1);
        arrived.extend(under.read("billing", 0, arrived[0].position, 1).await);
    }
    assert_eq!(ids(&arrived), named(0, 1..3));
}

async fn where_nobody_listens_it_says_so_soon(under: Under) {
    let url = under.server.url();
    let address = Address::parse(&url.replace(&under.server.host(), NOBODY)).expect("an address");
    let nobody = address.open();
    let declared = timeout(WAIT, nobody.declare(&under.topic)).await.expect("it answers");
    assert!(matches!(declared, Err(Unavailable::Broken(_))), "{declared:?}");
    let message = message(0, 7, 1, Bytes::new());
    let published = timeout(WAIT, nobody.publish(&under.topic.name, &message)).await;
    assert!(matches!(published, Ok(Err(NotPublished::Unavailable(_)))), "{published:?}");
    let reading = under.reading("billing", 0);
    let read = timeout(WAIT, nobody.subscribe(&reading, 0)).await.expect("it answers");
    assert!(read.is_err());
}

/// The suite, as tests of a kind.
macro_rules! suite {
    ($($feature:literal $kind:ident: $($scenario:ident,)*;)*) => {
        $(#[cfg(feature = $feature)]
        mod $kind {
            $(#[test]
            fn $scenario() {
                super::on(
                    stringify!($kind),
                    super::ALONE.contains(&stringify!($scenario)),
                    super::$scenario,
                );
            })*
        })*
    };
}

suite! {
    "nats" nats:
        each_group_gets_every_message_of_a_partition_in_order,
        what_was_not_settled_is_delivered_again_and_nothing_else,
        a_message_of_one_megabyte_arrives_whole,
        a_slow_reader_loses_nothing_and_holds_up_no_other,
        who_begins_at_the_end_hears_what_comes_from_then_on,
        a_group_that_comes_later_gets_what_is_published_from_then_on,
        those_who_declare_at_once_agree,
        what_is_too_large_is_refused_and_holds_up_no_other,
        after_a_restart_in_the_middle_everything_has_arrived_in_order,
        where_nobody_listens_it_says_so_soon,;
    "rabbitmq" rabbitmq:
        each_group_gets_every_message_of_a_partition_in_order,
        what_was_not_settled_is_delivered_again_and_nothing_else,
        a_message_of_one_megabyte_arrives_whole,
        a_slow_reader_loses_nothing_and_holds_up_no_other,
        who_begins_at_the_end_hears_what_comes_from_then_on,
        a_group_that_comes_later_gets_what_is_published_from_then_on,
        those_who_declare_at_once_agree,
        the_next_reader_begins_where_the_one_before_it_settled,
        what_is_too_large_is_refused_and_holds_up_no_other,
        after_a_restart_in_the_middle_everything_has_arrived_in_order,
        where_nobody_listens_it_says_so_soon,;
    "redis" redis:
        each_group_gets_every_message_of_a_partition_in_order,
        what_was_not_settled_is_delivered_again_and_nothing_else,
        a_message_of_one_megabyte_arrives_whole,
        a_slow_reader_loses_nothing_and_holds_up_no_other,
        who_begins_at_the_end_hears_what_comes_from_then_on,
        after_a_restart_in_the_middle_everything_has_arrived_in_order,
        where_nobody_listens_it_says_so_soon,;
    // What is too large: the broker in this process has no limit. See Kafka's own tests.
    "kafka" kafka:
        each_group_gets_every_message_of_a_partition_in_order,
        what_was_not_settled_is_delivered_again_and_nothing_else,
        a_message_of_one_megabyte_arrives_whole,
        a_slow_reader_loses_nothing_and_holds_up_no_other,
        who_begins_at_the_end_hears_what_comes_from_then_on,
        a_group_that_comes_later_gets_what_is_published_from_then_on,
        those_who_declare_at_once_agree,
        after_a_restart_in_the_middle_everything_has_arrived_in_order,
        where_nobody_listens_it_says_so_soon,;
    // What is too large: with a bucket, more than with the others. See its own tests.
    "sqs" sqs:
        each_group_gets_every_message_of_a_partition_in_order,
        what_was_not_settled_is_delivered_again_and_nothing_else,
        a_message_of_one_megabyte_arrives_whole,
        a_slow_reader_loses_nothing_and_holds_up_no_other,
        who_begins_at_the_end_hears_what_comes_from_then_on,
        a_group_that_comes_later_gets_what_is_published_from_then_on,
        those_who_declare_at_once_agree,
        the_next_reader_begins_where_the_one_before_it_settled,
        what_is_too_large_is_refused_and_holds_up_no_other,
        after_a_restart_in_the_middle_everything_has_arrived_in_order,
        where_nobody_listens_it_says_so_soon,;
}
