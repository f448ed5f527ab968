//! The fixed order of the design: rules of one stage see the same snapshot and never change it.

use crate::draft::Draft;
use crate::rules;
use ir::decision::{Decision, Stage};
use std::collections::BTreeSet;

/// A rule: one kind of decision.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// `D012`
    pub id: &'static str,
    /// `cache`; pins name it.
    pub name: &'static str,
    /// When it runs.
    pub stage: Stage,
    /// One decision for each resource or table, rather than for the system or what is rare.
    pub each: bool,
    /// Its decisions on a snapshot; none where the question does not arise.
    pub decide: fn(&Draft<'_>) -> Vec<Decision>,
}

/// The stages in order.
pub const STAGES: [Stage; 8] = [
    Stage::Boundaries,
    Stage::Contracts,
    Stage::Data,
    Stage::Communication,
    Stage::Security,
    Stage::Resilience,
    Stage::Capacity,
    Stage::Operations,
];

/// Runs all stages on a draft. Without `each`, rules that decide on every resource are left out.
pub fn run<'a>(mut draft: Draft<'a>, each: bool) -> Draft<'a> {
    for stage in STAGES {
        let mut made = Vec::new();
        for rule in rules::all().filter(|rule| rule.stage == stage && (each || !rule.each)) {
            made.extend((rule.decide)(&draft));
        }
        assert_unique(&made);
        draft.accept(made);
    }
    draft
}

/// Two decisions of one rule on one subject are a fault of the rule.
fn assert_unique(decisions: &[Decision]) {
    let mut met = BTreeSet::new();
    for decision in decisions {
        let new = met.insert((decision.name, decision.subject.as_str()));
        debug_assert!(new, "{} decides twice on `{}`", decision.rule, decision.subject);
    }
}
