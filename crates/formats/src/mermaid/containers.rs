//! Who and what the system has to do with, and what it consists of.

use super::label;
use ir::architecture::{Architecture, Service};
use ir::model::{Effect, Integration, Proof};
use std::fmt::Write as _;

/// The system between its actors and the systems outside.
pub fn context(architecture: &Architecture) -> String {
    let (domain, model) = (&architecture.domain, &architecture.model);
    let mut out = String::from("flowchart LR\n");
    let _ = writeln!(out, "  system[{}]", label(&domain.title));
    for (at, actor) in domain.actors.iter().enumerate() {
        let _ = writeln!(out, "  actor{at}([{}])", label(&actor.name));
        let by = match actor.proof {
            Proof::Oidc => "REST, token of the OpenID provider",
            Proof::ApiKey => "REST, API key",
        };
        let _ = writeln!(out, "  actor{at} -->|{}| system", label(by));
        let told: Vec<&str> = model
            .events
            .iter()
            .filter(|event| event.webhook.iter().any(|name| *name == actor.name.as_str()))
            .map(|event| event.name.as_str())
            .collect();
        if !told.is_empty() {
            let text = format!("webhooks: {}", told.join(", "));
            let _ = writeln!(out, "  system -.->|{}| actor{at}", label(&text));
        }
    }
    if architecture.contract.operations.iter().any(|operation| operation.anonymous) {
        out.push_str("  anyone([\"anyone\"]) -->|\"REST, without token\"| system\n");
    }
    if domain.actors.iter().any(|actor| actor.proof == Proof::Oidc) {
        out.push_str("  system -->|\"keys (JWKS)\"| provider[[\"OpenID provider\"]]\n");
    }
    for (at, integration) in model.integrations.iter().enumerate() {
        let operations = operations_of(integration);
        let _ = writeln!(
            out,
            "  system -->|{}| outside{at}[[{}]]",
            label(&operations),
            label(integration.name.as_str())
        );
    }
    out
}

fn operations_of(integration: &Integration) -> String {
    let names: Vec<&str> =
        integration.operations.iter().map(|operation| operation.name.as_str()).collect();
    if names.is_empty() { "calls".to_owned() } else { names.join(", ") }
}

/// Deployable units with their contexts and stores, and what passes between them.
pub fn containers(architecture: &Architecture) -> String {
    let (domain, model) = (&architecture.domain, &architecture.model);
    let mut out = String::from("flowchart TB\n  clients([\"clients\"])\n");
    for (at, service) in architecture.services.iter().enumerate() {
        let _ = writeln!(out, "  subgraph service{at} [{}]", label(&service.name));
        for (number, context) in domain.contexts.iter().enumerate() {
            if service.contexts.contains(&context.name) {
                let resources: Vec<&str> = domain
                    .roots()
                    .filter(|(_, resource)| resource.context.index() == number)
                    .map(|(_, resource)| resource.name.as_str())
                    .collect();
                let text = format!("{}: {}", context.name, resources.join(", "));
                let _ = writeln!(out, "    context{number}[{}]", label(&text));
            }
        }
        out.push_str("  end\n");
        let _ = writeln!(out, "  store{at}[({})]", label(&store(architecture, service)));
        let _ = writeln!(out, "  clients -->|\"HTTPS\"| service{at}");
        let _ = writeln!(out, "  service{at} -->|\"rows, outbox, idempotency\"| store{at}");
    }
    for (from, service) in architecture.services.iter().enumerate() {
        for call in &service.calls {
            if let Some(to) = architecture.services.iter().position(|other| other.name == *call) {
                let _ = writeln!(out, "  service{from} -->|\"calls\"| service{to}");
            } else if let Some(to) =
                model.integrations.iter().position(|other| other.name == call.as_str())
            {
                let integration = &model.integrations[to];
                let _ = writeln!(
                    out,
                    "  service{from} -->|{}| outside{to}[[{}]]",
                    label(&operations_of(integration)),
                    label(integration.name.as_str())
                );
            }
        }
    }
    for (from, to, event) in channels(architecture) {
        let _ = writeln!(out, "  context{from} -.->|{}| context{to}", label(&event));
    }
    out
}

fn store(architecture: &Architecture, service: &Service) -> String {
    let mut decisions = architecture.decisions.iter();
    let chosen = decisions.find(|decision| decision.name == "database");
    match chosen {
        Some(decision) => format!("{}: {}", service.name, decision.choice),
        None => format!("store of {}", service.name),
    }
}

/// Events that one context publishes and another reacts to or keeps a view of: indices of the
/// contexts, and the event.
pub(crate) fn channels(architecture: &Architecture) -> Vec<(usize, usize, String)> {
    let (domain, model) = (&architecture.domain, &architecture.model);
    let publisher = |event: &str| {
        domain.resources.iter().find(|resource| {
            let by_command =
                resource.commands.iter().any(|command| command.emits.iter().any(|e| e == event));
            by_command || resource.emits.iter().any(|(_, name)| name == event)
        })
    };
    let mut channels = Vec::new();
    for (to, context) in model.contexts.iter().enumerate() {
        let reacts = context.reacts.iter().map(|reaction| reaction.event.as_str());
        let views = context.views.iter().flat_map(|view| &view.from).map(|name| name.as_str());
        for event in reacts.chain(views) {
            if let Some(resource) = publisher(event) {
                let entry = (resource.context.index(), to, event.to_owned());
                if entry.0 != to && !channels.contains(&entry) {
                    channels.push(entry);
                }
            }
        }
    }
    channels
}

/// The resource or operation that a reaction touches, for the document.
pub(crate) fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Create(name) => format!("creates {name}"),
        Effect::Update(name) => format!("changes {name}"),
        Effect::Do(name) => format!("does `{name}`"),
    }
}
