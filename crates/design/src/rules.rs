//! The rules, by stage. A rule is one file: its page, its decision, its tests.

mod choice;
pub(crate) mod facts;
#[cfg(test)]
mod law_tests;

pub use choice::{Choice, Settings};
pub(crate) use data::{isolation, pinned_isolation};
pub use facts::{Relation, relations};
pub(crate) use security::REGIMES;

use crate::draft::Draft;
use crate::stages::Rule;
use ir::model::Step;
use ir::quantity::Computed;

/// Registers the rules of a stage: each name is a module beside, declared above by `mod`.
macro_rules! rules {
    ($stage:literal: $($name:ident),* $(,)?) => {
        /// The rules of the stage in order.
        pub(super) const RULES: &[&crate::stages::Rule] = &[$(&$name::RULE),*];
        /// Id and page of each.
        pub(super) const PAGES: &[(&str, &str)] = &[$((
            $name::RULE.id,
            include_str!(concat!($stage, "/", stringify!($name), ".rs")),
        )),*];
    };
}

mod boundaries;
mod capacity;
mod communication;
mod contracts;
mod data;
mod operations;
mod resilience;
mod security;

/// The rules of a stage, and id and page of each.
type Registered = (&'static [&'static Rule], &'static [(&'static str, &'static str)]);

const STAGES: &[Registered] = &[
    (boundaries::RULES, boundaries::PAGES),
    (contracts::RULES, contracts::PAGES),
    (data::RULES, data::PAGES),
    (communication::RULES, communication::PAGES),
    (security::RULES, security::PAGES),
    (resilience::RULES, resilience::PAGES),
    (capacity::RULES, capacity::PAGES),
    (operations::RULES, operations::PAGES),
];

/// The 95th percentiles of a workflow's steps together, an upper estimate.
pub(crate) fn saga_duration(draft: &Draft<'_>, steps: &[&Step]) -> Computed {
    communication::duration(draft, steps)
}

/// Resources whose stated rows and workload differ: name, rows a month stated, rows a month made.
pub(crate) fn rows_against_workload(draft: &Draft<'_>) -> Vec<(String, f64, f64)> {
    data::differing(draft)
}

/// All rules in the order of their stages.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    STAGES.iter().flat_map(|(rules, _)| rules.iter().copied())
}

/// Id and text of the file of each rule; its `//!` header is the page.
pub fn pages() -> impl Iterator<Item = (&'static str, &'static str)> {
    STAGES.iter().flat_map(|(_, pages)| pages.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn each_rule_has_an_id_and_a_name_of_its_own_and_a_page_under_them() {
        let ids: BTreeSet<_> = super::all().map(|rule| rule.id).collect();
        let names: BTreeSet<_> = super::all().map(|rule| rule.name).collect();
        let count = super::all().count();
        assert_eq!((ids.len(), names.len()), (count, count));
        for (rule, (id, page)) in super::all().zip(super::pages()) {
            assert_eq!(rule.id, id);
            let title = format!("//! # {} {}\n", rule.id, rule.name);
            assert!(page.starts_with(&title), "the page of {id} begins with `{}`", title.trim());
        }
    }
}
