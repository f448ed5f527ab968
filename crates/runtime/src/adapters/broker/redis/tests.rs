//! What is Redis's own, on a server.

use super::super::suite::{Under, ids, message, named, on};
use super::{keys, position::Id};
use crate::adapters::broker::Address;
use crate::ports::broker::{Connect, NotPublished, Topic};
use crate::ports::store::Unavailable;
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use std::time::Duration;
use tokio::time::timeout;

/// More than anything takes here.
const WAIT: Duration = Duration::from_secs(30);

/// Past the adapter.
async fn beside(under: &Under) -> MultiplexedConnection {
    let client = redis::Client::open(under.url()).expect("an address");
    client.get_multiplexed_async_connection().await.expect("it is there")
}

async fn set(on: &mut MultiplexedConnection, name: &str, value: &str) {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg(name).arg(value).query_async::<()>(on).await.expect("it is set");
}

fn body(bytes: usize) -> Bytes {
    vec![b'a'; bytes].into()
}

#[test]
fn what_is_larger_than_the_server_takes_is_refused() {
    on("redis", true, |under| async move {
        let mut beside = beside(&under).await;
        set(&mut beside, "proto-max-bulk-len", "1048576").await;
        let other = Address::parse(&under.url()).expect("an address").open();
        other.declare(&under.topic).await.expect("it is declared");
        let large = message(0, 7, 1, body(1_048_577));
        let published = other.publish(&under.topic.name, &large).await;
        assert!(
            matches!(&published, Err(NotPublished::Refused(why)) if why.contains("1048576")),
            "{published:?}"
        );
        let fits = message(0, 7, 2, body(1_048_576));
        assert_eq!(other.publish(&under.topic.name, &fits).await, Ok(()));
    });
}

#[test]
fn ids_stay_positions_also_where_the_clock_stands_still() {
    on("redis", true, |under| async move {
        // The server's clock is behind the last id, and the sequence has come far.
        let last = Id { milliseconds: 4_000_000_000_000, sequence: (1 << 19) - 2 };
        let stream = keys::stream(&under.topic.name, 0);
        let mut put = redis::cmd("XSETID");
        put.arg(&stream).arg(last.to_string());
        put.query_async::<()>(&mut beside(&under).await).await.expect("it is set");
        for number in 0..5 {
            under.publish(0, 7, number).await;
        }
        let read = under.read("billing", 0, 0, 5).await;
        assert_eq!(ids(&read), named(0, 0..5));
        assert!(read.windows(2).all(|pair| pair[0].position < pair[1].position));
        let ended = Id::of(read[4].position);
        assert_eq!((ended.milliseconds, ended.sequence), (last.milliseconds + 1, 3));
    });
}

#[test]
fn messages_whose_time_is_over_go_when_others_come() {
    on("redis", true, |under| async move {
        const MANY: usize = 1_000;
        let brief = Topic { retention: Duration::from_millis(50), ..under.topic.clone() };
        under.broker.declare(&brief).await.expect("it is there");
        for number in 0..MANY {
            under.publish(1, 7, number).await;
        }
        tokio::time::sleep(2 * brief.retention).await;
        under.publish(1, 7, MANY).await;
        under.publish(1, 7, MANY + 1).await;
        let left = under.broker.waiting(&under.reading("billing", 1), 0).await.expect("known");
        assert!((2..300).contains(&left), "{left} are left");
    });
}

#[test]
fn a_topic_that_is_deleted_ends_who_reads_it_and_who_publishes_hears_of_it() {
    on("redis", true, |under| async move {
        under.publish(0, 7, 0).await;
        let reading = under.reading("billing", 0);
        let mut reader = under.broker.subscribe(&reading, 0).await.expect("it can be read");
        let first = timeout(WAIT, reader.next()).await.expect("there is one");
        assert!(first.is_ok(), "{first:?}");
        let mut flush = redis::cmd("FLUSHALL");
        flush.take().query_async::<()>(&mut beside(&under).await).await.expect("it is empty");
        let ended = timeout(WAIT, reader.next()).await.expect("it is noticed");
        assert!(matches!(&ended, Err(Unavailable::Broken(why)) if why.contains("deleted")));
        let message = message(0, 7, 1, Bytes::new());
        let published = under.broker.publish(&under.topic.name, &message).await;
        assert!(matches!(published, Err(NotPublished::Unavailable(_))), "{published:?}");
        assert!(under.broker.subscribe(&reading, 0).await.is_err());
    });
}

