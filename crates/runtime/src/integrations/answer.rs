//! What an answer of a system outside means.

use crate::http::client::retry_after;
use crate::json::read::parse;
use crate::json::{Json, write};
use http::StatusCode;
use ir::domain::{RemoteOperation, Repeatable};

/// Bytes of an answer that are read at most.
const ANSWER_BYTES_MAX: usize = 1_048_576;
/// Members that hold the elements of a lookup that answers with a list.
const LISTS: [&str; 3] = ["items", "data", "results"];

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is done: the members that the model knows, as a JSON object.
    Done(String),
    /// It is refused for a reason of the business: status, and the model's name for it.
    Refused(u16, String),
    /// It is not done, or it is not known.
    Missed(Missed),
}

impl Answer {
    /// As it is counted.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Refused(..) => "refused",
            Self::Missed(Missed { again: true, .. }) => "failed",
            Self::Missed(Missed { again: false, .. }) => "rejected",
        }
    }
}

/// Why a call is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missed {
    /// In words, without address, proof or body.
    pub(crate) detail: String,
    /// The same may succeed later.
    pub(crate) again: bool,
    /// The other side asks for no attempt before that, in microseconds from now.
    pub(crate) retry_after: Option<i64>,
}

impl Missed {
    /// It may succeed later.
    pub(super) fn of(detail: String) -> Self {
        Self { detail, again: true, retry_after: None }
    }

    pub(super) fn later(detail: String) -> Answer {
        Answer::Missed(Self::of(detail))
    }
}

/// What a lookup found.
pub(super) enum Found {
    /// The call was done.
    Done(String),
    /// It was not.
    Nothing,
    /// Nobody knows.
    Unknown(Missed),
}

/// What the answer to a call means, at a time in microseconds since 1970.
pub(super) async fn meaning(
    operation: &RemoteOperation,
    name: &str,
    response: reqwest::Response,
    now: i64,
) -> Answer {
    let status = response.status();
    if status.is_success() {
        let body = body(response).await;
        let json = parse(&body).ok();
        return Answer::Done(returned(operation, json.as_ref()));
    }
    if let Some(refusal) = operation.refusal(status.as_u16()) {
        return Answer::Refused(status.as_u16(), refusal.to_owned());
    }
    let after = retry_after(response.headers(), now);
    let told = match status.is_redirection() {
        true => "; redirects are not followed",
        false => "",
    };
    let detail = format!("{name} answered {}{told}", status.as_u16());
    let again = may_pass(operation, status);
    Answer::Missed(Missed { detail, again, retry_after: after.filter(|_| again) })
}

/// True where the same may succeed later: nothing was wrong with what was sent.
fn may_pass(operation: &RemoteOperation, status: StatusCode) -> bool {
    match status.as_u16() {
        // A proof that is not good any more, or not yet, is changed by people.
        401 | 403 | 407 | 408 | 425 | 429 | 500..=599 => true,
        // The first call of that key is still running.
        409 => matches!(operation.repeatable, Repeatable::Key(_)),
        _ => false,
    }
}

/// What the answer to a lookup means: something that is there was done.
pub(super) async fn found(
    operation: &RemoteOperation,
    response: reqwest::Response,
    now: i64,
) -> Found {
    let status = response.status();
    if matches!(status.as_u16(), 404 | 410) {
        return Found::Nothing;
    }
    if !status.is_success() {
        let retry_after = retry_after(response.headers(), now);
        let detail = format!("the lookup answered {}", status.as_u16());
        let again = true;
        return Found::Unknown(Missed { detail, again, retry_after });
    }
    let body = body(response).await;
    if body.is_empty() {
        return Found::Nothing;
    }
    let Ok(json) = parse(&body) else {
        return Found::Unknown(Missed::of("the lookup answered what is no JSON".to_owned()));
    };
    match first(&json) {
        Some(one) => Found::Done(returned(operation, Some(one))),
        None => Found::Nothing,
    }
}

/// What was found: of a list, its first element.
fn first<'j, 'b>(json: &'j Json<'b>) -> Option<&'j Json<'b>> {
    match json {
        Json::Null => None,
        Json::Array(elements) => elements.first(),
        Json::Object(members) => {
            let list = members
                .iter()
                .find(|(name, value)| LISTS.contains(&&**name) && matches!(value, Json::Array(_)));
            match list {
                Some((_, Json::Array(elements))) => elements.first(),
                _ => Some(json),
            }
        }
        Json::Bool(_) | Json::Number(_) | Json::Text(_) => Some(json),
    }
}

/// The members of an answer that the model knows, where they are there: the others may hold what
/// nobody meant to keep.
fn returned(operation: &RemoteOperation, json: Option<&Json<'_>>) -> String {
    let mut out = b"{".to_vec();
    if let Some(Json::Object(members)) = json {
        for wanted in &operation.returns {
            let there = members.iter().find(|(name, _)| *name == wanted.name);
            let Some((_, value)) = there else { continue };
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(&write::key(&wanted.name));
            value.write(&mut out);
        }
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// The beginning of a body; one that breaks off is what came of it.
async fn body(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) | Err(_) => break,
        }
    }
    body.truncate(ANSWER_BYTES_MAX);
    body
}
