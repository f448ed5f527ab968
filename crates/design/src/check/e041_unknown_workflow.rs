//! # E041 unknown workflow
//! A command's `not_during` or a step's `run` names a workflow that the model does not have, or
//! one that never runs on a row of this resource (a warning).
//!
//! **Why**: the command would be refused while nothing runs, or never.
//!
//! Wrong:
//! ```yaml
//! not_during: place_ordr
//! ```
//! Right:
//! ```yaml
//! not_during: place_order
//! ```

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

/// The workflow is known but runs on rows of another resource.
pub(crate) fn elsewhere(name: &Name, after: &Name, place: Place<'_>) -> Diagnostic {
    let message = format!("`{name}` in {place} never runs on such a row");
    Diagnostic::warning(CODE, name.span, message)
        .why(format!("it begins after `{after}`, on a row of another resource"))
        .help("name a workflow that begins after a command of this resource")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{check, check_resources};
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

    #[test]
    fn not_during_a_workflow_of_another_resource() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  desk:
    resources:
      Note:
        fields: { state: new | read }
        commands: { open: { state: new -> read, by: staff } }
        allow: { read: staff, write: staff }
      Page:
        fields: { state: new | read }
        commands: { open: { state: new -> read, by: staff, not_during: reading } }
        allow: { read: staff, write: staff }
workflows:
  reading: { after: Note.open, steps: [{ name: pause, wait: 5 s }] }
";
        check(
            model,
            expect![[r#"
            warning[E041]: `reading` in `Page.open` never runs on such a row
              --> mainstay.yaml:12:72
               |
            12 |         commands: { open: { state: new -> read, by: staff, not_during: reading } }
               |                                                                        ^^^^^^^
               = why: it begins after `Note.open`, on a row of another resource
               = help: name a workflow that begins after a command of this resource
        "#]],
        );
    }
}
