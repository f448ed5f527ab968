//! # E035 unknown field
//! A path, an effect, a transition, a unique, a cache exception or an event names a field that the
//! resource does not have.
//!
//! **Why**: what is not declared is neither stored nor shown.
//!
//! Wrong:
//! ```yaml
//! fields: { sent_at: timestamp optional }
//! commands: { sent: { set: { sended_at: now }, by: system } }
//! ```
//! Right:
//! ```yaml
//! commands: { sent: { set: { sent_at: now }, by: system } }
//! ```
//! Beside the declared fields every resource has `id`, `created_at` and `updated_at`, which are
//! read-only.
//!
//! In a command any key other than `input require set by emit get not_during` is taken for a
//! state field with its transition, so a misspelt key of a command ends here too.

use super::place::Place;
use super::suggest::unknown;
use super::world::World;
use ir::domain::ResourceId;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E035");

/// The resource has no field of that name.
pub(crate) fn fault(
    world: &World<'_>,
    resource: ResourceId,
    name: &Name,
    place: Place<'_>,
) -> Diagnostic {
    let entry = world.entry(resource);
    let what = format!("field of `{}`", entry.name());
    unknown(CODE, &what, name, place, entry.fields.keys().copied(), &world.budget)
}

/// A key of a command that is neither one of its words nor a field.
pub(crate) fn state(
    world: &World<'_>,
    resource: ResourceId,
    name: &Name,
    place: Place<'_>,
) -> Diagnostic {
    let words = ["input", "require", "set", "by", "emit", "get", "not_during"];
    let fields = world.entry(resource).fields.keys().copied();
    let candidates = words.into_iter().chain(fields);
    let what = "key or state field";
    unknown(CODE, what, name, place, candidates, &world.budget)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn an_effect_on_a_misspelt_field() {
        let resource = "
            Note:
              fields: { title: string max 20, sent_at: timestamp optional }
              commands: { send: { set: { sended_at: now }, by: staff } }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E035]: unknown field `sended_at` of `Note` in `Note.send`
             --> mainstay.yaml:8:36
              |
            8 |         commands: { send: { set: { sended_at: now }, by: staff } }
              |                                    ^^^^^^^^^
              = help: did you mean `sent_at`?
            8 +         commands: { send: { set: { sent_at: now }, by: staff } }
        "#]],
        );
    }

    #[test]
    fn a_path_through_a_reference_that_ends_in_no_field() {
        let resource = "
            Note:
              fields: { title: string max 20, follows: Note optional }
              allow: { read: anyone, write: staff when follows.titel != title }";
        check_resources(
            resource,
            expect![[r#"
            error[E035]: unknown field `titel` of `Note` in `allow.write` of `Note`
             --> mainstay.yaml:8:58
              |
            8 |         allow: { read: anyone, write: staff when follows.titel != title }
              |                                                          ^^^^^
              = help: did you mean `title`?
            8 +         allow: { read: anyone, write: staff when follows.title != title }
        "#]],
        );
    }
}
