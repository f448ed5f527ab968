//! The JSON Schema of requirements files, folded from the table of constructs: completion and
//! first checks in every editor. What needs more than shapes is left to `mainstay check`.

#[cfg(test)]
mod tests;

use super::construct::{Construct, Key, Leaf, MODEL, NameKind, Phrase, Shape};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The schema, draft 2020-12, ending in a line break.
pub fn json_schema() -> String {
    let mut constructs = BTreeMap::new();
    collect(&MODEL, &mut constructs);
    let definitions: Members =
        constructs.into_iter().map(|(name, construct)| (name.to_owned(), of(construct))).collect();
    let schema = object([
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!("Mainstay requirements")),
        (
            "description",
            json!("A requirements file of Mainstay, or one file of a directory of them"),
        ),
        ("$ref", reference(&MODEL)),
        ("$defs", from(definitions)),
    ]);
    let mut text = serde_json::to_string_pretty(&schema).expect("a value has a JSON form");
    text.push('\n');
    text
}

type Members = BTreeMap<String, Value>;

/// An object whose members are sorted, however `serde_json` keeps them.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    from(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn from(members: Members) -> Value {
    Value::Object(members.into_iter().collect())
}

fn reference(construct: &Construct) -> Value {
    json!(format!("#/$defs/{}", construct.name))
}

/// Every construct that can be reached, by name.
pub(super) fn collect(
    construct: &'static Construct,
    found: &mut BTreeMap<&'static str, &'static Construct>,
) {
    if found.insert(construct.name, construct).is_some() {
        return;
    }
    let others = construct.others.iter().map(|others| &others.shape);
    for shape in construct.keys.iter().map(|key| &key.shape).chain(others) {
        collect_shape(shape, found);
    }
}

fn collect_shape(shape: &'static Shape, found: &mut BTreeMap<&'static str, &'static Construct>) {
    match shape {
        Shape::Leaf(_) | Shape::LeafOrNamed(..) => {}
        Shape::One(construct) | Shape::Sets(construct) => collect(construct, found),
        Shape::Named(_, inner) | Shape::List(inner) | Shape::Some(inner) => {
            collect_shape(inner, found);
        }
    }
}

/// A construct: its mapping, and its short form where it has one.
fn of(construct: &Construct) -> Value {
    let long = mapping(construct);
    match &construct.short {
        Some(short) => object([
            ("description", json!(construct.about)),
            ("anyOf", json!([phrase(short), long])),
        ]),
        None => long,
    }
}

fn phrase(short: &Phrase) -> Value {
    let examples: Vec<String> = short.examples.iter().map(|text| format!("`{text}`")).collect();
    object([
        ("type", json!(["string", "number", "boolean"])),
        ("description", json!(format!("In short: {}", examples.join(", ")))),
        ("examples", json!(short.examples)),
    ])
}

fn mapping(construct: &Construct) -> Value {
    let mut members = Members::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    let required: Vec<&str> =
        construct.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let may_be_empty = required.is_empty() && construct.one_of.is_empty();
    set("type", if may_be_empty { json!(["object", "null"]) } else { json!("object") });
    set("description", json!(construct.about));
    let properties = construct.keys.iter().map(|key| (key.name.to_owned(), property(key)));
    set("properties", from(properties.collect()));
    match &construct.others {
        None => set("additionalProperties", json!(false)),
        Some(others) => {
            let mut value = shape(&others.shape);
            describe(&mut value, others.about);
            let keys: Vec<&str> = construct.keys.iter().map(|key| key.name).collect();
            let known = object([("enum", json!(keys))]);
            set("propertyNames", object([("anyOf", json!([known, name(others.names)]))]));
            set("additionalProperties", value)
        }
    };
    if !required.is_empty() {
        set("required", json!(required));
    }
    if !construct.one_of.is_empty() {
        let each = construct.one_of.iter().map(|key| object([("required", json!([key]))]));
        set("oneOf", Value::Array(each.collect()));
    }
    from(members)
}

fn property(key: &Key) -> Value {
    let mut value = shape(&key.shape);
    describe(&mut value, key.about);
    value
}

/// Puts the description of a key over that of its shape.
fn describe(value: &mut Value, about: &str) {
    if let Value::Object(members) = value {
        let mut sorted: Members = std::mem::take(members).into_iter().collect();
        sorted.insert("description".to_owned(), json!(about));
        *value = from(sorted);
    }
}

fn shape(shape_of: &Shape) -> Value {
    let list = |items: Value| object([("type", json!("array")), ("items", items)]);
    match shape_of {
        Shape::Leaf(of) => leaf(*of),
        Shape::One(construct) => object([("$ref", reference(construct))]),
        Shape::Named(kind, inner) => named(*kind, shape(inner)),
        Shape::List(inner) => list(shape(inner)),
        Shape::Some(inner) => object([("anyOf", json!([shape(inner), list(shape(inner))]))]),
        Shape::LeafOrNamed(of, kind) => {
            object([("anyOf", json!([leaf(*of), named(*kind, leaf(*of))]))])
        }
        Shape::Sets(construct) => {
            let names = list(object([("type", json!("string"))]));
            let one = object([("$ref", reference(construct))]);
            let set = object([("anyOf", json!([names, one]))]);
            object([("anyOf", json!([names, list(set), one]))])
        }
    }
}

