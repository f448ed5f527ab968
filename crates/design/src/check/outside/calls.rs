//! What a step, a schedule or a reaction calls, and with what.

use super::Outside;
use crate::check::place::Place;
use crate::check::typing::assign::{assign, assign_wire};
use crate::check::typing::scope::Scope;
use crate::check::world::{part, value_type};
use crate::check::{e039_unknown_command, e040_unknown_operation, e081_inputs};
use ir::Diagnostic;
use ir::domain::{CommandId, FieldId, Kind, ResourceId};
use ir::expr::{Expr, Expression, FieldRef, Type};
use ir::model::IntegrationOperation;
use ir::source::Name;
use std::collections::BTreeSet;

/// What is called.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Callee<'m> {
    /// A command of one row.
    Command {
        resource: ResourceId,
        command: CommandId,
        /// The row is known without being told: it is the workflow's own or one referred to.
        row_known: bool,
    },
    /// An operation of an integration.
    Operation(&'m IntegrationOperation),
}

/// Finds what a name calls: `Order.pay`, `payments.charge`, `item.product.reserve`,
/// `product.reserve`.
pub(crate) fn callee<'m>(
    outside: Outside<'_, 'm>,
    name: &Name,
    row: Option<ResourceId>,
    item: Option<ResourceId>,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Callee<'m>> {
    let world = outside.world;
    let text = name.as_str();
    let Some((subject, last)) = text.rsplit_once('.') else {
        found.push(e039_unknown_command::no_subject(name, place));
        return None;
    };
    let last = part(name, text.len() - last.len(), text.len());
    let first = subject.split('.').next().unwrap_or(subject);
    if let Some(integration) = world.integrations.get(subject) {
        let operation = integration.operations.iter().find(|operation| operation.name == last);
        if operation.is_none() {
            found.push(e040_unknown_operation::fault(world, integration, &last, place));
        }
        return operation.map(Callee::Operation);
    }
    if first == "item" {
        let Some(child) = item else {
            found.push(e039_unknown_command::no_item(name, place));
            return None;
        };
        let target = follow(outside, child, subject, name, place, found)?;
        return command(outside, target, &last, true, place, found);
    }
    if let Some(row) = row
        && world.entry(row).fields.contains_key(first)
    {
        let target = follow(outside, row, &format!(".{subject}"), name, place, found)?;
        return command(outside, target, &last, true, place, found);
    }
    if first.starts_with(|letter: char| letter.is_lowercase()) && !subject.contains('.') {
        found.push(e040_unknown_operation::integration(world, name, subject, place));
        return None;
    }
    let subject = part(name, 0, subject.len());
    let target = world.resource_anywhere(&subject, place, found)?;
    command(outside, target, &last, row == Some(target), place, found)
}

/// Follows the references after the first segment of `path`.
fn follow(
    outside: Outside<'_, '_>,
    start: ResourceId,
    path: &str,
    name: &Name,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<ResourceId> {
    let world = outside.world;
    let mut at = start;
    for segment in path.split('.').skip(1) {
        let entry = world.entry(at);
        let Some(FieldRef::Field(field)) = entry.field(segment) else {
            let segment = Name::new(segment.to_owned(), name.span);
            found.push(crate::check::e035_unknown_field::fault(world, at, &segment, place));
            return None;
        };
        match entry.kinds[field.index()] {
            Some(Kind::Reference { target, .. }) => at = target,
            None => return None,
            Some(_) => {
                let span = name.span;
                found.push(crate::check::e049_not_here::no_members(segment, span, place));
                return None;
            }
        }
    }
    Some(at)
}

fn command<'m>(
    outside: Outside<'_, 'm>,
    resource: ResourceId,
    name: &Name,
    row_known: bool,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Callee<'m>> {
    let command = outside.world.entry(resource).commands.get(name.as_str()).copied();
    let Some(command) = command else {
        found.push(e039_unknown_command::fault(outside.world, resource, name, place));
        return None;
    };
    Some(Callee::Command { resource, command, row_known })
}

/// One thing that a callee takes.
struct Parameter {
    name: String,
    /// None where its own declaration is at fault.
    ty: Option<Type>,
    required: bool,
}

/// What is given to a callee.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    /// Where the call stands.
    pub(crate) call: &'a Name,
    /// Names and values.
    pub(crate) with: &'a [(Name, Expression)],
    /// The values are those of another call, so that more of them is no fault.
    pub(crate) shared: bool,
}

