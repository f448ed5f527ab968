//! What was assumed because the model does not say, what it moves and which decisions flip with it.
//!
//! Every number here comes from running the design again with one input changed.

use super::again;
use crate::draft::inputs::{Knob, Missing};
use crate::draft::{Draft, Ground, bill, sizing};
use crate::rules::facts;
use ir::decision::{Assumption, Decision};
use std::collections::BTreeMap;

/// Resources above which only halves and doubles are tried.
const RESOURCES_FINE: usize = 60;
/// Factors that are tried in search of flips, in both directions.
const FACTORS: [f64; 3] = [2.0, 4.0, 8.0];
/// Steps of the bisection between the last value that holds and the first that flips.
const BISECTIONS: u32 = 5;
/// Flips that are told of one assumption.
const FLIPS_MAX: usize = 6;
/// Decisions whose choice is a number alone: they move, they do not flip.
const NUMBERS_ALONE: [&str; 10] = [
    "storage",
    "latency",
    "horizons",
    "cost",
    "bottlenecks",
    "indexes",
    "slo",
    "alerts",
    "roadmap",
    "identifiers",
];

/// All assumptions, those that move most first. Each is tried by itself, so that they share the
/// machine's cores: the runs are most of what a large design takes.
pub(super) fn assumptions(ground: Ground<'_>, draft: &Draft<'_>) -> Vec<Assumption> {
    let base = Outcome::of(draft);
    let asked: Vec<&Missing> =
        draft.inputs.missing.iter().filter(|one| asked(draft, one.knob)).collect();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = asked.len().div_ceil(cores).max(1);
    let mut found: Vec<Assumption> = std::thread::scope(|scope| {
        let base = &base;
        let parts = asked.chunks(share).map(|part| {
            scope.spawn(move || {
                part.iter().map(|one| assumed(ground, draft, base, one)).collect::<Vec<_>>()
            })
        });
        let parts: Vec<_> = parts.collect();
        let joined = parts
            .into_iter()
            .map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.flatten().collect()
    });
    found.extend(rows(ground, draft, &base));
    let weight = |one: &Assumption| one.moves.0 + one.moves.1;
    found.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.path.cmp(&b.path)));
    found
}

/// What one missing input moves, and what flips with it.
fn assumed(ground: Ground<'_>, draft: &Draft<'_>, base: &Outcome, missing: &Missing) -> Assumption {
    let fine = ground.domain.resources.len() <= RESOURCES_FINE;
    let mut trial = Trial { ground, draft, knob: missing.knob, met: Vec::new() };
    let value = draft.inputs.value(missing.knob);
    let mut moves = (0.0_f64, 0.0_f64);
    let mut flips = Vec::new();
    for up in [false, true] {
        let at = trial.run(if up { value * 2.0 } else { value / 2.0 });
        let near = &trial.met[at].1;
        moves.0 = moves.0.max(moved(base.cost, near.cost));
        moves.1 = moves.1.max(moved(base.p95, near.p95));
        flips.extend(search(base, &mut trial, value, up, fine));
    }
    flips.truncate(FLIPS_MAX);
    Assumption {
        path: missing.path.to_owned(),
        value: trial.print(value),
        because: missing.because.to_owned(),
        flips,
        moves,
    }
}

/// What is compared between two runs.
struct Outcome {
    cost: f64,
    p95: f64,
    choices: BTreeMap<(&'static str, String), (String, String)>,
}

impl Outcome {
    fn of(draft: &Draft<'_>) -> Self {
        let choices = draft.decisions.iter().filter(|one| !NUMBERS_ALONE.contains(&one.name));
        let choices = choices.map(|one| {
            let key = (one.rule, one.subject.clone());
            (key, (skeleton(one), one.choice.clone()))
        });
        Self {
            cost: bill::total(draft, 1.0).value,
            p95: draft.number("p95_seconds", "system").unwrap_or(0.0),
            choices: choices.collect(),
        }
    }

