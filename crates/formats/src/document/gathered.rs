//! What the model says, by kind, and what it leaves open.

use super::assessment;
use super::page::{Page, capital, coded, listed};
use ir::architecture::Architecture;
use ir::domain::{Receiver, Resource};
use ir::model::{Goals, Integration, Model, Rows, Scheme};
use ir::quantity::{Measure, Unit, number, print};

pub(super) fn write(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Context gathered");
    functional(page, architecture);
    page.heading(3, "Non-functional");
    let goals = goals(&architecture.model.goals);
    if goals.is_empty() {
        page.text("The model sets no goal; every bound below is an assumption.");
    }
    page.table(&["Goal", "Value"], goals);
    integrations(page, &architecture.model);
    received(page, architecture);
    data(page, architecture);
    constraints(page, &architecture.model);
    missing(page, architecture);
}

fn functional(page: &mut Page, architecture: &Architecture) {
    let domain = &architecture.domain;
    page.heading(3, "Functional");
    let row = |resource: &Resource| {
        let context = &domain.contexts[resource.context.index()];
        let commands: Vec<&str> =
            resource.commands.iter().map(|command| command.name.as_str()).collect();
        let children: Vec<String> =
            resource.children().map(|(_, child)| domain.resource(child).name.clone()).collect();
        let about = if resource.about.is_empty() { &context.about } else { &resource.about };
        vec![
            format!("{}.{}", context.name, resource.name),
            about.clone(),
            listed(&children),
            listed(&coded(commands)),
        ]
    };
    let rows = domain.roots().map(|(_, resource)| row(resource));
    page.table(&["Aggregate", "About", "Owns", "Commands"], rows);
    let journeys = &architecture.model.workload;
    let row = |journey: &ir::model::Journey| {
        let actor = journey.actor.as_ref().map(|grant| grant.text.clone()).unwrap_or_default();
        let steps: Vec<String> = journey.steps.iter().map(step).collect();
        let share = print(journey.share.value, &Unit::Share);
        vec![journey.name.value.clone(), share, actor, steps.join(" → ")]
    };
    page.table(&["Journey", "Share", "As", "Steps"], journeys.iter().map(row));
}

fn step(step: &ir::model::JourneyStep) -> String {
    use ir::model::Verb;
    let resource = &step.resource;
    let verb = match &step.verb {
        Verb::List => format!("list {resource}"),
        Verb::Get => format!("get {resource}"),
        Verb::Create => format!("create {resource}"),
        Verb::Update => format!("update {resource}"),
        Verb::Delete => format!("delete {resource}"),
        Verb::Command(name) => format!("{resource}.{name}"),
        Verb::Open => format!("open {resource}"),
    };
    match &step.condition {
        Some(condition) => format!("{verb} where {}", condition.text),
        None => verb,
    }
}

fn measure(measure: Measure, unit: &Unit) -> String {
    match measure.high {
        Some(high) => format!("{} to {}", print(measure.low, unit), print(high, unit)),
        None => print(measure.low, unit),
    }
}

fn percentiles(latency: &[(ir::Spanned<f64>, ir::Spanned<f64>)]) -> String {
    let each = latency.iter().map(|(percentile, bound)| {
        format!("p{} {}", number(percentile.value), print(bound.value, &Unit::Seconds))
    });
    each.collect::<Vec<_>>().join(", ")
}

