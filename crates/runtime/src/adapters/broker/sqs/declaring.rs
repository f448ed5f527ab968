//! How topics and queues are made at Amazon.
//!
//! A partition of a topic is an SNS topic of its own, not a filter on one: filters take up to a
//! quarter of an hour to be in effect. The one of partition 0 has tags that say how many there
//! are. SNS refuses to make a topic that is there with other tags, so two processes agree.

use super::client::{Account, Client, Fault};
use super::names;
use super::settings::Service;
use crate::ports::broker::{Declared, Reading, Topic};
use crate::ports::clock::{Clock, SystemClock};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tags of the topic of partition 0.
const PARTITIONS: &str = "mainstay-partitions";
const INCARNATION: &str = "mainstay-incarnation";
/// What was tagged says so by then; it is looked for so often.
const TAG_PATIENCE: Duration = Duration::from_secs(10);
const TAG_LOOK: Duration = Duration::from_millis(200);
/// Partitions that are made at once.
const MAKING_MAX: usize = 4;
/// Pages of subscriptions at most, of a hundred each: a topic that keeps the order has no more.
const PAGES_MAX: usize = 10;
/// A subscription is in effect so long after it was answered for. SNS does not say when.
const SUBSCRIBED_AFTER: Duration = Duration::from_secs(5);
/// Seconds that a queue keeps a message: as long as there is.
const KEPT_SECONDS: &str = "1209600";
/// What services say of what is not there.
pub(super) const NO_TOPIC: [&str; 2] = ["NotFound", "NotFoundException"];
/// A queue is there with other settings: an operator's.
const OTHER_QUEUE: [&str; 3] = ["QueueNameExists", "QueueAlreadyExists", "InvalidAttributeValue"];
pub(super) const NO_QUEUE: [&str; 2] =
    ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];

#[derive(Deserialize)]
struct Tagged {
    #[serde(rename = "ListTagsForResourceResult")]
    result: Tags,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(rename = "Tags", default)]
    tags: Members<Tag>,
}

/// A list, as the form protocol answers with one.
#[derive(Deserialize)]
struct Members<T> {
    #[serde(rename = "member", default = "Vec::new")]
    all: Vec<T>,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self { all: Vec::new() }
    }
}

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Value", default)]
    value: String,
}

#[derive(Deserialize)]
struct Subscribed {
    #[serde(rename = "ListSubscriptionsByTopicResult")]
    result: Page,
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "Subscriptions", default)]
    subscriptions: Members<Subscriber>,
    #[serde(rename = "NextToken")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Subscriber {
    #[serde(rename = "Endpoint", default)]
    endpoint: String,
}

/// What is done to one topic.
struct Making<'c> {
    client: &'c Client,
    account: &'c Account,
    topic: &'c Topic,
}

/// Makes what is missing of a topic.
pub(super) async fn make(client: &Client, topic: &Topic) -> Result<Declared, Fault> {
    let making = Making { client, account: client.account().await?, topic };
    let declared = making.record().await?;
    let making = &making;
    let made: Vec<BoxFuture<'_, _>> = (0..declared.partitions)
        .map(|partition| Box::pin(making.partition(partition)) as _)
        .collect();
    let fresh = futures::stream::iter(made).buffer_unordered(MAKING_MAX);
    let fresh = fresh.try_fold(false, |some, fresh| async move { Ok(some || fresh) }).await?;
    // An emulator has it at once.
    if fresh && client.settings().endpoint.is_none() {
        tokio::time::sleep(SUBSCRIBED_AFTER).await;
    }
    Ok(declared)
}

