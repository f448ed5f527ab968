//! What is Amazon's own, on an emulator of its services.

use super::super::suite::{Under, ids, message, named, on};
use crate::adapters::broker::Address;
use crate::ports::broker::{Connect, NotPublished};
use crate::ports::store::Unavailable;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::timeout;

/// More than anything takes here.
const WAIT: Duration = Duration::from_secs(30);
/// So long nothing comes where nothing is left.
const QUIET: Duration = Duration::from_millis(400);

/// The same services, by an address that says something else.
fn other(under: &Under, from: &str, to: &str) -> std::sync::Arc<dyn crate::ports::broker::Broker> {
    Address::parse(&under.url().replace(from, to)).expect("an address").open()
}

#[test]
fn what_is_too_large_is_refused_and_says_what_to_do() {
    on("sqs", false, |under| async move {
        let topic = &under.topic.name;
        let large = message(0, 7, 0, vec![b'a'; super::OBJECT_BYTES_MAX + 1].into());
        let published = under.broker.publish(topic, &large).await;
        assert!(matches!(published, Err(NotPublished::Refused(_))), "{published:?}");
        let without = other(&under, "&bucket=events", "");
        let medium = message(0, 7, 1, vec![b'a'; super::MESSAGE_BYTES_MAX].into());
        let published = without.publish(topic, &medium).await;
        let Err(NotPublished::Refused(why)) = published else { panic!("{published:?}") };
        assert!(why.contains("`?bucket=`"), "{why}");
        under.publish(0, 7, 2).await;
        assert_eq!(ids(&under.read("billing", 0, 0, 1).await), named(0, 2..3));
    });
}

#[test]
fn a_key_that_one_reader_has_holds_up_no_other_key() {
    on("sqs", false, |under| async move {
        under.publish(1, 7, 0).await;
        let reading = under.reading("billing", 1);
        let mut first = under.broker.subscribe(&reading, 0).await.expect("it can be read");
        assert!(timeout(WAIT, first.next()).await.expect("there is one").is_ok());
        under.publish(1, 7, 1).await;
        assert!(timeout(QUIET, first.next()).await.is_err(), "its key is under way");
        under.publish(1, 8, 2).await;
        let next = timeout(WAIT, first.next()).await.expect("there is one").expect("one");
        assert_eq!(ids(std::slice::from_ref(&next)), ["id-1-2"]);
        first.settle(next.position).await.expect("it is settled");
        let next = timeout(WAIT, first.next()).await.expect("there is one").expect("one");
        assert_eq!(ids(std::slice::from_ref(&next)), ["id-1-1"]);
    });
}

#[test]
fn an_event_that_is_published_again_comes_once() {
    on("sqs", false, |under| async move {
        under.publish(0, 7, 0).await;
        under.publish(0, 7, 0).await;
        under.publish(0, 7, 1).await;
        assert_eq!(ids(&under.read("billing", 0, 0, 2).await), named(0, 0..2));
    });
}

#[test]
fn data_in_a_bucket_that_is_not_named_is_waited_for_and_not_passed_over() {
    on("sqs", false, |under| async move {
        let large = message(2, 7, 0, vec![b'a'; super::MESSAGE_BYTES_MAX].into());
        under.broker.publish(&under.topic.name, &large).await.expect("it is published");
        let without = other(&under, "&bucket=events", "");
        let reading = under.reading("billing", 2);
        let mut reader = without.subscribe(&reading, 0).await.expect("it can be read");
        let ended = timeout(WAIT, reader.next()).await.expect("it is told");
        assert!(matches!(&ended, Err(Unavailable::Broken(why)) if why.contains("`?bucket=`")));
        let read = under.read("billing", 2, 0, 1).await;
        assert_eq!(read[0].body.len(), super::MESSAGE_BYTES_MAX);
    });
}

#[test]
fn what_is_no_event_is_delivered_as_none_and_holds_up_nothing() {
    on("sqs", false, |under| async move {
        let client = super::client::Client::new(
            super::Settings::read(&under.url().parse().expect("a URL")).expect("settings"),
        )
        .expect("a client");
        let url = super::declaring::queue_url(&client, &under.reading("billing", 0)).await;
        for (number, body) in
            ["hello", r#"{"id":"x","dataref":"s3://events/other/0/x"}"#].into_iter().enumerate()
        {
            let sent = serde_json::json!({
                "QueueUrl": url.as_ref().expect("it is there"),
                "MessageBody": body,
                "MessageGroupId": "key-7",
                "MessageDeduplicationId": format!("poison-{number}"),
            });
            client.sqs("SendMessage", &sent).await.expect("it is sent");
        }
        under.publish(0, 7, 1).await;
        let read = under.read("billing", 0, 0, 3).await;
        assert_eq!(ids(&read), ["", "", "id-0-1"]);
        assert!(read[0].attributes.is_empty() && read[1].body.is_empty());
        assert_eq!(under.broker.waiting(&under.reading("billing", 0), 0).await, Ok(0));
    });
}

#[test]
fn a_topic_that_is_gone_is_an_outage_until_it_is_made_anew() {
    on("sqs", false, |under| async move {
        let gone = other(&under, "us-east-1", "us-east-1");
        gone.remove(&under.topic).await.expect("it goes");
        let event = message(0, 7, 1, Bytes::from_static(b"{}"));
        let published = under.broker.publish(&under.topic.name, &event).await;
        assert!(matches!(published, Err(NotPublished::Unavailable(_))), "{published:?}");
        under.broker.declare(&under.topic).await.expect("it is made anew");
        assert_eq!(under.broker.publish(&under.topic.name, &event).await, Ok(()));
        assert_eq!(ids(&under.read("billing", 0, 0, 1).await), ["id-0-1"]);
    });
}
