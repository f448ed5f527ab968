//! # D014 storage
//! How many bytes there are at the end of the growth horizon, and where they come from.
//!
//! **Why**: size decides backups, restores, memory and whether one node is enough. The rows that
//! the model states are held against those that its own workload would make.
//! **Cost**: the disk, twice with a standby. **Instead**: what is kept for a shorter time.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::MONTH_SECONDS;
use crate::draft::inputs::Knob;
use crate::draft::volume::{self, Volume};
use crate::rules::Choice;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D014", name: "storage", stage: Stage::Data, each: false, decide };

/// A statement and the workload may differ by this factor before it is said.
const DIFFERENCE: f64 = 3.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let total = draft.bytes();
    if total <= 0.0 {
        return Vec::new();
    }
    let mut largest: Vec<&Volume> = draft.volumes.iter().collect();
    largest.sort_by(|a, b| b.bytes.value.total_cmp(&a.bytes.value));
    let horizon = draft.inputs.horizon();
    let all = sum(draft);
    let restore = restore(draft, total);
    let mut choice = RULE
        .on("system", format!("how much is stored in {}?", facts::time(horizon)))
        .choose(format!("{} with indexes", facts::bytes(total)))
        .number(all)
        .number(restore.clone())
        .driver("goals.growth")
        .driver("contexts.*.resources.*.rows");
    for volume in largest.iter().take(3).filter(|volume| volume.bytes.value > total * 0.05) {
        choice = choice.number(volume.bytes.clone()).because(of(draft, volume, total));
    }
    choice = disagreements(choice, draft);
    if let Some(volume) = largest.first().filter(|volume| volume.keep.is_some()) {
        choice = shorter(choice, draft, volume);
    }
    choice = choice.alternative(
        "a separate store for old rows",
        format!(
            "{} restore in {}: there is nothing to move out yet.",
            facts::bytes(total),
            facts::time(restore.value)
        ),
        Vec::new(),
    );
    let node = draft.catalog.value("tables_node_bytes");
    choice = choice.flips(format!(
        "{} times these rows: one node is full at {}",
        facts::number((node / total).max(1.0)),
        facts::bytes(node)
    ));
    vec![choice.set("bytes", total).done(draft)]
}

fn of(draft: &Draft<'_>, volume: &Volume, total: f64) -> String {
    let grown = match volume.growth_rows {
        Some(rate) => format!(", {} a month now", facts::number(volume::a_month(rate).round())),
        None => String::new(),
    };
    format!(
        "`{}`: {} rows of {} and {} index entries each{grown}; {} of all bytes.",
        draft.name(volume.resource),
        facts::number(volume.rows.value),
        facts::bytes(volume.row_bytes),
        facts::number(volume.indexes),
        facts::about(volume.bytes.value / total)
    )
}

/// Where the model's rows and its own workload do not agree.
fn disagreements(choice: Choice, draft: &Draft<'_>) -> Choice {
    let ratio = draft.value(Knob::PeakToMean);
    differing(draft).into_iter().fold(choice, |choice, (name, stated, made)| {
        choice.consequence(format!(
            "The model does not agree with itself on `{name}`: `rows` says {} a month, the \
             workload makes {} a month at a peak-to-mean of {}. Both hold only if the peak is {} \
             times the mean. Rows and their growth follow `rows`, requests the workload; measure \
             which is right.",
            facts::number(stated.round()),
            facts::number(made.round()),
            facts::number(ratio),
            facts::number((made * ratio / stated).round())
        ))
    })
}

/// Whether the rows that the model states of a resource are far from what its workload makes.
pub(in crate::rules) fn differs(draft: &Draft<'_>, volume: &Volume) -> bool {
    let stated = volume.growth_rows.filter(|_| volume.stated && volume.own_statement);
    let made = draft.load.creates(volume.resource) / draft.value(Knob::PeakToMean);
    stated.is_some_and(|stated| {
        made > 0.0 && stated > 0.0 && (made / stated).max(stated / made) > DIFFERENCE
    })
}

/// Resources whose stated rows a month are far from those that the workload makes: name, stated,
/// made; the largest difference first.
pub(in crate::rules) fn differing(draft: &Draft<'_>) -> Vec<(String, f64, f64)> {
    let mut found = Vec::new();
    for volume in draft.volumes.iter().filter(|volume| differs(draft, volume)) {
        let stated = volume.growth_rows.unwrap_or_default();
        let made = draft.load.creates(volume.resource) / draft.value(Knob::PeakToMean);
        let name = draft.name(volume.resource);
        found.push((name, stated * MONTH_SECONDS, made * MONTH_SECONDS));
    }
    let factor = |one: &(String, f64, f64)| (one.1 / one.2).max(one.2 / one.1);
    found.sort_by(|a, b| factor(b).total_cmp(&factor(a)).then(a.0.cmp(&b.0)));
    found
}

fn shorter(choice: Choice, draft: &Draft<'_>, volume: &Volume) -> Choice {
    let keep = volume.keep.unwrap_or_default();
    let horizon = draft.inputs.horizon();
    let name = draft.name(volume.resource);
    let half = horizon.min(keep) / 2.0;
    let saved = (Term::from(&volume.bytes) / 2.0).named("bytes saved", Unit::Bytes);
    let lost = format!(
        "would halve `{name}` to {}; the model keeps it {}.",
        facts::bytes(volume.bytes.value / 2.0),
        facts::time(keep)
    );
    choice.alternative(format!("`{name}` kept {}", facts::time(half)), lost, vec![saved])
}

fn sum(draft: &Draft<'_>) -> Computed {
    let unit = Unit::Bytes;
    let worst = draft.volumes.iter().map(|volume| volume.bytes.grade()).max();
    let count = draft.volumes.len();
    let all = draft.volumes.iter().map(|volume| volume.bytes.value).sum();
    let grade = worst.unwrap_or(Grade::Assumed);
    let inputs =
        Term::input("widths", all, unit, grade, "fields of each resource, texts half full");
    let formula = format!("sum over {count} tables of rows × (row + indexes × entry)");
    Term::told(all, &formula, vec![inputs]).named("bytes at the horizon", Unit::Bytes)
}

fn restore(draft: &Draft<'_>, total: f64) -> Computed {
    let bytes = Term::input("bytes", total, Unit::Bytes, Grade::Assumed, "all tables");
    (bytes / draft.fact("restore_rate")).named("restore takes", Unit::Seconds)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn rows_and_widths_add_up() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: 13.9 GB with indexes
              flips at 144 times these rows: one node is full at 2 TB
        "#]],
        );
    }

    #[test]
    fn unstated_rows_are_assumed() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
            system: 4.48 MB with indexes
              flips at 446,429 times these rows: one node is full at 2 TB
        "#]],
        );
    }
}
