//! The system as a whole.

use super::{access, behaviour, resource};
use crate::requirements::construct::{
    CONTEXT, JOURNEY, JOURNEY_STEP, MODEL, NameKind, PIN, REACTION,
};
use crate::requirements::faults::{bad_quantity, bad_step, notation_version};
use crate::requirements::form::{Form, Reader, Value};
use crate::requirements::leaf;
use crate::requirements::names;
use ir::model::{
    Budget, Burst, Constraints, Context, Goals, Growth, Isolation, Journey, JourneyStep, Model,
    Pin, Tenancy, Tenants, Verb,
};
use ir::{Name, Spanned};

/// The name of a system that has none.
const UNNAMED: &str = "app";
/// The claim that names the tenant where the model does not say it.
const TENANT_CLAIM: &str = "tenant";

/// The whole model.
pub(super) fn model<'n>(reader: &mut Reader<'n>, root: Value<'n>) -> Model {
    let form = reader.open(&MODEL, root);
    let mut model = Model { notation: 1, ..Model::default() };
    if let Some(version) = reader.scalar(&form, "mainstay")
        && version.text != "1"
    {
        reader.fault(notation_version::at(version.span(), version.text));
    }
    let unnamed = || Spanned::new(UNNAMED.to_owned(), form.span);
    model.system = reader.name(&form, "system").unwrap_or_else(unnamed);
    model.title = reader.text(&form, "title");
    model.summary = reader.text(&form, "summary");
    model.tenancy = tenancy(reader, &form);
    model.goals = goals(reader, &form);
    model.constraints = constraints(reader, &form);
    model.actors = access::actors(reader, &form);
    reader.within("contexts", |reader| {
        for (key, value) in reader.named(&form, "contexts") {
            let context = reader.within(&key.value, |reader| {
                let name = reader.key_name(NameKind::Snake("a context"), key);
                context(reader, name, value)
            });
            model.contexts.push(context);
        }
    });
    model.integrations = behaviour::integrations(reader, &form);
    model.workflows = behaviour::workflows(reader, &form);
    model.events = behaviour::events(reader, &form);
    model.schedules = behaviour::schedules(reader, &form);
    model.jobs = behaviour::jobs(reader, &form);
    model.workload = workload(reader, &form);
    model.decisions = pins(reader, &form);
    model
}

fn tenancy<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Option<Tenancy> {
    let form = reader.one(root, "tenancy")?;
    reader.within("tenancy", |reader| {
        let isolation = reader.choice(&form, "isolation")?.map(|word| match word {
            "schema" => Isolation::Schema,
            "database" => Isolation::Database,
            _ => Isolation::Row,
        });
        let unnamed = || Spanned::new(TENANT_CLAIM.to_owned(), isolation.span);
        let claim = reader.name(&form, "by").unwrap_or_else(unnamed);
        Some(Tenancy { span: form.span, isolation, claim, host: reader.text(&form, "host") })
    })
}

fn goals<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Goals {
    let Some(form) = reader.one(root, "goals") else { return Goals::default() };
    reader.within("goals", |reader| {
        let mut goals = Goals { span: form.span, ..Goals::default() };
        goals.peak = reader.measure(&form, "peak");
        goals.growth = growth(reader, &form);
        goals.latency = percentiles(reader, &form, "latency");
        goals.availability = reader.share(&form, "availability");
        if let Some(recovery) = reader.one(&form, "recovery") {
            goals.rpo = reader.duration(&recovery, "rpo");
            goals.rto = reader.duration(&recovery, "rto");
        }
        goals.budget = budget(reader, &form);
        goals.tenants = tenants(reader, &form);
        goals.reads = reader.share(&form, "reads");
        goals.peak_to_mean = reader.measure(&form, "peak_to_mean");
        goals.burst = burst(reader, &form);
        goals.popularity = reader.measure(&form, "popularity");
        goals.payload = reader.measure(&form, "payload");
        goals.service_time = reader.measure(&form, "service_time");
        goals
    })
}

