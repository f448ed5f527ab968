//! The inputs of the design: what the goals give, and a default for each that they do not.

use crate::capacity::Term;
use crate::draft::{MONTH_SECONDS, YEAR_SECONDS};
use ir::model::Model;
use ir::quantity::{Grade, Unit};

/// An input that may be missing, and that the design can be run again with changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knob {
    /// Client requests a second at the peak.
    Peak,
    /// Factor of growth.
    Growth,
    /// Number of tenants.
    Tenants,
    /// The largest tenant's share.
    Largest,
    /// Peak divided by the daily mean.
    PeakToMean,
    /// Factor of a short burst above the peak.
    Burst,
    /// Zipf exponent of key popularity.
    Popularity,
    /// Bytes of a response.
    Payload,
    /// Factor of the catalogue's service times.
    ServiceTime,
    /// Rows of resources that state none.
    Rows,
    /// Owned children of a row.
    Children,
    /// Share of time it must be there.
    Availability,
    /// Seconds of work that may be lost.
    Rpo,
    /// Seconds until it works again.
    Rto,
    /// Seconds of the 95th percentile.
    Latency,
    /// Engineers.
    Team,
}

/// An input that the model does not give.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// Which.
    pub knob: Knob,
    /// Model path that would give it.
    pub path: &'static str,
    /// Why the default is what it is.
    pub because: &'static str,
}

/// All inputs with their grade.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    values: Vec<(Knob, Term)>,
    /// Seconds in which the growth is reached.
    pub growth_time: Term,
    /// Seconds a burst lasts.
    pub burst_time: Term,
    /// Percentiles of the goal: percentile and seconds.
    pub latency: Vec<(f64, Term)>,
    /// Money a month and its currency, where there is a budget.
    pub budget: Option<(Term, String)>,
    /// A CPU time for all requests, where the goals give one.
    pub service_time: Option<Term>,
    /// What was not given.
    pub missing: Vec<Missing>,
    /// Rows follow the workload even where `rows` states them.
    pub rows_of_workload: bool,
}

/// The default of each input that goals may leave out.
struct Fallback {
    knob: Knob,
    name: &'static str,
    unit: Unit,
    value: f64,
    path: &'static str,
    because: &'static str,
}

fn defaults() -> Vec<Fallback> {
    let row = |knob, name, unit, value, path, because| Fallback {
        knob,
        name,
        unit,
        value,
        path,
        because,
    };
    let count = |thing: &str| Unit::Count(thing.to_owned());
    vec![
        row(
            Knob::Peak,
            "peak",
            Unit::PerSecond,
            50.0,
            "goals.peak",
            "an internal system with some hundred users at work",
        ),
        row(
            Knob::Growth,
            "growth",
            Unit::One,
            2.0,
            "goals.growth",
            "doubling in two years: what most products plan for",
        ),
        row(
            Knob::Tenants,
            "tenants",
            count("tenants"),
            20.0,
            "goals.tenants",
            "a product past its pilot customers",
        ),
        row(
            Knob::Largest,
            "largest_tenant",
            Unit::Share,
            0.2,
            "goals.tenants",
            "one customer in five requests is usual for business software",
        ),
        row(
            Knob::PeakToMean,
            "peak_to_mean",
            Unit::One,
            4.0,
            "goals.peak_to_mean",
            "a day with office hours: 3 for consumers, 8 for one time zone's offices",
        ),
        row(
            Knob::Burst,
            "burst",
            Unit::One,
            1.5,
            "goals.burst",
            "what a utilisation of 60 % carries without a queue that grows",
        ),
        row(
            Knob::Popularity,
            "popularity",
            Unit::One,
            0.8,
            "goals.popularity",
            "Zipf exponents of web objects are measured between 0.6 and 1",
        ),
        row(
            Knob::Payload,
            "payload",
            Unit::Bytes,
            2_000.0,
            "goals.payload",
            "a JSON object of a dozen fields, or a short page of small ones",
        ),
        row(
            Knob::ServiceTime,
            "service_factor",
            Unit::One,
            1.0,
            "goals.service_time",
            "the catalogue's measured CPU times, times four for caution",
        ),
        row(
            Knob::Rows,
            "rows_unstated",
            count("rows"),
            10_000.0,
            "contexts.*.resources.*.rows",
            "ten thousand rows a tenant: small enough to need nothing, large enough to need an \
             index",
        ),
        row(
            Knob::Children,
            "children_per_owner",
            Unit::One,
            3.0,
            "contexts.*.resources.*.fields",
            "baskets and forms hold about three lines",
        ),
        row(
            Knob::Availability,
            "availability_goal",
            Unit::Share,
            0.995,
            "goals.availability",
            "one machine, repaired by hand in working hours",
        ),
        row(
            Knob::Rpo,
            "rpo",
            Unit::Seconds,
            300.0,
            "goals.recovery.rpo",
            "a copy that follows the log within minutes costs nearly nothing",
        ),
        row(
            Knob::Rto,
            "rto",
            Unit::Seconds,
            14_400.0,
            "goals.recovery.rto",
            "half a working day: restored by hand",
        ),
        row(
            Knob::Latency,
            "p95_goal",
            Unit::Seconds,
            0.3,
            "goals.latency",
            "what a person takes for prompt",
        ),
        row(
            Knob::Team,
            "team",
            count("engineers"),
            4.0,
            "constraints.team",
            "a usual product team",
        ),
    ]
}

