//! # E069 nobody may read it
//! A resource or a view has no rule that lets anybody read it, and no public route either.
//!
//! **Why**: nothing is allowed that is not said, so its rows can be written but never seen.
//!
//! Wrong:
//! ```yaml
//! allow: { write: staff }
//! ```
//! Right:
//! ```yaml
//! allow: { read: staff, write: staff }
//! ```

use super::resolve::Resolved;
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E069");

/// Looks at every root and view.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        let asked = entry.model;
        let root = resource.owner.is_none();
        if root && asked.allow.read.is_empty() && asked.routes.is_empty() {
            found.push(fault("resource", entry.name(), asked.name.span));
        }
    }
    for context in &resolved.world.model.contexts {
        for view in &context.views {
            if view.allow.read.is_empty() {
                found.push(fault("view", view.name.as_str(), view.name.span));
            }
        }
    }
}

fn fault(what: &str, name: &str, span: Span) -> Diagnostic {
    let message = format!("nobody may read the {what} `{name}`");
    Diagnostic::warning(CODE, span, message)
        .why("nothing is allowed that is not said")
        .help("say who: `allow: { read: anyone }`")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_resource_that_is_only_written() {
        let resource = "
            Note:
              fields: { title: string max 20 }
              allow: { write: staff }";
        check_resources(
            resource,
            expect![[r#"
            warning[E069]: nobody may read the resource `Note`
             --> mainstay.yaml:6:7
              |
            6 |       Note:
              |       ^^^^
              = why: nothing is allowed that is not said
              = help: say who: `allow: { read: anyone }`
        "#]],
        );
    }
}
