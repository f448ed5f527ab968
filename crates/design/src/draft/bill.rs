//! What a month costs, line by line, at a factor of today's load.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::load::Work;
use crate::draft::sizing::{self, Store};
use crate::draft::{Draft, MONTH_SECONDS, SYSTEM};
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
    lines.extend(beside(draft, factor));
    if !matches!(draft.word("broker"), "" | "none") {
        let nodes = draft.fact("broker_node") * sizing::hours() * 3.0;
        lines.push(nodes.named("broker", sizing::money(draft)));
    }
    lines
}

/// What is paid whatever holds the rows.
fn beside(draft: &Draft<'_>, factor: f64) -> Vec<Computed> {
    let mut lines =
        vec![backups(draft), egress(draft, factor), logs(draft, factor), traces(draft, factor)];
    if audited(draft) {
        lines.push(audit(draft, factor));
    }
    lines
}

/// The whole bill of one machine with SQLite on it, whatever was decided.
pub fn one_machine(draft: &Draft<'_>) -> Computed {
    let lines = std::iter::once(machine(draft, 1.0)).chain(beside(draft, 1.0));
    let terms = lines.map(|line| Term::from(&line));
    Term::sum(terms).named("monthly cost", sizing::money(draft))
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

/// Shares of the good requests that may be logged.
const LOG_SAMPLES: [f64; 4] = [1.0, 0.1, 0.01, 0.001];

/// The share of the good requests that is logged: what the model pins, else the largest sample
/// that stays within the allowance.
pub fn log_sample(draft: &Draft<'_>) -> f64 {
    match draft.pin("logging", SYSTEM).map(|pin| pin.choose.value.trim().to_lowercase()) {
        Some(wish) if wish.starts_with("every request") => return 1.0,
        Some(wish) if wish.starts_with("a tenth of them") => return 0.1,
        Some(_) | None => {}
    }
    let allowed = log_allowance(draft);
    let within = |sample: &f64| logs_of(draft, *sample).value <= allowed;
    let found = LOG_SAMPLES.into_iter().find(within);
    found.unwrap_or(LOG_SAMPLES[LOG_SAMPLES.len() - 1])
}

/// Bytes of logs a month at a sample.
pub fn log_volume(draft: &Draft<'_>, sample: f64) -> Computed {
    let source = "the logging decision";
    let sample = Term::input("sample", sample, Unit::Share, Grade::Derived, source);
    (draft.peak() / draft.input(Knob::PeakToMean) * draft.fact("log_line") * sample * month())
        .named("logs a month", Unit::Bytes)
}

/// What logs cost a month at a sample.
pub fn logs_of(draft: &Draft<'_>, sample: f64) -> Computed {
    (Term::from(log_volume(draft, sample)) / 1e9 * draft.fact("log_gb"))
        .named("logs", sizing::money(draft))
}

/// Logs as they are decided; more load than today's thins the sample once the allowance is spent.
fn logs(draft: &Draft<'_>, factor: f64) -> Computed {
    let today = logs_of(draft, log_sample(draft));
    if factor <= 1.0 {
        return today;
    }
    let source = "what the logging decision allows";
    let most = log_allowance(draft).max(today.value);
    let allowed = Term::input("allowed", most, sizing::money(draft), Grade::Derived, source);
    scaled(Term::from(&today), factor).min(allowed).named("logs", sizing::money(draft))
}

/// What traces may cost a month where there is no budget.
const TRACE_MONEY_WITHOUT_BUDGET: f64 = 10.0;

/// What traces may cost a month: as much of a budget as logs.
pub fn trace_allowance(draft: &Draft<'_>) -> f64 {
    budget(draft).map_or(TRACE_MONEY_WITHOUT_BUDGET, |budget| budget.value * LOG_BUDGET_SHARE)
}

/// Traces a second that answer any question about the mean.
pub const TRACES_ENOUGH: f64 = 10.0;
/// The thinnest sample of traces.
const TRACE_SAMPLE_MIN: f64 = 0.000_1;
/// Spans of a request.
const SPANS: f64 = 4.0;

/// The share of the good requests that leaves a trace: the power of ten nearest to what is enough,
/// or as much thinner as may be paid for.
pub fn trace_sample(draft: &Draft<'_>) -> f64 {
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    let enough = (TRACES_ENOUGH / mean.max(1e-9)).min(1.0);
    let mut sample = 10f64.powf(enough.log10().round());
    while traces_of(draft, sample).value > trace_allowance(draft) && sample > TRACE_SAMPLE_MIN {
        sample /= 10.0;
    }
    sample
}

/// The mean up to which every request leaves a trace: as many as are enough, rounded to the
/// nearest power of ten, or as many as may be paid for.
pub fn traced_whole(draft: &Draft<'_>) -> f64 {
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    let paid = mean * trace_allowance(draft) / traces_of(draft, 1.0).value.max(1e-9);
    paid.min(TRACES_ENOUGH * 10f64.sqrt())
}

/// Bytes of spans a month at a sample.
pub fn trace_volume(draft: &Draft<'_>, sample: f64) -> Computed {
    let source = "the tracing decision";
    let sample = Term::input("sample", sample, Unit::Share, Grade::Derived, source);
    let spans =
        Term::input("spans", SPANS, Unit::One, Grade::Assumed, "edge, rules, store, answer");
    (draft.peak() / draft.input(Knob::PeakToMean)
        * spans
        * draft.fact("span_bytes")
        * sample
        * month())
    .named("spans a month", Unit::Bytes)
}

/// What traces cost a month at a sample.
fn traces_of(draft: &Draft<'_>, sample: f64) -> Computed {
    (Term::from(&trace_volume(draft, sample)) / 1e9 * draft.fact("trace_gb"))
        .named("traces", sizing::money(draft))
}

/// Traces as they are decided; with more load than today's the sample thins where there are more
/// than enough, or more than may be paid for.
fn traces(draft: &Draft<'_>, factor: f64) -> Computed {
    let sample = trace_sample(draft);
    let today = traces_of(draft, sample);
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    let paid = trace_allowance(draft) / today.value.max(1e-9);
    let room = (TRACES_ENOUGH * 10f64.sqrt() / (mean * sample).max(1e-9)).min(paid);
    match factor.min(room.max(1.0)) {
        same if same <= 1.0 => today,
        more => scaled(Term::from(&today), more).named("traces", sizing::money(draft)),
    }
}

/// Bytes of an entry of the audit trail: who, what, before and after, hash.
const AUDIT_ENTRY_BYTES: f64 = 600.0;

/// Whether the audit decision asks for a trail: somebody may look into every tenant, or a regime
/// asks for it.
pub fn audited(draft: &Draft<'_>) -> bool {
    draft.domain.actors.iter().any(|actor| actor.across_tenants) || !audit_regimes(draft).is_empty()
}

/// The regimes of the model that ask whose deeds they were.
pub fn audit_regimes(draft: &Draft<'_>) -> Vec<&'static str> {
    let all = ["hipaa", "pci-dss", "soc2", "gdpr"].into_iter();
    all.filter(|regime| draft.complies(regime)).collect()
}

/// Bytes of the audit trail a month.
pub fn audit_volume(draft: &Draft<'_>) -> Computed {
    let writes = sizing::rate(draft, Work::Write);
    let source = "who, what, before, after, hash";
    let entry = Term::input("entry", AUDIT_ENTRY_BYTES, Unit::Bytes, Grade::Assumed, source);
    (writes / draft.input(Knob::PeakToMean) * entry * month())
        .named("audit trail a month", Unit::Bytes)
}

/// A month of the trail in object storage; each month that is kept adds as much.
pub fn audit(draft: &Draft<'_>, factor: f64) -> Computed {
    let bytes = scaled(Term::from(&audit_volume(draft)), factor) / 1e9;
    (bytes * draft.fact("backup_gb")).named("audit trail", sizing::money(draft))
}
