//! Resources with their constraints, commands and routes.

use super::{access, field, system};
use crate::requirements::construct::{
    COMMAND, Construct, FIELD_NAMES, Leaf, NEVER_OVERLAP, NameKind, RESOURCE, ROUTE, TRANSITION,
    UNIQUE,
};
use crate::requirements::faults::{bad_route, bad_transition, reserved_name, wrong_shape};
use crate::requirements::form::{Form, Reader, Value, ValueKind};
use crate::requirements::names;
use crate::requirements::nearest::nearest;
use crate::requirements::tree::Scalar;
use ir::expr::Expression;
use ir::model::{Cache, Command, Resource, Route, Rows, Transition, Unique};
use ir::{Name, Span, Spanned};

/// All resources of a context.
pub(super) fn resources<'n>(reader: &mut Reader<'n>, context: &Form<'n>) -> Vec<Resource> {
    let named = reader.named(context, "resources");
    reader.within("resources", |reader| {
        let read = named.into_iter().map(|(key, value)| {
            reader.within(&key.value, |reader| {
                let name = reader.key_name(NameKind::Camel("a resource"), key);
                resource(reader, name, value)
            })
        });
        read.collect()
    })
}

fn resource<'n>(reader: &mut Reader<'n>, name: Name, value: Value<'n>) -> Resource {
    let form = reader.open(&RESOURCE, value);
    let path = reader.name(&form, "path");
    if let Some(path) = &path {
        names::refuse_reserved(path, reserved_name::path, &mut reader.faults);
    }
    let rules = reader.within("rules", |reader| reader.expressions(&form, "rules"));
    for (name, _) in &rules {
        names::refuse_reserved(name, reserved_name::word, &mut reader.faults);
    }
    Resource {
        name,
        about: reader.text(&form, "about"),
        path,
        rules,
        fields: field::fields(reader, &form, "fields", NameKind::Field),
        unique: uniques(reader, &form),
        never_overlap: overlaps(reader, &form),
        rows: rows(reader, &form),
        cache: cache(reader, &form),
        commands: commands(reader, &form),
        allow: access::allow(reader, &form, "allow").unwrap_or_default(),
        emit: reader.choices(&form, "emit"),
        routes: routes(reader, &form),
        shared: reader.flag(&form, "shared"),
        idempotency_required: required(reader, &form, "idempotency"),
        if_match_required: required(reader, &form, "if_match"),
        table: reader.name(&form, "table"),
        unmanaged: reader.choice(&form, "managed").map(|word| word.span),
        was: reader.name(&form, "was"),
    }
}

fn required<'n>(reader: &mut Reader<'n>, form: &Form<'n>, key: &'static str) -> Option<Span> {
    reader.choice(form, key).filter(|word| word.value == "required").map(|word| word.span)
}

/// The sets of fields of `unique` and `never_overlap`: one list, or a list of lists and mappings.
fn sets<'n>(reader: &mut Reader<'n>, form: &Form<'n>, key: &'static str) -> Vec<Value<'n>> {
    let Some(value) = form.value(key) else { return Vec::new() };
    match value.kind {
        ValueKind::List(list) => {
            let items: Vec<Value<'n>> = list.items.iter().map(Value::from).collect();
            let is_text = |item: &Value<'n>| matches!(item.kind, ValueKind::Text { .. });
            if items.iter().all(is_text) { vec![value] } else { items }
        }
        ValueKind::Map(_) | ValueKind::Text { .. } => vec![value],
        ValueKind::Absent => {
            let example = format!("{key}: [[a, b]]");
            reader.fault(wrong_shape::at(value.span, key, "a list", "nothing", &example));
            Vec::new()
        }
        ValueKind::Refused => Vec::new(),
    }
}

fn uniques<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Vec<Unique> {
    let values = sets(reader, form, "unique");
    reader.within("unique", |reader| {
        let read = values.into_iter().map(|value| {
            let (fields, when) = set(reader, &UNIQUE, value);
            Unique { span: value.span, fields, when }
        });
        read.collect()
    })
}

