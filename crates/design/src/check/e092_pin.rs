//! # E092 pin that changes nothing
//! `decisions` pins a decision that the architect does not take, pins one twice, gives no reason,
//! or pins the tenancy to what is no way to keep tenants apart.
//!
//! **Why**: a pin that is not understood would be ignored; one without a reason cannot be weighed
//! later against what it costs.
//!
//! Wrong:
//! ```yaml
//! decisions: { databse: postgresql }
//! ```
//! Right:
//! ```yaml
//! decisions: { database: { choose: postgresql, because: the team runs it already } }
//! ```

use super::resolve::Resolved;
use super::suggest::unknown;
use crate::rules;
use ir::source::{Name, Span};
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

pub(crate) const CODE: Code = Code("E092");

/// Looks at every pin.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let names: Vec<&str> = rules::all().map(|rule| rule.name).collect();
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for pin in &resolved.world.model.decisions {
        let decision = pin.decision.as_str().split_whitespace().next().unwrap_or_default();
        if !names.contains(&decision) {
            let name = Name::new(decision.to_owned(), pin.decision.span);
            let budget = &resolved.world.budget;
            let known = names.iter().copied();
            found.push(unknown(CODE, "decision", &name, "`decisions`", known, budget));
        }
        if let Some(first) = seen.insert(pin.decision.as_str(), pin.decision.span) {
            let message = format!("the decision `{}` is pinned twice", pin.decision);
            let fault = Diagnostic::error(CODE, pin.decision.span, message);
            found.push(fault.also(first, "the first pin").help("keep one of them"));
        }
        let tenancy = resolved.domain.tenancy.is_some() && decision == "tenancy";
        if tenancy && rules::pinned_isolation(&pin.choose.value).is_none() {
            let message = format!("`{}` is no way to keep tenants apart", pin.choose);
            let fault = Diagnostic::error(CODE, pin.choose.span, message);
            found.push(
                fault
                    .why("the tables are made by this decision")
                    .help("choose `row`, `schema` or `database`"),
            );
        }
        if pin.because.as_ref().is_none_or(|because| because.value.trim().is_empty()) {
            let message = format!("the pin of `{}` gives no reason", pin.decision);
            let fault = Diagnostic::warning(CODE, pin.choose.span, message);
            found.push(
                fault
                    .why("the document says what a pin costs; without a reason nobody can weigh it")
                    .help(format!("write `{{ choose: {}, because: … }}`", pin.choose)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn tenants_kept_apart_by_what_is_no_way_to() {
        let model = "
system: test
tenancy: row by org
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order: { fields: { count: int }, allow: { read: user, write: user } }
decisions: { tenancy: { choose: columns, because: we like them } }
";
        check(
            model,
            expect![[r#"
            error[E092]: `columns` is no way to keep tenants apart
             --> mainstay.yaml:8:33
              |
            8 | decisions: { tenancy: { choose: columns, because: we like them } }
              |                                 ^^^^^^^
              = why: the tables are made by this decision
              = help: choose `row`, `schema` or `database`
        "#]],
        );
    }

    #[test]
    fn a_misspelt_decision_and_one_without_a_reason() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order: { fields: { count: int }, allow: { read: anyone, write: user } }
decisions:
  databse: { choose: postgresql, because: the team runs it already }
  database: { choose: postgresql }
";
        check(
            model,
            expect![[r#"
            error[E092]: unknown decision `databse` in `decisions`
             --> mainstay.yaml:8:3
              |
            8 |   databse: { choose: postgresql, because: the team runs it already }
              |   ^^^^^^^
              = help: did you mean `database`?
            8 +   database: { choose: postgresql, because: the team runs it already }

            warning[E092]: the pin of `database` gives no reason
             --> mainstay.yaml:9:23
              |
            9 |   database: { choose: postgresql }
              |                       ^^^^^^^^^^
              = why: the document says what a pin costs; without a reason nobody can weigh it
              = help: write `{ choose: postgresql, because: … }`
        "#]],
        );
    }
}