    /// Decisions that another run answers differently: rule, subject and the other answer.
    fn flipped<'o>(&self, other: &'o Self) -> Vec<(&'static str, &'o str, &'o str)> {
        let mut flipped = Vec::new();
        for ((rule, subject), (bones, choice)) in &other.choices {
            let own = self.choices.get(&(*rule, subject.clone()));
            if own.is_none_or(|(own, _)| own != bones) {
                flipped.push((*rule, subject.as_str(), choice.as_str()));
            }
        }
        flipped
    }
}

/// The words of a choice without its numbers; where the count is the answer, with them.
fn skeleton(decision: &Decision) -> String {
    let counts = matches!(decision.name, "replicas" | "boundaries" | "compute");
    let kept = decision.choice.chars().filter(|c| counts || !(c.is_ascii_digit() || *c == '.'));
    let words: String = kept.collect();
    let unit = |word: &&str| !matches!(*word, "ms" | "s" | "min" | "h" | "B" | "kB" | "MB" | "GB");
    words.split_whitespace().filter(unit).collect::<Vec<_>>().join(" ")
}

/// Runs of the design with one input changed; each value runs once.
struct Trial<'a> {
    ground: Ground<'a>,
    draft: &'a Draft<'a>,
    knob: Knob,
    met: Vec<(f64, Outcome)>,
}

impl Trial<'_> {
    /// The place of the run with that value.
    fn run(&mut self, value: f64) -> usize {
        let value = bounded(self.knob, value);
        let known = self.met.iter().position(|(known, _)| known.to_bits() == value.to_bits());
        known.unwrap_or_else(|| {
            let inputs = self.draft.inputs.with(self.knob, value);
            self.met.push((value, Outcome::of(&again(self.ground, inputs))));
            self.met.len() - 1
        })
    }

    /// A value of the input as a reader expects it; a factor of CPU as the time it stands for.
    fn print(&self, value: f64) -> String {
        let value = bounded(self.knob, value);
        if self.knob == Knob::ServiceTime {
            let cpu = sizing::app_cpu(self.draft, sizing::store(self.draft)).value;
            let mean = cpu / self.draft.load.clients().max(1e-9);
            return format!("{} of CPU a request", facts::time(mean * value));
        }
        let plain = ir::quantity::print(value, self.draft.inputs.get(self.knob).unit());
        match self.knob {
            Knob::Children => format!("{plain} for each owner"),
            Knob::Growth | Knob::Burst => format!("{plain} times the peak"),
            Knob::Rows => format!("{plain} a tenant"),
            Knob::Peak
            | Knob::Tenants
            | Knob::Largest
            | Knob::PeakToMean
            | Knob::Popularity
            | Knob::Payload
            | Knob::ServiceTime
            | Knob::Availability
            | Knob::Rpo
            | Knob::Rto
            | Knob::Latency
            | Knob::Team => plain,
        }
    }
}

/// Whether an input has any say in this system.
fn asked(draft: &Draft<'_>, knob: Knob) -> bool {
    let resources = &draft.domain.resources;
    match knob {
        Knob::Rows => draft.volumes.iter().any(|volume| !volume.stated),
        Knob::Children => resources.iter().any(|one| one.owner.is_some()),
        Knob::Popularity => {
            draft.decisions.iter().any(|one| matches!(one.name, "cache" | "counters"))
        }
        Knob::Peak
        | Knob::Growth
        | Knob::Tenants
        | Knob::Largest
        | Knob::PeakToMean
        | Knob::Burst
        | Knob::Payload
        | Knob::ServiceTime
        | Knob::Availability
        | Knob::Rpo
        | Knob::Rto
        | Knob::Latency
        | Knob::Team => true,
    }
}

