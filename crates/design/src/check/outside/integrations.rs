//! Systems outside that are called, as the domain holds them.

use super::calls::path_segments;
use super::views::wire_type;
use crate::check::place::Place;
use crate::check::typing::assign::assign_wire;
use crate::check::typing::scope::{Scope, Use};
use crate::check::world::World;
use ir::Diagnostic;
use ir::domain::{
    Domain, Integration, Lookup, Parameter, RemoteCall, RemoteId, RemoteOperation, Repeatable,
    Returned,
};
use ir::expr::{Expr, Type};
use ir::model;
use ir::source::Name;

/// Those of the model, in its order. What has no type is a fault told elsewhere, and left out.
pub(crate) fn integrations(world: &World<'_>, found: &mut Vec<Diagnostic>) -> Vec<Integration> {
    let one = |of: &model::Integration| {
        let operations = of.operations.iter().map(|one| operation(world, of, one, found));
        Integration {
            name: of.name.value.clone(),
            timeout_seconds: Integration::timeout_of(of.p95_seconds()),
            operations: operations.collect(),
        }
    };
    world.model.integrations.iter().map(one).collect()
}

fn operation(
    world: &World<'_>,
    integration: &model::Integration,
    of: &model::IntegrationOperation,
    found: &mut Vec<Diagnostic>,
) -> RemoteOperation {
    let segments: Vec<&str> = path_segments(of.path.as_str()).collect();
    let mut parameters: Vec<Parameter> = of
        .body
        .iter()
        .filter_map(|field| {
            let ty = wire_type(world, field)?;
            Some(Parameter {
                name: field.name.value.clone(),
                default: default(world, integration, field, &ty, found),
                ty,
                optional: field.optional.is_some(),
                in_path: segments.contains(&field.name.as_str()),
            })
        })
        .collect();
    for name in segments {
        if parameters.iter().all(|known| known.name != name) {
            parameters.push(Parameter {
                name: name.to_owned(),
                ty: Type::Text,
                default: None,
                optional: false,
                in_path: true,
            });
        }
    }
    let returns = of.returns.iter().filter_map(|field| {
        let (name, optional) = (field.name.value.clone(), field.optional.is_some());
        Some(Returned { name, ty: wire_type(world, field)?, optional })
    });
    RemoteOperation {
        name: of.name.value.clone(),
        method: of.method.value.to_uppercase(),
        path: of.path.value.clone(),
        parameters,
        returns: returns.collect(),
        repeatable: match &of.idempotent {
            Some(header) => Repeatable::Key(header.value.clone()),
            None if repeats(of) => Repeatable::Method,
            None => Repeatable::No,
        },
        refuses: of
            .refuses
            .iter()
            .map(|(status, name)| (status.value, name.value.clone()))
            .collect(),
        lookup: of.lookup.as_ref().map(|(method, path)| Lookup {
            method: method.value.to_uppercase(),
            path: path.value.clone(),
        }),
    }
}

/// The same call twice is the same as once (RFC 9110, 9.2.2).
pub(crate) fn repeats(operation: &model::IntegrationOperation) -> bool {
    matches!(operation.method.as_str(), "get" | "head" | "put" | "delete")
}

/// What is sent where nothing is given.
fn default(
    world: &World<'_>,
    integration: &model::Integration,
    field: &model::Field,
    ty: &Type,
    found: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    let place = Place::new(integration.name.as_str(), "operations");
    let scope = Scope::row(world, place, Use::Reaction, None);
    assign_wire(&scope, field.expression.as_ref()?, ty, field.name.as_str(), found)
}

/// A call of an operation by its name, with what it is given; none where one of them is at fault.
pub(super) fn call(domain: &Domain, name: &Name, with: Vec<(String, Expr)>) -> Option<RemoteCall> {
    let (system, operation) = name.as_str().rsplit_once('.')?;
    let integration = domain.integrations.iter().position(|one| one.name == system)?;
    let operations = &domain.integrations[integration].operations;
    let operation = operations.iter().position(|one| one.name == operation)?;
    let parameters = &operations[operation].parameters;
    let at = |name: &str| parameters.iter().position(|one| one.name == name);
    let with = with.into_iter().map(|(name, value)| Some((at(&name)?, value)));
    Some(RemoteCall { of: RemoteId { integration, operation }, with: with.collect::<Option<_>>()? })
}
