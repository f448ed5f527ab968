//! Events, views, reactions, integrations, workflows, schedules and jobs.

use super::types::{self, Declared};
use super::{access, field, resource, system};
use crate::requirements::construct::{
    EVENT, INTEGRATION, JOB, METHODS, NameKind, OLDER_VERSION, OPERATION, SCHEDULE, STEP, VIEW,
    WEBHOOK_EVENT, WEBHOOK_MEMBER, WORKFLOW,
};
use crate::requirements::faults::{bad_route, reserved_name};
use crate::requirements::form::{Form, Reader, Value, ValueKind};
use crate::requirements::names;
use ir::model::{
    CatchUp, Effect, Event, FieldType, Integration, IntegrationOperation, Job, OlderVersion,
    Reaction, Schedule, Scheme, Step, Text, View, WebhookEvent, WebhookMember, Webhooks, Window,
    WindowKind, Workflow,
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
            window: window(reader, &form),
            late: reader.duration(&form, "late"),
            fresh: reader.duration(&form, "fresh"),
            allow: access::allow(reader, &form, "allow").unwrap_or_default(),
            was: reader.name(&form, "was"),
        })
    })
}

fn window<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Option<Window> {
    let form = reader.one(form, "window")?;
    reader.within("window", |reader| {
        let tumbling = reader.flag(&form, "tumbling").map(|_| WindowKind::Tumbling);
        let sliding = reader.duration(&form, "sliding").map(WindowKind::Sliding);
        let session = reader.flag(&form, "session").map(|_| WindowKind::Session);
        let size = reader.duration(&form, "size")?;
        Some(Window { size, kind: tumbling.or(sliding).or(session)? })
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
            version: reader.whole(&form, "version"),
            from: older_versions(reader, &form),
            was: reader.name(&form, "was"),
        })
    })
}

fn older_versions<'n>(reader: &mut Reader<'n>, event: &Form<'n>) -> Vec<OlderVersion> {
    let named = reader.named(event, "from");
    reader.within("from", |reader| {
        let read = named.into_iter().filter_map(|(key, value)| {
            let version = reader.key_name(NameKind::Version, key);
            let number = names::version(&version.value);
            reader.within(&key.value, |reader| {
                let form = reader.open(&OLDER_VERSION, value);
                let data = field::fields(reader, &form, "data", NameKind::Snake("a member"));
                let with = reader.within("with", |reader| reader.expressions(&form, "with"));
                Some(OlderVersion { version: Spanned::new(number?, version.span), data, with })
            })
        });
        read.collect()
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
            webhooks: webhooks(reader, &form),
            was: reader.name(&form, "was"),
            name,
        })
    })
}

/// The webhooks of an integration.
fn webhooks<'n>(reader: &mut Reader<'n>, integration: &Form<'n>) -> Option<Webhooks> {
    let form = reader.one(integration, "webhooks")?;
    reader.within("webhooks", |reader| {
        let verify = reader.choice(&form, "verify");
        let secrets = reader.secrets(&form, "secret");
        let tolerance = reader.duration(&form, "tolerance");
        let into = reader.name(&form, "into");
        let events = each(reader, &form, "events", NameKind::Sent, |reader, name, value| {
            let form = reader.open(&WEBHOOK_EVENT, value);
            let member = NameKind::Snake("a member");
            let data = each(reader, &form, "data", member, webhook_member);
            Some(WebhookEvent { name, data })
        });
        let verify = verify?;
        let scheme = Scheme::ALL.iter().find(|(word, _)| *word == verify.value)?.1;
        Some(Webhooks { verify: verify.map(|_| scheme), secrets, tolerance, into, events })
    })
}

fn webhook_member<'n>(
    reader: &mut Reader<'n>,
    name: Name,
    value: Value<'n>,
) -> Option<WebhookMember> {
    let form = reader.open(&WEBHOOK_MEMBER, value);
    let optional = reader.flag(&form, "optional");
    let from = reader.text(&form, "from");
    let slice = reader.scalar(&form, "type")?;
    let ty = match types::read(slice, &mut reader.faults)? {
        Declared::Type(ty) => ty,
        Declared::Many(resource) => FieldType::Many { resource, min: 0, max: 0 },
    };
    Some(WebhookMember { name, ty: slice.at(ty), optional, from })
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
            catch_up: catch_up(reader, &form),
            overlap: chosen(reader, &form, "overlap"),
            was: reader.name(&form, "was"),
        })
    })
}

/// All jobs.
pub(super) fn jobs<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Vec<Job> {
    each(reader, root, "jobs", NameKind::Snake("a job"), |reader, name, value| {
        let form = reader.open(&JOB, value);
        Some(Job {
            name,
            about: reader.text(&form, "about"),
            input: field::fields(reader, &form, "input", NameKind::Snake("an input")),
            run: reader.name_or_empty(&form, "do"),
            row: reader.expression(&form, "for"),
            with: reader.within("with", |reader| reader.expressions(&form, "with")),
            by: access::grants(reader, &form, "by"),
            priority: chosen(reader, &form, "priority"),
            retry: reader.whole(&form, "retry"),
            concurrency: reader.whole(&form, "concurrency"),
            was: reader.name(&form, "was"),
        })
    })
}

fn catch_up<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Option<CatchUp> {
    let form = reader.one(form, "catch_up")?;
    reader.within("catch_up", |reader| {
        let up_to = reader.whole(&form, "up_to");
        Some(CatchUp { runs: chosen(reader, &form, "runs")?, up_to })
    })
}

fn chosen<'n>(reader: &mut Reader<'n>, form: &Form<'n>, key: &'static str) -> Option<Name> {
    reader.choice(form, key).map(|word| word.map(str::to_owned))
}
