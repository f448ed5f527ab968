//! # D016 retention
//! What happens to a row when its time is over.
//!
//! **Why**: data that is not kept cannot leak, be subpoenaed or have to be restored; and a table
//! that only grows ends a node. **Cost**: a nightly job, and proof that it ran.
//! **Instead**: keeping everything, or erasing only what is about a person.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::volume::{Volume, a_month};
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Stage};
use ir::domain::{Resource, ResourceId};
use ir::model::Rows;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D016", name: "retention", stage: Stage::Data, each: true, decide };

/// Rows a day from which deleting them one by one fills the night.
const DUE_ROWS_MAX: f64 = 5_000_000.0;
/// Rows that one transaction deletes: short enough that no request waits for it.
const BATCH_ROWS: f64 = 1_000.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for (id, resource) in draft.domain.roots() {
        let rows = rows_of(draft, id);
        if let Some((rows, keep)) = rows.and_then(|rows| Some((rows, rows.keep?))) {
            decisions.push(on(draft, id, resource, rows, keep));
        }
    }
    decisions
}

fn on(draft: &Draft<'_>, id: ResourceId, resource: &Resource, rows: &Rows, keep: f64) -> Decision {
    let volume = draft.volume(id);
    let name = draft.name(id);
    let personal: Vec<String> = resource
        .fields
        .iter()
        .filter(|field| field.personal)
        .map(|field| format!("`{}`", field.name))
        .collect();
    let daily = daily(volume);
    let steady = steady(volume, keep);
    let path = format!("contexts.{}.rows", name.replacen('.', ".resources.", 1));
    let mut choice = RULE
        .on(&name, format!("what happens to rows of `{name}` after {}?", facts::time(keep)))
        .driver(path);
    let once_full = steady.as_ref().map_or(volume.rows.value, |one| one.value);
    let children = resource.children().next().is_some();
    choice = ending(choice, rows, keep, &personal, children, volume.row_bytes * once_full);
    if let (Some(daily), Some(steady)) = (daily, steady) {
        let batches = (daily.value / BATCH_ROWS).ceil();
        choice = choice
            .because(format!(
                "From then on {} rows a day fall due: {} of {} rows.",
                facts::number(daily.value.round()),
                crate::rules::choice::counted(batches, "transaction", "transactions"),
                facts::number(BATCH_ROWS)
            ))
            .number(daily)
            .number(steady);
    }
    let choice = forever(choice, volume, !personal.is_empty());
    let choice = choice
        .consequence(
            "Not done by `up` yet: the schedule is in the document and has to be run by hand.",
        )
        .set("keep_seconds", keep);
    let due = volume.growth_rows.map_or(0.0, |rate| a_month(rate) / 30.44);
    let choice = choice.flips(format!(
        "more than {} rows due a day ({} now): partitions that are dropped instead of rows",
        facts::number(DUE_ROWS_MAX),
        facts::number(due.round())
    ));
    choice.done(draft)
}

/// What the statement asks for at the end, against the other end.
fn ending(
    choice: Choice,
    rows: &Rows,
    keep: f64,
    personal: &[String],
    children: bool,
    bytes: f64,
) -> Choice {
    if rows.then_erase_personal && !personal.is_empty() {
        choice
            .choose(format!("{} set to null, the row stays", listed(personal)))
            .because(format!(
                "`rows` keeps them {} and then erases what is about a person: the rest still adds \
                 up in reports.",
                facts::time(keep)
            ))
            .alternative(
                "the row goes too",
                format!("sums over years older than {} would change.", facts::time(keep)),
                Vec::new(),
            )
    } else {
        choice
            .choose(if children {
                "deleted with its children, in batches at night"
            } else {
                "deleted, in batches at night"
            })
            .because(format!(
                "`rows` keeps them {} and no longer{}.",
                facts::time(keep),
                if personal.is_empty() {
                    String::new()
                } else {
                    format!("; what is personal, {}, goes with them", listed(personal))
                }
            ))
            .alternative(
                if personal.is_empty() {
                    "moved to object storage"
                } else {
                    "erase only what is personal"
                },
                format!(
                    "would keep {} for ever, for no query that the API offers.",
                    facts::bytes(bytes)
                ),
                Vec::new(),
            )
    }
}

fn forever(choice: Choice, volume: &Volume, personal: bool) -> Choice {
    let yearly = volume.growth_rows.map(|rate| {
        let unit = Unit::Count("rows".to_owned());
        let rate = Term::input("rows_a_year", a_month(rate) * 12.0, unit, Grade::Given, "rows");
        let row = Term::input(
            "row_bytes",
            volume.row_bytes,
            Unit::Bytes,
            Grade::Assumed,
            "fields, texts half full",
        );
        (rate * row).named("more each year", Unit::Bytes)
    });
    choice.alternative(
        "keep everything",
        match &yearly {
            Some(yearly) if personal => format!(
                "{} more each year without end, all of it to be searched when a person asks to be \
                 erased.",
                facts::bytes(yearly.value)
            ),
            Some(yearly) => format!(
                "{} more each year without end, in each backup and restore.",
                facts::bytes(yearly.value)
            ),
            None if personal => format!(
                "{} rows about people whom nobody serves any more.",
                facts::number(volume.rows.value)
            ),
            None => format!("{} rows that nobody asks for.", facts::number(volume.rows.value)),
        },
        yearly.into_iter().collect(),
    )
}

fn rows_of<'a>(draft: &Draft<'a>, id: ResourceId) -> Option<&'a Rows> {
    let resource = draft.domain.resource(id);
    let context = draft.model.contexts.get(resource.context.index())?;
    let written = context.resources.iter().find(|one| one.name == resource.name.as_str())?;
    written.rows.as_ref()
}

fn daily(volume: &Volume) -> Option<Computed> {
    let rate = volume.growth_rows?;
    let unit = Unit::Count("rows".to_owned());
    let month = Term::input("rows_a_month", a_month(rate), unit.clone(), Grade::Given, "rows");
    Some((month / 30.44).named("rows due a day", unit))
}

fn steady(volume: &Volume, keep: f64) -> Option<Computed> {
    let rate = volume.growth_rows?;
    let unit = Unit::Count("rows".to_owned());
    let month = Term::input("rows_a_month", a_month(rate), unit.clone(), Grade::Given, "rows");
    let months = keep / crate::draft::MONTH_SECONDS;
    let months = Term::input("months_kept", months, Unit::One, Grade::Given, "keep");
    Some((month * months).named("rows once it is full", unit))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, NOTES, check};
    use expect_test::expect;

    #[test]
    fn each_keep_has_its_job() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                people.Patient: `name`, `born`, `email`, `phone` and 1 more set to null, the row stays
                  flips at more than 5,000,000 rows due a day (0 now): partitions that are dropped instead of rows
                scheduling.Appointment: `reason` set to null, the row stays
                  flips at more than 5,000,000 rows due a day (1,183 now): partitions that are dropped instead of rows
                records.Entry: deleted, in batches at night
                  flips at more than 5,000,000 rows due a day (1,478 now): partitions that are dropped instead of rows
            "#]],
        );
    }

    #[test]
    fn nothing_is_deleted_that_nobody_said() {
        check(&RULE, NOTES, expect![[r#""#]]);
    }
}
