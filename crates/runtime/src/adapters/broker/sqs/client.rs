//! Amazon's services, as they are spoken to: signed requests by HTTP.
//!
//! Credentials come from where Amazon's own tools look for them (the environment, profiles, web
//! identities, containers, instances), unless the address has a key. They are asked for once for
//! all services, and again before they run out.

use super::settings::{Service, Settings};
use crate::ports::store::Unavailable;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{Method, Request, StatusCode};
use reqsign_aws_v4::{
    Credential, DefaultCredentialProvider, RequestSigner, StaticCredentialProvider,
};
use reqsign_core::hash::hex_sha256;
use reqsign_core::{CommandOutput, Context, OsEnv, Signer};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// A connection that is not made by then can't be had.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// A request that is not answered by then has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// A program that gives credentials has done so by then.
const PROGRAM_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer at most: ten large messages, escaped.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Of an answer that is no success, so much is told.
const TOLD_CHARS_MAX: usize = 300;
/// Versions of protocols.
const SNS_VERSION: &str = "2010-03-31";
const STS_VERSION: &str = "2011-06-15";

/// Why a request did not do what it was for.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no answer.
    Silent(String),
    /// The answer is no.
    Told { status: StatusCode, code: String, message: String },
}

impl Fault {
    /// Whether the service said this.
    pub(super) fn is(&self, of: &[&str]) -> bool {
        matches!(self, Self::Told { code, .. } if of.contains(&code.as_str()))
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silent(why) => f.write_str(why),
            Self::Told { status, code, message } => write!(f, "{status} {code}: {message}"),
        }
    }
}

impl From<Fault> for Unavailable {
    fn from(fault: Fault) -> Self {
        Self::Broken(format!("Amazon SQS: {fault}"))
    }
}

fn silent(why: impl std::fmt::Display) -> Fault {
    Fault::Silent(why.to_string())
}

/// Who is asking, as the services name it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// `aws`, but for a few countries.
    partition: String,
    number: String,
    region: String,
}

impl Account {
    /// The full name of a topic or queue.
    pub(super) fn arn(&self, service: Service, name: &str) -> String {
        let (partition, service) = (&self.partition, service.name());
        format!("arn:{partition}:{service}:{}:{}:{name}", self.region, self.number)
    }
}

/// What speaks to them.
pub(super) struct Client {
    settings: Settings,
    http: reqwest::Client,
    signer: Signer<Credential>,
    account: tokio::sync::OnceCell<Account>,
}

impl Client {
    pub(super) fn new(settings: Settings) -> Result<Self, Fault> {
        // The process may have one already; it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .user_agent("mainstay")
            .build()
            .map_err(silent)?;
        let context = Context::new()
            .with_env(OsEnv)
            .with_file_read(Files)
            .with_command_execute(Programs)
            .with_http_send(Plain(http.clone()));
        let signing = RequestSigner::new(Service::Sqs.name(), &settings.region);
        let signer = match &settings.key {
            Some((id, secret)) => {
                Signer::new(context, StaticCredentialProvider::new(id, secret), signing)
            }
            None => Signer::new(context, DefaultCredentialProvider::new(), signing),
        };
        Ok(Self { settings, http, signer, account: tokio::sync::OnceCell::new() })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who is asking.
    pub(super) async fn account(&self) -> Result<&Account, Fault> {
        let asking = self.account.get_or_try_init(|| async {
            let form = [("Action", "GetCallerIdentity"), ("Version", STS_VERSION)];
            let told: Identified = self.form(Service::Sts, &form).await?;
            let Identity { arn, account } = told.result;
            let partition = arn.split(':').nth(1).unwrap_or("aws").to_owned();
            Ok(Account { partition, number: account, region: self.settings.region.clone() })
        });
        asking.await
    }

    /// Asks SQS, by its JSON protocol.
    pub(super) async fn sqs(&self, action: &str, body: &Value) -> Result<Value, Fault> {
        self.sqs_until(PATIENCE, action, body).await
    }

    /// The same with a patience of its own.
    pub(super) async fn sqs_until(
        &self,
        patience: Duration,
        action: &str,
        body: &Value,
    ) -> Result<Value, Fault> {
        let request = Request::post(format!("{}/", self.settings.root(Service::Sqs)))
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header(HeaderName::from_static("x-amz-target"), format!("AmazonSQS.{action}"))
            .body(Bytes::from(body.to_string()))
            .map_err(silent)?;
        let (status, answer) = self.send(Service::Sqs, request, patience).await?;
        let told: Option<Value> = serde_json::from_slice(&answer).ok();
        if status.is_success() {
            // Some actions have nothing to say.
            return Ok(told.unwrap_or(Value::Null));
        }
        let member = |name: &str| {
            let found = told.as_ref().and_then(|told| told[name].as_str());
            found.unwrap_or_default().to_owned()
        };
        let kind = member("__type");
        let code = kind.rsplit('#').next().unwrap_or_default().to_owned();
        let message = match member("message") {
            text if text.is_empty() => shown(&answer),
            text => text,
        };
        Err(Fault::Told { status, code, message })
    }

    /// Asks SNS, by its form protocol; what it answers is not of interest.
    pub(super) async fn sns(&self, form: &[(&str, &str)]) -> Result<(), Fault> {
        let _anything: serde::de::IgnoredAny = self.sns_for(form).await?;
        Ok(())
    }

    /// Asks SNS for something.
    pub(super) async fn sns_for<T: DeserializeOwned>(
        &self,
        form: &[(&str, &str)],
    ) -> Result<T, Fault> {
        let form = [form, &[("Version", SNS_VERSION)]].concat();
        self.form(Service::Sns, &form).await
    }

    async fn form<T: DeserializeOwned>(
        &self,
        service: Service,
        form: &[(&str, &str)],
    ) -> Result<T, Fault> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(format!("{}/", self.settings.root(service)))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(Bytes::from(body))
            .map_err(silent)?;
        let (status, answer) = self.send(service, request, PATIENCE).await?;
        if !status.is_success() {
            return Err(no(status, &answer));
        }
        let text = String::from_utf8_lossy(&answer);
        let parsed = quick_xml::de::from_str(&text);
        parsed.map_err(|why| silent(format!("an answer can't be read: {why}")))
    }

