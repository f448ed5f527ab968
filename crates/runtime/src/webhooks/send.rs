//! One attempt: a signed request, and what came of it.

use super::guard::{Guard, Refused, Resolver};
use super::signature::{Key, signatures};
use crate::cloudevents;
use crate::http::client::{self, retry_after};
use crate::ports::webhooks::Signing;
use crate::telemetry::trace::TraceContext;
use http::header;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A receiver has so long to answer.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection has so long to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that nobody uses is kept so long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read at most.
const ANSWER_BYTES_MAX: usize = 4_096;
/// Bytes of an answer that are kept.
const ANSWER_BYTES_KEPT: usize = 512;
/// Characters of a reason that are kept.
const ERROR_CHARACTERS_MAX: usize = 300;
const SECOND_MICROS: i64 = 1_000_000;

/// What is delivered.
#[derive(Debug)]
pub(crate) struct Message {
    /// The id of the event: the same at each attempt.
    pub(crate) id: String,
    /// A CloudEvent in structured mode.
    pub(crate) body: Vec<u8>,
    /// The trace that the event belongs to.
    pub(crate) trace: TraceContext,
}

/// To whom.
#[derive(Debug)]
pub(crate) struct Receiver<'a> {
    /// Where it listens.
    pub(crate) url: &'a str,
    /// Keys that sign, the newest first.
    pub(crate) keys: &'a [Key],
    /// How they sign.
    pub(crate) signing: Signing,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    /// What was answered; none where nothing was.
    pub(crate) status: Option<u16>,
    /// Why it failed; none where the receiver has it.
    pub(crate) error: Option<String>,
    /// The receiver asks for no attempt before that, in microseconds from the answer.
    pub(crate) retry_after: Option<i64>,
    /// Microseconds that it took.
    pub(crate) took: i64,
    /// The beginning of what was answered.
    pub(crate) answer: String,
}

impl Answered {
    /// The receiver wants nothing any more.
    pub(crate) fn gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// Makes attempts. Its connections belong to the runtime that first uses it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    client: reqwest::Client,
    guard: Arc<Guard>,
}

impl Client {
    /// A client that goes where a guard lets it, by no proxy, and follows no redirect.
    ///
    /// # Errors
    /// Where there is no TLS to be had.
    pub(crate) fn new(guard: &Arc<Guard>) -> Result<Self, String> {
        // The process may have one already; it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .https_only(guard.https_only)
            .user_agent("Mainstay-Webhooks/1")
            .dns_resolver(Resolver(Arc::clone(guard)))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, guard: Arc::clone(guard) })
    }

    /// Sends a message, at a time in microseconds since 1970.
    pub(crate) async fn send(&self, to: &Receiver<'_>, message: &Message, now: i64) -> Answered {
        let begun = Instant::now();
        // The client's own timeout is from the first look for an address to the end of the answer.
        let mut answered = self.exchange(to, message, now).await;
        answered.took = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
        answered
    }

    async fn exchange(&self, to: &Receiver<'_>, message: &Message, now: i64) -> Answered {
        // The connector asks nobody about an address that stands in the URL.
        let url = match self.guard.url(to.url) {
            Ok(url) => url,
            Err(refused) => return Answered::failed(format!("the URL {refused}")),
        };
        let timestamp = now.div_euclid(SECOND_MICROS);
        let signature = signatures(to.keys, to.signing, &message.id, timestamp, &message.body);
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, cloudevents::MEDIA_TYPE)
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .header("traceparent", message.trace.traceparent())
            .body(message.body.clone());
        match request.send().await {
            Ok(response) => answered(response, now).await,
            Err(error) => Answered::failed(reason(&error)),
        }
    }
}

impl Answered {
    fn failed(error: String) -> Self {
        let error = Some(error.chars().take(ERROR_CHARACTERS_MAX).collect());
        Self { status: None, error, retry_after: None, took: 0, answer: String::new() }
    }
}

/// What an answer says. A receiver that sends its body slowly has answered all the same.
async fn answered(mut response: reqwest::Response, now: i64) -> Answered {
    let status = response.status();
    let error = match status.as_u16() {
        200..=299 => None,
        300..=399 => Some(format!("answered {}: redirects are not followed", status.as_u16())),
        410 => Some("answered 410: it wants nothing any more".to_owned()),
        other => Some(format!("answered {other}")),
    };
    let retry_after = match status.as_u16() {
        429 | 502 | 503 | 504 => retry_after(response.headers(), now),
        _ => None,
    };
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) | Err(_) => break,
        }
    }
    body.truncate(ANSWER_BYTES_KEPT);
    let answer = String::from_utf8_lossy(&body).replace('\0', "\u{fffd}");
    Answered { status: Some(status.as_u16()), error, retry_after, took: 0, answer }
}

