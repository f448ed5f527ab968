//! # E075 personal field told to outsiders
//! A personal field is part of an event, goes out by a webhook, or may be read by anyone.
//!
//! **Why**: an event is kept and copied by those who listen, so erasing the person in the row does
//! not erase it there; a webhook sends it to another company; a field that anyone may read is
//! published.
//!
//! Wrong:
//! ```yaml
//! order.paid: { data: [id, email], webhook: partner }
//! ```
//! Right: send the id; who may read the row asks for the rest.
//! ```yaml
//! order.paid: { data: [id], webhook: partner }
//! ```

use super::resolve::Resolved;
use ir::domain::Caller;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E075");

/// Looks at the data of events and at what anyone may read.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for event in resolved.events.values() {
        let Some(declared) = event.declared else { continue };
        for name in &declared.data {
            let emitters = event.emitters.iter().map(|id| resolved.domain.resource(*id));
            let personal = emitters.filter_map(|resource| {
                let (_, field) = resource.field_named(name.as_str())?;
                field.personal.then_some(resource)
            });
            let Some(resource) = personal.into_iter().next() else { continue };
            let event = &declared.name;
            let (message, why) = if declared.webhook.is_empty() {
                let message =
                    format!("the event `{event}` carries the personal `{}.{name}`", resource.name);
                (message, "those who listen keep it after the person is erased here")
            } else {
                let to: Vec<&str> = declared.webhook.iter().map(|to| to.as_str()).collect();
                let message = format!(
                    "the event `{event}` sends the personal `{}.{name}` to `{}` by webhook",
                    resource.name,
                    to.join("`, `")
                );
                (
                    message,
                    "it leaves the system, and erasing the person here does not erase it there",
                )
            };
            let fault = Diagnostic::warning(CODE, name.span, message).why(why);
            found.push(fault.help("send the `id` and let the listener ask for the rest"));
        }
    }
    read_by_anyone(resolved, found);
}

fn read_by_anyone(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        let open = |grants: &[ir::domain::Grant]| {
            grants.iter().any(|grant| grant.caller == Caller::Anyone && grant.when.is_none())
        };
        if !open(&resource.access.read) {
            continue;
        }
        for (asked, field) in entry.model.fields.iter().zip(&resource.fields) {
            let narrowed = field.read.as_ref().is_some_and(|read| !open(read));
            if !field.personal || field.secret || narrowed {
                continue;
            }
            let message = format!("anyone may read the personal `{}.{}`", entry.name(), field.name);
            let fault = Diagnostic::warning(CODE, asked.name.span, message);
            found.push(
                fault
                    .why("a field that anyone may read is published")
                    .help("give the field its own rule: `allow: { read: staff }`"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn personal_fields_in_an_event_a_webhook_and_before_everyone() {
        let model = "
system: test
actors: { staff: oidc, partner: api_key }
contexts:
  people:
    resources:
      Person:
        fields:
          email: email personal
          phone: { type: string, max: 20, personal: true, allow: { read: staff } }
          state: new | known
        commands: { greet: { state: new -> known, by: staff, emit: [person.met, person.told] } }
        allow: { read: anyone, write: staff }
events:
  person.met: { data: [id, email] }
  person.told: { data: [id, phone], webhook: partner }
";
        check(
            model,
            expect![[r#"
            warning[E075]: anyone may read the personal `Person.email`
             --> mainstay.yaml:8:11
              |
            8 |           email: email personal
              |           ^^^^^
              = why: a field that anyone may read is published
              = help: give the field its own rule: `allow: { read: staff }`

            warning[E075]: the event `person.met` carries the personal `Person.email`
              --> mainstay.yaml:14:28
               |
            14 |   person.met: { data: [id, email] }
               |                            ^^^^^
               = why: those who listen keep it after the person is erased here
               = help: send the `id` and let the listener ask for the rest

            warning[E075]: the event `person.told` sends the personal `Person.phone` to `partner` by webhook
              --> mainstay.yaml:15:29
               |
            15 |   person.told: { data: [id, phone], webhook: partner }
               |                             ^^^^^
               = why: it leaves the system, and erasing the person here does not erase it there
               = help: send the `id` and let the listener ask for the rest
        "#]],
        );
    }
}
