//! What a month costs, line by line, at a factor of today's load.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::sizing::{self, Store};
use crate::draft::{Draft, MONTH_SECONDS};
use ir::quantity::{Computed, Grade, Unit};

/// Share of the budget that logs may cost.
pub const LOG_BUDGET_SHARE: f64 = 0.05;
/// What logs may cost a month where there is no budget.
pub const LOG_MONEY_WITHOUT_BUDGET: f64 = 50.0;
/// Backups of fourteen days, as a multiple of the data.
const BACKUP_FACTOR: f64 = 1.5;
/// Gigabytes of disk that are bought at least.
const DISK_GB_MIN: f64 = 20.0;

/// The lines of a month's bill; `factor` is of today's peak.
pub fn lines(draft: &Draft<'_>, factor: f64) -> Vec<Computed> {
    let mut lines = match sizing::store(draft) {
        Store::Embedded => vec![machine(draft, factor)],
        Store::Server => {
            let mut lines = vec![nodes(draft, factor), database(draft, factor)];
            lines.push(balancer(draft, factor));
            lines
        }
    };
    lines.push(backups(draft));
    lines.push(egress(draft, factor));
    lines.push(logs(draft, factor));
    if !matches!(draft.word("broker"), "" | "none") {
        let nodes = draft.fact("broker_node") * sizing::hours() * 3.0;
        lines.push(nodes.named("broker", sizing::money(draft)));
    }
    lines
}

/// The sum of the lines.
pub fn total(draft: &Draft<'_>, factor: f64) -> Computed {
    let lines = lines(draft, factor);
    Term::sum(lines.iter().map(Term::from)).named("monthly cost", sizing::money(draft))
}

/// The budget in the currency of the prices; none where it has no rate for it.
pub fn budget(draft: &Draft<'_>) -> Option<Computed> {
    let (amount, currency) = draft.inputs.budget.as_ref()?;
    if *currency == draft.catalog.currency {
        return Some((amount.clone() * 1.0).named("budget", sizing::money(draft)));
    }
    let name = format!("exchange_{}", currency.to_lowercase());
    let rate = draft.catalog.find(&name)?;
    Some((amount.clone() * rate).named("budget", sizing::money(draft)))
}

/// The factor of today's peak at which the bill passes an amount; none below a hundred times.
pub fn factor_at(draft: &Draft<'_>, amount: f64) -> Option<f64> {
    let within = |factor: f64| total(draft, factor).value <= amount;
    if !within(1.0) {
        return None;
    }
    let (mut low, mut high) = (1.0, 2.0);
    while within(high) {
        low = high;
        high *= 2.0;
        if high > 100.0 {
            return None;
        }
    }
    for _ in 0..12 {
        let middle = (low + high) / 2.0;
        if within(middle) { low = middle } else { high = middle }
    }
    Some(low)
}

fn load(factor: f64) -> Term {
    Term::input("load", factor, Unit::One, Grade::Derived, "factor of today's peak")
}

fn scaled(term: Term, factor: f64) -> Term {
    if (factor - 1.0).abs() < 1e-9 { term } else { term * load(factor) }
}

/// All of what a machine with the database on it costs.
fn machine(draft: &Draft<'_>, factor: f64) -> Computed {
    let cpu = sizing::app_cpu(draft, Store::Embedded).value * factor;
    let target = draft.catalog.value("utilisation_target");
    let size = match cpu / target {
        needed if needed <= 2.0 => "machine_2",
        needed if needed <= 4.0 => "machine_4",
        _ => "machine_8",
    };
    let node = draft.fact(size) * sizing::hours();
    (node + disk(draft) * draft.fact("machine_disk_gb")).named("machine", sizing::money(draft))
}

fn nodes(draft: &Draft<'_>, factor: f64) -> Computed {
    let decided = draft.number("replicas", "system").unwrap_or(1.0);
    let cpu = sizing::app_cpu(draft, Store::Server).value;
    let spare = (decided - nodes_for(draft, cpu)).max(0.0);
    let count = decided.max(nodes_for(draft, cpu * factor) + spare);
    let unit = Unit::Count("replicas".to_owned());
    let count = Term::input("replicas", count, unit, Grade::Derived, "the replicas decision");
    (count * sizing::replica_price(draft)).named("application", sizing::money(draft))
}

fn nodes_for(draft: &Draft<'_>, cpu: f64) -> f64 {
    let computed = Term::number(cpu).named("cpu", Unit::One);
    sizing::nodes_for(draft, &computed).value
}

fn database(draft: &Draft<'_>, factor: f64) -> Computed {
    let demand = sizing::database_cpu(draft).value * factor;
    let size = sizing::database_size(draft, demand, draft.bytes());
    let one = draft.fact(size.0) * sizing::hours() + disk(draft) * draft.fact("database_disk_gb");
    let all = if draft.flag("standby") { Term::number(2.0) * one } else { one };
    all.named("database", sizing::money(draft))
}

/// Gigabytes to buy: all tables at the end of the horizon.
fn disk(draft: &Draft<'_>) -> Term {
    let unit = Unit::Count("GB".to_owned());
    let value = (draft.bytes() / 1e9).ceil().max(DISK_GB_MIN);
    Term::input("disk", value, unit, Grade::Assumed, "all tables at the horizon, 20 GB at least")
}

fn balancer(draft: &Draft<'_>, factor: f64) -> Computed {
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean) * factor;
    let gigabytes = mean * draft.value(Knob::Payload) * 3_600.0 / 1e9;
    // A client keeps its connection for about ten requests.
    let units = (mean / 10.0 / 25.0).max(gigabytes).max(1.0);
    let unit = Unit::Count("units".to_owned());
    let source = "new connections / 25 a second or GB an hour, the greater";
    let units = Term::input("units", units, unit, Grade::Derived, source);
    let price = draft.fact("balancer") + units * draft.fact("balancer_unit");
    (price * sizing::hours()).named("balancer", sizing::money(draft))
}

fn backups(draft: &Draft<'_>) -> Computed {
    let unit = Unit::Count("GB".to_owned());
    let bytes = draft.bytes() / 1e9;
    let gigabytes = Term::input("data", bytes, unit, Grade::Assumed, "all tables at the horizon");
    (gigabytes * BACKUP_FACTOR * draft.fact("backup_gb")).named("backups", sizing::money(draft))
}

fn month() -> Term {
    Term::input("month", MONTH_SECONDS, Unit::Seconds, Grade::Derived, "a mean month")
}

fn egress(draft: &Draft<'_>, factor: f64) -> Computed {
    let mean = draft.peak() / draft.input(Knob::PeakToMean);
    let bytes = scaled(mean, factor) * draft.input(Knob::Payload) * month() / 1e9;
    (bytes * draft.fact("egress_gb")).named("traffic out", sizing::money(draft))
}

/// What logs may cost a month.
pub fn log_allowance(draft: &Draft<'_>) -> f64 {
    budget(draft).map_or(LOG_MONEY_WITHOUT_BUDGET, |budget| budget.value * LOG_BUDGET_SHARE)
}

fn logs(draft: &Draft<'_>, factor: f64) -> Computed {
    let mean = draft.peak() / draft.input(Knob::PeakToMean);
    let bytes = scaled(mean, factor) * draft.fact("log_line") * month() / 1e9;
    let all = bytes * draft.fact("log_gb");
    let source = "what the logging decision allows";
    let allowed = Term::input("allowed", log_allowance(draft), Unit::One, Grade::Derived, source);
    all.min(allowed).named("logs", sizing::money(draft))
}
