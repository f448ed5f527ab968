//! Types in words, and which go together.

use crate::check::world::World;
use ir::expr::Type;

/// A type as a message names it.
pub(crate) fn name(world: &World<'_>, ty: &Type) -> String {
    match ty {
        Type::Null => "null".to_owned(),
        Type::Bool => "true or false".to_owned(),
        Type::Int => "an int".to_owned(),
        Type::Decimal { scale, .. } => format!("a decimal with {scale} places"),
        Type::Money { currency: None } => "money".to_owned(),
        Type::Money { currency: Some(currency) } => format!("money {currency}"),
        Type::Text => "text".to_owned(),
        Type::Enum { values } => format!("one of `{}`", values.join(" | ")),
        Type::Date => "a date".to_owned(),
        Type::Time => "a time of day".to_owned(),
        Type::Timestamp => "a timestamp".to_owned(),
        Type::Duration => "a duration".to_owned(),
        Type::Timespan => "a timespan".to_owned(),
        Type::Uuid => "an id".to_owned(),
        Type::Json => "json".to_owned(),
        Type::List(item) => format!("a list of {}", name(world, item).trim_start_matches("a ")),
        Type::Reference(target) => format!("the id of a `{}`", world.full_name(*target)),
        Type::Actor(actor) => format!("a `{}`", world.model.actors[actor.index()].name),
    }
}

/// May `==` and `!=` stand between them?
pub(crate) fn comparable(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (Type::Null, _) | (_, Type::Null) => true,
        (Type::Int | Type::Decimal { .. }, Type::Int | Type::Decimal { .. }) => true,
        (Type::Money { currency: Some(left) }, Type::Money { currency: Some(right) }) => {
            left == right
        }
        (Type::Money { .. }, Type::Money { .. }) => true,
        (Type::Reference(_), Type::Uuid) | (Type::Uuid, Type::Reference(_)) => true,
        (Type::Json | Type::List(_), _) | (_, Type::Json | Type::List(_)) => false,
        (left, right) => left == right,
    }
}

/// Money beside a number: the amounts are compared, whatever the currency.
pub(crate) fn amounts(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (Type::Money { .. }, other) | (other, Type::Money { .. }) => numeric(other),
        _ => false,
    }
}

/// Is there a less and a greater?
pub(crate) fn ordered(ty: &Type) -> bool {
    match ty {
        Type::Int
        | Type::Decimal { .. }
        | Type::Money { .. }
        | Type::Text
        | Type::Date
        | Type::Time
        | Type::Timestamp
        | Type::Duration => true,
        Type::Null
        | Type::Bool
        | Type::Enum { .. }
        | Type::Timespan
        | Type::Uuid
        | Type::Json
        | Type::List(_)
        | Type::Reference(_)
        | Type::Actor(_) => false,
    }
}

/// Is it an int or a decimal?
pub(crate) fn numeric(ty: &Type) -> bool {
    matches!(ty, Type::Int | Type::Decimal { .. })
}