fn goals(goals: &Goals) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            rows.push(vec![name.to_owned(), value]);
        }
    };
    let seconds = |value: &ir::Spanned<f64>| print(value.value, &Unit::Seconds);
    row("peak", goals.peak.as_ref().map(|peak| measure(peak.value, &Unit::PerSecond)));
    row(
        "growth",
        goals.growth.as_ref().map(|growth| {
            let over = print(growth.value.over, &Unit::Seconds);
            format!("{}x in {over}", number(growth.value.factor))
        }),
    );
    row("latency", (!goals.latency.is_empty()).then(|| percentiles(&goals.latency)));
    row("availability", goals.availability.as_ref().map(|one| print(one.value, &Unit::Share)));
    row("recovery, work that may be lost", goals.rpo.as_ref().map(seconds));
    row("recovery, time to come back", goals.rto.as_ref().map(seconds));
    row(
        "budget",
        goals.budget.as_ref().map(|budget| {
            print(budget.value.amount, &Unit::PerMonth(budget.value.currency.clone()))
        }),
    );
    row(
        "tenants",
        goals.tenants.as_ref().map(|tenants| {
            let count = measure(tenants.value.count, &Unit::One);
            match tenants.value.largest {
                Some(share) => format!("{count}, the largest {}", print(share, &Unit::Share)),
                None => count,
            }
        }),
    );
    row("reads", goals.reads.as_ref().map(|reads| print(reads.value, &Unit::Share)));
    row("peak to mean", goals.peak_to_mean.as_ref().map(|one| measure(one.value, &Unit::One)));
    row(
        "burst",
        goals.burst.as_ref().map(|burst| {
            let length = print(burst.value.length, &Unit::Seconds);
            format!("{}x for {length}", number(burst.value.factor))
        }),
    );
    row(
        "popularity of keys (Zipf)",
        goals.popularity.as_ref().map(|one| measure(one.value, &Unit::One)),
    );
    row("payload", goals.payload.as_ref().map(|one| measure(one.value, &Unit::Bytes)));
    row("service time", goals.service_time.as_ref().map(|one| measure(one.value, &Unit::Seconds)));
    rows
}

fn integrations(page: &mut Page, model: &Model) {
    page.heading(3, "Integration");
    if model.integrations.is_empty() {
        page.text(format!("`{}` calls no system outside.", model.system));
        return;
    }
    let row = |one: &Integration| {
        let operations: Vec<String> = one
            .operations
            .iter()
            .map(|operation| {
                let method = operation.method.value.to_uppercase();
                let mut text = format!("`{}` {method} {}", operation.name, operation.path);
                if operation.idempotent.is_some() {
                    text.push_str(", idempotent");
                }
                if operation.lookup.is_some() {
                    text.push_str(", can be looked up");
                }
                for (status, name) in &operation.refuses {
                    text.push_str(&format!(", {} means {name}", status.value));
                }
                text
            })
            .collect();
        let there = one.availability.as_ref().map(|share| print(share.value, &Unit::Share));
        let limit = one.limit.as_ref().map(|limit| print(limit.value, &Unit::PerSecond));
        vec![
            one.name.value.clone(),
            operations.join("; "),
            percentiles(&one.latency),
            there.unwrap_or_default(),
            limit.unwrap_or_default(),
        ]
    };
    let head = ["System", "Operations", "Answers in", "Is there", "Takes"];
    page.table(&head, model.integrations.iter().map(row));
}

/// Webhooks that systems outside send.
fn received(page: &mut Page, architecture: &Architecture) {
    let domain = &architecture.domain;
    if domain.receivers.is_empty() {
        return;
    }
    let proof = |scheme| match scheme {
        Scheme::Standard => "Standard Webhooks",
        Scheme::Stripe => "`Stripe-Signature`",
        Scheme::GitHub => "`X-Hub-Signature-256`",
        Scheme::Rfc9421 => "HTTP Message Signatures (RFC 9421)",
    };
    let row = |(at, receiver): (usize, &Receiver)| {
        let events = domain.events.iter().filter_map(|event| event.inbound.as_ref());
        let events = events.filter(|inbound| inbound.receiver == at);
        let names = coded(events.map(|inbound| inbound.sent_as.as_str()));
        vec![
            receiver.name.clone(),
            format!("`POST {}`", receiver.path()),
            proof(receiver.scheme).to_owned(),
            match receiver.scheme {
                Scheme::GitHub => "not signed".to_owned(),
                _ => print(receiver.tolerance_seconds, &Unit::Seconds),
            },
            domain.contexts[receiver.context.index()].name.clone(),
            listed(&names),
        ]
    };
    page.text(
        "Webhooks that come in are proved before they are read, and answered once they are on \
         disk; each id of a sender has its effect once.",
    );
    let head = ["System", "Delivers to", "Proof", "Its time may differ by", "Kept in", "Events"];
    page.table(&head, domain.receivers.iter().enumerate().map(row));
}

