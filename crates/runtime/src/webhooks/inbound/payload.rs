//! What a delivery that is proved tells: which event, under which id, with what.

use super::schemes::header;
use super::{Proof, Refused};
use crate::http::Request;
use crate::json::{Json, write};
use ir::domain::{Event, Inbound};
use ir::model::Scheme;
use std::borrow::Cow;

/// Characters of an id, or of a name, at most.
const NAME_CHARS_MAX: usize = 256;

/// What a delivery tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The sender's id of it: the same at each attempt.
    pub(crate) id: String,
    /// The sender's names for the event, the narrowest first.
    pub(crate) names: Vec<String>,
    /// Where members stand (RFC 6901).
    pub(super) base: &'static str,
}

/// Reads what a delivery tells.
///
/// - Standard Webhooks: the id of the header, `type`, members in `data`.
/// - Stripe: `id`, `type`, members in `data.object`.
/// - GitHub: the headers of the delivery and the event; with the `action` of the body where it has
///   one, and without; members in the body.
/// - HTTP Message Signatures: `id` and `type` of the body (as a structured CloudEvent has them),
///   members in its `data` where that is an object, else in the body; where the body has no `type`,
///   the headers `ce-id` and `ce-type`, if the signature covers both, members in the body.
///
/// # Errors
/// Where it does not say one of them.
pub(crate) fn read(
    scheme: Scheme,
    request: &Request,
    body: &Json<'_>,
    proof: &Proof,
) -> Result<Told, Refused> {
    match scheme {
        Scheme::Standard => Ok(Told {
            id: name(header(request, "webhook-id")?, "webhook-id")?,
            names: vec![member(body, "type")?],
            base: "/data",
        }),
        Scheme::Stripe => Ok(Told {
            id: member(body, "id")?,
            names: vec![member(body, "type")?],
            base: "/data/object",
        }),
        Scheme::GitHub => {
            let event = name(header(request, "x-github-event")?, "x-github-event")?;
            let action = text(body, "action").map(|action| format!("{event}.{action}"));
            Ok(Told {
                id: name(header(request, "x-github-delivery")?, "x-github-delivery")?,
                names: action.into_iter().chain([event]).collect(),
                base: "",
            })
        }
        Scheme::Rfc9421 => message(request, body, proof),
    }
}

fn message(request: &Request, body: &Json<'_>, proof: &Proof) -> Result<Told, Refused> {
    let covered = |name: &str| proof.covered.iter().any(|one| one == name);
    if text(body, "type").is_none() && covered("ce-id") && covered("ce-type") {
        return Ok(Told {
            id: name(header(request, "ce-id")?, "ce-id")?,
            names: vec![name(header(request, "ce-type")?, "ce-type")?],
            base: "",
        });
    }
    let data = matches!(at(body, "/data"), Some(Json::Object(_)));
    Ok(Told {
        id: member(body, "id")?,
        names: vec![member(body, "type")?],
        base: if data { "/data" } else { "" },
    })
}

fn text<'j>(body: &'j Json<'_>, name: &str) -> Option<&'j str> {
    match at(body, &format!("/{name}")) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
}

fn member(body: &Json<'_>, of: &str) -> Result<String, Refused> {
    let missing = || Refused::Malformed(format!("the body has no text `{of}`"));
    name(text(body, of).ok_or_else(missing)?, of)
}

fn name(text: &str, of: &str) -> Result<String, Refused> {
    let fits = !text.is_empty() && text.chars().count() <= NAME_CHARS_MAX;
    let wrong = || Refused::Malformed(format!("`{of}` has 1 to {NAME_CHARS_MAX} characters"));
    fits.then(|| text.to_owned()).ok_or_else(wrong)
}

/// The members that are kept, as an object: those that are there, as they came.
pub(crate) fn members(event: &Event, inbound: &Inbound, told: &Told, body: &Json<'_>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    for (member, from) in event.data.iter().zip(&inbound.from) {
        let pointer = match from {
            Some(from) => Cow::Borrowed(from.as_str()),
            None => Cow::Owned(format!("{}/{}", told.base, member.name)),
        };
        if let Some(value) = at(body, &pointer) {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(&write::key(&member.name));
            value.write(&mut out);
        }
    }
    out.push(b'}');
    out
}

/// What stands at a JSON Pointer.
fn at<'j, 'b>(body: &'j Json<'b>, pointer: &str) -> Option<&'j Json<'b>> {
    let mut value = body;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        value = match value {
            Json::Object(members) => &members.iter().find(|(name, _)| *name == token)?.1,
            Json::Array(elements) => elements.get(token.parse::<usize>().ok()?)?,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => return None,
        };
    }
    Some(value)
}