impl Inputs {
    /// Reads the goals and fills what is missing.
    pub fn read(model: &Model) -> Self {
        let goals = &model.goals;
        let mut values = Vec::new();
        let mut missing = Vec::new();
        for default in defaults() {
            let Fallback { knob, name, unit, value, path, because } = default;
            let given = given(model, knob);
            let term = match given {
                Some(given) => Term::input(name, given, unit, Grade::Given, path),
                None if knob == Knob::Tenants && model.tenancy.is_none() => {
                    Term::input(name, 1.0, unit, Grade::Derived, "no tenancy")
                }
                None => {
                    let silent = model.tenancy.is_none() && knob == Knob::Largest;
                    if !silent {
                        missing.push(Missing { knob, path, because });
                    }
                    Term::input(name, value, unit, Grade::Assumed, because)
                }
            };
            values.push((knob, term));
        }
        let grade = |given: bool| if given { Grade::Given } else { Grade::Assumed };
        let over = goals.growth.as_ref().map_or(24.0 * MONTH_SECONDS, |growth| growth.value.over);
        let burst = goals.burst.as_ref().map_or(10.0, |burst| burst.value.length);
        let growth_grade = grade(goals.growth.is_some());
        let seconds = |name: &str, value, grade, path: &str| {
            Term::input(name, value, Unit::Seconds, grade, path)
        };
        Self {
            values,
            growth_time: seconds("growth_time", over, growth_grade, "goals.growth"),
            burst_time: seconds("burst_time", burst, grade(goals.burst.is_some()), "goals.burst"),
            latency: goals
                .latency
                .iter()
                .map(|(percentile, bound)| {
                    let name = percentile_name(percentile.value);
                    let path = format!("goals.latency.{name}");
                    let name = format!("{name}_goal").replace('.', "_");
                    (percentile.value, seconds(&name, bound.value, Grade::Given, &path))
                })
                .collect(),
            budget: goals.budget.as_ref().map(|budget| {
                let unit = Unit::PerMonth(budget.value.currency.clone());
                let term =
                    Term::input("budget", budget.value.amount, unit, Grade::Given, "goals.budget");
                (term, budget.value.currency.clone())
            }),
            service_time: goals.service_time.as_ref().map(|time| {
                seconds("service_time", time.value.worst(), Grade::Given, "goals.service_time")
            }),
            missing,
            rows_of_workload: false,
        }
    }

    /// The input of a knob.
    pub fn get(&self, knob: Knob) -> &Term {
        let found = self.values.iter().find(|(known, _)| *known == knob);
        &found.expect("every knob has a value").1
    }

    /// Its value.
    pub fn value(&self, knob: Knob) -> f64 {
        self.get(knob).value()
    }

    /// The same inputs with one of them changed; its grade stays.
    pub fn with(&self, knob: Knob, value: f64) -> Self {
        let mut changed = self.clone();
        for (known, term) in &mut changed.values {
            if *known == knob {
                *term = term.with_value(value, term.grade());
            }
        }
        if knob == Knob::Latency {
            for (percentile, term) in &mut changed.latency {
                if (*percentile - 95.0).abs() < 1e-9 {
                    *term = term.with_value(value, term.grade());
                }
            }
        }
        changed
    }

    /// The same inputs with another budget, in its own currency.
    pub fn with_budget(&self, amount: f64) -> Self {
        let mut changed = self.clone();
        if let Some((budget, _)) = &mut changed.budget {
            *budget = budget.with_value(amount, budget.grade());
        }
        changed
    }

    /// The same inputs, where rows follow the workload even if `rows` states them.
    pub fn following_the_workload(&self) -> Self {
        Self { rows_of_workload: true, ..self.clone() }
    }

    /// The peak after that many seconds of the growth goal: linear in the exponent.
    pub fn peak_after(&self, seconds: f64) -> Term {
        let months = Term::input("time", seconds, Unit::Seconds, Grade::Derived, "the horizon");
        self.get(Knob::Peak).clone()
            * self.get(Knob::Growth).clone().power(months / &self.growth_time)
    }

    /// The horizon of the growth goal in seconds, at most five years.
    pub fn horizon(&self) -> f64 {
        self.growth_time.value().clamp(MONTH_SECONDS, 5.0 * YEAR_SECONDS)
    }
}

/// What the model gives for a knob.
fn given(model: &Model, knob: Knob) -> Option<f64> {
    let goals = &model.goals;
    let tenants = goals.tenants.as_ref().map(|tenants| tenants.value);
    match knob {
        Knob::Peak => goals.peak.as_ref().map(|peak| peak.value.worst()),
        Knob::Growth => goals.growth.as_ref().map(|growth| growth.value.factor),
        Knob::Tenants => tenants.map(|tenants| tenants.count.worst()),
        Knob::Largest => tenants.and_then(|tenants| tenants.largest),
        Knob::PeakToMean => goals.peak_to_mean.as_ref().map(|ratio| ratio.value.low.max(1.0)),
        Knob::Burst => goals.burst.as_ref().map(|burst| burst.value.factor),
        Knob::Popularity => goals.popularity.as_ref().map(|skew| skew.value.low),
        Knob::Payload => goals.payload.as_ref().map(|bytes| bytes.value.worst()),
        Knob::ServiceTime => goals.service_time.as_ref().map(|_| 1.0),
        Knob::Rows | Knob::Children => None,
        Knob::Availability => goals.availability.as_ref().map(|share| share.value),
        Knob::Rpo => goals.rpo.as_ref().map(|seconds| seconds.value),
        Knob::Rto => goals.rto.as_ref().map(|seconds| seconds.value),
        Knob::Latency => {
            let p95 = goals.latency.iter().find(|(at, _)| (at.value - 95.0).abs() < 1e-9);
            p95.or_else(|| goals.latency.first()).map(|(_, bound)| bound.value)
        }
        Knob::Team => model.constraints.team.as_ref().map(|team| f64::from(team.value)),
    }
}

/// `p95`, `p99.9`
pub fn percentile_name(percentile: f64) -> String {
    format!("p{percentile}")
}