fn overlaps<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Vec<Spanned<Vec<Name>>> {
    let values = sets(reader, form, "never_overlap");
    reader.within("never_overlap", |reader| {
        let read = values.into_iter().map(|value| {
            let (fields, _) = set(reader, &NEVER_OVERLAP, value);
            Spanned::new(fields, value.span)
        });
        read.collect()
    })
}

/// One set of fields: `[a, b]`, `[c when status != closed]` or the long form.
fn set<'n>(
    reader: &mut Reader<'n>,
    construct: &'static Construct,
    value: Value<'n>,
) -> (Vec<Name>, Option<Expression>) {
    let Leaf::Names(kind) = FIELD_NAMES else { unreachable!("fields are named") };
    if let ValueKind::Map(_) = value.kind {
        let form = reader.open(construct, value);
        let when = construct.key("when").and_then(|_| reader.expression(&form, "when"));
        return (reader.names(&form, "fields"), when);
    }
    let items: Vec<Value<'n>> = match value.kind {
        ValueKind::List(list) => list.items.iter().map(Value::from).collect(),
        _ => vec![value],
    };
    let mut fields = Vec::new();
    let mut when = None;
    for item in items {
        let Some(slice) = reader.slice(item) else { continue };
        let split = slice.split_once(" when ").filter(|_| construct.key("when").is_some());
        let (names, condition) = match split {
            Some((names, condition)) => (names, Some(condition)),
            None => (slice, None),
        };
        fields.extend(names.split('|').map(|name| names::read(kind, name, &mut reader.faults)));
        if let Some(condition) = condition {
            let text = ValueKind::Text { slice: condition, quoted: false };
            when = reader.expression_of(Value { span: condition.span(), kind: text });
        }
    }
    (fields, when)
}

fn rows<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Option<Rows> {
    let form = reader.one(form, "rows")?;
    reader.within("rows", |reader| {
        let per_tenant = reader.flag(&form, "per_tenant").is_some();
        let per = reader.choice(&form, "per").map(|unit| system::period(unit.value));
        let keep = reader.duration(&form, "keep").map(|keep| keep.value);
        let then = reader.choice(&form, "then");
        let count = reader.measure(&form, "count")?.value;
        let then_erase_personal = then.is_some_and(|then| then.value == "erase personal");
        Some(Rows { span: form.span, count, per_tenant, per, keep, then_erase_personal })
    })
}

fn cache<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Option<Cache> {
    let form = reader.one(form, "cache")?;
    let except = reader.names(&form, "except");
    let time = reader.duration(&form, "for")?.value;
    Some(Cache { span: form.span, time, except })
}

fn commands<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Vec<Command> {
    let named = reader.named(form, "commands");
    reader.within("commands", |reader| {
        let read = named.into_iter().map(|(key, value)| {
            reader.within(&key.value, |reader| {
                let name = reader.key_name(NameKind::Snake("a command"), key);
                command(reader, name, value)
            })
        });
        read.collect()
    })
}

fn command<'n>(reader: &mut Reader<'n>, name: Name, value: Value<'n>) -> Command {
    let form = reader.open(&COMMAND, value);
    let get = reader.within("get", |reader| reader.expressions(&form, "get"));
    for (name, _) in &get {
        names::refuse_reserved(name, reserved_name::word, &mut reader.faults);
    }
    let require = reader.items(&form, "require", true);
    let mut transitions = Vec::new();
    for (key, value) in &form.others {
        transitions.extend(transition(reader, key, *value));
    }
    Command {
        name,
        about: reader.text(&form, "about"),
        input: field::fields(reader, &form, "input", NameKind::Snake("an input")),
        get,
        require: reader.within("require", |reader| {
            require.into_iter().filter_map(|value| reader.expression_of(value)).collect()
        }),
        transitions,
        set: reader.within("set", |reader| reader.expressions(&form, "set")),
        by: access::grants(reader, &form, "by"),
        emit: reader.names(&form, "emit"),
        not_during: reader.names(&form, "not_during"),
        was: reader.name(&form, "was"),
    }
}

