//! What is printed: progress on stderr, the table or JSON on stdout.

use crate::arguments::Measure;
use crate::cases::Case;
use crate::measure::Sample;
use serde_json::{Value, json};
use std::io::Write as _;

/// Of 100 answers, so many may be refused before a row is not to be believed.
const REFUSED_PERCENT_MAX: f64 = 0.1;

/// A line for whoever waits.
pub(crate) fn progress(line: &str) {
    // Nobody is left to be told when standard error is gone.
    let _gone = writeln!(std::io::stderr(), "{line}");
}

/// Medians of the rounds of one server.
#[derive(Debug, Clone)]
pub(crate) struct Medians {
    name: &'static str,
    per_second: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    resident: f64,
    anonymous: f64,
    refused: f64,
    broken: u64,
    load_share: f64,
    all: Vec<f64>,
}

/// One case on one store.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    store: &'static str,
    case: Case,
    sides: Vec<Medians>,
}

/// The middle one.
pub(crate) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    match all.len() {
        0 => f64::NAN,
        many if many % 2 == 1 => all[middle],
        _ => (all[middle - 1] + all[middle]) / 2.0,
    }
}

impl Medians {
    fn new(name: &'static str, samples: &[Sample]) -> Self {
        let of = |value: &dyn Fn(&Sample) -> f64| samples.iter().map(value).collect::<Vec<f64>>();
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let requests = |sample: &Sample| sample.seen.requests.max(1) as f64;
        let all = of(&|sample| requests(sample) * 1e6 / sample.seen.micros as f64);
        Self {
            name,
            per_second: median(all.clone()),
            p50: median(of(&|sample| sample.seen.p50 as f64)),
            p99: median(of(&|sample| sample.seen.p99 as f64)),
            cpu: median(of(&|sample| sample.cpu as f64 / requests(sample))),
            resident: median(of(&|sample| sample.memory.resident_kib as f64 / 1_024.0)),
            anonymous: median(of(&|sample| sample.memory.anonymous_kib as f64 / 1_024.0)),
            refused: median(of(&|sample| sample.seen.refused as f64 * 100.0 / requests(sample))),
            broken: samples.iter().map(|sample| sample.seen.broken).sum(),
            load_share: median(of(&|sample| {
                sample.seen.cpu as f64 * 100.0 / (sample.seen.micros as f64 * cores)
            })),
            all,
        }
    }
}

impl Row {
    /// Of the rounds of each server, Mainstay first.
    pub(crate) fn new(
        store: &'static str,
        case: Case,
        samples: &[(&'static str, Vec<Sample>)],
    ) -> Self {
        let sides = samples.iter().map(|(name, of)| Medians::new(name, of)).collect();
        Self { store, case, sides }
    }

    /// True where the answers were what was asked for.
    pub(crate) fn is_sound(&self) -> bool {
        self.sides.iter().all(|side| side.refused <= REFUSED_PERCENT_MAX && side.broken == 0)
    }

    /// Mainstay's share of the reference: requests, p99, memory.
    fn ratios(&self) -> Option<[f64; 3]> {
        let [mainstay, reference] = &self.sides[..] else { return None };
        Some([
            mainstay.per_second / reference.per_second,
            mainstay.p99 / reference.p99,
            mainstay.anonymous / reference.anonymous,
        ])
    }
}

/// What bookkeeping costs: what is booked, the case that has it, the same without it.
const COSTS: [(&str, Case, Case); 2] =
    [("a key", Case::CreateKey, Case::Create), ("an event", Case::Place, Case::Patch)];

/// Store, what is booked, server, and its microseconds of CPU a request: the difference of the
/// medians of two cases.
fn costs(rows: &[Row]) -> Vec<(&'static str, &'static str, &'static str, f64)> {
    let mut costs = Vec::new();
    for (what, with, without) in COSTS {
        for row in rows.iter().filter(|row| row.case == with) {
            let same = |other: &&Row| (other.store, other.case) == (row.store, without);
            let Some(other) = rows.iter().find(same) else { continue };
            for (side, bare) in row.sides.iter().zip(&other.sides) {
                costs.push((row.store, what, side.name, side.cpu - bare.cpu));
            }
        }
    }
    costs
}

/// The table.
pub(crate) fn print(rows: &[Row]) {
    let mut out = String::new();
    out.push_str(&format!(
        "{:<9} {:<12} {:<10} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8} {:>6}  {:>6} {:>6} {:>6}\n",
        "store",
        "case",
        "server",
        "req/s",
        "p50 us",
        "p99 us",
        "cpu us",
        "own MiB",
        "res MiB",
        "load %",
        "req/s",
        "p99",
        "memory"
    ));
    for row in rows {
        for side in &row.sides {
            let Medians { name, per_second, p50, p99, cpu, resident, .. } = side;
            out.push_str(&format!(
                "{:<9} {:<12} {name:<10} {per_second:>9.0} {p50:>9.0} {p99:>9.0} {cpu:>8.1} \
                 {:>8.1} {resident:>8.1} {:>6.0}",
                row.store,
                row.case.name(),
                side.anonymous,
                side.load_share
            ));
            if let (Some([requests, p99, memory]), "Mainstay") = (row.ratios(), *name) {
                out.push_str(&format!("  {requests:>6.2} {p99:>6.2} {memory:>6.2}"));
            }
            if side.refused > REFUSED_PERCENT_MAX || side.broken > 0 {
                out.push_str(&format!("  refused {:.2} %, broken {}", side.refused, side.broken));
            }
            out.push('\n');
        }
    }
    for (store, what, name, cpu) in costs(rows) {
        out.push_str(&format!("{store:<9} {what:<12} {name:<10} {:>29} {cpu:>8.1}\n", ""));
    }
    out.push_str(
        "\na key: create-key less create; an event: place less patch; cpu: server and store, a \
         request; own:\nmemory without mapped files; load: share of the machine that the load took; \
         the last three: Mainstay's\npart of the reference.\n",
    );
    put(&out);
}

/// The same for programs.
pub(crate) fn print_json(arguments: &Measure, rows: &[Row]) {
    let side = |side: &Medians| {
        json!({
            "server": side.name, "requests_per_second": side.per_second, "p50_us": side.p50,
            "p99_us": side.p99, "cpu_us": side.cpu, "resident_mib": side.resident,
            "anonymous_mib": side.anonymous, "refused_percent": side.refused,
            "broken": side.broken, "load_percent": side.load_share, "rounds": side.all,
        })
    };
    let row = |row: &Row| {
        let sides: Vec<Value> = row.sides.iter().map(side).collect();
        let ratios = row.ratios().map(
            |[requests, p99, memory]| json!({"requests": requests, "p99": p99, "memory": memory}),
        );
        json!({"store": row.store, "case": row.case.name(), "servers": sides, "ratios": ratios})
    };
    let costs: Vec<Value> = costs(rows)
        .into_iter()
        .map(|(store, of, server, cpu)| {
            json!({"store": store, "of": of, "server": server, "cpu_us": cpu})
        })
        .collect();
    let rows: Vec<Value> = rows.iter().map(row).collect();
    let whole = json!({
        "seed": arguments.seed, "rounds": arguments.rounds, "seconds": arguments.seconds,
        "connections": arguments.connections, "orders": arguments.orders, "rows": rows,
        "costs": costs,
    });
    put(&format!("{whole:#}\n"));
}

/// Text on standard output.
pub(crate) fn put(text: &str) {
    // Whoever reads may have gone.
    let _gone = std::io::stdout().write_all(text.as_bytes());
}
