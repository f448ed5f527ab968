//! # E033 unknown context
//! A reference names a bounded context that the model does not have.
//!
//! **Why**: without its context nobody can say which resource is meant, nor who owns the data.
//!
//! Wrong:
//! ```yaml
//! product: catalogue.Product
//! ```
//! Right:
//! ```yaml
//! product: catalog.Product
//! ```
//! Inside the same context the bare name does: `Product`.

use super::place::Place;
use super::suggest::unknown;
use super::world::World;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E033");

/// `name` is no context.
pub(crate) fn fault(world: &World<'_>, name: &Name, place: Place<'_>) -> Diagnostic {
    let known = world.contexts.keys().copied();
    unknown(CODE, "context", name, place, known, &world.budget)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_reference_into_a_misspelt_context() {
        let resource = "
            Note:
              fields: { title: string max 20, about: desc.Note }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E033]: unknown context `desc` in `about` of `Note`
             --> mainstay.yaml:7:48
              |
            7 |         fields: { title: string max 20, about: desc.Note }
              |                                                ^^^^
              = help: did you mean `desk`?
            7 +         fields: { title: string max 20, about: desk.Note }
        "#]],
        );
    }
}
