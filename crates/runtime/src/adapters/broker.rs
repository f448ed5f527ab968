//! Brokers, by the scheme of their address.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqs")]
mod sqs;
#[cfg(test)]
mod suite;

use crate::ports::broker::{Broker, Connect, Desk};
use reqwest::Url;
use std::sync::Arc;

/// Names of topics at a broker begin so, where the address says `?prefix=`: several systems of one
/// name, as of a test and of production, then share it.
const PREFIX: &str = "prefix";
/// Characters of a prefix at most.
const PREFIX_CHARS_MAX: usize = 40;

/// Schemes, with the kind they belong to.
const SCHEMES: [(&str, &str); 8] = [
    ("nats", "nats"),
    ("tls", "nats"),
    ("amqp", "rabbitmq"),
    ("amqps", "rabbitmq"),
    ("redis", "redis"),
    ("rediss", "redis"),
    ("kafka", "kafka"),
    ("sqs", "sqs"),
];
/// Kinds whose address names several hosts, as `h1:9092,h2:9092`: the servers of a cluster.
const CLUSTERS: [&str; 1] = ["kafka"];
/// Kinds that this program was built with.
const BUILT: [(&str, bool); 5] = [
    ("kafka", cfg!(feature = "kafka")),
    ("nats", cfg!(feature = "nats")),
    ("rabbitmq", cfg!(feature = "rabbitmq")),
    ("redis", cfg!(feature = "redis")),
    ("sqs", cfg!(feature = "sqs")),
];

/// Where a broker is, and how it is spoken to.
#[derive(Clone)]
pub struct Address {
    url: Url,
    /// Those behind the first, each `host:port` or `host`.
    hosts: Vec<String>,
    kind: &'static str,
    prefix: Option<String>,
    #[cfg(feature = "kafka")]
    kafka: Option<kafka::Settings>,
    #[cfg(feature = "sqs")]
    sqs: Option<sqs::Settings>,
}

/// Why an address is none; never with its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAddress(pub String);

impl std::fmt::Display for NoAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Address {
    /// Reads `nats://user:password@host:4222?prefix=staging`, and several hosts of a cluster:
    /// `kafka://h1:9092,h2:9092`.
    ///
    /// # Errors
    /// Where it is no such address, or of a kind that this program was built without.
    pub fn parse(text: &str) -> Result<Self, NoAddress> {
        let fault = |fault: String| Err(NoAddress(fault));
        // What a parser says of a fault may hold a part of the address.
        let (text, hosts) = apart(text);
        let Ok(mut url) = text.parse::<Url>() else {
            return fault(
                "the broker's address can't be read: write `nats://host:4222`".to_owned(),
            );
        };
        let kind = SCHEMES.iter().find(|(scheme, _)| *scheme == url.scheme());
        let Some((_, kind)) = kind else {
            let schemes: Vec<String> =
                SCHEMES.iter().map(|(scheme, _)| format!("`{scheme}://`")).collect();
            let (schemes, scheme) = (schemes.join(", "), url.scheme());
            return fault(format!("no broker is spoken to by `{scheme}://`: one of {schemes}"));
        };
        if !BUILT.iter().any(|(built, with)| built == kind && *with) {
            return fault(format!("this program was built without its feature `{kind}`"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return fault("the broker's address names no host".to_owned());
        }
        let (own, others): (Vec<_>, Vec<_>) =
            url.query_pairs().into_owned().partition(|(name, _)| name == PREFIX);
        let prefix = own.into_iter().next().map(|(_, prefix)| prefix);
        let fits = |prefix: &String| {
            let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !prefix.is_empty() && prefix.len() <= PREFIX_CHARS_MAX && prefix.chars().all(known)
        };
        if prefix.as_ref().is_some_and(|prefix| !fits(prefix)) {
            let most = PREFIX_CHARS_MAX;
            return fault(format!("`prefix` is up to {most} letters, digits, `-` and `_`"));
        }
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        #[cfg(feature = "kafka")]
        let kafka = match *kind {
            "kafka" => Some(kafka::Settings::read(&url, &hosts).map_err(NoAddress)?),
            _ => None,
        };
        #[cfg(feature = "sqs")]
        let sqs = match *kind {
            "sqs" => Some(sqs::Settings::read(&url).map_err(NoAddress)?),
            _ => None,
        };
        Ok(Self {
            url,
            hosts,
            kind,
            prefix,
            #[cfg(feature = "kafka")]
            kafka,
            #[cfg(feature = "sqs")]
            sqs,
        })
    }

    /// True where requests can come by it, and not events alone.
    #[must_use]
    pub fn takes_requests(&self) -> bool {
        self.open().answering().is_some()
    }

    /// Where it is, without what is secret.
    #[must_use]
    pub fn shown(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let others: String = self.hosts.iter().map(|other| format!(",{other}")).collect();
        format!("{}://{host}{port}{others}", self.url.scheme())
    }
}

/// Why no answer is sent to one of the system's own subjects or queues: what comes there is
/// believed. None where it is another's.
#[cfg(any(feature = "nats", feature = "rabbitmq"))]
fn is_own(desk: &Desk, reply_to: &str) -> Option<&'static str> {
    let (own, _) = desk.name.rsplit_once('.')?;
    let behind = reply_to.strip_prefix(own)?;
    (behind.is_empty() || behind.starts_with('.')).then_some("it is one of the system's own")
}

/// An address with its first host alone, and the others: a URL has one.
fn apart(text: &str) -> (String, Vec<String>) {
    let alone = || (text.to_owned(), Vec::new());
    let Some((scheme, rest)) = text.split_once("://") else { return alone() };
    let kind = SCHEMES.iter().find(|(known, _)| *known == scheme).map(|(_, kind)| kind);
    if kind.is_none_or(|kind| !CLUSTERS.contains(kind)) {
        return alone();
    }
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let mut hosts = hosts.split(',');
    let first = hosts.next().unwrap_or_default();
    (format!("{scheme}://{user}{first}{behind}"), hosts.map(str::to_owned).collect())
}

impl Connect for Address {
    fn open(&self) -> Arc<dyn Broker> {
        #[cfg(feature = "kafka")]
        if let Some(settings) = &self.kafka {
            return Arc::new(kafka::Kafka::new(settings.clone()));
        }
        #[cfg(feature = "sqs")]
        if let Some(settings) = &self.sqs {
            return Arc::new(sqs::Sqs::new(settings.clone()));
        }
        match self.kind {
            #[cfg(feature = "nats")]
            "nats" => Arc::new(nats::Nats::new(self.url.clone())),
            #[cfg(feature = "rabbitmq")]
            "rabbitmq" => Arc::new(rabbitmq::RabbitMq::new(self.url.clone())),
            #[cfg(feature = "redis")]
            "redis" => Arc::new(redis::Redis::new(self.url.clone())),
            kind => unreachable!("`{kind}` was refused when the address was read"),
        }
    }

    fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_without_its_password() {
        let address = Address::parse("nats://ann:secret@broker:4333?prefix=staging").expect("one");
        assert_eq!(address.shown(), "nats://broker:4333");
        assert_eq!(format!("{address:?}"), "nats://broker:4333");
        assert_eq!(address.prefix(), Some("staging"));
        assert_eq!(address.url.as_str(), "nats://ann:secret@broker:4333");
    }

    #[cfg(feature = "kafka")]
    #[test]
    fn the_hosts_of_a_cluster_are_read_and_shown_without_the_password() {
        let address = Address::parse("kafka://ann:a,b@h1:9093,h2,[::1]:9094?prefix=p&sasl=plain");
        let address = address.expect("one");
        assert_eq!(address.shown(), "kafka://h1:9093,h2,[::1]:9094");
        assert_eq!(address.url.as_str(), "kafka://ann:a,b@h1:9093?sasl=plain");
        assert_eq!(address.hosts, ["h2", "[::1]:9094"]);
        assert_eq!(address.prefix(), Some("p"));
        for (text, part) in [
            ("kafka://h1,", "one of the hosts"),
            ("kafka://h1,h2:secret", "one of the hosts"),
            ("kafka://,h1", "names no host"),
            ("kafka://h1,h2/secret", "no path"),
            ("kafka://h1?tls=secret", "`tls=true`"),
        ] {
            let why = Address::parse(text).expect_err("it is none").to_string();
            assert!(why.contains(part), "{text}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[cfg(not(feature = "kafka"))]
    #[test]
    fn a_kind_that_was_left_out_of_this_program_is_named() {
        let why = Address::parse("kafka://h1:9092,h2:9092").expect_err("it is left out");
        assert!(why.to_string().contains("built without its feature `kafka`"), "{why}");
    }

    #[cfg(not(feature = "sqs"))]
    #[test]
    fn the_feature_that_amazon_needs_is_named() {
        let why = Address::parse("sqs://eu-central-1").expect_err("it is left out");
        assert!(why.to_string().contains("built without its feature `sqs`"), "{why}");
    }

    #[cfg(feature = "sqs")]
    #[test]
    fn a_region_is_an_address_and_its_key_is_not_shown() {
        let address = Address::parse("sqs://id:secret@eu-central-1?prefix=staging&bucket=events");
        let address = address.expect("one");
        assert_eq!(address.shown(), "sqs://eu-central-1");
        assert_eq!(address.prefix(), Some("staging"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_a_word_of_it() {
        for (text, part) in [
            ("broker:secret", "no broker is spoken to by `broker://`"),
            ("secret", "can't be read"),
            ("http://secret", "`redis://`"),
            ("nats://", "names no host"),
            ("nats://h?prefix=a.b", "letters, digits"),
            ("nats://h?prefix=", "letters, digits"),
        ] {
            let why = Address::parse(text).expect_err("it is none").to_string();
            assert!(why.contains(part), "{text}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
