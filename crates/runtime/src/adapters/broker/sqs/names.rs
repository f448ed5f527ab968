//! What topics, queues and groups of messages are called at Amazon.

use crate::ports::broker::Reading;
use reqsign_core::hash::hex_sha256;

/// Both kinds end so, where they keep the order.
const SUFFIX: &str = ".fifo";
/// Characters of a queue's name before that.
const CHARS_MAX: usize = 75;
/// Characters of a hash that tells names apart.
const HASH_CHARS: usize = 12;
/// Characters of the id of a group of messages, or of one that must not come twice.
const ID_CHARS_MAX: usize = 128;

/// The name of what carries a partition.
pub(super) fn topic(topic: &str, partition: u32) -> String {
    name(&format!("{topic}.{partition}"))
}

/// The name of a group's queue.
pub(super) fn queue(reading: &Reading) -> String {
    name(&format!("{}.{}.{}", reading.topic, reading.group, reading.partition))
}

/// Dots are dashes. Where that could be the name of another one too, or is too long, a hash of the
/// whole stands at the end.
fn name(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let short = |c: char| if plain(c) && c != '.' { c } else { '-' };
    let dashed: String = text.chars().map(short).collect();
    if dashed.len() <= CHARS_MAX && text.chars().all(plain) {
        return format!("{dashed}{SUFFIX}");
    }
    let hash = hex_sha256(text.as_bytes());
    let begin = &dashed[..dashed.len().min(CHARS_MAX - HASH_CHARS - 1)];
    format!("{begin}-{}{SUFFIX}", &hash[..HASH_CHARS])
}

/// An id of letters, digits and punctuation: the text itself where it is one.
pub(super) fn id(text: &str) -> String {
    let fits = !text.is_empty() && text.len() <= ID_CHARS_MAX;
    match fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => text.to_owned(),
        false => hex_sha256(text.as_bytes()),
    }
}

/// Where the data of a message is kept in a bucket.
pub(super) fn object(topic: &str, partition: u32, event: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let fits = !event.is_empty() && event.len() <= ID_CHARS_MAX && event.chars().all(plain);
    let event = if fits { event.to_owned() } else { hex_sha256(event.as_bytes()) };
    format!("{}{event}", folder(topic, partition))
}

/// What the names of objects of a partition begin with.
pub(super) fn folder(topic: &str, partition: u32) -> String {
    format!("{topic}/{partition}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(topic: &str, group: &str) -> String {
        queue(&Reading { topic: topic.into(), group: group.into(), partition: 3 })
    }

    #[test]
    fn names_say_what_they_are_of_and_never_name_two() {
        assert_eq!(topic("shop.shop", 7), "shop-shop-7.fifo");
        assert_eq!(of("shop.shop", "billing"), "shop-shop-billing-3.fifo");
        let dashed = of("my-shop.shop", "billing");
        assert!(dashed.starts_with("my-shop-shop-billing-3-"), "{dashed}");
        assert_ne!(dashed, of("my.shop.shop", "billing"));
        let long = of("shop.shop", &"x".repeat(200));
        assert_eq!(long.len(), 80);
        assert_ne!(long, of("shop.shop", &"x".repeat(201)));
    }

    #[test]
    fn an_id_is_the_text_itself_where_amazon_takes_it() {
        assert_eq!(id("0192-ab:c/d"), "0192-ab:c/d");
        for text in ["größe", "a b", "", &"x".repeat(129)] {
            assert_eq!(id(text).len(), 64, "{text}");
        }
        assert_eq!(object("shop.shop", 3, "e-1"), "shop.shop/3/e-1");
        assert!(!object("shop.shop", 3, "../e").contains(".."));
    }
}
