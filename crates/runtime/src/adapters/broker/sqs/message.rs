//! A message in a queue: a CloudEvent in structured mode, JSON.
//!
//! Amazon's queues take text alone, and ten attributes at most, which are fewer than an event has.
//! So an event is one JSON object, as the JSON format of CloudEvents has it: data that is JSON
//! stands there as it is, other data in Base64. Data that is too large for a message is an object
//! in a bucket, which `dataref` names (CloudEvents' extension for it).

use crate::ports::broker::Message;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The data, and how it is written otherwise.
const DATA: &str = "data";
const DATA_BASE64: &str = "data_base64";
/// Where the data is.
const REFERENCE: &str = "dataref";
/// What the data is.
const CONTENT_TYPE: &str = "datacontenttype";

/// What was in a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) attributes: Vec<(String, String)>,
    pub(super) data: Data,
}

/// Where the data is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Data {
    Here(Bytes),
    /// The address of an object.
    There(String),
}

/// The text of a message with its data.
pub(super) fn whole(message: &Message) -> String {
    match json(message) {
        Some(data) => text(message, DATA, data),
        None => text(message, DATA_BASE64, &literal(&STANDARD.encode(&message.body))),
    }
}

/// The text of a message whose data is an object.
pub(super) fn referring(message: &Message, reference: &str) -> String {
    text(message, REFERENCE, &literal(reference))
}

/// The attributes, and a last member.
fn text(message: &Message, last: &str, value: &str) -> String {
    let mut text = "{".to_owned();
    for (name, value) in &message.attributes {
        text.push_str(&format!("\"{name}\":{},", literal(value)));
    }
    text.push_str(&format!("\"{last}\":{value}}}"));
    // Queues take what XML takes.
    for (char, escaped) in [('\u{fffe}', "\\ufffe"), ('\u{ffff}', "\\uffff")] {
        if text.contains(char) {
            text = text.replace(char, escaped);
        }
    }
    text
}

fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Data that can stand in a message byte by byte.
fn json(message: &Message) -> Option<&str> {
    let kind = message.attributes.iter().find(|(name, _)| *name == CONTENT_TYPE);
    let (_, kind) = kind?;
    if kind != "application/json" && !kind.ends_with("+json") {
        return None;
    }
    let text = std::str::from_utf8(&message.body).ok()?;
    let whole = serde_json::from_str::<&RawValue>(text).ok()?.get() == text;
    (whole && !text.contains(['\u{fffe}', '\u{ffff}'])).then_some(text)
}

/// What is in a message; none where it is no event.
pub(super) fn read(text: &str) -> Option<Content> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
    let string = |raw: Box<RawValue>| serde_json::from_str::<String>(raw.get()).ok();
    let data = match (members.remove(DATA), members.remove(DATA_BASE64), members.remove(REFERENCE))
    {
        (Some(data), _, _) => Data::Here(Bytes::from(data.get().to_owned())),
        (None, Some(encoded), _) => Data::Here(STANDARD.decode(string(encoded)?).ok()?.into()),
        (None, None, Some(reference)) => Data::There(string(reference)?),
        (None, None, None) => Data::Here(Bytes::new()),
    };
    let attributes = members.into_iter().map(|(name, raw)| {
        // Numbers and truth values are attributes by their text.
        let value = serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
        (name, value)
    });
    Some(Content { attributes: attributes.collect(), data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, body: &[u8]) -> Message {
        Message {
            id: "e-1".into(),
            key: "k".into(),
            partition: 3,
            subject: "order.paid".into(),
            attributes: vec![("id", "e-\"1\u{ffff}".to_owned()), (CONTENT_TYPE, kind.to_owned())],
            body: Bytes::copy_from_slice(body),
        }
    }

    fn data(text: &str) -> Vec<u8> {
        match read(text).expect("it is an event").data {
            Data::Here(data) => data.to_vec(),
            Data::There(_) => panic!("{text}"),
        }
    }

    #[test]
    fn data_that_is_json_stands_in_the_message_as_it_is() {
        let text = whole(&message("application/json", br#"{"a": 1.50}"#));
        let wanted = "{\"id\":\"e-\\\"1\\uffff\",\"datacontenttype\":\"application/json\",\
                      \"data\":{\"a\": 1.50}}";
        assert_eq!(text, wanted);
        assert_eq!(data(&text), br#"{"a": 1.50}"#);
        let read = read(&text).expect("it is an event").attributes;
        assert!(read.contains(&("id".to_owned(), "e-\"1\u{ffff}".to_owned())), "{read:?}");
    }

    #[test]
    fn every_byte_of_other_data_comes_back() {
        for (kind, body) in [
            ("application/json", &b"no json"[..]),
            ("application/json", b" {}\n"),
            ("application/json", "\"\u{ffff}\"".as_bytes()),
            ("application/octet-stream", &[0, 255, 10]),
            ("text/plain", b""),
        ] {
            let text = whole(&message(kind, body));
            assert!(text.contains(DATA_BASE64) && !text.contains('\u{ffff}'), "{text}");
            assert_eq!(data(&text), body);
        }
    }

    #[test]
    fn an_object_is_referred_to_and_what_is_no_event_is_none() {
        let text = referring(&message("application/json", b"{}"), "s3://b/t/0/e");
        let data = read(&text).expect("it is an event").data;
        assert_eq!(data, Data::There("s3://b/t/0/e".to_owned()));
        assert_eq!(read("hello"), None);
        assert_eq!(read(r#"{"data_base64":"%"}"#), None);
        let mixed = read(r#"{"sequence":7,"data":null}"#).expect("it is an event");
        assert_eq!(mixed.attributes, [("sequence".to_owned(), "7".to_owned())]);
    }
}