/// Deletes a topic with the queues of its groups.
pub(super) async fn unmake(client: &Client, topic: &Topic) -> Result<(), Fault> {
    let making = Making { client, account: client.account().await?, topic };
    let known = making.tags().await?;
    let partitions = known.map_or(topic.partitions, |known| known.partitions);
    // The first goes last, for it says how many there are.
    for partition in (0..partitions).rev() {
        for group in &topic.groups {
            making.delete_queue(&making.reading(group, partition)).await?;
        }
        let arn = making.arn(partition);
        match client.sns(&[("Action", "DeleteTopic"), ("TopicArn", &arn)]).await {
            Err(why) if !why.is(&NO_TOPIC) => return Err(why),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Where the queue of a group is spoken to.
pub(super) async fn queue_url(client: &Client, reading: &Reading) -> Result<String, Fault> {
    let asked = json!({"QueueName": names::queue(reading)});
    let told = client.sqs("GetQueueUrl", &asked).await?;
    let url = told["QueueUrl"].as_str().map(str::to_owned);
    url.ok_or_else(|| Fault::Silent("SQS names no address of a queue".to_owned()))
}

impl Making<'_> {
    fn arn(&self, partition: u32) -> String {
        self.account.arn(Service::Sns, &names::topic(&self.topic.name, partition))
    }

    fn reading(&self, group: &Arc<str>, partition: u32) -> Reading {
        Reading { topic: Arc::clone(&self.topic.name), group: Arc::clone(group), partition }
    }

    /// What is written of a topic; writes it where nothing is.
    async fn record(&self) -> Result<Declared, Fault> {
        if let Some(declared) = self.tags().await? {
            return Ok(declared);
        }
        let (partitions, incarnation) =
            (self.topic.partitions.to_string(), format!("{:x}", SystemClock.now()));
        let tags = [
            ("Tags.member.1.Key", PARTITIONS),
            ("Tags.member.1.Value", &*partitions),
            ("Tags.member.2.Key", INCARNATION),
            ("Tags.member.2.Value", &*incarnation),
        ];
        let refused = match self.create(0, &tags).await {
            Ok(()) => None,
            // Somebody else may have made it just now, with tags of theirs.
            Err(why) if why.is(&["InvalidParameter"]) => Some(why),
            Err(why) => return Err(why),
        };
        let deadline = Instant::now() + TAG_PATIENCE;
        loop {
            if let Some(declared) = self.tags().await? {
                return Ok(declared);
            }
            if Instant::now() >= deadline {
                let name = names::topic(&self.topic.name, 0);
                let why = refused.map(|why| format!(" ({why})")).unwrap_or_default();
                return Err(Fault::Silent(format!(
                    "the SNS topic `{name}` has no tags `{PARTITIONS}` and `{INCARNATION}`: \
                     delete it, that it is made anew, or tag it{why}"
                )));
            }
            tokio::time::sleep(TAG_LOOK).await;
        }
    }

    async fn tags(&self) -> Result<Option<Declared>, Fault> {
        let arn = self.arn(0);
        let form = [("Action", "ListTagsForResource"), ("ResourceArn", &*arn)];
        let told: Tagged = match self.client.sns_for(&form).await {
            Err(why) if why.is(&NO_TOPIC) || why.is(&["ResourceNotFound"]) => return Ok(None),
            told => told?,
        };
        let tag = |name: &str| {
            let found = told.result.tags.all.iter().find(|tag| tag.key == name);
            found.map(|tag| tag.value.as_str())
        };
        let partitions = tag(PARTITIONS).and_then(|text| text.parse().ok());
        let (Some(partitions), Some(incarnation)) = (partitions, tag(INCARNATION)) else {
            return Ok(None);
        };
        Ok(Some(Declared { partitions, incarnation: incarnation.into() }))
    }

    async fn create(&self, partition: u32, tags: &[(&str, &str)]) -> Result<(), Fault> {
        let name = names::topic(&self.topic.name, partition);
        let form = [
            ("Action", "CreateTopic"),
            ("Name", &*name),
            ("Attributes.entry.1.key", "FifoTopic"),
            ("Attributes.entry.1.value", "true"),
            // Each key is a line of its own.
            ("Attributes.entry.2.key", "FifoThroughputScope"),
            ("Attributes.entry.2.value", "MessageGroup"),
        ];
        self.client.sns(&[&form[..], tags].concat()).await
    }

    /// Makes what is missing of a partition; whether anything was subscribed.
    async fn partition(&self, partition: u32) -> Result<bool, Fault> {
        if partition > 0 {
            self.create(partition, &[]).await?;
        }
        let topic = self.arn(partition);
        let subscribed = self.subscribed(&topic).await?;
        let mut fresh = false;
        for group in &self.topic.groups {
            let reading = self.reading(group, partition);
            let queue = self.account.arn(Service::Sqs, &names::queue(&reading));
            self.queue(&reading, &queue, &topic).await?;
            if subscribed.contains(&queue) {
                continue;
            }
            let form = [
                ("Action", "Subscribe"),
                ("TopicArn", &*topic),
                ("Protocol", "sqs"),
                ("Endpoint", &*queue),
                ("Attributes.entry.1.key", "RawMessageDelivery"),
                ("Attributes.entry.1.value", "true"),
            ];
            self.client.sns(&form).await?;
            fresh = true;
        }
        Ok(fresh)
    }

    /// Queues that hear a topic.
    async fn subscribed(&self, topic: &str) -> Result<BTreeSet<String>, Fault> {
        let (mut all, mut next) = (BTreeSet::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let mut form = vec![("Action", "ListSubscriptionsByTopic"), ("TopicArn", topic)];
            form.extend(next.as_deref().map(|next| ("NextToken", next)));
            let told: Subscribed = self.client.sns_for(&form).await?;
            let page = told.result;
            all.extend(page.subscriptions.all.into_iter().map(|one| one.endpoint));
            next = page.next.filter(|next| !next.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(all)
    }

    /// Makes a queue where it is not there, into which the topic may put messages. One that is
    /// there stays as it is.
    async fn queue(&self, reading: &Reading, arn: &str, topic: &str) -> Result<(), Fault> {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }],
        });
        let asked = json!({
            "QueueName": names::queue(reading),
            "Attributes": {
                "FifoQueue": "true",
                "DeduplicationScope": "messageGroup",
                "FifoThroughputLimit": "perMessageGroupId",
                "MessageRetentionPeriod": KEPT_SECONDS,
                "VisibilityTimeout": super::reader::VISIBLE_SECONDS.to_string(),
                "Policy": policy.to_string(),
            },
        });
        match self.client.sqs("CreateQueue", &asked).await {
            Err(why) if !why.is(&OTHER_QUEUE) => Err(why),
            Err(why) => {
                // It may not be there and be refused all the same.
                queue_url(self.client, reading).await.map(|_url| ()).map_err(|_| why)
            }
            Ok(_) => Ok(()),
        }
    }

    async fn delete_queue(&self, reading: &Reading) -> Result<(), Fault> {
        let gone = |why: Fault| if why.is(&NO_QUEUE) { Ok(()) } else { Err(why) };
        let url = match queue_url(self.client, reading).await {
            Ok(url) => url,
            Err(why) => return gone(why),
        };
        match self.client.sqs("DeleteQueue", &json!({"QueueUrl": url})).await {
            Ok(_) => Ok(()),
            Err(why) => gone(why),
        }
    }
}
