//! What an address says of a Kafka cluster.

use krafka::auth::{AuthConfig, TlsConfig};
use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Where brokers listen unless it is said.
const PORT: u16 = 9092;

/// How a cluster is spoken to.
#[derive(Clone)]
pub(in crate::adapters::broker) struct Settings {
    /// Brokers that tell of the others, each `host:port`.
    pub(super) hosts: Vec<String>,
    /// User and password.
    user: Option<(String, String)>,
    mechanism: Mechanism,
    tls: bool,
}

/// How a password is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Scram256,
    Scram512,
}

impl Settings {
    /// Reads `kafka://user:password@host:9092?tls=true&sasl=plain`, and the hosts that were beside
    /// the first.
    pub(in crate::adapters::broker) fn read(url: &Url, others: &[String]) -> Result<Self, String> {
        if !matches!(url.path(), "" | "/") {
            return Err("the address of a Kafka cluster has no path".to_owned());
        }
        let mut hosts = vec![host(url)];
        for other in others {
            let fault = || "one of the hosts can't be read: write `h1:9092,h2:9092`".to_owned();
            let other: Url = format!("kafka://{other}").parse().map_err(|_| fault())?;
            if other.host_str().is_none_or(str::is_empty) || !other.username().is_empty() {
                return Err(fault());
            }
            hosts.push(host(&other));
        }
        let (mut tls, mut mechanism) = (false, Mechanism::Scram512);
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("tls", "true") => tls = true,
                ("tls", "false") => tls = false,
                ("sasl", "plain") => mechanism = Mechanism::Plain,
                ("sasl", "scram-sha-256") => mechanism = Mechanism::Scram256,
                ("sasl", "scram-sha-512") => mechanism = Mechanism::Scram512,
                _ => {
                    return Err("of Kafka, an address says `tls=true` and `sasl=plain`, \
                                `sasl=scram-sha-256` or `sasl=scram-sha-512`"
                        .to_owned());
                }
            }
        }
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(String::from).map_err(|_| "user and password are UTF-8".to_owned())
        };
        let user = match (url.username(), url.password()) {
            ("", None) => None,
            ("", _) | (_, None) => return Err("a user has a password".to_owned()),
            (user, Some(password)) => Some((decoded(user)?, decoded(password)?)),
        };
        Ok(Self { hosts, user, mechanism, tls })
    }

    pub(super) fn security(&self) -> AuthConfig {
        let tls = self.tls.then(|| TlsConfig::new().with_native_roots());
        let login = self.user.as_ref().map(|(user, password)| match self.mechanism {
            Mechanism::Plain => AuthConfig::sasl_plain(user, password),
            Mechanism::Scram256 => AuthConfig::sasl_scram_sha256(user, password),
            Mechanism::Scram512 => AuthConfig::sasl_scram_sha512(user, password),
        });
        match (login, tls) {
            (Some(login), Some(tls)) => login.with_tls(tls),
            (Some(login), None) => login,
            (None, Some(tls)) => AuthConfig::ssl(tls),
            (None, None) => AuthConfig::plaintext(),
        }
    }
}

fn host(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or(PORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        Settings::read(&text.parse().expect("a URL"), &["two:9093".to_owned(), "three".to_owned()])
    }

    #[test]
    fn an_address_says_how_a_cluster_is_spoken_to() {
        let open = read("kafka://one").expect("settings");
        assert_eq!(open.hosts, ["one:9092", "two:9093", "three:9092"]);
        assert!(!open.security().requires_tls() && !open.security().requires_sasl());
        let closed = read("kafka://ann:p%40ss@one?tls=true&sasl=plain").expect("settings");
        assert_eq!(closed.user, Some(("ann".to_owned(), "p@ss".to_owned())));
        assert!(closed.security().requires_tls() && closed.security().requires_sasl());
        assert_eq!(closed.mechanism, Mechanism::Plain);
    }

    #[test]
    fn what_is_not_known_of_kafka_is_refused() {
        for text in ["kafka://h?acks=0", "kafka://h?tls=maybe", "kafka://ann@h", "kafka://:p@h"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