/// A key of a command that is none of its own: a state field and its transition.
fn transition<'n>(
    reader: &mut Reader<'n>,
    key: &'n Scalar,
    value: Value<'n>,
) -> Option<Transition> {
    let slip = nearest(&key.value, COMMAND.keys.iter().map(|key| key.name));
    match value.kind {
        ValueKind::Text { slice, .. } => {
            let text = slice.trim();
            let ends: Vec<_> = text.text.split("->").map(str::trim).collect();
            let message = match ends.as_slice() {
                [_] if slip.is_some() => {
                    reader.unknown_key(&COMMAND, key);
                    return None;
                }
                [_] => "`->` is missing",
                [from, to] if from.is_empty() || to.is_empty() => "one of the two ends is missing",
                [_, to] if to.contains('|') => "a transition has one target",
                [_, _] => "",
                _ => "a transition has one `->`",
            };
            if !message.is_empty() {
                reader.fault(bad_transition::at(text.span(), text.text, message));
                return None;
            }
        }
        ValueKind::Map(_) if slip.is_none() => {}
        ValueKind::Refused => return None,
        ValueKind::Map(_) | ValueKind::List(_) | ValueKind::Absent => {
            reader.unknown_key(&COMMAND, key);
            return None;
        }
    }
    let field = reader.key_name(NameKind::Snake("a state"), key);
    reader.within(&key.value, |reader| {
        let form = reader.open(&TRANSITION, value);
        let from = reader.names(&form, "from");
        reader.name(&form, "to").map(|to| Transition { field, from, to })
    })
}

fn routes<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Vec<Route> {
    let named = reader.named(form, "routes");
    reader.within("routes", |reader| {
        let read = named.into_iter().filter_map(|(key, value)| {
            reader.within(&key.value, |reader| route(reader, key, value))
        });
        read.collect()
    })
}

fn route<'n>(reader: &mut Reader<'n>, key: &'n Scalar, value: Value<'n>) -> Option<Route> {
    const EXAMPLE: &str = "GET /{code}";
    let form = reader.open(&ROUTE, value);
    let find = reader.one(&form, "find");
    let (redirect, count) = (reader.name(&form, "redirect"), reader.name(&form, "count"));
    let when = reader.expression(&form, "when");
    let slice = key.slice().trim();
    let mut wrong = |message: &str| {
        reader.fault(bad_route::at(slice.span(), slice.text, message, EXAMPLE));
        None
    };
    let Some((method, path)) = slice.split_once(" ") else {
        return wrong("a route is a method and a path");
    };
    if method.text != "GET" {
        return wrong("only `GET` can be routed freely");
    }
    if let Some(message) = wrong_path(path.text) {
        return wrong(message);
    }
    if !path.text.contains('{') {
        return wrong("the path needs a `{field}` to look up by");
    }
    let find = find?;
    let resource = reader.name(&find, "resource")?;
    let by = reader.name(&find, "by")?;
    let (method, path) = (method.name(), path.name());
    Some(Route { span: key.span, method, path, find: resource, by, redirect, count, when })
}

/// What is wrong with a path and its `{name}` segments.
pub(super) fn wrong_path(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        return Some("a path begins with `/`");
    }
    if path.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control()) {
        return Some("a path has no spaces");
    }
    let mut rest = path;
    while let Some(at) = rest.find(['{', '}']) {
        let body = &rest[at..];
        let end = body.find('}');
        let name = end.and_then(|end| body.get(1..end)).unwrap_or("");
        let is_name = body.starts_with('{')
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            return Some("a segment from outside is written `{name}`");
        }
        rest = &body[end.map_or(body.len(), |end| end + 1)..];
    }
    None
}
