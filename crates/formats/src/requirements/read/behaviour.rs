//! Events, views, reactions, integrations, workflows and schedules.

use super::{access, field, resource, system};
use crate::requirements::construct::{
    EVENT, INTEGRATION, METHODS, NameKind, OPERATION, SCHEDULE, STEP, VIEW, WORKFLOW,
};
use crate::requirements::faults::{bad_route, reserved_name};
use crate::requirements::form::{Form, Reader, Value, ValueKind};
use crate::requirements::names;
use ir::model::{
    Effect, Event, Integration, IntegrationOperation, Reaction, Schedule, Step, Text, View,
    Workflow,
};
use ir::{Name, Spanned};

/// Reads each named element below a key of the root.
fn each<'n, T>(
    reader: &mut Reader<'n>,
    root: &Form<'n>,
    key: &'static str,
    kind: NameKind,
    read: impl Fn(&mut Reader<'n>, Name, Value<'n>) -> Option<T>,
) -> Vec<T> {
    let named = reader.named(root, key);
    reader.within(key, |reader| {
        let elements = named.into_iter().filter_map(|(key, value)| {
            reader.within(&key.value, |reader| {
                let name = reader.key_name(kind, key);
                read(reader, name, value)
            })
        });
        elements.collect()
    })
}

/// All views of a context.
pub(super) fn views<'n>(reader: &mut Reader<'n>, context: &Form<'n>) -> Vec<View> {
    each(reader, context, "views", NameKind::Camel("a view"), |reader, name, value| {
        let form = reader.open(&VIEW, value);
        let path = reader.name(&form, "path");
        if let Some(path) = &path {
            names::refuse_reserved(path, reserved_name::path, &mut reader.faults);
        }
        Some(View {
            name,
            path,
            from: reader.names(&form, "from"),
            key: reader.within("key", |reader| reader.expressions(&form, "key")),
            set: reader.within("set", |reader| reader.expressions(&form, "set")),
            fresh: reader.duration(&form, "fresh"),
            allow: access::allow(reader, &form, "allow").unwrap_or_default(),
            was: reader.name(&form, "was"),
        })
    })
}

/// One reaction of a context.
pub(super) fn reaction<'n>(
    reader: &mut Reader<'n>,
    event: Name,
    form: &Form<'n>,
) -> Option<Reaction> {
    let with = reader.within("with", |reader| reader.expressions(form, "with"));
    let when = reader.expression(form, "when");
    let create = reader.name(form, "create").map(Effect::Create);
    let update = reader.name(form, "update").map(Effect::Update);
    let effect = create.or(update).or_else(|| reader.name(form, "do").map(Effect::Do))?;
    Some(Reaction { event, effect, with, when })
}

/// All events.
pub(super) fn events<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Vec<Event> {
    each(reader, root, "events", NameKind::Event, |reader, name, value| {
        let form = reader.open(&EVENT, value);
        Some(Event {
            name,
            data: reader.names(&form, "data"),
            webhook: reader.names(&form, "webhook"),
            was: reader.name(&form, "was"),
        })
    })
}

/// All integrations.
pub(super) fn integrations<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Vec<Integration> {
    let kind = NameKind::Snake("an integration");
    each(reader, root, "integrations", kind, |reader, name, value| {
        let form = reader.open(&INTEGRATION, value);
        let expects = reader.one(&form, "expects");
        let (latency, availability) = match &expects {
            Some(expects) => {
                (system::other_percentiles(reader, expects), reader.share(expects, "availability"))
            }
            None => (Vec::new(), None),
        };
        let http = reader.url(&form, "http");
        let kind = NameKind::Snake("an operation");
        Some(Integration {
            http: http.unwrap_or_else(|| Spanned::new(String::new(), form.span)),
            auth: reader.auth(&form, "auth"),
            latency,
            availability,
            limit: reader.rate(&form, "limit"),
            operations: each(reader, &form, "operations", kind, operation),
            was: reader.name(&form, "was"),
            name,
        })
    })
}

fn operation<'n>(
    reader: &mut Reader<'n>,
    name: Name,
    value: Value<'n>,
) -> Option<IntegrationOperation> {
    let form = reader.open(&OPERATION, value);
    let member = NameKind::Snake("a member");
    let body = field::fields(reader, &form, "body", member);
    let returns = field::fields(reader, &form, "returns", member);
    let idempotent = idempotent(reader, &form);
    let mut refuses = Vec::new();
    for (status, value) in reader.named(&form, "refuses") {
        let meaning = reader.within(&status.value, |reader| reader.slice(value));
        let status = reader.key_name(NameKind::Status, status);
        let kind = NameKind::Snake("a refusal");
        if let (Some(meaning), Some(number)) = (meaning, names::status(&status.value)) {
            let meaning = names::read(kind, meaning, &mut reader.faults);
            refuses.push((status.map(|_| number), meaning));
        }
    }
    let lookup = reader.one(&form, "lookup").and_then(|lookup| call(reader, &lookup));
    let (method, path) = call(reader, &form)?;
    Some(IntegrationOperation { name, method, path, body, returns, idempotent, refuses, lookup })
}