fn growth<'n>(reader: &mut Reader<'n>, goals: &Form<'n>) -> Option<Spanned<Growth>> {
    let form = reader.one(goals, "growth")?;
    let factor = reader.factor(&form, "factor")?;
    let over = reader.duration(&form, "in")?.value;
    Some(Spanned::new(Growth { factor, over }, form.span))
}

fn budget<'n>(reader: &mut Reader<'n>, goals: &Form<'n>) -> Option<Spanned<Budget>> {
    const MONTHS_A_YEAR: f64 = 12.0;
    let form = reader.one(goals, "budget")?;
    let amount = reader.amount(&form, "amount");
    let per = reader.choice(&form, "per")?;
    let (amount, currency) = amount?;
    let amount = if per.value == "year" { amount / MONTHS_A_YEAR } else { amount };
    Some(Spanned::new(Budget { amount, currency }, form.span))
}

fn tenants<'n>(reader: &mut Reader<'n>, goals: &Form<'n>) -> Option<Spanned<Tenants>> {
    let form = reader.one(goals, "tenants")?;
    let largest = reader.share(&form, "largest").map(|share| share.value);
    let count = reader.measure(&form, "count")?.value;
    Some(Spanned::new(Tenants { count, largest }, form.span))
}

fn burst<'n>(reader: &mut Reader<'n>, goals: &Form<'n>) -> Option<Spanned<Burst>> {
    let form = reader.one(goals, "burst")?;
    let factor = reader.factor(&form, "factor")?;
    let length = reader.duration(&form, "for")?.value;
    Some(Spanned::new(Burst { factor, length }, form.span))
}

/// Percentiles and their bounds below a key.
fn percentiles<'n>(
    reader: &mut Reader<'n>,
    form: &Form<'n>,
    key: &'static str,
) -> Vec<(Spanned<f64>, Spanned<f64>)> {
    let named = reader.named(form, key);
    named
        .into_iter()
        .filter_map(|(name, value)| {
            let percentile = reader.key_name(NameKind::Percentile, name);
            let bound = reader.within(&name.value, |reader| reader.duration_of(value))?;
            let number = names::percentile(&percentile.value)?;
            Some((percentile.map(|_| number), bound))
        })
        .collect()
}

/// Percentiles beside the keys of a construct (`expects`, a workflow's `goal`).
pub(super) fn other_percentiles<'n>(
    reader: &mut Reader<'n>,
    form: &Form<'n>,
) -> Vec<(Spanned<f64>, Spanned<f64>)> {
    let mut read = Vec::new();
    for (key, value) in &form.others {
        let Some(number) = names::percentile(&key.value) else {
            if key.value.starts_with('p')
                && key.value[1..].starts_with(|c: char| c.is_ascii_digit())
            {
                let what = "a percentile";
                reader.fault(bad_quantity::at(key.span, &key.value, what, "p95"));
            } else {
                reader.unknown_key(form.construct, key);
            }
            continue;
        };
        let bound = reader.within(&key.value, |reader| reader.duration_of(*value));
        read.extend(bound.map(|bound| (Spanned::new(number, key.span), bound)));
    }
    read
}

fn constraints<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Constraints {
    let Some(form) = reader.one(root, "constraints") else { return Constraints::default() };
    reader.within("constraints", |reader| Constraints {
        span: form.span,
        team: reader.people(&form, "team"),
        compliance: reader.names(&form, "compliance"),
        prefer: technologies(reader, &form, "prefer"),
        forbid: technologies(reader, &form, "forbid"),
        residency: reader.names(&form, "residency"),
    })
}

fn technologies<'n>(
    reader: &mut Reader<'n>,
    form: &Form<'n>,
    key: &'static str,
) -> Vec<(Name, Name)> {
    let mut read = Vec::new();
    for (subject, value) in reader.named(form, key) {
        let names = reader.within(&subject.value, |reader| reader.names_of(NameKind::Word, value));
        let subject = reader.key_name(NameKind::Word, subject);
        read.extend(names.into_iter().map(|name| (subject.clone(), name)));
    }
    read
}