/// What is given, typed as its callee takes it: by name, in the order it was written.
pub(crate) type Arguments = Vec<(String, Expr)>;

/// Types what is given and tells what is missing or too much. None where something is at fault.
pub(crate) fn give(
    outside: Outside<'_, '_>,
    scope: &Scope<'_, '_>,
    callee: Callee<'_>,
    given: Given<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Arguments> {
    let parameters = parameters(outside, callee);
    let mut typed = Some(Vec::new());
    let known = || parameters.iter().map(|parameter| parameter.name.as_str());
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for (name, expression) in given.with {
        let Some(parameter) = parameters.iter().find(|p| p.name == name.value) else {
            if !given.shared {
                let place = scope.place;
                let budget = &outside.world.budget;
                found.push(e081_inputs::surplus(given.call, name, place, known(), budget));
                typed = None;
            }
            continue;
        };
        told.insert(&parameter.name);
        let value = parameter.ty.as_ref().and_then(|ty| match callee {
            Callee::Command { .. } => assign(scope, expression, ty, name.as_str(), found),
            Callee::Operation(..) => assign_wire(scope, expression, ty, name.as_str(), found),
        });
        typed = typed.zip(value).map(|(mut typed, value)| {
            typed.push((parameter.name.clone(), value));
            typed
        });
    }
    let missing = parameters.iter().filter(|p| p.required && !told.contains(p.name.as_str()));
    let missing: Vec<&str> = missing.map(|parameter| parameter.name.as_str()).collect();
    if !missing.is_empty() {
        found.push(e081_inputs::missing(given.call, &missing, scope.place));
        return None;
    }
    typed
}

/// The arguments of a command: which row, where that is told, and the inputs by their index.
pub(super) fn inputs(
    outside: Outside<'_, '_>,
    (resource, command): (ResourceId, CommandId),
    arguments: Arguments,
) -> (Option<Expr>, Vec<(usize, Expr)>) {
    let input = &outside.domain.resource(resource).commands[command.index()].input;
    let (mut id, mut inputs) = (None, Vec::new());
    for (name, value) in arguments {
        match input.iter().position(|field| field.name == name) {
            Some(at) => inputs.push((at, value)),
            None => id = Some(value),
        }
    }
    (id, inputs)
}

/// The references of a row that a callee's name follows: `product` of `product.reserve`; none where
/// it begins with a resource.
pub(super) fn path(outside: Outside<'_, '_>, row: ResourceId, name: &Name) -> Vec<FieldId> {
    let (mut at, mut path) = (row, Vec::new());
    let Some((subject, _)) = name.as_str().rsplit_once('.') else { return path };
    for segment in subject.split('.') {
        let entry = outside.world.entry(at);
        let Some(field) = entry.fields.get(segment).copied() else { return Vec::new() };
        let Some(Kind::Reference { target, .. }) = entry.kinds[field.index()] else {
            return Vec::new();
        };
        path.push(field);
        at = target;
    }
    path
}

fn parameters(outside: Outside<'_, '_>, callee: Callee<'_>) -> Vec<Parameter> {
    match callee {
        Callee::Command { resource, command, row_known } => {
            let command = &outside.domain.resource(resource).commands[command.index()];
            let inputs = command.input.iter().map(|field| Parameter {
                name: field.name.clone(),
                ty: Some(value_type(&field.declared, &field.kind)),
                required: !field.optional && field.source == ir::domain::Source::Client,
            });
            let id = (!row_known).then(|| Parameter {
                name: "id".to_owned(),
                ty: Some(Type::Reference(resource)),
                required: true,
            });
            id.into_iter().chain(inputs).collect()
        }
        Callee::Operation(operation) => {
            let body = operation.body.iter().map(|field| Parameter {
                name: field.name.value.clone(),
                ty: super::views::wire_type(outside.world, field),
                required: field.optional.is_none() && field.expression.is_none(),
            });
            let path = path_segments(operation.path.as_str());
            let path = path.filter(|name| !operation.body.iter().any(|field| field.name == **name));
            let path = path.map(|name| Parameter {
                name: name.to_owned(),
                ty: Some(Type::Text),
                required: true,
            });
            body.chain(path).collect()
        }
    }
}

/// Names in `{…}` of a path.
pub(crate) fn path_segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name)
}
