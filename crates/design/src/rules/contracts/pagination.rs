//! # D005 pagination
//! How a list that is longer than a page is read to its end.
//!
//! **Why**: an offset reads and throws away everything before it, and skips or repeats rows when
//! others write meanwhile; a cursor continues behind the last row by the index.
//! **Cost**: no jump to page 900, no total. **Instead**: `offset`, or all rows at once.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::load::Work;
use crate::rules::Choice;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::ResourceId;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D005", name: "pagination", stage: Stage::Contracts, each: false, decide };

const PAGE_ITEMS: f64 = 20.0;
const PAGE_ITEMS_MAX: u32 = 100;
/// Seconds that a person looks at a page.
const PAGE_TIME_SECONDS: f64 = 10.0;
/// Lists shorter than this do not feel an offset.
const SHORT_ROWS: f64 = 1_000.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let listed = |id| {
        let root = draft.domain.resource(id).owner.is_none();
        let lists = root && draft.load.on(id, Work::List) > 0.0;
        if lists { facts::reach(draft, id).value } else { 0.0 }
    };
    let any = |id| {
        let root = draft.domain.resource(id).owner.is_none();
        if root { facts::reach(draft, id).value } else { 0.0 }
    };
    let Some((longest, rows)) = facts::most(draft, listed).or_else(|| facts::most(draft, any))
    else {
        return Vec::new();
    };
    let name = draft.name(longest);
    let last = offset_cost(draft, longest);
    let page =
        (Term::number(1.0) * draft.fact("list_database")).named("page by cursor", Unit::Seconds);
    let reach_share = rows / draft.volume(longest).rows.value.max(1.0);
    let new = facts::new_rows(draft, longest);
    let creates = new.rate * reach_share;
    let choice = RULE
        .on("system", format!("how is `{name}` with {} rows read to its end?", facts::number(rows)))
        .choose("signed cursor, 20 a page, 100 at most")
        .because(format!(
            "The longest list is `{name}`: {} rows in one caller's reach at the end of the \
             horizon, {} pages.",
            facts::number(rows),
            facts::number((rows / PAGE_ITEMS).ceil())
        ))
        .because_if(creates > 0.0, || {
            format!(
                "{} of them are created at the peak{}: a reader who takes {} a page by offset \
                 sees {} of them twice on the next.",
                facts::rps(creates),
                new.by,
                facts::time(PAGE_TIME_SECONDS),
                facts::number((creates * PAGE_TIME_SECONDS).min(PAGE_ITEMS).ceil())
            )
        })
        .number(page)
        .number(last.clone())
        .consequence(
            "A list has no total and no page numbers: screens show `more`, not `page 7 of 900`.",
        )
        .driver(format!("contexts.{}.rows", name.replacen('.', ".resources.", 1)))
        .flips(format!(
            "a screen that must jump to a page of `{name}`: an offset for that screen, capped at \
             {} rows",
            facts::number(SHORT_ROWS)
        ))
        .effect(Effect::RunsHere)
        .set("page_items_default", PAGE_ITEMS)
        .set("page_items_max", PAGE_ITEMS_MAX);
    vec![others(choice, draft, longest, rows, last).done(draft)]
}

fn others(
    choice: Choice,
    draft: &Draft<'_>,
    longest: ResourceId,
    rows: f64,
    last: Computed,
) -> Choice {
    let name = draft.name(longest);
    let row = draft.volume(longest).row_bytes;
    let row = Term::input("row_bytes", row, Unit::Bytes, Grade::Assumed, &name);
    let all =
        (Term::from(&facts::reach(draft, longest)) * row).named("all rows at once", Unit::Bytes);
    choice
        .alternative(
            "offset and limit",
            if rows < SHORT_ROWS {
                format!(
                    "would do for {} rows; it loses because rows move under it when others write.",
                    facts::number(rows)
                )
            } else {
                format!(
                    "the last page of `{name}` would read {} rows to show 20, about {} of \
                     database CPU.",
                    facts::number(rows),
                    facts::time(last.value)
                )
            },
            vec![last],
        )
        .alternative(
            "everything in one answer",
            format!("an answer of {} for `{name}`.", facts::bytes(all.value)),
            vec![all],
        )
}

/// CPU of the database for the last page by offset: an index entry is skipped for each row.
fn offset_cost(draft: &Draft<'_>, id: ResourceId) -> Computed {
    let skip = draft.fact("row_skip");
    (Term::from(&facts::reach(draft, id)) * skip).named("last page by offset", Unit::Seconds)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn the_longest_list_sets_the_price_of_an_offset() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: signed cursor, 20 a page, 100 at most
              flips at a screen that must jump to a page of `ordering.Order`: an offset for that screen, capped at 1,000 rows
        "#]],
        );
    }

    #[test]
    fn a_list_that_nobody_is_known_to_read_still_pages() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
            system: signed cursor, 20 a page, 100 at most
              flips at a screen that must jump to a page of `notes.Note`: an offset for that screen, capped at 1,000 rows
        "#]],
        );
    }
}