fn context<'n>(reader: &mut Reader<'n>, name: Name, value: Value<'n>) -> Context {
    let form = reader.open(&CONTEXT, value);
    Context {
        name,
        about: reader.text(&form, "about"),
        resources: resource::resources(reader, &form),
        views: behaviour::views(reader, &form),
        reacts: reader.within("reacts", |reader| {
            let mut reactions = Vec::new();
            for (key, value) in reader.named(&form, "reacts") {
                let event = reader.key_name(NameKind::Heard, key);
                reader.within(&key.value, |reader| {
                    for value in several(value) {
                        let form = reader.open(&REACTION, value);
                        reactions.extend(behaviour::reaction(reader, event.clone(), &form));
                    }
                });
            }
            reactions
        }),
        was: reader.name(&form, "was"),
    }
}

/// A value, or the values of a list.
fn several(value: Value<'_>) -> Vec<Value<'_>> {
    use crate::requirements::form::ValueKind;
    match value.kind {
        ValueKind::List(list) => list.items.iter().map(Value::from).collect(),
        ValueKind::Text { .. } | ValueKind::Map(_) | ValueKind::Absent | ValueKind::Refused => {
            vec![value]
        }
    }
}

fn workload<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Vec<Journey> {
    let mut journeys = Vec::new();
    for (key, value) in reader.named(root, "workload") {
        let journey = reader.within(&key.value, |reader| {
            let name = reader.key_name(NameKind::Snake("a journey"), key);
            let form = reader.open(&JOURNEY, value);
            let share = reader.share(&form, "share");
            let actor = form.value("as");
            let actor =
                actor.and_then(|value| reader.within("as", |reader| access::grant(reader, value)));
            let steps = reader.within("steps", |reader| {
                let steps = reader.items(&form, "steps", false);
                steps.into_iter().filter_map(|step| journey_step(reader, step)).collect()
            });
            share.map(|share| Journey { name, share, actor, steps })
        });
        journeys.extend(journey);
    }
    journeys
}

fn journey_step<'n>(reader: &mut Reader<'n>, value: Value<'n>) -> Option<JourneyStep> {
    let form = reader.open(&JOURNEY_STEP, value);
    let condition = reader.expression(&form, "where");
    let (sort, limit) = (reader.text(&form, "sort"), reader.whole(&form, "limit"));
    let what = reader.scalar(&form, "do")?;
    let mut wrong = |message: &str| {
        reader.fault(bad_step::at(what.span(), what.text, message));
        None
    };
    let is_resource = |text: &str| text.starts_with(|c: char| c.is_ascii_uppercase());
    let (verb, resource) = match what.split_once(" ") {
        Some((verb, resource)) => {
            let known = match verb.text {
                "list" => Verb::List,
                "get" => Verb::Get,
                "create" => Verb::Create,
                "update" => Verb::Update,
                "delete" => Verb::Delete,
                "open" => Verb::Open,
                _ => return wrong("the first word is no request"),
            };
            if !is_resource(resource.text) || resource.text.contains([' ', '.']) {
                return wrong("a resource or view follows the verb");
            }
            (known, resource.name())
        }
        None => match what.split_once(".") {
            Some((resource, command)) if is_resource(resource.text) => {
                if command.text.is_empty() || command.text.contains('.') {
                    return wrong("a command follows the point");
                }
                (Verb::Command(command.name()), resource.name())
            }
            _ => return wrong("neither a request nor a command"),
        },
    };
    Some(JourneyStep { span: form.span, verb, resource, condition, sort, limit })
}

fn pins<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Vec<Pin> {
    let mut pins = Vec::new();
    for (key, value) in reader.named(root, "decisions") {
        let pin = reader.within(&key.value, |reader| {
            let decision = reader.key_name(NameKind::Subject, key);
            let form = reader.open(&PIN, value);
            let because = reader.text(&form, "because");
            reader.text(&form, "choose").map(|choose| Pin { decision, choose, because })
        });
        pins.extend(pin);
    }
    pins
}

/// Seconds of a period named in `per month`.
pub(super) fn period(word: &str) -> f64 {
    leaf::period(word).expect("the table lists units of time")
}