/// The first value in one direction at which each decision flips.
fn search(base: &Outcome, trial: &mut Trial<'_>, value: f64, up: bool, fine: bool) -> Vec<String> {
    let at = |factor: f64| if up { value * factor } else { value / factor };
    let word = if up { "above" } else { "below" };
    let mut told: Vec<(&'static str, String)> = Vec::new();
    let mut lines = Vec::new();
    let mut holds = 1.0;
    for factor in FACTORS.into_iter().take(if fine { FACTORS.len() } else { 1 }) {
        let place = trial.run(at(factor));
        let flipped = base.flipped(&trial.met[place].1);
        let flipped = flipped.into_iter().filter(|(rule, subject, _)| {
            !told.iter().any(|(known, about)| known == rule && about == subject)
        });
        let flipped: Vec<(&'static str, String, String)> = flipped
            .map(|(rule, subject, choice)| (rule, subject.to_owned(), choice.to_owned()))
            .collect();
        for (rule, subject, choice) in flipped.into_iter().take(FLIPS_MAX - told.len()) {
            let (mut low, mut high) = (holds, factor);
            let mut answer = choice;
            for _ in 0..if fine { BISECTIONS } else { 0 } {
                let middle = f64::sqrt(low * high);
                let place = trial.run(at(middle));
                let flips = base.flipped(&trial.met[place].1);
                match flips.iter().find(|(known, about, _)| *known == rule && *about == subject) {
                    Some((_, _, choice)) => {
                        answer = (*choice).to_owned();
                        high = middle;
                    }
                    None => low = middle,
                }
            }
            lines.push(format!("{rule} `{subject}` {word} {}: {answer}", trial.print(at(high))));
            told.push((rule, subject));
        }
        holds = factor;
        if told.len() >= FLIPS_MAX {
            break;
        }
    }
    lines
}

fn moved(base: f64, other: f64) -> f64 {
    if base > 0.0 && other.is_finite() { (other / base - 1.0).abs() } else { 0.0 }
}

/// Values that make sense: shares stay shares, a peak is not below the mean.
fn bounded(knob: Knob, value: f64) -> f64 {
    match knob {
        Knob::Largest => value.clamp(0.001, 1.0),
        Knob::Availability => value.clamp(0.9, 0.99999),
        Knob::Growth | Knob::PeakToMean | Knob::Burst => value.max(1.0),
        Knob::Popularity => value.clamp(0.0, 1.6),
        Knob::Team | Knob::Tenants => value.round().max(1.0),
        Knob::Peak
        | Knob::Payload
        | Knob::ServiceTime
        | Knob::Rows
        | Knob::Children
        | Knob::Rpo
        | Knob::Rto
        | Knob::Latency => value,
    }
}

/// Where `rows` and the workload do not agree, the design follows `rows`: said as an assumption.
fn rows(ground: Ground<'_>, draft: &Draft<'_>, base: &Outcome) -> Option<Assumption> {
    let differing = crate::rules::rows_against_workload(draft);
    let (name, stated, made) = differing.first()?.clone();
    let other = Outcome::of(&again(ground, draft.inputs.following_the_workload()));
    let flips = base.flipped(&other);
    let flips = flips
        .iter()
        .take(FLIPS_MAX)
        .map(|(rule, subject, choice)| {
            format!("{rule} `{subject}` if the workload is right: {choice}")
        })
        .collect();
    Some(Assumption {
        path: format!("contexts.{}.rows", name.replacen('.', ".resources.", 1)),
        value: format!(
            "{} rows a month, from `rows`; not the workload's {}",
            facts::number(stated.round()),
            facts::number(made.round())
        ),
        because: format!(
            "the workload makes {} a month of `{name}` at this peak-to-mean: {} times as many; \
             one of the two is wrong",
            facts::number(made.round()),
            facts::number((made / stated).max(stated / made).round())
        ),
        flips,
        moves: (moved(base.cost, other.cost), moved(base.p95, other.p95)),
    })
}
