//! The schema is the committed one, accepts what is right and refuses what is wrong.

use super::{
    CAMEL, EVENT, HEARD, PERCENTILE, REFERENCE, ROUTE, SEGMENT, SENT, SNAKE, STATUS, VARIABLE,
    VERSION, json_schema,
};
use crate::requirements::read::EVERYTHING;
use crate::requirements::tree::{self, Kind, Node, Scalar, Style};
use expect_test::expect_file;
use serde_json::{Map, Value, json};

#[test]
fn the_committed_schema_is_the_one_of_the_table() {
    expect_file!["../../../../../mainstay.schema.json"].assert_eq(&json_schema());
}

#[test]
fn the_examples_and_every_construct_are_valid() {
    let examples = [
        include_str!("../../../../../examples/shop/mainstay.yaml"),
        include_str!("../../../../../examples/links/mainstay.yaml"),
        include_str!("../../../../../examples/clinic/mainstay.yaml"),
        include_str!("../../../../../examples/kiosk/mainstay.yaml"),
        EVERYTHING,
    ];
    for text in examples {
        assert_eq!(faults(text), Vec::<String>::new());
    }
}

#[test]
fn what_the_reader_refuses_by_its_shape_the_schema_refuses_too() {
    let wrong = [
        "goals: { latancy: { p95: 1 s } }",
        "goals: { latency: { q95: 1 s } }",
        "contexts: [a]",
        "contexts: { A: {} }",
        "actors: { u: { roles: [a] } }",
        "mainstay: 2",
        "workload: { buy: { steps: [get Order] } }",
        "workflows: { w: { after: Order.place, steps: [{ name: a, retry: 3 }] } }",
        "integrations: { p: { http: http://x, operations: { o: { get: /a, post: /b } } } }",
        "contexts: { c: { resources: { R: { emit: renamed } } } }",
        "contexts: { c: { resources: { R: { fields: { a: { type: int, uniqe: true } } } } } }",
    ];
    for text in wrong {
        assert!(!faults(text).is_empty(), "{text}");
        let (_, diagnostics) = crate::requirements::read(&ir::Sources::one("m", text));
        assert!(!diagnostics.is_empty(), "{text}");
    }
}

/// What the schema says of a text.
fn faults(text: &str) -> Vec<String> {
    let tree = tree::parse(0, text);
    let value = tree.root.as_ref().map_or(Value::Null, value);
    let schema: Value = serde_json::from_str(&json_schema()).expect("the schema is JSON");
    let mut faults = Vec::new();
    Validator { root: &schema }.check(&schema, &value, "", &mut faults);
    faults
}

