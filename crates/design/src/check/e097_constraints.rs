//! # E097 constraints that contradict each other
//! One technology is both preferred and forbidden for the same purpose, or two are preferred.
//!
//! **Why**: no choice could satisfy both.
//!
//! Wrong:
//! ```yaml
//! constraints: { prefer: { database: postgresql }, forbid: { database: postgresql } }
//! ```
//! Right:
//! ```yaml
//! constraints: { prefer: { database: postgresql } }
//! ```

use super::resolve::Resolved;
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

pub(crate) const CODE: Code = Code("E097");

/// Compares what is preferred with what is forbidden.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let constraints = &resolved.world.model.constraints;
    let mut preferred = BTreeMap::new();
    for (subject, technology) in &constraints.prefer {
        let first = preferred.insert(subject.as_str(), technology);
        if let Some(first) = first.filter(|first| *first != technology) {
            let message = format!("two technologies are preferred as `{subject}`");
            let fault = Diagnostic::error(CODE, technology.span, message);
            found.push(fault.also(first.span, "the other one").help("keep one of them"));
        }
    }
    for (subject, technology) in &constraints.forbid {
        if let Some(wished) = preferred.get(subject.as_str()).filter(|w| **w == technology) {
            let message = format!("`{technology}` is both preferred and forbidden as `{subject}`");
            let fault = Diagnostic::error(CODE, technology.span, message);
            let fault = fault.also(wished.span, "preferred here");
            found.push(fault.why("no choice could satisfy both").help("remove one of the two"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn preferred_and_forbidden_at_once() {
        let model = "
system: test
constraints:
  prefer: { database: postgresql }
  forbid: { database: postgresql }
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order: { fields: { count: int }, allow: { read: anyone, write: user } }
";
        check(
            model,
            expect![[r#"
            error[E097]: `postgresql` is both preferred and forbidden as `database`
             --> mainstay.yaml:4:23
              |
            3 |   prefer: { database: postgresql }
              |                       ---------- preferred here
            4 |   forbid: { database: postgresql }
              |                       ^^^^^^^^^^
              = why: no choice could satisfy both
              = help: remove one of the two
        "#]],
        );
    }
}
