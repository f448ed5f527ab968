//! How a message is written for RabbitMQ: CloudEvents' protocol binding for AMQP, 3.1.

use crate::ports::broker::Message;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

/// Attributes are headers that begin so,
const ATTRIBUTE: &str = "cloudEvents_";
/// or so: other writers may choose.
const ATTRIBUTE_ELSE: &str = "cloudEvents:";
/// Bytes of the headers at most: they have to fit into one frame, which is 131,072 bytes long where
/// the server says nothing else.
const HEADER_BYTES_MAX: usize = 100_000;
/// Delivery mode of a message that is written to disk.
pub(super) const PERSISTENT: u8 = 2;

/// A message as it is sent.
pub(super) struct Shaped<'m> {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) body: &'m [u8],
}

impl<'m> Shaped<'m> {
    /// Writes it, or says why it can't be.
    pub(super) fn of(topic: &str, message: &'m Message) -> Result<Self, String> {
        let short = |what: &str, value: String| {
            ShortString::try_new(value).map_err(|why| format!("the {what} is too long: {why}"))
        };
        let bytes: usize =
            message.attributes.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
        if bytes > HEADER_BYTES_MAX {
            return Err(format!(
                "{bytes} bytes of attributes: RabbitMQ takes {HEADER_BYTES_MAX} at most"
            ));
        }
        let mut headers = FieldTable::default();
        let mut properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(short("id", message.id.to_string())?);
        for (name, value) in &message.attributes {
            if *name == "datacontenttype" {
                let value = short("content type", value.clone())?;
                properties = properties.with_content_type(value);
                continue;
            }
            if let ("time", Ok(time)) = (*name, value.parse::<jiff::Timestamp>()) {
                let seconds = u64::try_from(time.as_second()).unwrap_or(0);
                properties = properties.with_timestamp(seconds);
            }
            let value = AMQPValue::LongString(value.as_bytes().into());
            headers.insert(short("attribute", format!("{ATTRIBUTE}{name}"))?, value);
        }
        Ok(Self {
            exchange: short("topic", topic.to_owned())?,
            key: short("subject", format!("{}.{}", message.partition, message.subject))?,
            properties: properties.with_headers(headers),
            body: &message.body,
        })
    }
}

/// Attributes of what was delivered, by their names without prefix.
pub(super) fn attributes(properties: &BasicProperties) -> Vec<(String, String)> {
    let headers = properties.headers().iter().flat_map(|headers| headers.inner());
    let named = headers.filter_map(|(name, value)| {
        let name = name.as_str();
        let name = name.strip_prefix(ATTRIBUTE).or_else(|| name.strip_prefix(ATTRIBUTE_ELSE))?;
        Some((name.to_owned(), text(value)?))
    });
    let content_type = properties.content_type().iter();
    named.chain(content_type.map(|of| ("datacontenttype".to_owned(), of.to_string()))).collect()
}

/// A value in CloudEvents' canonical form; none for one that no attribute has.
pub(super) fn text(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(value) => String::from_utf8(value.as_bytes().to_vec()).ok()?,
        AMQPValue::ShortString(value) => value.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Timestamp(value) => {
            let seconds = i64::try_from(*value).ok()?;
            jiff::Timestamp::from_second(seconds).ok()?.to_string()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attributes: Vec<(&'static str, String)>) -> Message {
        Message {
            id: "e-1".into(),
            key: "k".into(),
            partition: 3,
            subject: "order.paid".into(),
            attributes,
            body: bytes::Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn attributes_are_headers_and_what_amqp_has_of_its_own_is_a_property() {
        let given = [
            ("id", "e-1".to_owned()),
            ("time", "2026-01-02T03:04:05.678Z".to_owned()),
            ("datacontenttype", "application/json".to_owned()),
        ];
        let sent = message(given.to_vec());
        let shaped = Shaped::of("shop.ordering", &sent).expect("it can be written");
        assert_eq!(shaped.key.as_str(), "3.order.paid");
        let properties = &shaped.properties;
        assert_eq!(properties.message_id().as_ref().map(ShortString::as_str), Some("e-1"));
        assert_eq!(*properties.timestamp(), Some(1_767_323_045));
        assert_eq!(*properties.delivery_mode(), Some(PERSISTENT));
        let headers = properties.headers().as_ref().expect("there are some");
        let names: Vec<&str> = headers.inner().keys().map(ShortString::as_str).collect();
        assert_eq!(names, ["cloudEvents_id", "cloudEvents_time"]);
        let wanted = given.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(attributes(properties), wanted);
    }

    #[test]
    fn attributes_of_other_writers_are_read_too() {
        let mut headers = FieldTable::default();
        headers.insert("cloudEvents:type".into(), AMQPValue::ShortString("a".into()));
        headers.insert("cloudEvents_sequence".into(), AMQPValue::LongInt(-7));
        headers.insert("cloudEvents:time".into(), AMQPValue::Timestamp(1));
        headers.insert("x-first-death-queue".into(), AMQPValue::LongString("q".into()));
        let read = attributes(&BasicProperties::default().with_headers(headers));
        let read: Vec<_> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
        let wanted = [("time", "1970-01-01T00:00:01Z"), ("type", "a"), ("sequence", "-7")];
        assert_eq!(read, wanted);
    }

    #[test]
    fn what_no_frame_holds_is_refused() {
        let large = message(vec![("subject", "x".repeat(HEADER_BYTES_MAX))]);
        assert!(Shaped::of("t", &large).is_err_and(|why| why.contains("bytes of attributes")));
        let long = Message { subject: "x".repeat(300).into(), ..message(Vec::new()) };
        assert!(Shaped::of("t", &long).is_err_and(|why| why.contains("subject is too long")));
    }
}