/// Why nothing was answered, without what a stranger need not know.
fn reason(error: &reqwest::Error) -> String {
    match client::causes(error).find_map(|cause| cause.downcast_ref::<Refused>()) {
        Some(refused) => format!("the URL {refused}"),
        None => client::reason(error, ANSWER_TIMEOUT.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// A receiver that answers one request with a text; its URL, and what it got.
    fn receiver(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("an address"));
        let serve = move || {
            let (mut stream, _) = listener.accept().expect("a call");
            let mut got = String::new();
            let mut buffer = [0; 4_096];
            while !got.contains("{}") {
                let read = stream.read(&mut buffer).expect("bytes");
                got.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            stream.write_all(answer.as_bytes()).expect("it is taken");
            got
        };
        (url, std::thread::spawn(serve))
    }

    fn message() -> Message {
        Message { id: "m1".to_owned(), body: b"{}".to_vec(), trace: TraceContext::root() }
    }

    async fn sent(url: &str) -> Answered {
        let allowed = vec!["127.0.0.0/8".parse().expect("a network")];
        let client = Client::new(&Arc::new(Guard { allowed, https_only: false })).expect("TLS");
        let keys = [Key([1; 32])];
        let to = Receiver { url, keys: &keys, signing: Signing::Hmac };
        client.send(&to, &message(), 5_000_000).await
    }

    #[tokio::test]
    async fn a_delivery_is_signed_and_any_2xx_is_good() {
        let (url, got) = receiver("HTTP/1.1 204 No Content\r\n\r\n");
        let answered = sent(&url).await;
        assert_eq!((answered.status, answered.error), (Some(204), None));
        let got = got.join().expect("a request");
        let signature = signatures(&[Key([1; 32])], Signing::Hmac, "m1", 5, b"{}");
        for line in [
            "POST /hooks HTTP/1.1",
            "webhook-id: m1",
            "webhook-timestamp: 5",
            &format!("webhook-signature: {signature}"),
            "content-type: application/cloudevents+json",
            "traceparent: 00-",
        ] {
            assert!(got.contains(line), "{line} in {got}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_a_failure_and_an_answer_is_kept_in_part() {
        let (url, _) = receiver("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n");
        let answered = sent(&url).await;
        assert_eq!(answered.status, Some(302));
        assert!(answered.error.is_some_and(|error| error.contains("redirects")));
        let long = format!("HTTP/1.1 500 No\r\nConnection: close\r\n\r\n{}", "é".repeat(5_000));
        let (url, _) = receiver(Box::leak(long.into_boxed_str()));
        let answered = sent(&url).await;
        assert_eq!(answered.error.as_deref(), Some("answered 500"));
        assert_eq!(answered.answer, "é".repeat(256));
    }

    #[tokio::test]
    async fn who_is_full_says_when_to_come_back() {
        let (url, _) = receiver("HTTP/1.1 429 Slow\r\nRetry-After: 90\r\n\r\n");
        assert_eq!(sent(&url).await.retry_after, Some(90_000_000));
        let (url, _) =
            receiver("HTTP/1.1 503 No\r\nRetry-After: Thu, 01 Jan 1970 00:01:00 GMT\r\n\r\n");
        assert_eq!(sent(&url).await.retry_after, Some(55_000_000));
        let (url, _) = receiver("HTTP/1.1 500 No\r\nRetry-After: 90\r\n\r\n");
        assert_eq!(sent(&url).await.retry_after, None);
    }

    #[tokio::test]
    async fn nothing_is_sent_to_an_address_inside() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let client = Client::new(&Arc::new(Guard::default())).expect("TLS");
        for host in ["127.0.0.1", "localhost", "2130706433"] {
            let url = format!("http://{host}:{port}/");
            let to = Receiver { url: &url, keys: &[], signing: Signing::Hmac };
            let answered = client.send(&to, &message(), 0).await;
            let error = answered.error.expect("refused");
            assert!(error.contains("public Internet"), "{host}: {error}");
        }
        listener.set_nonblocking(true).expect("it can be");
        assert!(listener.accept().is_err(), "nobody connected");
    }
}
