//! # D012 identifiers
//! What an id looks like.
//!
//! **Why**: ids are made before the row is stored, appear in URLs and are the tail of every index.
//! **Cost** of 128 bits: eight bytes more in each row, reference and index entry.
//! **Instead**: a counting number, or a random UUID.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::Kind;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D012", name: "identifiers", stage: Stage::Data, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let extra = extra(draft);
    let Some((hot, creates)) = facts::most(draft, |id| facts::new_rows(draft, id).rate) else {
        return vec![plain(draft, extra)];
    };
    let by = facts::new_rows(draft, hot).by;
    let name = draft.name(hot);
    let volume = draft.volume(hot);
    let index = Term::from(&volume.rows)
        * Term::input(
            "entry_bytes",
            48.0,
            Unit::Bytes,
            Grade::Assumed,
            "an entry of the primary key",
        );
    let index = index.named("primary key in memory", Unit::Bytes);
    let pages = creates.min(volume.rows.value);
    let choice = RULE
        .on("system", "what does an id look like?")
        .choose("UUIDv7, made by the application")
        .because(format!(
            "`{name}` grows by {} at the peak{by}: ids that begin with the time append to the \
             last page of the key; random ones would touch {} a second, anywhere in {}.",
            facts::rps(creates),
            counted(pages.ceil(), "page", "pages"),
            facts::bytes(index.value)
        ))
        .because_if(exposed(draft).len() > 1, || {
            format!(
                "{} are addressed by id from outside: a counting number would tell every caller \
                 how many there are and how fast they grow.",
                listed(&exposed(draft))
            )
        })
        .number(extra.clone())
        .number(index.clone())
        .alternative(
            "counting numbers",
            format!(
                "{} smaller in all, but known only after the insert, so a batch or a saga could \
                 not name a row it is about to make.",
                facts::bytes(extra.value)
            ),
            vec![(Term::number(0.0)).named("bytes more than counting numbers", Unit::Bytes)],
        )
        .alternative(
            "random UUID",
            format!(
                "the whole key of `{name}`, {}, has to stay in memory.",
                facts::bytes(index.value)
            ),
            vec![index],
        )
        .flips(if creates >= 1.0 {
            format!(
                "`{name}` growing by less than 1 rps ({} now): random ids would touch no more \
                 pages",
                facts::rps(creates)
            )
        } else {
            "ids that may not tell when a row was made: random ones, at this rate for nothing"
                .to_owned()
        })
        .driver("workload")
        .effect(Effect::RunsHere)
        .set("identifiers", "uuidv7");
    vec![choice.done(draft)]
}

/// What eight bytes more in each row and index entry add up to.
fn extra(draft: &Draft<'_>) -> Computed {
    let rows: f64 = draft.volumes.iter().map(|volume| volume.rows.value).sum();
    let entries: f64 = draft.volumes.iter().map(|volume| volume.rows.value * volume.indexes).sum();
    let unit = || Unit::Count("rows".to_owned());
    let rows = Term::input("rows", rows, unit(), Grade::Assumed, "all tables at the horizon");
    let entries = Term::input("index_entries", entries, unit(), Grade::Assumed, "all indexes");
    let eight = Term::input(
        "eight_bytes",
        8.0,
        Unit::Bytes,
        Grade::Derived,
        "16 of a UUID less 8 of a bigint",
    );
    ((rows + &entries) * eight).named("bytes more than counting numbers", Unit::Bytes)
}

/// Where nothing is created in the workload there is no hot key to speak of.
fn plain(draft: &Draft<'_>, extra: Computed) -> Decision {
    let references = draft.domain.resources.iter().flat_map(|one| &one.fields);
    let references =
        references.filter(|field| matches!(field.kind, Kind::Reference { .. })).count();
    RULE.on("system", "what does an id look like?")
        .choose("UUIDv7, made by the application")
        .because(format!(
            "{} hold an id; at {} more than counting numbers in all, none is worth an exception.",
            counted(references as f64, "reference", "references"),
            facts::bytes(extra.value)
        ))
        .number(extra)
        .flips(
            "more than 1 rps created of one resource: the pages that random ids touch are then \
             counted",
        )
        .driver("contexts")
        .alternative("counting numbers", "tell a caller how many rows there are.", Vec::new())
        .effect(Effect::RunsHere)
        .set("identifiers", "uuidv7")
        .done(draft)
}

fn exposed(draft: &Draft<'_>) -> Vec<String> {
    let read = draft.domain.roots().filter(|(_, one)| !one.access.read.is_empty());
    read.map(|(id, _)| format!("`{}`", draft.name(id))).collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn ids_begin_with_the_time() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: UUIDv7, made by the application
                  flips at `notifications.Message` growing by less than 1 rps (42.9 rps now): random ids would touch no more pages
            "#]],
        );
    }

    #[test]
    fn also_where_nothing_grows_fast() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: UUIDv7, made by the application
                  flips at `notes.Note` growing by less than 1 rps (5 rps now): random ids would touch no more pages
            "#]],
        );
    }
}
