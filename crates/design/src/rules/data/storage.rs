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
    let mut choice = choice;
    for volume in draft.volumes.iter().filter(|volume| volume.stated) {
        let (Some(stated), creates) = (volume.growth_rows, draft.load.creates(volume.resource))
        else {
            continue;
        };
        if creates <= 0.0 || stated <= 0.0 || draft.domain.resource(volume.resource).owner.is_some()
        {
            continue;
        }
        let ratio = draft.value(Knob::PeakToMean);
        let made = creates / ratio;
        let name = draft.name(volume.resource);
        if made / stated > DIFFERENCE || stated / made > DIFFERENCE {
            choice = choice.consequence(format!(
                "The model does not agree with itself on `{name}`: `rows` says {} a month, the \
                 workload makes {} at the peak, which is {} a month at a peak-to-mean of {}. Both \
                 hold only if the peak is {} times the mean. Storage follows `rows`; measure which \
                 is right.",
                facts::number((stated * MONTH_SECONDS).round()),
                facts::rps(creates),
                facts::number((made * MONTH_SECONDS).round()),
                facts::number(ratio),
                facts::number((creates / stated).round())
            ));
        }
    }
    choice
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
    let source = "rows × (row + indexes × entry) of each resource";
    let all = draft.volumes.iter().map(|volume| volume.bytes.value).sum();
    Term::input("sum_of_tables", all, unit, worst.unwrap_or(Grade::Assumed), source)
        .named("bytes at the horizon", Unit::Bytes)
}

fn restore(draft: &Draft<'_>, total: f64) -> Computed {
    let bytes = Term::input("bytes", total, Unit::Bytes, Grade::Assumed, "all tables");
    (bytes / draft.fact("restore_rate")).named("restore takes", Unit::Seconds)
}
