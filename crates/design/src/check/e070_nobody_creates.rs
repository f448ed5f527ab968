//! # E070 nobody may make a row of it
//! No rule lets anybody create rows of a resource and no reaction does.
//!
//! **Why**: its lists stay empty for ever; rules, commands and paths of it do nothing. A resource
//! on an existing `table` is taken as filled from outside.
//!
//! Wrong:
//! ```yaml
//! allow: { read: anyone, update: staff }
//! ```
//! Right:
//! ```yaml
//! allow: { read: anyone, create: staff, update: staff }
//! ```

use super::resolve::Resolved;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E070");

/// Looks at every root.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for ((id, entry), resource) in resolved.world.entries().zip(&resolved.domain.resources) {
        let allow = &entry.model.allow;
        let made = !allow.create.is_empty()
            || !allow.write.is_empty()
            || resolved.doings.creates.contains(&id)
            || entry.model.table.is_some();
        if resource.owner.is_some() || made {
            continue;
        }
        let message = format!("nobody may make a row of `{}`", entry.name());
        let fault = Diagnostic::warning(CODE, entry.model.name.span, message);
        found.push(
            fault
                .why("its lists stay empty for ever")
                .help("say who: `allow: { create: staff }`, or let a reaction make rows"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_resource_that_is_only_changed() {
        let resource = "
            Note:
              fields: { title: string max 20 }
              allow: { read: anyone, update: staff }";
        check_resources(
            resource,
            expect![[r#"
            warning[E070]: nobody may make a row of `Note`
             --> mainstay.yaml:6:7
              |
            6 |       Note:
              |       ^^^^
              = why: its lists stay empty for ever
              = help: say who: `allow: { create: staff }`, or let a reaction make rows
        "#]],
        );
    }
}
