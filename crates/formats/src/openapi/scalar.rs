//! JSON Schemas of the types of fields, as tight as the backend checks them.

use crate::example::{date, decimal, timestamp};
use crate::tree::{Node, list, map};
use ir::domain::{Field, Kind};
use ir::model::FieldType;
use ir::value::{Currency, Value};

/// Characters of a URL at most.
const URL_CHARACTERS_MAX: i64 = 2_048;
/// Characters of an e-mail address at most (RFC 5321).
const EMAIL_CHARACTERS_MAX: i64 = 254;
/// Any text but one with the character NUL, which no store takes.
pub(super) const NO_NUL: &str = "^[^\\x00]*$";
/// An absolute http(s) address: user, host or IPv6 address, port, the rest.
const URL: &str = "^https?://(?:[!$-.0-;=A-Z_a-z~]*@)?(?:[!$-.0-9;=A-Z_a-z~]+|\\[(?:\
(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}:){1,7}:|\
(?:[0-9A-Fa-f]{1,4}:){1,6}:[0-9A-Fa-f]{1,4}|\
(?:[0-9A-Fa-f]{1,4}:){1,5}(?::[0-9A-Fa-f]{1,4}){1,2}|\
(?:[0-9A-Fa-f]{1,4}:){1,4}(?::[0-9A-Fa-f]{1,4}){1,3}|\
(?:[0-9A-Fa-f]{1,4}:){1,3}(?::[0-9A-Fa-f]{1,4}){1,4}|\
(?:[0-9A-Fa-f]{1,4}:){1,2}(?::[0-9A-Fa-f]{1,4}){1,5}|\
[0-9A-Fa-f]{1,4}:(?::[0-9A-Fa-f]{1,4}){1,6}|:(?::[0-9A-Fa-f]{1,4}){1,7}|::)\\])\
(?::(?:[0-5]?[0-9]{0,4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?\
(?:[/?#][!#-;=?-\\[\\]_a-z~]*)?$";
/// Hours, minutes, perhaps seconds with six decimals.
const TIME: &str = "^(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\\.[0-9]{1,6})?)?$";
/// Weeks, days and time; years and months have no fixed length.
const DURATION: &str = "^-?P(?:[0-9]{1,6}W(?:[0-9]{1,6}D)?(?:T(?:[0-9]{1,6}H(?:[0-9]{1,6}M)?\
(?:[0-9]{1,6}(?:\\.[0-9]{1,6})?S)?|[0-9]{1,6}M(?:[0-9]{1,6}(?:\\.[0-9]{1,6})?S)?|\
[0-9]{1,6}(?:\\.[0-9]{1,6})?S))?|[0-9]{1,6}D(?:T(?:[0-9]{1,6}H(?:[0-9]{1,6}M)?\
(?:[0-9]{1,6}(?:\\.[0-9]{1,6})?S)?|[0-9]{1,6}M(?:[0-9]{1,6}(?:\\.[0-9]{1,6})?S)?|\
[0-9]{1,6}(?:\\.[0-9]{1,6})?S))?|T(?:[0-9]{1,6}H(?:[0-9]{1,6}M)?\
(?:[0-9]{1,6}(?:\\.[0-9]{1,6})?S)?|[0-9]{1,6}M(?:[0-9]{1,6}(?:\\.[0-9]{1,6})?S)?|\
[0-9]{1,6}(?:\\.[0-9]{1,6})?S))$";

/// A field's value as it is read or given. Children are not scalars: none.
pub(crate) fn field(field: &Field) -> Option<Node> {
    Some(match &field.kind {
        Kind::Enum(values) => map([("type", "string".into()), ("enum", list(values.iter()))]),
        Kind::Reference { .. } => uuid(),
        Kind::Actor(_) => subject(),
        Kind::Children { .. } => return None,
        Kind::Scalar => declared(field, &field.declared),
    })
}

/// The same without the bounds: what a filter compares with.
pub(super) fn filtered(field: &Field) -> Node {
    let bare = Field { min: None, max: None, pattern: None, ..field.clone() };
    match (&field.kind, &field.declared) {
        (Kind::Scalar, FieldType::Url | FieldType::Email) => any_text(),
        (Kind::Scalar, FieldType::Money { .. }) => amount(4, true),
        (Kind::Scalar, FieldType::Timespan) => instant(),
        (Kind::Scalar, FieldType::Counter) => int(&bare),
        _ => self::field(&bare).unwrap_or_else(any_text),
    }
}

/// Allows `null` beside what a schema allows.
pub(crate) fn or_null(schema: Node) -> Node {
    let Node::Map(mut members) = schema else { return schema };
    let plain = members.iter().any(|(name, node)| name == "type" && matches!(node, Node::Text(_)));
    if !plain {
        let null = map([("type", "null".into())]);
        return map([("anyOf", Node::List(vec![Node::Map(members), null]))]);
    }
    for (name, node) in &mut members {
        match (name.as_str(), &mut *node) {
            ("type", Node::Text(ty)) => *node = list([ty.as_str(), "null"]),
            ("enum", Node::List(values)) => values.push(Node::Null),
            _ => {}
        }
    }
    Node::Map(members)
}