fn data(page: &mut Page, architecture: &Architecture) {
    page.heading(3, "Data");
    let model = &architecture.model;
    let mut rows = Vec::new();
    for (id, resource) in architecture.domain.resources() {
        let personal: Vec<&str> = resource
            .fields
            .iter()
            .filter(|field| field.personal)
            .map(|field| field.name.as_str())
            .collect();
        let asked = model
            .contexts
            .iter()
            .flat_map(|context| &context.resources)
            .find(|asked| asked.name == resource.name.as_str());
        let volume = asked.and_then(|asked| asked.rows.as_ref());
        if volume.is_none() && personal.is_empty() && resource.owner.is_some() {
            continue;
        }
        rows.push(vec![
            architecture.domain.full_name(id),
            volume.map(volume_text).unwrap_or_else(|| "not said".to_owned()),
            volume.map(kept).unwrap_or_default(),
            listed(&coded(personal)),
        ]);
    }
    page.table(&["Resource", "Rows", "Kept", "Personal fields"], rows);
}

fn volume_text(rows: &Rows) -> String {
    let mut text = measure(rows.count, &Unit::One);
    if rows.per_tenant {
        text.push_str(" a tenant");
    }
    if let Some(per) = rows.per {
        text.push_str(&format!(" {}", period(per)));
    }
    text
}

/// `a month`; the years and months of the model are mean ones.
fn period(seconds: f64) -> String {
    let known = [
        (3_600.0, "an hour"),
        (86_400.0, "a day"),
        (604_800.0, "a week"),
        (2_629_800.0, "a month"),
        (31_557_600.0, "a year"),
    ];
    let near = |(length, _): &&(f64, &str)| ((seconds - length) / length).abs() < 0.02;
    match known.iter().find(near) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("every {}", print(seconds, &Unit::Seconds)),
    }
}

fn kept(rows: &Rows) -> String {
    match (rows.keep, rows.then_erase_personal) {
        (Some(keep), true) => {
            format!("{}, then personal fields go", print(keep, &Unit::Seconds))
        }
        (Some(keep), false) => format!("{}, then deleted", print(keep, &Unit::Seconds)),
        (None, _) => "without end".to_owned(),
    }
}

fn constraints(page: &mut Page, model: &Model) {
    let constraints = &model.constraints;
    let mut rows = Vec::new();
    if let Some(team) = &constraints.team {
        rows.push(vec!["team".to_owned(), format!("{} engineers", team.value)]);
    }
    let names = |names: &[ir::Name]| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        listed(&names)
    };
    if !constraints.compliance.is_empty() {
        rows.push(vec!["compliance".to_owned(), names(&constraints.compliance)]);
    }
    if !constraints.residency.is_empty() {
        rows.push(vec!["residency".to_owned(), names(&constraints.residency)]);
    }
    for (subject, wish) in &constraints.prefer {
        rows.push(vec![format!("prefer, {subject}"), wish.value.clone()]);
    }
    for (subject, ban) in &constraints.forbid {
        rows.push(vec![format!("forbid, {subject}"), ban.value.clone()]);
    }
    for pin in &model.decisions {
        let because = pin.because.as_ref().map(|text| format!(" ({})", text.value));
        let text = format!("{}{}", pin.choose.value, because.unwrap_or_default());
        rows.push(vec![format!("pinned, {}", pin.decision), text]);
    }
    page.heading(3, "Constraints");
    if rows.is_empty() {
        page.text(format!("The model of `{}` rules nothing out.", model.system));
    }
    page.table(&["Constraint", "Value"], rows);
}

fn missing(page: &mut Page, architecture: &Architecture) {
    page.heading(3, "What is missing, and what is assumed");
    if architecture.assumptions.is_empty() {
        page.text("Nothing that a number of this design rests on was left open.");
        return;
    }
    let row = |one: &ir::decision::Assumption| {
        let mut row = assessment::row(one);
        row.insert(2, capital(&one.because));
        row
    };
    let head = ["Say it as", "Assumed", "Because", "Moves cost", "Moves p95", "Flips"];
    page.table(&head, architecture.assumptions.iter().map(row));
}