fn named(kind: NameKind, inner: Value) -> Value {
    let mut members = Members::new();
    members.insert("type".to_owned(), json!(["object", "null"]));
    members.insert("additionalProperties".to_owned(), inner);
    if let Some(pattern) = pattern(kind) {
        members.insert("propertyNames".to_owned(), object([("pattern", json!(pattern))]));
    }
    from(members)
}

fn leaf(of: Leaf) -> Value {
    let typed = |types: &[&str]| object([("type", json!(types))]);
    let example = |types: &[&str], examples: &[&str]| {
        object([("type", json!(types)), ("examples", json!(examples))])
    };
    let several = |one: Value| {
        let list = object([("type", json!("array")), ("items", one.clone())]);
        object([("anyOf", json!([one, list]))])
    };
    const TEXT: &[&str] = &["string", "number", "boolean"];
    const STRING: &[&str] = &["string"];
    const NUMBER: &[&str] = &["number", "string"];
    match of {
        Leaf::Text => typed(TEXT),
        Leaf::Name(kind) => name(kind),
        Leaf::Names(_) => several(typed(STRING)),
        Leaf::Flag => typed(&["boolean"]),
        Leaf::Choice(words) => object([("enum", json!(words))]),
        Leaf::Choices(words) => several(object([("enum", json!(words))])),
        Leaf::Whole => example(&["integer", "string"], &["3"]),
        Leaf::People => example(&["integer", "string"], &["6 engineers"]),
        Leaf::Duration | Leaf::Durations => example(STRING, &["200 ms", "5 min", "7 years"]),
        Leaf::Share => example(STRING, &["99.9%"]),
        Leaf::Rate | Leaf::Rates => example(STRING, &["1200 rps", "50 per second"]),
        Leaf::Measure => example(NUMBER, &["40", "10..50"]),
        Leaf::Bytes => example(STRING, &["400 B", "2 kB"]),
        Leaf::Factor => example(STRING, &["3x"]),
        Leaf::Amount => example(STRING, &["900 USD"]),
        Leaf::Expression => example(TEXT, &["status == draft && shopper == me"]),
        Leaf::Type => example(STRING, &["string", "draft | placed", "catalog.Product"]),
        Leaf::Bound => typed(NUMBER),
        Leaf::Url => example(STRING, &["${PAYMENTS_URL}", "https://api.example.com"]),
        Leaf::Auth => example(STRING, &["bearer ${PAYMENTS_KEY}"]),
        Leaf::Secret => object([("type", json!("string")), ("pattern", json!(VARIABLE))]),
        Leaf::Path => object([("type", json!("string")), ("pattern", json!("^/"))]),
        Leaf::Header => typed(&["boolean", "string"]),
        Leaf::Notation => object([("const", json!(1))]),
    }
}

fn name(kind: NameKind) -> Value {
    match pattern(kind) {
        Some(pattern) => object([("type", json!("string")), ("pattern", json!(pattern))]),
        None => object([("type", json!("string"))]),
    }
}

const SNAKE: &str = "^[a-z][a-z0-9_]*$";
const CAMEL: &str = "^[A-Z][A-Za-z0-9]*$";
const EVENT: &str = "^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*$";
const SENT: &str = "^[A-Za-z0-9][A-Za-z0-9_.:/-]*$";
const HEARD: &str = "^[a-z][a-z0-9_]*(\\.[A-Za-z0-9_.:/-]+)?$";
const VARIABLE: &str = "^\\$\\{[^}]+\\}$";
const REFERENCE: &str = "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*$";
const SEGMENT: &str = "^[a-z0-9-]+$";
const PERCENTILE: &str = "^p[0-9]{1,2}(\\.[0-9]+)?$";
const STATUS: &str = "^[45][0-9][0-9]$";
const VERSION: &str = "^[1-9][0-9]*$";
const ROUTE: &str = "^GET /";

/// The spelling of names of that kind; `None` where it is free enough.
fn pattern(kind: NameKind) -> Option<&'static str> {
    match kind {
        NameKind::Snake(_) | NameKind::Field => Some(SNAKE),
        NameKind::Camel(_) => Some(CAMEL),
        NameKind::Event => Some(EVENT),
        NameKind::Sent => Some(SENT),
        NameKind::Heard => Some(HEARD),
        NameKind::Reference => Some(REFERENCE),
        NameKind::Segment => Some(SEGMENT),
        NameKind::Percentile => Some(PERCENTILE),
        NameKind::Status => Some(STATUS),
        NameKind::Version => Some(VERSION),
        NameKind::Route => Some(ROUTE),
        NameKind::Word | NameKind::Subject | NameKind::Identifier => None,
    }
}