pub(crate) fn uuid() -> Node {
    map([("type", "string".into()), ("format", "uuid".into())])
}

pub(crate) fn instant() -> Node {
    map([("type", "string".into()), ("format", "date-time".into())])
}

pub(crate) fn any_text() -> Node {
    map([("type", "string".into()), ("pattern", NO_NUL.into())])
}

fn subject() -> Node {
    any_text()
}

fn declared(field: &Field, declared: &FieldType) -> Node {
    match declared {
        FieldType::String | FieldType::Text => text(field),
        FieldType::Email => map([
            ("type", "string".into()),
            ("format", "email".into()),
            ("maxLength", length(&field.max).unwrap_or(EMAIL_CHARACTERS_MAX).into()),
        ]),
        FieldType::Url => map([
            ("type", "string".into()),
            ("pattern", URL.into()),
            ("maxLength", length(&field.max).unwrap_or(URL_CHARACTERS_MAX).into()),
        ]),
        FieldType::Int => int(field),
        FieldType::Counter => {
            map([("type", "integer".into()), ("format", "int64".into()), ("minimum", 0.into())])
        }
        FieldType::Decimal { precision, scale } => {
            let whole = i64::from(precision.saturating_sub(*scale)).max(1);
            let mut schema = map([
                ("type", "string".into()),
                ("pattern", number(whole, *scale, !never_negative(field)).into()),
            ]);
            within(field, &mut schema);
            schema
        }
        FieldType::Bool => map([("type", "boolean".into())]),
        FieldType::Money { currency } => money(field, currency.as_deref()),
        FieldType::Date => dated(field, "date"),
        FieldType::Time => map([("type", "string".into()), ("pattern", TIME.into())]),
        FieldType::Timestamp => dated(field, "date-time"),
        FieldType::Duration => map([("type", "string".into()), ("pattern", DURATION.into())]),
        FieldType::Timespan => reference("Timespan"),
        FieldType::Uuid => uuid(),
        FieldType::Json => map([("description", "Any JSON".into())]),
        FieldType::List(element) => {
            let bare = Field { min: None, max: None, pattern: None, ..field.clone() };
            let items = self::declared(&bare, element);
            let mut schema = map([("type", "array".into()), ("items", items)]);
            bound(&mut schema, "minItems", length(&field.min));
            bound(&mut schema, "maxItems", length(&field.max));
            schema
        }
        FieldType::Enum(values) => {
            let values = values.iter().map(|value| value.as_str());
            map([("type", "string".into()), ("enum", list(values))])
        }
        FieldType::Reference { .. } => uuid(),
        FieldType::Actor(_) => subject(),
        FieldType::Many { .. } => map([("type", "array".into())]),
    }
}

/// `{"$ref": "#/components/schemas/Money"}`
pub(crate) fn reference(name: &str) -> Node {
    map([("$ref", format!("#/components/schemas/{name}").into())])
}

fn bound(schema: &mut Node, name: &str, value: Option<i64>) {
    if let Some(value) = value {
        schema.set(name, value);
    }
}

fn length(value: &Option<Value>) -> Option<i64> {
    match value {
        Some(Value::Int(number)) => Some(*number),
        Some(_) | None => None,
    }
}

fn text(field: &Field) -> Node {
    let mut schema = map([("type", "string".into())]);
    bound(&mut schema, "minLength", length(&field.min));
    bound(&mut schema, "maxLength", length(&field.max));
    match &field.pattern {
        Some(pattern) => schema.set("pattern", format!("^(?:{pattern})$")),
        None => schema.set("pattern", NO_NUL),
    }
    schema
}

fn int(field: &Field) -> Node {
    map([
        ("type", "integer".into()),
        ("format", "int64".into()),
        ("minimum", length(&field.min).unwrap_or(i64::MIN).into()),
        ("maximum", length(&field.max).unwrap_or(i64::MAX).into()),
    ])
}

fn dated(field: &Field, format: &str) -> Node {
    let mut schema = map([("type", "string".into()), ("format", format.into())]);
    within(field, &mut schema);
    schema
}

