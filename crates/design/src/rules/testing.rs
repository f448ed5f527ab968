//! One way to test a rule: a model in, its decisions out.

use crate::catalog::Catalog;
use crate::draft::inputs::Inputs;
use crate::draft::{Draft, Ground};
use crate::stages::{self, Rule};
use crate::{check, lower};
use expect_test::Expect;
use ir::decision::Decision;
use ir::model::Model;
use ir::{Sources, Valid};

/// The valid model of a text; faults fail the test.
pub(crate) fn model(text: &str) -> Valid<Model> {
    let sources = Sources::one("mainstay.yaml", text.trim_start_matches('\n'));
    let (model, mut found) = formats::requirements::read(&sources);
    let (valid, more) = check::check(model);
    found.extend(more);
    let errors: Vec<_> =
        found.iter().filter(|one| one.severity == ir::Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    valid.expect("no errors were told")
}

/// The decisions of all rules on a model, without the reruns that assumptions need.
pub(crate) fn decisions(text: &str) -> Vec<Decision> {
    decided(&model(text), |inputs| inputs)
}

/// The same with changed inputs.
pub(crate) fn decided(model: &Valid<Model>, change: impl Fn(Inputs) -> Inputs) -> Vec<Decision> {
    let domain = lower::domain(model);
    let contract = lower::contract(&domain);
    let schema = lower::schema(model, &domain);
    let catalog = Catalog::default();
    let ground =
        Ground { model, domain: &domain, contract: &contract, schema: &schema, catalog: &catalog };
    stages::run(Draft::new(ground, change(Inputs::read(model))), true).decisions
}

/// Pins what one rule decides: subject and choice, a line each.
pub(crate) fn check(rule: &Rule, text: &str, expected: Expect) {
    expected.assert_eq(&chosen(rule, text));
}

/// Subject and choice of each decision of a rule, a line each.
pub(crate) fn chosen(rule: &Rule, text: &str) -> String {
    let mut lines = String::new();
    for decision in of(rule, text) {
        lines.push_str(&format!("{}: {}\n", decision.subject, decision.choice));
    }
    lines
}

/// The decisions of one rule.
pub(crate) fn of(rule: &Rule, text: &str) -> Vec<Decision> {
    decisions(text).into_iter().filter(|decision| decision.rule == rule.id).collect()
}

/// The example of that name.
pub(crate) fn example(name: &str) -> &'static str {
    match name {
        "shop" => include_str!("../../../../examples/shop/mainstay.yaml"),
        "links" => include_str!("../../../../examples/links/mainstay.yaml"),
        "clinic" => include_str!("../../../../examples/clinic/mainstay.yaml"),
        "kiosk" => include_str!("../../../../examples/kiosk/mainstay.yaml"),
        _ => panic!("no example of that name"),
    }
}

/// A system with one context of these resources, goals and further top-level keys.
pub(crate) fn system(goals: &str, resources: &str, rest: &str) -> String {
    let mut text = String::from("system: test\nactors: { user: oidc, partner: api_key }\n");
    if !goals.is_empty() {
        text.push_str(&format!("goals: {{ {goals} }}\n"));
    }
    text.push_str("contexts:\n  desk:\n    resources:\n");
    for line in resources.lines().filter(|line| !line.trim().is_empty()) {
        text.push_str(&format!("      {line}\n"));
    }
    text.push_str(rest);
    text
}

/// Everything that a decision says, for reading.
pub(crate) fn read(decision: &Decision) -> String {
    let mut text = format!(
        "\n## {} {} [{}]\n{}\n=> {}  ({:?}, {:?}, {:?})\n",
        decision.rule,
        decision.name,
        decision.subject,
        decision.question,
        decision.choice,
        decision.grade,
        decision.effect,
        decision.authority
    );
    let mut add = |mark: &str, line: String| text.push_str(&format!("  {mark} {line}\n"));
    decision.because.iter().for_each(|line| add("because", line.clone()));
    decision.numbers.iter().for_each(|number| add("#", format!("{}: {number}", number.name)));
    for other in &decision.alternatives {
        add("not", format!("{}: {}", other.name, other.lost));
        other.numbers.iter().for_each(|number| add("   #", format!("{}: {number}", number.name)));
    }
    decision.consequences.iter().for_each(|line| add("so", line.clone()));
    decision.flips_at.iter().for_each(|line| add("flips", line.clone()));
    decision.consult.iter().for_each(|line| add("ask", line.clone()));
    add("drivers", decision.drivers.join(", "));
    if let Some(pinned) = &decision.pinned {
        add("pinned", format!("{pinned:?}"));
    }
    text
}