#[test]
fn a_reader_of_a_topic_that_was_made_anew_is_told_so() {
    on("redis", true, |under| async move {
        let reading = under.reading("billing", 0);
        let mut reader = under.broker.subscribe(&reading, 0).await.expect("it can be read");
        under.broker.remove(&under.topic).await.expect("it goes");
        under.broker.declare(&under.topic).await.expect("it is made");
        under.publish(0, 7, 1).await;
        let ended = timeout(WAIT, reader.next()).await.expect("it is noticed");
        assert!(matches!(&ended, Err(Unavailable::Broken(why)) if why.contains("deleted")));
    });
}

#[test]
fn who_stops_waiting_again_and_again_loses_nothing() {
    on("redis", true, |under| async move {
        let reading = under.reading("billing", 0);
        let mut reader = under.broker.subscribe(&reading, 0).await.expect("it can be read");
        let mut read = Vec::new();
        for number in 0..20 {
            let nothing = timeout(Duration::from_millis(5), reader.next()).await;
            assert!(nothing.is_err(), "{nothing:?}");
            under.publish(0, 7, number).await;
            let next = timeout(Duration::from_secs(1), reader.next()).await;
            read.push(next.expect("it comes at once").expect("one"));
        }
        assert_eq!(ids(&read), named(0, 0..20));
    });
}

#[test]
fn a_server_that_does_not_write_says_so_and_publishes_later() {
    on("redis", true, |under| async move {
        let mut beside = beside(&under).await;
        set(&mut beside, "maxmemory", "1").await;
        let message = message(0, 7, 0, Bytes::from("{}"));
        let published = under.broker.publish(&under.topic.name, &message).await;
        assert!(
            matches!(&published, Err(NotPublished::Unavailable(Unavailable::Broken(why)))
                if why.contains("maxmemory")),
            "{published:?}"
        );
        set(&mut beside, "maxmemory", "0").await;
        let mut follow = redis::cmd("REPLICAOF");
        follow.arg("127.0.0.1").arg(9).query_async::<()>(&mut beside).await.expect("it follows");
        let published = under.broker.publish(&under.topic.name, &message).await;
        assert!(matches!(published, Err(NotPublished::Unavailable(_))), "{published:?}");
        let mut lead = redis::cmd("REPLICAOF");
        lead.arg("NO").arg("ONE").query_async::<()>(&mut beside).await.expect("it leads");
        assert_eq!(under.broker.publish(&under.topic.name, &message).await, Ok(()));
    });
}

#[test]
fn what_waits_beyond_the_count_is_estimated() {
    on("redis", true, |under| async move {
        let mut on = beside(&under).await;
        let stream = keys::stream(&under.topic.name, 2);
        for thousand in 0..5_u64 {
            let mut add = redis::pipe();
            for number in 0..1_000 {
                let id = Id { milliseconds: thousand * 1_000 + number + 1, sequence: 0 };
                add.cmd("XADD").arg(&stream).arg(id.to_string()).arg("n").arg(number);
            }
            add.query_async::<()>(&mut on).await.expect("they are added");
        }
        let reading = under.reading("billing", 2);
        let behind = |milliseconds| Id { milliseconds, sequence: 0 }.position().expect("it fits");
        assert_eq!(under.broker.waiting(&reading, 0).await, Ok(5_000));
        assert_eq!(under.broker.waiting(&reading, behind(4_000)).await, Ok(1_000));
        let many = under.broker.waiting(&reading, behind(1_000)).await.expect("known");
        assert!((3_900..4_100).contains(&many), "{many}");
    });
}