/// Bounds that a schema has no word for.
fn within(field: &Field, schema: &mut Node) {
    let show = |value: &Value| match value {
        Value::Int(number) => number.to_string(),
        Value::Decimal { units, scale } => decimal(*units, *scale, 0),
        Value::Money { units, .. } => decimal(*units, 4, 0),
        Value::Date(days) => date(*days),
        Value::Timestamp(micros) => timestamp(*micros),
        Value::Null | Value::Bool(_) | Value::Text(_) | Value::Time(_) => String::new(),
        Value::Duration(_) | Value::Timespan { .. } | Value::Uuid(_) => String::new(),
        Value::Json(_) | Value::List(_) => String::new(),
    };
    let text = match (field.min.as_ref().map(show), field.max.as_ref().map(show)) {
        (Some(min), Some(max)) => format!("From {min} to {max}"),
        (Some(min), None) => format!("At least {min}"),
        (None, Some(max)) => format!("At most {max}"),
        (None, None) => return,
    };
    schema.set("description", text);
}

fn never_negative(field: &Field) -> bool {
    match field.min {
        Some(Value::Int(least)) => least >= 0,
        Some(Value::Decimal { units, .. } | Value::Money { units, .. }) => units >= 0,
        Some(_) | None => false,
    }
}

/// A decimal number as text, with so many digits before and after the point at most.
fn number(whole: i64, decimals: u8, negative: bool) -> String {
    let sign = if negative { "-?" } else { "" };
    let more = whole.saturating_sub(1);
    let fraction = match decimals {
        0 => String::new(),
        decimals => format!("(?:\\.[0-9]{{1,{decimals}}})?"),
    };
    format!("^{sign}(?:0|[1-9][0-9]{{0,{more}}}){fraction}$")
}

/// Digits before the point of an amount at most.
const AMOUNT_DIGITS_MAX: i64 = 14;

fn amount(decimals: u8, negative: bool) -> Node {
    map([
        ("type", "string".into()),
        ("pattern", number(AMOUNT_DIGITS_MAX, decimals, negative).into()),
    ])
}

fn money(field: &Field, currency: Option<&str>) -> Node {
    let Some(code) = currency else {
        let mut schema = reference("Money");
        if never_negative(field) {
            let positive = map([("type", "string".into()), ("pattern", "^[0-9]".into())]);
            schema.set("properties", map([("amount", positive)]));
        }
        within(field, &mut schema);
        return schema;
    };
    let decimals = Currency::of(code).map_or(2, Currency::decimals);
    let mut schema = map([
        ("type", "object".into()),
        ("required", list(["amount", "currency"])),
        (
            "properties",
            map([
                ("amount", amount(decimals, !never_negative(field))),
                ("currency", map([("type", "string".into()), ("const", code.into())])),
            ]),
        ),
        ("additionalProperties", false.into()),
    ]);
    within(field, &mut schema);
    schema
}

/// Decimals of the currencies that do not have two.
const RARE_DECIMALS: [u8; 3] = [0, 3, 4];

/// Money in any currency, each with the decimals it has.
pub(crate) fn any_money() -> Node {
    let branch = |codes: Node, decimals| {
        map([("properties", map([("amount", amount(decimals, true)), ("currency", codes)]))])
    };
    let rare = |decimals| Currency::with_decimals(decimals).iter().copied();
    let others = map([("not", map([("enum", list(RARE_DECIMALS.into_iter().flat_map(rare)))]))]);
    let mut branches = vec![branch(others, 2)];
    branches.extend(RARE_DECIMALS.map(|decimals| {
        branch(map([("type", "string".into()), ("enum", list(rare(decimals)))]), decimals)
    }));
    let text = map([("type", "string".into())]);
    map([
        ("type", "object".into()),
        ("description", "An exact amount of a currency (ISO 4217)".into()),
        ("required", list(["amount", "currency"])),
        ("properties", map([("amount", text), ("currency", reference("Currency"))])),
        ("additionalProperties", false.into()),
        ("anyOf", Node::List(branches)),
        ("examples", list([map([("amount", "12.50".into()), ("currency", "EUR".into())])])),
    ])
}

/// The code of a currency. A pattern, for one line says as much as a line for each.
pub(crate) fn currency() -> Node {
    let mut codes: Vec<&str> =
        (0..=4).flat_map(|decimals| Currency::with_decimals(decimals).iter().copied()).collect();
    codes.sort_unstable();
    let by_letter: Vec<String> = codes
        .chunk_by(|a, b| a[..1] == b[..1])
        .map(|codes| {
            let ends: Vec<&str> = codes.iter().map(|code| &code[1..]).collect();
            format!("{}(?:{})", &codes[0][..1], ends.join("|"))
        })
        .collect();
    map([
        ("type", "string".into()),
        ("description", "The code of a currency (ISO 4217)".into()),
        ("pattern", format!("^(?:{})$", by_letter.join("|")).into()),
        ("examples", list(["EUR"])),
    ])
}

/// Two instants, the end not in it.
pub(crate) fn timespan() -> Node {
    map([
        ("type", "object".into()),
        ("description", "From `start` until just before `end`".into()),
        ("required", list(["start", "end"])),
        ("properties", map([("start", instant()), ("end", instant())])),
        ("additionalProperties", false.into()),
    ])
}
