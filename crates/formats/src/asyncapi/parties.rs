//! Who emits an event and who acts on it.

use crate::document::page::{coded, listed};
use crate::event_schema::in_version;
use ir::architecture::Architecture;
use ir::domain::{Change, ContextId, Domain, Effect, Event, EventId, Reaction};
use ir::quantity::{Unit, print};

/// One way in which an event comes about.
pub(super) struct Emission {
    /// Where.
    pub(super) context: ContextId,
    /// ``the command `Order.pay` ``
    pub(super) by: String,
}

/// Every way in which an event comes about, in order.
pub(super) fn emissions(domain: &Domain, event: &Event) -> Vec<Emission> {
    let mut found = Vec::new();
    for resource in event.emitters.iter().map(|id| domain.resource(*id)) {
        let context = resource.context;
        let name = &resource.name;
        for command in resource.commands.iter().filter(|one| one.emits.contains(&event.name)) {
            let by = format!("the command `{name}.{}`", command.name);
            found.push(Emission { context, by });
        }
        for (change, _) in resource.emits.iter().filter(|(_, emitted)| *emitted == event.name) {
            let change = match change {
                Change::Created => "creation",
                Change::Updated => "change",
                Change::Deleted => "deletion",
            };
            found.push(Emission { context, by: format!("the {change} of `{name}`") });
        }
    }
    found
}

/// Who acts on an event.
pub(super) struct Consumer {
    /// Where.
    pub(super) context: ContextId,
    /// `notifications`, or `ordering.SalesByDay` for a view.
    pub(super) name: String,
    /// It is a view.
    pub(super) view: bool,
    /// What it does, a phrase each.
    pub(super) does: Vec<String>,
}

/// Who acts on an event: contexts that react, then views.
pub(super) fn consumers(domain: &Domain, event: EventId) -> Vec<Consumer> {
    let mut found: Vec<Consumer> = Vec::new();
    for reaction in domain.reactions.iter().filter(|reaction| reaction.event == event) {
        let does = done(domain, reaction);
        let known = found.iter_mut().find(|consumer| consumer.context == reaction.context);
        match known {
            Some(consumer) => consumer.does.push(does),
            None => found.push(Consumer {
                context: reaction.context,
                name: domain.contexts[reaction.context.index()].name.clone(),
                view: false,
                does: vec![does],
            }),
        }
    }
    for (at, view) in domain.views.iter().enumerate() {
        if view.from.contains(&event) {
            found.push(Consumer {
                context: view.rows.context,
                name: domain.full_name(domain.view_rows(at)),
                view: true,
                does: vec!["keeps the view up to date".to_owned()],
            });
        }
    }
    found
}

fn done(domain: &Domain, reaction: &Reaction) -> String {
    let does = match &reaction.effect {
        Effect::Create { resource, .. } => format!("creates `{}`", domain.full_name(*resource)),
        Effect::Update { resource, .. } => format!("changes `{}`", domain.full_name(*resource)),
        Effect::Command { resource, command, .. } => {
            let command = &domain.resource(*resource).commands[command.index()].name;
            format!("does `{}.{command}`", domain.full_name(*resource))
        }
        Effect::Operation(call) => format!("calls `{}`", domain.remote_name(call.of)),
    };
    match reaction.when {
        Some(_) => format!("{does} where its condition holds"),
        None => does,
    }
}

/// Who emits an event, in which order, how often, how long it is kept and who hears of it.
pub(super) fn description(architecture: &Architecture, id: EventId, event: &Event) -> String {
    let domain = &architecture.domain;
    let by: Vec<String> = emissions(domain, event).into_iter().map(|one| one.by).collect();
    let rows: Vec<&str> =
        event.emitters.iter().map(|id| domain.resource(*id).name.as_str()).collect();
    let mut text = format!(
        "Emitted by {}, in the transaction of the change. Events of one {} (`partitionkey`) come \
         in order; each is delivered at least once and takes effect once, by its `id`.",
        listed(&by),
        rows.join(" or "),
    );
    let replayed = domain.views.iter().any(|view| view.from.contains(&id));
    text.push_str(&match replayed {
        true => " Kept for good, for a view is made of them.".to_owned(),
        false => {
            let seconds = architecture.settings.event_seconds;
            format!(" Kept for {}.", print(seconds, &Unit::Seconds))
        }
    });
    let heard: Vec<String> = consumers(domain, id)
        .iter()
        .map(|consumer| match consumer.view {
            true => format!("the view `{}`", consumer.name),
            false => format!("`{}` ({})", consumer.name, listed(&consumer.does)),
        })
        .collect();
    if !heard.is_empty() {
        text.push_str(&format!(" Received by {}.", listed(&heard)));
    }
    let older: Vec<String> =
        event.older().map(|(version, _)| in_version(event, version).wire_type()).collect();
    if !older.is_empty() {
        let older = listed(&coded(older.iter().map(String::as_str)));
        text.push_str(&format!(" What logs hold of {older} is read as this."));
    }
    if !event.webhook.is_empty() {
        let actors = event.webhook.iter().map(|id| domain.actor(*id).name.as_str());
        let actors = listed(&coded(actors));
        text.push_str(&format!(" Webhooks for it may be registered by {actors}."));
    }
    text
}
