//! # E055 named rules in a circle
//! A named rule uses itself, directly or through others.
//!
//! **Why**: a rule is written out where it is used; one that uses itself has no end.
//!
//! Wrong:
//! ```yaml
//! rules: { own: shared || owner == me, shared: own && public }
//! ```
//! Right:
//! ```yaml
//! rules: { own: owner == me, shared: own || public }
//! ```

use ir::source::{Name, Span};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E055");

/// The rule is used within itself, at `span`.
pub(crate) fn fault(rule: &Name, resource: &str, span: Span) -> Diagnostic {
    let message = format!("the rule `{rule}` of `{resource}` uses itself");
    Diagnostic::error(CODE, span, message)
        .also(rule.span, "the rule begins here")
        .why("a rule is written out where it is used, and this one has no end")
        .help("write the shared part as a rule of its own that uses neither")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn two_rules_that_use_each_other() {
        let resource = "
            Note:
              rules: { own: shared || owner == me, shared: own }
              fields: { owner: actor user }
              allow: { read: user when own, write: user }";
        check_resources(
            resource,
            expect![[r#"
            error[E055]: the rule `own` of `Note` uses itself
             --> mainstay.yaml:7:54
              |
            7 |         rules: { own: shared || owner == me, shared: own }
              |                                                      ^^^
              |                  --- the rule begins here
              = why: a rule is written out where it is used, and this one has no end
              = help: write the shared part as a rule of its own that uses neither
        "#]],
        );
    }
}