    /// Keeps an object.
    pub(super) async fn put(&self, bucket: &str, name: &str, data: Bytes) -> Result<(), Fault> {
        self.object(Method::PUT, bucket, name, data).await.map(|_answer| ())
    }

    /// An object.
    pub(super) async fn get(&self, bucket: &str, name: &str) -> Result<Bytes, Fault> {
        self.object(Method::GET, bucket, name, Bytes::new()).await
    }

    async fn object(
        &self,
        method: Method,
        bucket: &str,
        name: &str,
        data: Bytes,
    ) -> Result<Bytes, Fault> {
        let request = Request::builder()
            .method(method)
            .uri(self.settings.object(bucket, name))
            .body(data)
            .map_err(silent)?;
        let (status, answer) = self.send(Service::S3, request, PATIENCE).await?;
        if status.is_success() { Ok(answer) } else { Err(no(status, &answer)) }
    }

    /// Signs a request, sends it, and waits for all of the answer.
    async fn send(
        &self,
        service: Service,
        request: Request<Bytes>,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), Fault> {
        let (mut head, body) = request.into_parts();
        let hash = hex_sha256(&body).parse().map_err(silent)?;
        head.headers.insert("x-amz-content-sha256", hash);
        let signing = RequestSigner::new(service.name(), &self.settings.region);
        // What was found out of credentials is shared.
        let signer = self.signer.clone().with_request_signer(signing);
        let exchange = async {
            signer.sign(&mut head, None).await.map_err(|why| {
                silent(format!(
                    "no credentials: {why}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                     give a profile or role"
                ))
            })?;
            exchange(&self.http, Request::from_parts(head, body)).await
        };
        let answer = timeout(patience, exchange).await;
        answer.unwrap_or_else(|_| Err(silent(format!("{} does not answer", service.name()))))
    }
}

async fn exchange(
    http: &reqwest::Client,
    request: Request<Bytes>,
) -> Result<(StatusCode, Bytes), Fault> {
    // An address has nothing that is of use where the error is told.
    let broken = |why: reqwest::Error| {
        let why = why.without_url();
        let cause = std::error::Error::source(&why).map(|cause| format!(": {cause}"));
        silent(format!("{why}{}", cause.unwrap_or_default()))
    };
    let request = reqwest::Request::try_from(request).map_err(broken)?;
    let mut response = http.execute(request).await.map_err(broken)?;
    let mut answer = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(broken)? {
        if answer.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(silent(format!("an answer of more than {ANSWER_BYTES_MAX} bytes")));
        }
        answer.extend_from_slice(&part);
    }
    Ok((response.status(), answer.freeze()))
}

