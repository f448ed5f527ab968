//! The reference of the notation for users: what is written by hand, and every key of every
//! construct from their table.

use super::construct::{Construct, Key, Leaf, MODEL, NameKind, Shape};
use super::schema;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What no table knows.
const TEXT: &str = include_str!("notation.md");

/// The whole reference, as Markdown.
pub fn notation() -> String {
    let mut text = TEXT.to_owned();
    text.push_str(
        "## Keys\n\nEvery element with its keys, in the long form, as the reader has them.\n",
    );
    text.push_str(
        "**Bold** ones must be there; those with `env` may stand in an environment's file.\n",
    );
    for construct in constructs() {
        text.push('\n');
        write_construct(construct, &mut text);
    }
    text
}

/// Every construct, the model first, then by name.
fn constructs() -> Vec<&'static Construct> {
    let mut found = BTreeMap::new();
    schema::collect(&MODEL, &mut found);
    found.remove(MODEL.name);
    std::iter::once(&MODEL).chain(found.into_values()).collect()
}

/// The names of the sections and of the elements, each once, in their order.
pub fn topics() -> Vec<String> {
    let mut topics = Vec::new();
    for (_, topic) in notation().lines().filter_map(heading) {
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    topics
}

/// The section of a topic, and the keys of the element of that name.
pub fn topic(name: &str) -> Option<String> {
    let text = notation();
    let mut found = String::new();
    let mut within = None;
    for line in text.lines() {
        if let Some((level, topic)) = heading(line) {
            let ended = within.is_none_or(|outer| level <= outer);
            if ended {
                within = topic.eq_ignore_ascii_case(name).then_some(level);
            }
        }
        if within.is_some() {
            found.push_str(line);
            found.push('\n');
        }
    }
    (!found.is_empty()).then(|| format!("{}\n", found.trim_end()))
}

/// A heading below the title: its level and its topic.
fn heading(line: &str) -> Option<(usize, String)> {
    let name = line.strip_prefix("### ").map(|name| (3, name));
    let (level, name) = name.or_else(|| line.strip_prefix("## ").map(|name| (2, name)))?;
    Some((level, name.to_lowercase()))
}

fn write_construct(construct: &Construct, out: &mut String) {
    let _ = writeln!(out, "### {}\n\n{}.", construct.name, construct.about);
    if let Some(short) = &construct.short {
        let examples: Vec<String> =
            short.examples.iter().map(|example| format!("`{example}`")).collect();
        let _ = writeln!(out, "In short: {}.", examples.join(", "));
    }
    if !construct.one_of.is_empty() {
        let _ = writeln!(out, "One of `{}` must be there.", construct.one_of.join("`, `"));
    }
    out.push_str("\n| key | value | |\n| --- | --- | --- |\n");
    for Key { name, shape, about, required, environment } in construct.keys {
        let name = if *required { format!("**`{name}`**") } else { format!("`{name}`") };
        let environment = if *environment { " `env`" } else { "" };
        let row = format!("| {name} | {} | {}{environment} |", value(shape), cell(about));
        let _ = writeln!(out, "{row}");
    }
    if let Some(others) = &construct.others {
        let (named, value) = (spelling(others.names), value(&others.shape));
        let _ = writeln!(out, "| any other: {named} | {value} | {} |", cell(others.about));
    }
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn value(shape: &Shape) -> String {
    match shape {
        Shape::Leaf(leaf) => scalar(*leaf),
        Shape::One(construct) => format!("[{0}](#{0})", construct.name),
        Shape::Named(names, inner) => {
            format!("`{{ {}: … }}` of {}", spelling(*names), value(inner))
        }
        Shape::List(inner) => format!("list of {}", value(inner)),
        Shape::Some(inner) => format!("{}, or a list", value(inner)),
        Shape::LeafOrNamed(leaf, names) => {
            format!("{}, or `{{ {}: … }}`", scalar(*leaf), spelling(*names))
        }
        Shape::Sets(construct) => {
            format!("list of names, or several; or [{0}](#{0})", construct.name)
        }
    }
}

fn scalar(leaf: Leaf) -> String {
    match leaf {
        Leaf::Choice(words) => format!("`{}`", words.join("`, `")),
        Leaf::Choices(words) => format!("some of `{}`", words.join("`, `")),
        Leaf::Name(kind) => spelling(kind).to_owned(),
        Leaf::Names(kind) => format!("{}, several with `\\|` or in `[]`", spelling(kind)),
        Leaf::Text => "text".to_owned(),
        Leaf::Flag => "`true`, `false`".to_owned(),
        Leaf::Whole => "whole number".to_owned(),
        Leaf::People => "`6 engineers`".to_owned(),
        Leaf::Duration => "`200 ms`".to_owned(),
        Leaf::Durations => "`2 ms`, `2..5 ms`".to_owned(),
        Leaf::Share => "`99.95%`".to_owned(),
        Leaf::Rate => "`50 per second`".to_owned(),
        Leaf::Rates => "`50 rps`, `50..90 rps`".to_owned(),
        Leaf::Measure => "`8`, `8..12`".to_owned(),
        Leaf::Bytes => "`400 B`, `2 KiB`".to_owned(),
        Leaf::Factor => "`3x`".to_owned(),
        Leaf::Amount => "`900 USD`".to_owned(),
        Leaf::Expression => "[expression](#expressions)".to_owned(),
        Leaf::Type => "[type](#types)".to_owned(),
        Leaf::Bound => "a value of the type, or a length".to_owned(),
        Leaf::Url => "`${URL}`".to_owned(),
        Leaf::Auth => "`bearer ${KEY}`".to_owned(),
        Leaf::Secret => "`${SECRET}`".to_owned(),
        Leaf::Path => "`/charges/{id}`".to_owned(),
        Leaf::Header => "`true`, or a header".to_owned(),
        Leaf::Notation => "`1`".to_owned(),
    }
}

/// How a name is spelt, by an example.
fn spelling(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Snake(_) | NameKind::Field => "lower_snake_case",
        NameKind::Camel(_) => "UpperCamelCase",
        NameKind::Event | NameKind::Heard => "order.paid",
        NameKind::Sent => "charge.succeeded",
        NameKind::Reference => "Order.place",
        NameKind::Word => "word",
        NameKind::Percentile => "p95",
        NameKind::Status => "402",
        NameKind::Version => "1",
        NameKind::Route => "\"GET /{code}\"",
        NameKind::Subject => "subject",
        NameKind::Segment => "order-lines",
        NameKind::Identifier => "identifier",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirements::read::TYPE_WORDS;

    #[test]
    fn the_reference_of_users_is_the_one_that_explain_prints() {
        expect_test::expect_file!["../../../../docs/NOTATION.md"].assert_eq(&notation());
    }

    #[test]
    fn every_construct_and_every_type_is_named_there() {
        let (text, topics) = (notation(), topics());
        let mut found = BTreeMap::new();
        schema::collect(&MODEL, &mut found);
        for (name, construct) in found {
            assert!(topics.contains(&name.to_owned()), "{name}");
            let keys = topic(name).expect("a section");
            for key in construct.keys {
                assert!(keys.contains(&format!("`{}`", key.name)), "`{}` of {name}", key.name);
            }
        }
        let types = topic("types").expect("the section of types");
        for (word, _) in TYPE_WORDS {
            assert!(types.contains(&format!("| `{word}`")), "{word}");
        }
        for word in ["decimal(", "list of", "actor ", "many "] {
            assert!(types.contains(&format!("`{word}")), "{word}");
        }
        let fields = topic("fields").expect("the section of fields");
        let words = super::super::construct::FIELD.short.as_ref().map_or(&[][..], |of| of.words);
        for word in words {
            assert!(fields.contains(word.text), "{}", word.text);
        }
        assert!(text.ends_with("|\n"));
    }

    #[test]
    fn a_topic_ends_where_the_next_one_begins() {
        let rows = topic("Rows").expect("a section");
        assert!(rows.starts_with("## Rows\n") && !rows.contains("## Allow"));
        let field = topic("field").expect("an element");
        assert!(field.starts_with("### field\n") && field.matches("###").count() == 1);
        assert_eq!(topic("nothing"), None);
    }
}
