//! A typed expression as a Cedar condition.

use ir::domain::{Kind, Resource};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Operator, Type};
use ir::value::Value;

/// The condition, or what Cedar lacks for it.
pub(super) fn write(resource: &Resource, expr: &Expr) -> Result<String, &'static str> {
    Ok(match &expr.kind {
        ExprKind::Not(inner) => format!("!({})", write(resource, inner)?),
        ExprKind::And(all) => join(resource, all, " && ")?,
        ExprKind::Or(any) => join(resource, any, " || ")?,
        ExprKind::If(condition, then, otherwise) => format!(
            "(if {} then {} else {})",
            write(resource, condition)?,
            write(resource, then)?,
            write(resource, otherwise)?
        ),
        ExprKind::Compare(operator, left, right) => compare(resource, *operator, left, right)?,
        ExprKind::In(needle, elements) => {
            let elements =
                elements.iter().map(|one| scalar(resource, one)).collect::<Result<Vec<_>, _>>()?;
            let test = format!("[{}].contains({})", elements.join(", "), scalar(resource, needle)?);
            guarded(resource, &[needle], test)
        }
        ExprKind::Literal(Value::Bool(value)) => value.to_string(),
        ExprKind::Field(_) if expr.ty == Type::Bool => {
            guarded(resource, &[expr], scalar(resource, expr)?)
        }
        ExprKind::Literal(_)
        | ExprKind::Field(_)
        | ExprKind::Related { .. }
        | ExprKind::Parent(_)
        | ExprKind::Input(_)
        | ExprKind::Got(_)
        | ExprKind::Me
        | ExprKind::Now
        | ExprKind::Age
        | ExprKind::Item(_)
        | ExprKind::ItemRelated { .. }
        | ExprKind::EventData(_)
        | ExprKind::EventMeta(_)
        | ExprKind::Step { .. }
        | ExprKind::Negate(_)
        | ExprKind::Arithmetic(..)
        | ExprKind::Call(..)
        | ExprKind::Aggregate(..)
        | ExprKind::ViewAggregate(..) => return Err("such condition"),
    })
}

fn join(resource: &Resource, parts: &[Expr], by: &str) -> Result<String, &'static str> {
    let parts = parts.iter().map(|one| write(resource, one)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("({})", parts.join(by)))
}

fn compare(
    resource: &Resource,
    operator: Operator,
    left: &Expr,
    right: &Expr,
) -> Result<String, &'static str> {
    let is_null = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(Value::Null));
    if is_null(left) || is_null(right) {
        let tested = if is_null(left) { right } else { left };
        let has = optional(resource, tested)
            .map_or("true".to_owned(), |name| format!("resource has {name}"));
        return Ok(if operator == Operator::Equal { format!("!({has})") } else { has });
    }
    let sign = match operator {
        Operator::Equal | Operator::NotEqual => "==",
        Operator::Less => "<",
        Operator::LessEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterEqual => ">=",
        _ => return Err("such operator"),
    };
    let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
    if ordered && number_type(left).is_none() {
        return Err("order of such values");
    }
    if number_type(left) != number_type(right) {
        return Err("comparison of unlike numbers");
    }
    let test = format!("{} {sign} {}", scalar(resource, left)?, scalar(resource, right)?);
    let test = guarded(resource, &[left, right], test);
    Ok(if operator == Operator::NotEqual { format!("!({test})") } else { test })
}

/// Cedar has whole numbers alone: what is stored as one, with the number of decimals.
fn number_type(expr: &Expr) -> Option<(u8, u8)> {
    match &expr.ty {
        Type::Int => Some((0, 0)),
        Type::Decimal { scale, .. } => Some((1, *scale)),
        Type::Timestamp => Some((2, 0)),
        Type::Duration => Some((3, 0)),
        Type::Date => Some((4, 0)),
        Type::Time => Some((5, 0)),
        _ => None,
    }
}

fn scalar(resource: &Resource, expr: &Expr) -> Result<String, &'static str> {
    Ok(match &expr.kind {
        ExprKind::Literal(value) => match value {
            Value::Bool(value) => value.to_string(),
            Value::Int(n) | Value::Timestamp(n) | Value::Duration(n) | Value::Time(n) => {
                n.to_string()
            }
            Value::Decimal { units, .. } => units.to_string(),
            Value::Date(days) => days.to_string(),
            Value::Text(text) => format!("{text:?}"),
            _ => return Err("such literal"),
        },
        ExprKind::Field(field) => match name(resource, *field) {
            Some(name) => format!("resource.{name}"),
            None => return Err("such field"),
        },
        ExprKind::Me => "principal.subject".to_owned(),
        ExprKind::Now => "context.now".to_owned(),
        ExprKind::Age => "(context.now - resource.created_at)".to_owned(),
        _ => return Err("such value"),
    })
}

/// The attribute of a field; none for what Cedar can't hold.
pub(super) fn name(resource: &Resource, field: FieldRef) -> Option<&str> {
    match field {
        FieldRef::Implicit(Implicit::Id) => Some("id"),
        FieldRef::Implicit(Implicit::CreatedAt) => Some("created_at"),
        FieldRef::Implicit(Implicit::UpdatedAt) => Some("updated_at"),
        FieldRef::Field(id) => {
            let field = resource.field(id);
            super::schema::cedar_type(&field.declared)
                .filter(|_| !matches!(field.kind, Kind::Children { .. }))
                .map(|_| field.name.as_str())
        }
    }
}

fn optional<'a>(resource: &'a Resource, expr: &Expr) -> Option<&'a str> {
    match expr.kind {
        ExprKind::Field(FieldRef::Field(id)) if resource.field(id).optional => {
            name(resource, FieldRef::Field(id))
        }
        _ => None,
    }
}

/// The test, after the tests that the optional fields it reads are there: else it is false.
fn guarded(resource: &Resource, reads: &[&Expr], test: String) -> String {
    let mut parts: Vec<String> = reads
        .iter()
        .filter_map(|expr| optional(resource, expr))
        .map(|name| format!("resource has {name}"))
        .collect();
    parts.push(test);
    if parts.len() == 1 { parts.swap_remove(0) } else { format!("({})", parts.join(" && ")) }
}
