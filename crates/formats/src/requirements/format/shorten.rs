//! Long forms become short ones, by the table, wherever the short form holds all that is said and
//! no comment would be lost.

use crate::requirements::construct::{Construct, Shape};
use crate::requirements::phrase;
use crate::requirements::source::{Offsets, Slice};
use crate::requirements::tree::{Comment, Kind, List, Map, Node, Scalar, Style};
use ir::Span;

/// Shortens what stands below a construct, then the construct itself; `from` is where its key ends.
pub(super) fn construct(node: &mut Node, of: &'static Construct, comments: &[Comment], from: u32) {
    if let Kind::Map(map) = &mut node.kind {
        for entry in &mut map.entries {
            let from = entry.key.span.end;
            match (of.key(&entry.key.value), &of.others) {
                (Some(key), _) => shape(&mut entry.value, &key.shape, comments, from),
                (None, Some(others)) => shape(&mut entry.value, &others.shape, comments, from),
                (None, None) => {}
            }
        }
    }
    if let (Kind::Map(map), Some(_)) = (&node.kind, &of.short)
        && !has_comment(node.span, comments, from)
        && let Some(text) = short(map, of)
    {
        node.kind = Kind::Scalar(made(text, node.span));
    }
}

fn shape(node: &mut Node, of: &'static Shape, comments: &[Comment], from: u32) {
    match of {
        Shape::Leaf(_) | Shape::LeafOrNamed(..) => {}
        Shape::One(inner) => construct(node, inner, comments, from),
        Shape::Named(_, inner) => {
            if let Kind::Map(map) = &mut node.kind {
                for entry in &mut map.entries {
                    shape(&mut entry.value, inner, comments, entry.key.span.end);
                }
            }
        }
        Shape::List(inner) => each(node, inner, comments),
        Shape::Some(inner) => {
            if let Kind::List(_) = node.kind {
                each(node, inner, comments);
            } else {
                shape(node, inner, comments, from);
            }
            if let Kind::List(list) = &mut node.kind
                && list.items.len() == 1
                && list.items[0].scalar().is_some()
                && !has_comment(node.span, comments, from)
            {
                *node = list.items.remove(0);
            }
        }
        Shape::Sets(inner) => {
            if let Kind::Map(_) = node.kind {
                set(node, inner, comments, from);
            } else if let Kind::List(list) = &mut node.kind {
                for item in &mut list.items {
                    let from = item.span.start;
                    set(item, inner, comments, from);
                }
            }
        }
    }
}

fn each(node: &mut Node, of: &'static Shape, comments: &[Comment]) {
    if let Kind::List(list) = &mut node.kind {
        for item in &mut list.items {
            let from = item.span.start;
            shape(item, of, comments, from);
        }
    }
}

/// A comment between the end of a key and the end of its value.
fn has_comment(span: Span, comments: &[Comment], from: u32) -> bool {
    let first = comments.partition_point(|comment| comment.span.start < from);
    comments.get(first).is_some_and(|comment| comment.span.start < span.end)
}

fn made(value: String, span: Span) -> Scalar {
    Scalar { value, style: Style::Made, span, offsets: Offsets::Shift(span.start) }
}

/// The short form of a mapping, if reading it again gives the same keys and values.
fn short(map: &Map, of: &'static Construct) -> Option<String> {
    let phrase = of.short.as_ref()?;
    let mut values: Vec<(&str, String)> = Vec::new();
    for entry in &map.entries {
        let key = of.key(&entry.key.value)?;
        values.push((key.name, text(&entry.value)?));
    }
    let printed = phrase::print(phrase, &values)?;
    let offsets = Offsets::Shift(0);
    let mut faults = Vec::new();
    let slice = Slice::new(&printed, 0, &offsets);
    let parts = phrase::read(phrase, slice, &String::new, &mut faults);
    let same = parts.len() == values.len()
        && values.iter().all(|(key, text)| {
            let part = parts.iter().find(|part| part.key == *key);
            let word = phrase.words.iter().find(|word| word.key == *key);
            part.is_some_and(|part| {
                part.value.text == text
                    || (text == "true" && word.map(|w| w.text) == Some(part.value.text))
            })
        });
    (same && faults.is_empty()).then_some(printed)
}

/// The value as one text: a scalar of one line, or names joined by `|`.
fn text(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Scalar(scalar) => {
            let text = scalar.value.trim();
            (!text.is_empty() && !text.contains('\n')).then(|| text.to_owned())
        }
        Kind::List(list) => {
            let is_name =
                |text: &String| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let names: Option<Vec<String>> =
                list.items.iter().map(|item| text(item).filter(is_name)).collect();
            names.filter(|names| !names.is_empty()).map(|names| names.join(" | "))
        }
        Kind::Map(_) | Kind::Refused => None,
    }
}

/// `{ fields: [a, b], when: x }` is `[a, b when x]`.
fn set(node: &mut Node, of: &'static Construct, comments: &[Comment], from: u32) {
    let Kind::Map(map) = &node.kind else { return };
    let value = |name: &str| map.entries.iter().find(|entry| entry.key.value == name);
    let known = map.entries.iter().all(|entry| of.key(&entry.key.value).is_some());
    let Some(fields) = value("fields").filter(|_| known && !has_comment(node.span, comments, from))
    else {
        return;
    };
    let mut items = match &fields.value.kind {
        Kind::List(list) => list.items.clone(),
        Kind::Scalar(_) => vec![fields.value.clone()],
        Kind::Map(_) | Kind::Refused => return,
    };
    if let Some(when) = value("when") {
        let (Some(condition), Some(last)) = (text(&when.value), items.last_mut()) else { return };
        let Some(name) = text(last) else { return };
        last.kind = Kind::Scalar(made(format!("{name} when {condition}"), last.span));
    }
    node.kind = Kind::List(List { items, flow: true });
}
