//! # D036 secrets
//! Where passwords, keys and addresses of other systems come from.
//!
//! **Why**: what stands in the model stands in the repository, its history and every document made
//! of it.
//! **Cost**: something must hand the values to the process. **Instead**: a vault asked at start.

use crate::draft::Draft;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Stage};

pub(super) const RULE: Rule =
    Rule { id: "D036", name: "secrets", stage: Stage::Security, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut names: Vec<String> =
        draft.model.variables.iter().map(|variable| format!("`{}`", variable.name.value)).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Vec::new();
    }
    let files = draft.model.variables.iter().filter(|variable| variable.file).count();
    let users: Vec<String> = {
        let mut users: Vec<String> = draft
            .model
            .variables
            .iter()
            .map(|variable| format!("`{}`", variable.used_by))
            .collect();
        users.sort();
        users.dedup();
        users
    };
    let rotations = draft.model.integrations.len().max(1);
    let choice = RULE
        .on("system", "where do secrets come from?")
        .choose(if files > 0 {
            "the environment, and files that the platform mounts"
        } else {
            "the environment of the process, checked at start"
        })
        .because(format!(
            "{} for {}; in production a missing one is a refusal to start, in development a \
             warning.",
            listed(&names),
            listed(&users)
        ))
        .number(facts::count("values", names.len() as f64, "values", "${…} in the model"))
        .alternative(
            "a vault asked at start",
            format!(
                "one more system that must be up for a restart, for {}.",
                counted(names.len() as f64, "value", "values")
            ),
            Vec::new(),
        )
        .alternative(
            "in the model, encrypted",
            "the key to it is a secret again, and history keeps every old value.",
            Vec::new(),
        )
        .consequence(format!(
            "Rotating one is a rolling restart; {} to rotate with.",
            counted(rotations as f64, "party outside", "parties outside")
        ))
        .flips("more than 20 values, or one that changes daily: a vault with leases")
        .driver("integrations")
        .authority(Authority::Advises)
        .effect(Effect::RunsHere);
    vec![choice.done(draft)]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn variables_come_from_the_environment() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: the environment of the process, checked at start
              flips at more than 20 values, or one that changes daily: a vault with leases
        "#]],
        );
    }

    #[test]
    fn a_model_without_variables_has_no_secrets() {
        check(&RULE, NOTES, expect![[""]]);
    }
}