/// The method and path of a call.
fn call<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Option<(Name, Text)> {
    let is_set = |method: &&&'static str| {
        form.construct.key(method).is_some() && form.value(method).is_some()
    };
    let method = METHODS.iter().find(is_set)?;
    let path = reader.scalar(form, method)?;
    if let Some(message) = resource::wrong_path(path.text) {
        reader.fault(bad_route::at(path.span(), path.text, message, "/charges/{id}"));
    }
    Some((Spanned::new((*method).to_owned(), path.span()), path.name()))
}

/// The header's name; the standard one for `true`.
fn idempotent<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Option<Text> {
    const STANDARD: &str = "Idempotency-Key";
    let slice = reader.scalar(form, "idempotent")?;
    match slice.text {
        "false" => None,
        "true" => Some(slice.at(STANDARD.to_owned())),
        text => {
            if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                let message = "a header has letters, digits and `-`";
                reader.fault(bad_route::at(slice.span(), text, message, STANDARD));
            }
            Some(slice.name())
        }
    }
}

/// All workflows.
pub(super) fn workflows<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Vec<Workflow> {
    let kind = NameKind::Snake("a workflow");
    each(reader, root, "workflows", kind, |reader, name, value| {
        let form = reader.open(&WORKFLOW, value);
        let goal = reader.one(&form, "goal");
        let (latency, lose_nothing) = match &goal {
            Some(goal) => (
                system::other_percentiles(reader, goal),
                reader.choice(goal, "lose").map(|word| word.span),
            ),
            None => (Vec::new(), None),
        };
        Some(Workflow {
            name,
            after: reader.name_or_empty(&form, "after"),
            latency,
            lose_nothing,
            steps: steps(reader, &form, "steps"),
            otherwise: otherwise(reader, &form),
            was: reader.name(&form, "was"),
        })
    })
}

fn steps<'n>(reader: &mut Reader<'n>, form: &Form<'n>, key: &'static str) -> Vec<Step> {
    let values = reader.items(form, key, false);
    reader.within(key, |reader| {
        values.into_iter().enumerate().map(|(at, value)| step(reader, at, value)).collect()
    })
}

fn step<'n>(reader: &mut Reader<'n>, at: usize, value: Value<'n>) -> Step {
    let form = reader.open(&STEP, value);
    let run = reader.name(&form, "do");
    let workflow = reader.name(&form, "run");
    let name = reader.name(&form, "name").unwrap_or_else(|| {
        let of = run.as_ref().or(workflow.as_ref());
        let last = of.and_then(|name| name.value.rsplit('.').next()).map(str::to_owned);
        let span = of.map_or(form.span, |name| name.span);
        Spanned::new(last.unwrap_or_else(|| format!("step_{}", at + 1)), span)
    });
    names::refuse_reserved(&name, reserved_name::word, &mut reader.faults);
    let approve = form.value("approve");
    Step {
        name,
        each: reader.name(&form, "each"),
        run,
        undo: reader.name(&form, "undo"),
        with: reader.within("with", |reader| reader.expressions(&form, "with")),
        undo_with: reader.within("undo_with", |reader| reader.expressions(&form, "undo_with")),
        when: reader.expression(&form, "when"),
        timeout: reader.duration(&form, "timeout"),
        retry: reader.whole(&form, "retry"),
        wait: reader.text(&form, "wait"),
        approve: approve
            .and_then(|value| reader.within("approve", |reader| access::grant(reader, value))),
        workflow,
        parallel: steps(reader, &form, "parallel"),
    }
}

/// A command, or one for each refusal; `any` stands for the others.
fn otherwise<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Vec<(Option<Name>, Name)> {
    let Some(value) = form.value("otherwise") else { return Vec::new() };
    reader.within("otherwise", |reader| {
        let ValueKind::Map(map) = value.kind else {
            let slice = reader.slice(value);
            let read = slice
                .map(|slice| (None, names::read(NameKind::Reference, slice, &mut reader.faults)));
            return read.into_iter().collect();
        };
        let mut read = Vec::new();
        for entry in &map.entries {
            let refusal = reader.key_name(NameKind::Snake("a refusal"), &entry.key);
            let refusal = (refusal != "any").then_some(refusal);
            if let Some(slice) = reader.slice(Value::from(&entry.value)) {
                let command = names::read(NameKind::Reference, slice, &mut reader.faults);
                read.push((refusal, command));
            }
        }
        read
    })
}

/// All schedules.
pub(super) fn schedules<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Vec<Schedule> {
    let kind = NameKind::Snake("a schedule");
    each(reader, root, "schedules", kind, |reader, name, value| {
        let form = reader.open(&SCHEDULE, value);
        Some(Schedule {
            name,
            every: reader.duration(&form, "every"),
            cron: reader.text(&form, "cron"),
            resource: reader.name_or_empty(&form, "for"),
            condition: reader.expression(&form, "where"),
            run: reader.name_or_empty(&form, "do"),
            with: reader.within("with", |reader| reader.expressions(&form, "with")),
            was: reader.name(&form, "was"),
        })
    })
}
