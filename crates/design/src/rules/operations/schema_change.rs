//! # D067 schema_change
//! How a changed model reaches the tables while they serve.
//!
//! **Why**: a statement that rewrites or locks a large table stops its callers for as long as it
//! takes. Expanding first, filling in chunks and contracting later never does.
//! **Cost**: a change takes two releases. **Instead**: a window at night.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::ResourceId;
use ir::quantity::{Computed, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D067", name: "schema_change", stage: Stage::Operations, each: false, decide };

/// A lock that callers wait out instead of failing.
const LOCK_SECONDS: f64 = 2.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let Some((largest, size)) = facts::most(draft, |id| draft.volume(id).bytes.value) else {
        return Vec::new();
    };
    let rewrite = rewrite(draft, largest, size);
    let budget = (1.0 - draft.value(Knob::Availability)) * super::slo::WINDOW_SECONDS;
    let window = rewrite.value <= LOCK_SECONDS;
    let fits_at = size * LOCK_SECONDS / rewrite.value.max(1e-9);
    let name = draft.name(largest);
    let choice = RULE
        .on("system", "how does a changed model reach the tables?")
        .choose(if window {
            "in place, locked for as long as it takes"
        } else {
            "expand, fill in chunks, contract a release later"
        })
        .because(format!(
            "`{name}` is the largest, {} at the end of the horizon: rewriting it takes {}, {}.",
            facts::bytes(size),
            facts::time(rewrite.value),
            if window {
                format!("which callers wait out; the objective leaves {}", facts::time(budget))
            } else {
                format!(
                    "longer than callers wait; the objective leaves {} in 28 days",
                    facts::time(budget)
                )
            }
        ))
        .number(rewrite.clone())
        .alternative(
            if window { "expand, fill in chunks, contract later" } else { "a window at night" },
            if window {
                "two releases for what one does here.".to_owned()
            } else {
                format!(
                    "spends {} of the budget for each change of `{name}`.",
                    facts::about(rewrite.value / budget.max(1e-9))
                )
            },
            vec![rewrite],
        )
        .consequence(
            "`was:` makes a rename a rename; without it a removed and a new column are what they \
             look like.",
        )
        .driver("goals.availability")
        .driver("contexts.*.resources.*.rows")
        .effect(Effect::AdviceOnly)
        .flips(format!(
            "`{name}` {} {}: {}",
            if window { "above" } else { "below" },
            facts::bytes(fits_at),
            if window { "expand and contract" } else { "in place" }
        ));
    vec![choice.done(draft)]
}

fn rewrite(draft: &Draft<'_>, id: ResourceId, size: f64) -> Computed {
    let bytes = Term::input(
        "bytes",
        size,
        Unit::Bytes,
        draft.volume(id).bytes.grade(),
        "rows at the end of the horizon",
    );
    (bytes / draft.fact("restore_rate")).named("rewriting the largest table", Unit::Seconds)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn large_tables_expand_and_contract() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: expand, fill in chunks, contract a release later
              flips at `ordering.OrderLine` below 200 MB: in place
        "#]],
        );
    }

    #[test]
    fn small_ones_change_in_place() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
            system: in place, locked for as long as it takes
              flips at `notes.Note` above 200 MB: expand and contract
        "#]],
        );
    }
}
