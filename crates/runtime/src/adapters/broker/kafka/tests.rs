//! What is Kafka's own, on a broker in this process that speaks its protocol.

use super::super::suite::{Under, ids, message, named, on};
use crate::adapters::broker::Address;
use crate::ports::broker::{Connect, NotPublished};
use crate::ports::store::Unavailable;
use bytes::Bytes;
use krafka::error::ErrorCode;
use krafka::testing::{ApiKey, Control};
use std::time::Duration;
use tokio::time::timeout;

/// More than anything takes here.
const WAIT: Duration = Duration::from_secs(30);

async fn refused(under: &Under, bytes: usize) {
    let large = message(0, 7, 0, vec![b'a'; bytes].into());
    let published = under.broker.publish(&under.topic.name, &large).await;
    assert!(matches!(published, Err(NotPublished::Refused(_))), "{published:?}");
}

#[test]
fn what_the_cluster_or_the_client_does_not_take_is_refused_and_holds_up_no_other() {
    on("kafka", true, |under| async move {
        let limit = |_: &_| Control::Error(ErrorCode::MessageTooLarge);
        under.fake().on_once(ApiKey::Produce, limit);
        refused(&under, 4_000_000).await;
        under.publish(0, 7, 1).await;
        refused(&under, super::MEMORY_BYTES + 1).await;
        under.publish(0, 7, 2).await;
        assert_eq!(ids(&under.read("billing", 0, 0, 2).await), named(0, 1..3));
    });
}

#[test]
fn a_message_is_a_cloudevent_by_the_binding_for_kafka() {
    on("kafka", true, |under| async move {
        under.publish(2, 7, 5).await;
        let records = under.fake().all_records(&under.topic.name).expect("they are read");
        let [record] = &records[..] else { panic!("{} records", records.len()) };
        assert_eq!((record.partition, record.offset), (2, 0));
        assert_eq!(record.key.as_deref(), Some(&b"key-7"[..]));
        assert_eq!(record.value.as_deref(), Some(&b"{\"n\":5}"[..]));
        let header = |name: &str| {
            let found = record.headers.iter().find(|(known, _)| known == name);
            found.and_then(|(_, value)| value.clone())
        };
        assert_eq!(header("ce_id").as_deref(), Some(&b"id-2-5"[..]));
        assert_eq!(header("ce_subject").as_deref(), Some("orders/größe %".as_bytes()));
        assert_eq!(header("content-type").as_deref(), Some(&b"application/json"[..]));
        assert!(header("ce_datacontenttype").is_none());
    });
}

#[test]
fn who_has_no_right_password_is_told_so_and_who_has_publishes() {
    on("kafka", true, |under| async move {
        under.fake().require_sasl_plain("ann", "p@ss");
        let host = under.url().replace("kafka://", "");
        let wrong = format!("kafka://ann:wrong@{host}?sasl=plain");
        let wrong = Address::parse(&wrong).expect("an address").open();
        let declared = timeout(WAIT, wrong.declare(&under.topic)).await.expect("it answers");
        assert!(
            matches!(&declared, Err(Unavailable::Broken(why)) if !why.contains("wrong")),
            "{declared:?}"
        );
        let right = format!("kafka://ann:p%40ss@{host},127.0.0.1:9?sasl=plain");
        let right = Address::parse(&right).expect("an address").open();
        let declared = right.declare(&under.topic).await.expect("it is there");
        assert_eq!(declared.partitions, 3);
        let message = message(0, 7, 1, Bytes::from("{}"));
        assert_eq!(right.publish(&under.topic.name, &message).await, Ok(()));
    });
}

#[test]
fn an_answer_that_was_lost_does_not_publish_twice() {
    on("kafka", true, |under| async move {
        under.publish(0, 7, 0).await;
        let lost = |_: &_| Control::ApplyThen(Box::new(Control::Disconnect));
        under.fake().on_once(ApiKey::Produce, lost);
        let message = message(0, 7, 1, Bytes::from("{}"));
        assert_eq!(under.broker.publish(&under.topic.name, &message).await, Ok(()));
        under.publish(0, 7, 2).await;
        assert_eq!(under.fake().next_offset(&under.topic.name, 0), Some(3));
    });
}

#[test]
fn a_reader_of_a_topic_that_was_made_anew_is_told_so() {
    on("kafka", true, |under| async move {
        let reading = under.reading("billing", 0);
        let mut reader = under.broker.subscribe(&reading, 0).await.expect("it can be read");
        under.broker.remove(&under.topic).await.expect("it goes");
        under.broker.declare(&under.topic).await.expect("it is made");
        under.publish(0, 7, 1).await;
        let ended = timeout(WAIT, reader.next()).await.expect("it is noticed");
        assert!(matches!(ended, Err(Unavailable::Broken(_))), "{ended:?}");
    });
}

#[test]
fn a_reader_of_a_topic_that_is_gone_is_told_so_where_nothing_comes_any_more() {
    on("kafka", true, |under| async move {
        let reading = under.reading("billing", 0);
        let mut reader = under.broker.subscribe(&reading, 0).await.expect("it can be read");
        under.broker.remove(&under.topic).await.expect("it goes");
        let ended = timeout(WAIT, reader.next()).await.expect("it is noticed");
        assert!(matches!(ended, Err(Unavailable::Broken(_))), "{ended:?}");
        let message = message(0, 7, 1, Bytes::new());
        let published = under.broker.publish(&under.topic.name, &message).await;
        assert!(matches!(published, Err(NotPublished::Unavailable(_))), "{published:?}");
        assert!(under.broker.subscribe(&reading, 0).await.is_err());
    });
}

#[test]
fn a_subscription_that_is_dropped_leaves_no_connection() {
    on("kafka", true, |under| async move {
        under.publish(0, 7, 0).await;
        let before = under.fake().open_connections();
        let reading = under.reading("billing", 0);
        let mut reader = under.broker.subscribe(&reading, 0).await.expect("it can be read");
        assert!(timeout(WAIT, reader.next()).await.expect("there is one").is_ok());
        assert!(under.fake().open_connections() > before, "it has one of its own");
        // Also where it goes while it waits.
        assert!(timeout(Duration::from_millis(50), reader.next()).await.is_err());
        drop(reader);
        let closed = async {
            while under.fake().open_connections() > before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(WAIT, closed).await.expect("it is closed");
    });
}

#[test]
fn a_position_behind_what_a_cluster_lost_is_an_error_and_not_silence() {
    on("kafka", true, |under| async move {
        under.publish(0, 7, 0).await;
        let reading = under.reading("billing", 0);
        let subscribed = under.broker.subscribe(&reading, 5).await;
        assert!(matches!(&subscribed, Err(Unavailable::Broken(why)) if why.contains("lost")));
    });
}

#[test]
fn who_stops_waiting_again_and_again_loses_nothing() {
    on("kafka", true, |under| async move {
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
fn who_was_away_for_longer_than_messages_stay_begins_with_the_first_that_is_there() {
    on("kafka", true, |under| async move {
        for number in 0..10 {
            under.publish(1, 7, number).await;
        }
        let name = under.topic.name.to_string();
        under.fake().with_state(|state| {
            let topic = state.topics.get_mut(&name).expect("it is there");
            topic.partitions[1].log_start_offset = 6;
        });
        assert_eq!(under.broker.waiting(&under.reading("billing", 1), 2).await, Ok(4));
        assert_eq!(ids(&under.read("billing", 1, 2, 4).await), named(1, 6..10));
    });
}
