//! The type of a field from its words.

use crate::requirements::construct::NameKind;
use crate::requirements::faults::{bad_type, reserved_name};
use crate::requirements::leaf;
use crate::requirements::names;
use crate::requirements::source::Slice;
use ir::model::FieldType;
use ir::value::Currency;
use ir::{Diagnostic, Name};

/// A type as far as its words say it.
pub(super) enum Declared {
    Type(FieldType),
    /// Owned children; how many of them stands elsewhere.
    Many(Name),
}

/// Words that are types by themselves.
pub(in crate::requirements) const WORDS: [(&str, FieldType); 15] = [
    ("string", FieldType::String),
    ("text", FieldType::Text),
    ("int", FieldType::Int),
    ("bool", FieldType::Bool),
    ("money", FieldType::Money { currency: None }),
    ("date", FieldType::Date),
    ("time", FieldType::Time),
    ("timestamp", FieldType::Timestamp),
    ("duration", FieldType::Duration),
    ("timespan", FieldType::Timespan),
    ("uuid", FieldType::Uuid),
    ("url", FieldType::Url),
    ("email", FieldType::Email),
    ("json", FieldType::Json),
    ("counter", FieldType::Counter),
];
/// Values of one enum.
const ENUM_VALUES_MAX: usize = 100;
/// Digits of a decimal: what a 64-bit integer holds.
const DECIMAL_DIGITS_MAX: u8 = 18;

/// Reads a type; `None` where its fault was said.
pub(super) fn read(slice: Slice<'_>, faults: &mut Vec<Diagnostic>) -> Option<Declared> {
    let slice = slice.trim();
    if slice.text.contains('|') {
        return choices(slice, faults).map(Declared::Type);
    }
    let (head, tail) = match slice.split_once(" ") {
        Some((head, tail)) => (head.text, Some(tail)),
        None => (slice.text, None),
    };
    match (head, tail) {
        ("many", Some(child)) => {
            Some(Declared::Many(names::read(NameKind::Camel("a resource"), child, faults)))
        }
        ("actor", Some(actor)) => {
            let name = names::read(NameKind::Snake("an actor"), actor, faults);
            Some(Declared::Type(FieldType::Actor(name)))
        }
        ("list", Some(of)) => list(slice, of, faults).map(Declared::Type),
        ("money", Some(code)) if leaf::is_currency(code.text) => {
            if Currency::of(code.text).is_none() {
                faults.push(bad_type::currency(code.span(), code.text));
                return None;
            }
            let currency = Some(code.text.to_owned());
            Some(Declared::Type(FieldType::Money { currency }))
        }
        ("money", Some(code)) => {
            let message = "a currency is three capital letters";
            faults.push(bad_type::at(code.span(), code.text, message, "money EUR"));
            None
        }
        ("many" | "actor" | "list", None) => {
            let example = match head {
                "many" => "many OrderLine 1..50",
                "actor" => "actor shopper",
                _ => "list of string",
            };
            faults.push(bad_type::at(slice.span(), head, "a name follows it", example));
            None
        }
        (_, Some(rest)) => {
            let known: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            faults.push(bad_type::unknown(slice.span(), slice.text, &known));
            let _ = rest;
            None
        }
        (_, None) => word(slice, faults).map(Declared::Type),
    }
}

/// A type of one word.
fn word(slice: Slice<'_>, faults: &mut Vec<Diagnostic>) -> Option<FieldType> {
    let text = slice.text;
    if let Some((_, ty)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Some(ty.clone());
    }
    if text == "decimal" || text.starts_with("decimal(") {
        return decimal(slice, faults);
    }
    let parts: Vec<Slice<'_>> = slice.split('.').collect();
    let is_camel = |part: &Slice<'_>| part.text.starts_with(|c: char| c.is_ascii_uppercase());
    match parts.as_slice() {
        [resource] if is_camel(resource) => {
            let resource = names::read(NameKind::Camel("a resource"), *resource, faults);
            Some(FieldType::Reference { context: None, resource })
        }
        [context, resource] if is_camel(resource) && !is_camel(context) => {
            let context = Some(names::read(NameKind::Snake("a context"), *context, faults));
            let resource = names::read(NameKind::Camel("a resource"), *resource, faults);
            Some(FieldType::Reference { context, resource })
        }
        _ => {
            let known: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            let known: Vec<&str> =
                known.into_iter().chain(["decimal", "many", "actor", "list"]).collect();
            faults.push(bad_type::unknown(slice.span(), text, &known));
            None
        }
    }
}

fn decimal(slice: Slice<'_>, faults: &mut Vec<Diagnostic>) -> Option<FieldType> {
    let inner = slice.text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')'));
    let digits = inner.and_then(|inner| inner.split_once(['.', ',']));
    let read = digits.and_then(|(precision, scale)| {
        Some((precision.trim().parse::<u8>().ok()?, scale.trim().parse::<u8>().ok()?))
    });
    match read {
        Some((precision, scale))
            if scale <= precision && (1..=DECIMAL_DIGITS_MAX).contains(&precision) =>
        {
            Some(FieldType::Decimal { precision, scale })
        }
        _ => {
            let message = "digits in all, at most 18, and digits after the point";
            faults.push(bad_type::at(slice.span(), slice.text, message, "decimal(10.2)"));
            None
        }
    }
}

fn list(whole: Slice<'_>, of: Slice<'_>, faults: &mut Vec<Diagnostic>) -> Option<FieldType> {
    let inner = of.split_once(" ").filter(|(word, _)| word.text == "of").map(|(_, inner)| inner);
    let scalar = inner.and_then(|inner| {
        let plain = !inner.text.contains(' ') || inner.text.starts_with("money ");
        plain.then_some(inner)
    });
    let Some(scalar) = scalar else {
        let message = "a list is of one scalar type";
        faults.push(bad_type::at(whole.span(), whole.text, message, "list of string"));
        return None;
    };
    match read(scalar, faults)? {
        Declared::Type(ty) => Some(FieldType::List(Box::new(ty))),
        Declared::Many(_) => None,
    }
}

fn choices(slice: Slice<'_>, faults: &mut Vec<Diagnostic>) -> Option<FieldType> {
    let mut values: Vec<Name> = Vec::new();
    for part in slice.split('|') {
        if part.text.is_empty() {
            let message = "a value is missing beside `|`";
            faults.push(bad_type::at(slice.span(), slice.text, message, "open | closed"));
            return None;
        }
        let name = names::read(NameKind::Snake("a value"), part, faults);
        names::refuse_reserved(&name, reserved_name::word, faults);
        if values.contains(&name) {
            let message = "this value stands twice";
            faults.push(bad_type::at(part.span(), part.text, message, "open | closed"));
        } else {
            values.push(name);
        }
    }
    if values.len() > ENUM_VALUES_MAX {
        let message = "an enum has at most 100 values; more are rows of a resource";
        faults.push(bad_type::at(slice.span(), slice.text, message, "open | closed"));
        return None;
    }
    Some(FieldType::Enum(values))
}