/// A node as an editor sees it: YAML 1.2 core types.
fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(scalar) => scalar_value(scalar),
        Kind::Map(map) => {
            let members = map.entries.iter();
            let members = members.map(|entry| (entry.key.value.clone(), value(&entry.value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Kind::List(list) => Value::Array(list.items.iter().map(value).collect()),
        Kind::Refused => Value::Null,
    }
}

fn scalar_value(scalar: &Scalar) -> Value {
    let text = scalar.value.as_str();
    if scalar.style != Style::Plain {
        return json!(text);
    }
    match text {
        "" | "null" | "~" => Value::Null,
        "true" => json!(true),
        "false" => json!(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => json!(whole),
            (_, Ok(number)) if text.starts_with(|c: char| c.is_ascii_digit()) => json!(number),
            _ => json!(text),
        },
    }
}

/// The keywords that our schema uses; any other one fails the test.
struct Validator<'s> {
    root: &'s Value,
}

impl Validator<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let Some(keywords) = schema.as_object() else {
            if schema == &json!(false) {
                faults.push(format!("{at} is not allowed"));
            }
            return;
        };
        for (keyword, rule) in keywords {
            let holds = match keyword.as_str() {
                "$ref" => {
                    let name = rule.as_str().and_then(|path| path.strip_prefix("#/$defs/"));
                    let target = &self.root["$defs"][name.expect("a local reference")];
                    assert!(target.is_object(), "{rule} is defined");
                    self.check(target, value, at, faults);
                    true
                }
                "type" => match rule {
                    Value::Array(types) => types.iter().any(|of| is_type(of, value)),
                    of => is_type(of, value),
                },
                "enum" => rule.as_array().is_some_and(|choices| choices.contains(value)),
                "const" => rule == value,
                "pattern" => value.as_str().is_none_or(|text| matches(rule, text)),
                "anyOf" => self.count(rule, value, at) > 0,
                "oneOf" => self.count(rule, value, at) == 1,
                "required" => value.as_object().is_none_or(|members| {
                    rule.as_array()
                        .into_iter()
                        .flatten()
                        .all(|name| members.contains_key(name.as_str().expect("names are texts")))
                }),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, item, &format!("{at}/{index}"), faults);
                    }
                    true
                }
                "additionalProperties" | "properties" => {
                    self.members(keywords, keyword, value, at, faults);
                    true
                }
                "propertyNames" => {
                    for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
                        self.check(rule, &json!(name), &format!("{at}/{name} as a name"), faults);
                    }
                    true
                }
                "$defs" | "$schema" | "title" | "description" | "examples" => true,
                other => panic!("the validator does not know {other}"),
            };
            if !holds {
                faults.push(format!("{at}: {keyword} {rule} does not hold for {value}"));
            }
        }
    }

    fn count(&self, rules: &Value, value: &Value, at: &str) -> usize {
        let holds = |rule: &&Value| {
            let mut faults = Vec::new();
            self.check(rule, value, at, &mut faults);
            faults.is_empty()
        };
        rules.as_array().into_iter().flatten().filter(holds).count()
    }

    fn members(
        &self,
        keywords: &Map<String, Value>,
        keyword: &str,
        value: &Value,
        at: &str,
        faults: &mut Vec<String>,
    ) {
        for (name, member) in value.as_object().into_iter().flatten() {
            let known = keywords.get("properties").and_then(|properties| properties.get(name));
            let rule = match (keyword, known) {
                ("properties", Some(rule)) => rule,
                ("additionalProperties", None) => &keywords["additionalProperties"],
                _ => continue,
            };
            self.check(rule, member, &format!("{at}/{name}"), faults);
        }
    }
}

fn is_type(of: &Value, value: &Value) -> bool {
    match of.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => panic!("{of} is a type"),
    }
}

/// The patterns of the schema, by hand.
fn matches(pattern: &Value, text: &str) -> bool {
    let word = |text: &str, first: fn(char) -> bool| {
        text.starts_with(first) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let lower = |c: char| c.is_ascii_lowercase();
    let is_snake =
        |text: &str| word(text, lower) && !text.contains(|c: char| c.is_ascii_uppercase());
    match pattern.as_str().expect("a pattern is a text") {
        SNAKE => is_snake(text),
        CAMEL => word(text, |c| c.is_ascii_uppercase()) && !text.contains('_'),
        EVENT => text.split('.').all(is_snake),
        REFERENCE => text.split('.').all(|part| word(part, |c| c.is_ascii_alphabetic())),
        SEGMENT => text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
        PERCENTILE => text.strip_prefix('p').is_some_and(|rest| rest.parse::<f64>().is_ok()),
        STATUS => text.parse::<u16>().is_ok_and(|status| (400..600).contains(&status)),
        VERSION => text.parse::<u32>().is_ok_and(|version| version > 0),
        ROUTE => text.starts_with("GET /"),
        SENT => text.chars().all(|c| c.is_ascii_alphanumeric() || "_.:/-".contains(c)),
        HEARD => is_snake(text.split('.').next().unwrap_or_default()),
        VARIABLE => text.starts_with("${") && text.ends_with('}'),
        "^/" => text.starts_with('/'),
        other => panic!("{other} is no pattern of the schema"),
    }
}
