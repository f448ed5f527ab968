//! # E041 unknown workflow
//! A command's `not_during` or a step's `run` names a workflow that the model does not have.
//!
//! **Why**: the command would be refused while nothing runs, or never.
//!
//! Wrong: `not_during: place_ordr`.
//! Right: `not_during: place_order`, the name under `workflows`.

use super::place::Place;
use super::suggest::unknown;
use super::world::World;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E041");

/// `name` is no workflow.
pub(crate) fn fault(world: &World<'_>, name: &Name, place: Place<'_>) -> Diagnostic {
    unknown(CODE, "workflow", name, place, world.workflows.keys().copied(), &world.budget)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn not_during_a_workflow_that_is_not_there() {
        let resource = "
            Note:
              fields: { title: string max 20 }
              commands: { clear: { set: { title: ('') }, not_during: publish, by: staff } }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                error[E041]: unknown workflow `publish` in `Note.clear`
                 --> mainstay.yaml:8:64
                  |
                8 |         commands: { clear: { set: { title: ('') }, not_during: publish, by: staff } }
                  |                                                                ^^^^^^^
            "#]],
        );
    }
}
