//! State machines: the transitions that commands make.

use super::{label, words};
use ir::architecture::Architecture;
use ir::domain::{Command, Domain, FieldId, Kind, ResourceId};
use std::fmt::Write as _;

/// Every state field of every root, in order.
pub fn with_states(domain: &Domain) -> Vec<(ResourceId, FieldId)> {
    let mut found = Vec::new();
    for (id, resource) in domain.roots() {
        let states = resource.fields().filter(|(_, field)| field.state);
        found.extend(states.map(|(field, _)| (id, field)));
    }
    found
}

/// The machine of one state field; empty for a field that is none.
pub fn states(architecture: &Architecture, id: ResourceId, field_id: FieldId) -> String {
    let resource = architecture.domain.resource(id);
    let Kind::Enum(values) = &resource.field(field_id).kind else { return String::new() };
    let mut out = String::from("stateDiagram-v2\n");
    for (at, value) in values.iter().enumerate() {
        let _ = writeln!(out, "  state {} as s{at}", label(value));
    }
    if !values.is_empty() {
        out.push_str("  [*] --> s0\n");
    }
    let mut leaves = vec![false; values.len()];
    for command in &resource.commands {
        for transition in command.transitions.iter().filter(|one| one.field == field_id) {
            let at = |name: &String| values.iter().position(|value| value == name);
            let Some(to) = at(&transition.to) else { continue };
            for from in transition.from.iter().filter_map(at) {
                leaves[from] = true;
                let _ = writeln!(out, "  s{from} --> s{to} : {}", caption(command));
            }
        }
    }
    for (at, _) in leaves.iter().enumerate().filter(|(_, leaves)| !**leaves) {
        let _ = writeln!(out, "  s{at} --> [*]");
    }
    out
}

/// `cancel (shopper, staff.manager, system)`
fn caption(command: &Command) -> String {
    let callers: Vec<&str> =
        command.by.iter().filter_map(|grant| grant.text.split_whitespace().next()).collect();
    words(&format!("{} ({})", command.name, callers.join(", ")))
}