/// What SNS, STS or S3 said that is no success.
fn no(status: StatusCode, answer: &[u8]) -> Fault {
    let text = String::from_utf8_lossy(answer);
    let wrapped = quick_xml::de::from_str::<Wrapped>(&text).map(|wrapped| wrapped.error);
    match wrapped.or_else(|_| quick_xml::de::from_str::<Told>(&text)) {
        Ok(Told { code, message }) => Fault::Told { status, code, message },
        Err(_) => Fault::Told { status, code: String::new(), message: shown(answer) },
    }
}

fn shown(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).chars().take(TOLD_CHARS_MAX).collect()
}

#[derive(Deserialize)]
struct Wrapped {
    #[serde(rename = "Error")]
    error: Told,
}

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

#[derive(Deserialize)]
struct Identified {
    #[serde(rename = "GetCallerIdentityResult")]
    result: Identity,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(rename = "Arn")]
    arn: String,
    #[serde(rename = "Account")]
    account: String,
}

/// Files that credentials are in.
#[derive(Debug)]
struct Files;

impl reqsign_core::FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        let read = tokio::fs::read(path).await;
        read.map_err(|why| reqsign_core::Error::config_invalid(format!("{path}: {why}")))
    }
}

/// Programs that a profile names to give credentials.
#[derive(Debug)]
struct Programs;

impl reqsign_core::CommandExecute for Programs {
    async fn command_execute<'a>(
        &'a self,
        program: &'a str,
        args: &'a [&'a str],
    ) -> reqsign_core::Result<CommandOutput> {
        let failed = |why: &dyn std::fmt::Display| {
            reqsign_core::Error::unexpected(format!("`{program}` gives no credentials: {why}"))
        };
        let mut command = tokio::process::Command::new(program);
        let running = command.args(args).kill_on_drop(true).output();
        match timeout(PROGRAM_PATIENCE, running).await {
            Ok(Ok(ran)) => Ok(CommandOutput {
                status: ran.status.code().unwrap_or(-1),
                stdout: ran.stdout,
                stderr: ran.stderr,
            }),
            Ok(Err(why)) => Err(failed(&why)),
            Err(_) => Err(failed(&"it does not end")),
        }
    }
}

/// Asks where credentials are had from. Neither what is sent nor what comes back is ever shown.
struct Plain(reqwest::Client);

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HTTP")
    }
}

impl reqsign_core::HttpSend for Plain {
    async fn http_send(
        &self,
        request: Request<Bytes>,
    ) -> reqsign_core::Result<http::Response<Bytes>> {
        let failed = |why: &dyn std::fmt::Display| reqsign_core::Error::unexpected(why.to_string());
        let answer = timeout(CONNECT_PATIENCE, exchange(&self.0, request)).await;
        let answer = answer.map_err(|_| failed(&"no credentials in time"))?;
        let (status, body) = answer.map_err(|why| failed(&why))?;
        let response = http::Response::builder().status(status).body(body);
        response.map_err(|why| failed(&why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_told_with_its_code() {
        let status = StatusCode::BAD_REQUEST;
        let sns = "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error>\
                   <Type>Sender</Type><Code>InvalidParameter</Code>\
                   <Message>Topic already exists &amp; differs</Message></Error>\
                   <RequestId>7</RequestId></ErrorResponse>";
        let told = no(status, sns.as_bytes());
        assert!(told.is(&["NotFound", "InvalidParameter"]));
        let wanted = "400 Bad Request InvalidParameter: Topic already exists & differs";
        assert_eq!(told.to_string(), wanted);
        let s3 =
            "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>no</Message></Error>";
        assert!(no(status, s3.as_bytes()).is(&["NoSuchKey"]));
        assert_eq!(no(status, b"gone").to_string(), "400 Bad Request : gone");
    }

    #[tokio::test]
    async fn a_program_that_gives_credentials_is_waited_for_and_its_end_told() {
        use reqsign_core::CommandExecute;
        let ran = Programs.command_execute("sh", &["-c", "printf key; exit 3"]).await;
        let ran = ran.expect("it runs");
        assert_eq!((ran.status, ran.stdout), (3, b"key".to_vec()));
        assert!(Programs.command_execute("/nowhere", &[]).await.is_err());
    }
}
