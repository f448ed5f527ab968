//! The inputs of the design: what the goals give, and a default for each that they do not.

use crate::capacity::Term;
use crate::catalog::unit_of;
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
    unit: &'static str,
    value: f64,
    path: &'static str,
    because: &'static str,
}

/// Every input with its name, unit, default, model path and the reason for the default.
const FALLBACKS: [Fallback; 16] = [
    Fallback {
        knob: Knob::Peak,
        name: "peak",
        unit: "rps",
        value: 50.0,
        path: "goals.peak",
        because: "an internal system with some hundred users at work",
    },
    Fallback {
        knob: Knob::Growth,
        name: "growth",
        unit: "factor",
        value: 2.0,
        path: "goals.growth",
        because: "doubling in two years: what most products plan for",
    },
    Fallback {
        knob: Knob::Tenants,
        name: "tenants",
        unit: "tenants",
        value: 20.0,
        path: "goals.tenants",
        because: "a product past its pilot customers",
    },
    Fallback {
        knob: Knob::Largest,
        name: "largest_tenant",
        unit: "share",
        value: 0.2,
        path: "goals.tenants",
        because: "one customer in five requests is usual for business software",
    },
    Fallback {
        knob: Knob::PeakToMean,
        name: "peak_to_mean",
        unit: "factor",
        value: 4.0,
        path: "goals.peak_to_mean",
        because: "a day with office hours: 3 for consumers, 8 for one time zone's offices",
    },
    Fallback {
        knob: Knob::Burst,
        name: "burst",
        unit: "factor",
        value: 1.5,
        path: "goals.burst",
        because: "what a utilisation of 60 % carries without a queue that grows",
    },
    Fallback {
        knob: Knob::Popularity,
        name: "popularity",
        unit: "factor",
        value: 0.8,
        path: "goals.popularity",
        because: "Zipf exponents of web objects are measured between 0.6 and 1",
    },
    Fallback {
        knob: Knob::Payload,
        name: "payload",
        unit: "bytes",
        value: 2_000.0,
        path: "goals.payload",
        because: "a JSON object of a dozen fields, or a short page of small ones",
    },
    Fallback {
        knob: Knob::ServiceTime,
        name: "service_factor",
        unit: "factor",
        value: 1.0,
        path: "goals.service_time",
        because: "the catalogue's measured CPU times, times four for caution",
    },
    Fallback {
        knob: Knob::Rows,
        name: "rows_unstated",
        unit: "rows",
        value: 10_000.0,
        path: "contexts.*.resources.*.rows",
        because: "ten thousand rows a tenant: small enough to need nothing, large enough to need \
                  an index",
    },
    Fallback {
        knob: Knob::Children,
        name: "children_per_owner",
        unit: "factor",
        value: 3.0,
        path: "contexts.*.resources.*.fields",
        because: "baskets and forms hold about three lines",
    },
    Fallback {
        knob: Knob::Availability,
        name: "availability_goal",
        unit: "share",
        value: 0.995,
        path: "goals.availability",
        because: "one machine, repaired by hand in working hours",
    },
    Fallback {
        knob: Knob::Rpo,
        name: "rpo",
        unit: "seconds",
        value: 300.0,
        path: "goals.recovery.rpo",
        because: "a copy that follows the log within minutes costs nearly nothing",
    },
    Fallback {
        knob: Knob::Rto,
        name: "rto",
        unit: "seconds",
        value: 14_400.0,
        path: "goals.recovery.rto",
        because: "half a working day: restored by hand",
    },
    Fallback {
        knob: Knob::Latency,
        name: "p95_goal",
        unit: "seconds",
        value: 0.3,
        path: "goals.latency",
        because: "what a person takes for prompt",
    },
    Fallback {
        knob: Knob::Team,
        name: "team",
        unit: "engineers",
        value: 4.0,
        path: "constraints.team",
        because: "a usual product team",
    },
];

impl Inputs {
    /// Reads the goals and fills what is missing.
    pub fn read(model: &Model) -> Self {
        let goals = &model.goals;
        let mut values = Vec::new();
        let mut missing = Vec::new();
        for Fallback { knob, name, unit, value, path, because } in FALLBACKS {
            let unit = unit_of(unit);
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
