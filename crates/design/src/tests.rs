//! What tests of rules share: a model as text in, the decisions of one rule out.

use crate::stages::Rule;
use expect_test::Expect;
use ir::architecture::Architecture;
use ir::decision::Decision;
use ir::model::Model;
use ir::{Sources, Valid};

/// The shop, the shortener and the clinics that stand beside the crates.
pub(crate) const SHOP: &str = include_str!("../../../examples/shop/mainstay.yaml");
pub(crate) const LINKS: &str = include_str!("../../../examples/links/mainstay.yaml");
pub(crate) const CLINIC: &str = include_str!("../../../examples/clinic/mainstay.yaml");

/// Tickets at the door, with goals that cannot hold together.
pub(crate) const KIOSK: &str = include_str!("../../../examples/kiosk/mainstay.yaml");

/// The least model: nothing is given but a resource.
pub(crate) const NOTES: &str = "
system: notes
actors: {user: oidc}
contexts:
  notes:
    resources:
      Note: { fields: { text: string max 200 }, allow: { read: anyone, write: user } }
";

/// The architecture of a model that must be valid.
#[track_caller]
pub(crate) fn designed(text: &str) -> Valid<Architecture> {
    crate::design(&valid(text))
}

/// The decisions of a model that must be valid, without assumptions.
#[track_caller]
pub(crate) fn decided(text: &str) -> Vec<Decision> {
    crate::design::decisions(&valid(text))
}

/// The model of a text that must be valid.
#[track_caller]
pub(crate) fn valid(text: &str) -> Valid<Model> {
    let sources = Sources::one("mainstay.yaml", text);
    let (model, mut faults) = formats::requirements::read(&sources);
    let (valid, more) = crate::check::check(model);
    faults.extend(more);
    let told = || formats::diagnostic::terminal(&sources, &faults, false);
    let valid = valid.unwrap_or_else(|| panic!("{}", told()));
    assert!(!ir::diagnostic::has_errors(&faults), "{}", told());
    valid
}

/// `subject: choice` for each decision of the rule, and the thresholds at which it flips.
#[track_caller]
pub(crate) fn check(rule: &Rule, text: &str, expected: Expect) {
    let mut printed = String::new();
    for decision in decided(text).iter().filter(|one| one.rule == rule.id) {
        printed.push_str(&format!("{}: {}\n", decision.subject, decision.choice));
        for flip in &decision.flips_at {
            printed.push_str(&format!("  flips at {flip}\n"));
        }
    }
    expected.assert_eq(&printed);
}

/// The example with one line in the place of another.
#[track_caller]
pub(crate) fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "`{from}` is not in the model");
    text.replace(from, to)
}
