//! The state machines of the resources: what leads where, and by which command.

use super::logic::Facts;
use super::resolve::Resolved;
use ir::domain::{Command, CommandId, FieldId, Kind, ResourceId};
use ir::expr::FieldRef;
use std::collections::{BTreeMap, BTreeSet};

/// One state field and its transitions.
#[derive(Debug)]
pub(crate) struct Machine<'d> {
    pub(crate) field: FieldId,
    /// In order; the first is where a row begins.
    pub(crate) states: &'d [String],
    /// By the state they begin at: target, command, and whether it can be taken there at all.
    pub(crate) exits: BTreeMap<&'d str, Vec<Exit<'d>>>,
}

/// One way out of a state.
#[derive(Debug)]
pub(crate) struct Exit<'d> {
    pub(crate) to: &'d str,
    pub(crate) command: &'d str,
    /// Somebody may call the command, and its guards can hold in this state.
    pub(crate) open: bool,
    /// That it is closed is told of the command already.
    pub(crate) told: bool,
}

/// The machines of a resource; none where a transition is at fault.
pub(crate) fn machines<'d>(resolved: &'d Resolved<'_>, id: ResourceId) -> Vec<Machine<'d>> {
    let resource = resolved.domain.resource(id);
    let asked = resolved.world.entry(id).model.commands.iter();
    let faulty = asked
        .zip(&resource.commands)
        .any(|(asked, command)| asked.transitions.len() != command.transitions.len());
    if faulty {
        return Vec::new();
    }
    let mut machines = Vec::new();
    for (field, declared) in resource.fields() {
        let (true, Kind::Enum(states)) = (declared.state, &declared.kind) else { continue };
        let mut exits: BTreeMap<&str, Vec<Exit<'_>>> = BTreeMap::new();
        for (at, command) in resource.commands.iter().enumerate() {
            let (guarded, allowed) = passable(Facts::of(resource), field, command, None);
            let hopeless = !guarded || !allowed;
            let callable = !command.by.is_empty()
                && (!command.internal || resolved.is_called(id, CommandId::of(at)));
            for transition in command.transitions.iter().filter(|t| t.field == field) {
                for from in &transition.from {
                    let facts = Facts::of(resource);
                    let (guarded, allowed) = passable(facts, field, command, Some(from));
                    let open = callable && guarded && allowed;
                    let told = !callable || hopeless;
                    let (to, command) = (transition.to.as_str(), command.name.as_str());
                    let exit = Exit { to, command, open, told };
                    exits.entry(from).or_default().push(exit);
                }
            }
        }
        machines.push(Machine { field, states, exits });
    }
    machines
}

/// Can the guards hold, and some rule of a caller, from one state or from any that the command
/// begins at?
fn passable(
    facts: Facts<'_>,
    field: FieldId,
    command: &Command,
    from: Option<&String>,
) -> (bool, bool) {
    let transition = command.transitions.iter().find(|transition| transition.field == field);
    let states = match (from, transition) {
        (Some(from), _) => std::slice::from_ref(from),
        (None, Some(transition)) => transition.from.as_slice(),
        (None, None) => return (true, true),
    };
    let mut facts = facts.with(FieldRef::Field(field), states);
    let guarded = command.require.iter().all(|(_, guard)| facts.assume(guard, true));
    let mut by = command.by.iter();
    let allowed = by.any(|grant| grant.when.as_ref().is_none_or(|when| !facts.never(when)));
    (guarded, allowed)
}

impl<'d> Machine<'d> {
    /// The states that some path of transitions leads to, from `start`.
    pub(crate) fn reachable(&self, start: &'d str) -> BTreeSet<&'d str> {
        let mut reached = BTreeSet::from([start]);
        let mut next = vec![start];
        while let Some(state) = next.pop() {
            for exit in self.exits.get(state).into_iter().flatten() {
                if reached.insert(exit.to) {
                    next.push(exit.to);
                }
            }
        }
        reached
    }

    /// The states that nothing leads out of.
    pub(crate) fn ends(&self) -> impl Iterator<Item = &'d str> + '_ {
        let states = self.states.iter().map(String::as_str);
        states.filter(|state| !self.exits.contains_key(state))
    }
}
