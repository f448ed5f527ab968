//! # E076 secret that is told
//! A secret field is part of an event, or an open field is made from it.
//!
//! **Why**: a secret is written and compared but never read back; an event or a copy would show it
//! to all who may see those.
//!
//! Wrong:
//! ```yaml
//! pin: string max 8 secret
//! hint: string max 8 = pin
//! ```
//! Right: compare it in a guard and tell nothing.
//! ```yaml
//! unlock: { input: { guess: string max 8 }, require: pin == guess, by: user }
//! ```

use super::reads::reads;
use super::resolve::Resolved;
use ir::domain::{ResourceId, Source};
use ir::expr::Expr;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E076");

/// Looks at events and at computed and copied fields.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for event in resolved.events.values() {
        let Some(declared) = event.declared else { continue };
        for name in &declared.data {
            let emitters = event.emitters.iter().map(|id| resolved.domain.resource(*id));
            let mut secret = emitters.filter(|resource| {
                resource.field_named(name.as_str()).is_some_and(|(_, field)| field.secret)
            });
            if let Some(resource) = secret.next() {
                let event = &declared.name;
                let message =
                    format!("the event `{event}` tells the secret `{}.{name}`", { &resource.name });
                let fault = Diagnostic::error(CODE, name.span, message);
                found.push(fault.why("a secret is never read back").help("leave it out"));
            }
        }
    }
    for ((id, entry), resource) in resolved.world.entries().zip(&resolved.domain.resources) {
        for (asked, field) in entry.model.fields.iter().zip(&resource.fields) {
            let (Source::Computed(expr) | Source::Copied(_, expr)) = &field.source else {
                continue;
            };
            let Some(expression) = &asked.expression else { continue };
            if !field.secret
                && let Some(secret) = secret_in(resolved, id, expr)
            {
                let message = format!(
                    "`{}.{}` is made from the secret `{secret}`",
                    { entry.name() },
                    field.name
                );
                let fault = Diagnostic::error(CODE, expression.span, message);
                let fault = fault.why("who may read the field would read the secret");
                found.push(fault.help(format!("make `{}` secret too", field.name)));
            }
        }
    }
}

/// The first secret that an expression of a resource reads.
fn secret_in(resolved: &Resolved<'_>, row: ResourceId, expr: &Expr) -> Option<String> {
    let domain = &resolved.domain;
    let mut read = reads(domain, row, expr).into_iter();
    let secret = read.find(|read| domain.resource(read.resource).field(read.field).secret)?;
    let resource = domain.resource(secret.resource);
    Some(format!("{}.{}", resource.name, resource.field(secret.field).name))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_secret_in_an_event_and_in_a_copy() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  people:
    resources:
      Card:
        fields: { pin: string max 8 secret, hint: string max 8 = lower(pin), state: new | used }
        commands: { use: { state: new -> used, by: staff, emit: card.used } }
        allow: { read: staff, write: staff }
events:
  card.used: { data: [id, pin] }
";
        check(
            model,
            expect![[r#"
            error[E076]: `Card.hint` is made from the secret `Card.pin`
             --> mainstay.yaml:7:66
              |
            7 |         fields: { pin: string max 8 secret, hint: string max 8 = lower(pin), state: new | used }
              |                                                                  ^^^^^^^^^^
              = why: who may read the field would read the secret
              = help: make `hint` secret too

            error[E076]: the event `card.used` tells the secret `Card.pin`
              --> mainstay.yaml:11:27
               |
            11 |   card.used: { data: [id, pin] }
               |                           ^^^
               = why: a secret is never read back
               = help: leave it out
        "#]],
        );
    }
}
