//! # D009 limits
//! How large a request may be, and how long it may take to arrive.
//!
//! **Why**: what has no limit is a way to fill memory. The limit follows from the largest body that
//! the model itself allows, so that it never refuses what the fields accept.
//! **Cost**: 413 for what is larger. **Instead**: a proxy's default, which knows no field.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::{Domain, Field, Kind, ResourceId};
use ir::model::FieldType;
use ir::quantity::{Computed, Grade, Unit};
use ir::value::Value;

pub(super) const RULE: Rule =
    Rule { id: "D009", name: "limits", stage: Stage::Contracts, each: false, decide };

/// Bytes of a UTF-8 character at most.
const CHARACTER_BYTES: f64 = 4.0;
/// Characters of a text whose greatest length is not given.
const TEXT_CHARS_MAX: f64 = 65_536.0;
/// The least and greatest that the limit is set to.
const BODY_BYTES: (f64, f64) = (1_048_576.0, 16_777_216.0);

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let bodies = |id: ResourceId| {
        if draft.domain.resource(id).owner.is_none() { largest_body(draft.domain, id) } else { 0.0 }
    };
    let Some((id, body)) = facts::most(draft, bodies) else { return Vec::new() };
    let name = draft.name(id);
    let limit = rounded(body, &name);
    let headers = 65_536.0;
    let choice = RULE
        .on("system", "how large may a request be?")
        .choose(format!(
            "{} a body, {} of headers",
            facts::bytes(limit.value),
            facts::bytes(headers)
        ))
        .because(format!(
            "The largest body that the model allows is a `{name}`: {} with every text at its \
             greatest length in four-byte characters.",
            facts::bytes(body)
        ))
        .because_if(body > BODY_BYTES.1, || {
            format!(
                "That is more than a request should hold in memory: a `{name}` above {} has to be \
                 sent in parts.",
                facts::bytes(BODY_BYTES.1)
            )
        })
        .number(limit.clone())
        .alternative(
            "a proxy's 1 MB for all",
            if body > BODY_BYTES.0 {
                format!(
                    "refuses a `{name}` that the fields accept, with an answer that names no field."
                )
            } else {
                "the same size, answered without `type` and pointer.".to_owned()
            },
            Vec::new(),
        )
        .alternative(
            "no limit",
            format!(
                "any of the {} requests a second could ask for all memory by itself.",
                facts::number(draft.load.clients())
            ),
            Vec::new(),
        )
        .flips(format!(
            "a body above {} ({} now): the next power of two",
            facts::bytes(limit.value),
            facts::bytes(body)
        ))
        .driver(format!("contexts.{}.fields", name.replacen('.', ".resources.", 1)))
        .effect(Effect::RunsHere)
        .set("body_bytes_max", limit.value);
    vec![choice.done(draft)]
}

fn rounded(body: f64, name: &str) -> Computed {
    let source = format!("fields of {name} at their greatest length");
    let term = Term::input("largest_body", body, Unit::Bytes, Grade::Derived, &source);
    let above = body.log2().ceil().exp2();
    let bound = |name: &str, value: f64, source: &str| {
        Term::input(name, value, Unit::Bytes, Grade::Derived, source)
    };
    let least = bound("least", BODY_BYTES.0, "room for what a later field adds");
    let most = bound("most", BODY_BYTES.1, "what a request may hold in memory");
    term.wrapped("power_of_two_above", above).max(least).min(most).named("body limit", Unit::Bytes)
}

/// Bytes of the largest body that a resource's fields accept, children among them.
fn largest_body(domain: &Domain, id: ResourceId) -> f64 {
    let fields = domain.resource(id).fields.iter().filter(|field| field.source.writable());
    fields.map(|field| largest(domain, field)).sum::<f64>() + 2.0
}

fn largest(domain: &Domain, field: &Field) -> f64 {
    let key = field.name.len() as f64 + 6.0;
    let value = match &field.kind {
        Kind::Enum(values) => values.iter().map(String::len).max().unwrap_or(0) as f64,
        Kind::Reference { .. } => 36.0,
        Kind::Actor(_) => 255.0 * CHARACTER_BYTES,
        Kind::Children { target, max, .. } => f64::from(*max) * largest_body(domain, *target),
        Kind::Scalar => largest_scalar(&field.declared, field),
    };
    key + value
}

fn largest_scalar(declared: &FieldType, field: &Field) -> f64 {
    let chars = match &field.max {
        Some(Value::Int(max)) => (*max as f64).max(0.0),
        _ => TEXT_CHARS_MAX,
    };
    match declared {
        FieldType::String | FieldType::Text | FieldType::Json => chars * CHARACTER_BYTES,
        FieldType::Url => 2_048.0,
        FieldType::Email => 320.0,
        FieldType::List(item) => 100.0 * largest_scalar(item, field).min(1_024.0),
        FieldType::Money { .. } | FieldType::Timespan => 96.0,
        FieldType::Int
        | FieldType::Decimal { .. }
        | FieldType::Bool
        | FieldType::Date
        | FieldType::Time
        | FieldType::Timestamp
        | FieldType::Duration
        | FieldType::Uuid
        | FieldType::Counter
        | FieldType::Enum(_)
        | FieldType::Reference { .. }
        | FieldType::Actor(_)
        | FieldType::Many { .. } => 40.0,
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, NOTES, check, with};
    use expect_test::expect;

    #[test]
    fn the_largest_body_of_the_model_fits() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                system: 1.05 MB a body, 65.5 kB of headers
                  flips at a body above 1.05 MB (82.3 kB now): the next power of two
            "#]],
        );
    }

    #[test]
    fn a_larger_field_raises_the_limit() {
        check(
            &RULE,
            &with(NOTES, "string max 200", "text max 1_000_000"),
            expect![[r#"
                system: 4.19 MB a body, 65.5 kB of headers
                  flips at a body above 4.19 MB (4 MB now): the next power of two
            "#]],
        );
    }
}
