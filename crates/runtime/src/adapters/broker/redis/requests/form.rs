//! How requests and answers are written.

use super::super::BODY;
use crate::json::write::text;
use crate::ports::broker::Answer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use redis::Value;
use std::sync::Arc;

/// The field that names the list for the answer.
pub(super) const REPLY_TO: &str = "reply-to";
/// The member that is no field of HTTP.
const STATUS: &str = "status";

/// An entry of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) id: Arc<str>,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) deliveries: u32,
}

/// Entries as the server gives them; those that were deleted are left out.
pub(super) fn entries(value: Value) -> Vec<Taken> {
    let Value::Array(entries) = value else { return Vec::new() };
    entries.into_iter().filter_map(entry).collect()
}

fn entry(entry: Value) -> Option<Taken> {
    let Value::Array(parts) = entry else { return None };
    let Ok([Value::BulkString(id), Value::Array(parts)]) = <[Value; 2]>::try_from(parts) else {
        return None;
    };
    let id = String::from_utf8_lossy(&id).into();
    let (mut fields, mut body) = (Vec::new(), Bytes::new());
    let mut parts = parts.into_iter();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        let (Value::BulkString(name), Value::BulkString(value)) = (name, value) else { continue };
        // A value that is no text fits no field, which is told to who asked.
        let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
        match name == BODY {
            true => body = value.into(),
            false => fields.push((name, String::from_utf8_lossy(&value).into_owned())),
        }
    }
    Some(Taken { id, fields, body, deliveries: 1 })
}

/// An answer as one JSON object: `status`, `headers` and `body`, or `body_base64` where it is no
/// text.
pub(super) fn envelope(answer: &Answer) -> Vec<u8> {
    let mut out = Vec::with_capacity(answer.body.len() + 512);
    let status = answer.fields.iter().find(|(name, _)| name == STATUS);
    out.extend_from_slice(b"{\"status\":");
    out.extend_from_slice(status.map_or("0", |(_, status)| status).as_bytes());
    out.extend_from_slice(b",\"headers\":{");
    let others = answer.fields.iter().filter(|(name, _)| name != STATUS);
    let mut known: Vec<(&str, String)> = Vec::new();
    for (name, value) in others {
        match known.iter_mut().find(|(known, _)| known == name) {
            // Fields of one name are one list (RFC 9110, 5.3).
            Some((_, values)) => *values = format!("{values}, {value}"),
            None => known.push((name, value.clone())),
        }
    }
    for (at, (name, value)) in known.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(&mut out, name);
        out.push(b':');
        text(&mut out, value);
    }
    match std::str::from_utf8(&answer.body) {
        Ok(body) => {
            out.extend_from_slice(b"},\"body\":");
            text(&mut out, body);
        }
        Err(_) => {
            out.extend_from_slice(b"},\"body_base64\":");
            text(&mut out, &STANDARD.encode(&answer.body));
        }
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &'static [u8]) -> Answer {
        let fields = [("status", "201"), ("etag", "\"a\""), ("vary", "x"), ("vary", "y")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Answer { fields: fields.to_vec(), body: Bytes::from_static(body) }
    }

    #[test]
    fn an_answer_is_one_json_object_whatever_its_body_is() {
        let text = String::from_utf8(envelope(&answer(b"{\"n\":1}"))).expect("it is text");
        let wanted =
            r#"{"status":201,"headers":{"etag":"\"a\"","vary":"x, y"},"body":"{\"n\":1}"}"#;
        assert_eq!(text, wanted);
        let binary = String::from_utf8(envelope(&answer(b"\xff\x00"))).expect("it is text");
        assert!(binary.ends_with("},\"body_base64\":\"/wA=\"}"), "{binary}");
    }

    #[test]
    fn what_is_no_entry_is_left_out_and_holds_up_no_other() {
        let bulk = |text: &[u8]| Value::BulkString(text.to_vec());
        let parts = vec![bulk(b"Method"), bulk(b"GET"), bulk(b"data"), bulk(b"\xff"), bulk(b"odd")];
        let entry = Value::Array(vec![bulk(b"7-1"), Value::Array(parts)]);
        let read = entries(Value::Array(vec![Value::Nil, entry, Value::Array(vec![])]));
        let wanted = Taken {
            id: "7-1".into(),
            fields: vec![("method".to_owned(), "GET".to_owned())],
            body: Bytes::from_static(b"\xff"),
            deliveries: 1,
        };
        assert_eq!(read, [wanted]);
    }
}
