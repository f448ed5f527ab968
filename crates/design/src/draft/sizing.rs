//! How much CPU the load takes, and how many nodes of which size carry it.

use crate::capacity::{Response, Station, Term, phases, queue};
use crate::draft::inputs::Knob;
use crate::draft::load::{Flow, Work};
use crate::draft::{Draft, MONTH_HOURS};
use ir::quantity::{Computed, Grade, Unit};

/// A size that a managed database is sold in: catalogue item, vCPU that it sustains, GB of memory.
pub const DATABASE_SIZES: &[(&str, f64, f64)] = &[
    ("database_micro", 0.2, 1.0),
    ("database_small", 0.4, 2.0),
    ("database_medium", 0.4, 4.0),
    ("database_2", 2.0, 8.0),
    ("database_4", 4.0, 16.0),
    ("database_8", 8.0, 32.0),
    ("database_16", 16.0, 64.0),
    ("database_32", 32.0, 128.0),
    ("database_64", 64.0, 256.0),
];
/// Share of the bytes that is looked at within a day and should stay in memory.
pub const HOT_SHARE: f64 = 0.1;
/// Utilisation that a burst may reach.
const BURST_UTILISATION: f64 = 0.9;

/// The database that the traffic lands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// SQLite in the same process.
    Embedded,
    /// PostgreSQL on a node of its own.
    Server,
}

/// The store that the data stage decided; embedded where it has not yet.
pub fn store(draft: &Draft<'_>) -> Store {
    if draft.word("database") == "postgresql" { Store::Server } else { Store::Embedded }
}

fn cpu_unit() -> Unit {
    Unit::Count("vCPU".to_owned())
}

/// Requests a second of one kind of work, as an input.
pub fn rate(draft: &Draft<'_>, work: Work) -> Term {
    let name = match work {
        Work::List => "lists",
        Work::Get => "gets",
        Work::Write => "writes",
        Work::Redirect => "redirects",
    };
    let grade = if draft.load.assumed { Grade::Assumed } else { Grade::Derived };
    let grade = grade.max(draft.input(Knob::Peak).grade());
    Term::input(name, draft.load.rate_of(work), Unit::PerSecond, grade, "workload at goals.peak")
}

const WORKS: [Work; 4] = [Work::List, Work::Get, Work::Write, Work::Redirect];

/// CPU seconds a second that the application takes at the peak.
pub fn app_cpu(draft: &Draft<'_>, store: Store) -> Computed {
    if let Some(time) = &draft.inputs.service_time {
        let factor = draft.value(Knob::ServiceTime);
        let demand = draft.peak() * time;
        let demand = if (factor - 1.0).abs() > 1e-9 { demand * factor } else { demand };
        return demand.named("app cpu", cpu_unit());
    }
    let mut terms = Vec::new();
    for work in WORKS {
        if draft.load.rate_of(work) > 0.0 {
            terms.push(rate(draft, work) * draft.fact(app_item(work, store)));
        }
    }
    scaled(draft, Term::sum(terms)).named("app cpu", cpu_unit())
}

fn app_item(work: Work, store: Store) -> &'static str {
    match (work, store) {
        (Work::List, Store::Server) => "list_app",
        (Work::Get, Store::Server) => "get_app",
        (Work::Write, Store::Server) => "write_app",
        (Work::Redirect, Store::Server) => "redirect_app",
        (Work::List, Store::Embedded) => "list_embedded",
        (Work::Get | Work::Redirect, Store::Embedded) => "get_embedded",
        (Work::Write, Store::Embedded) => "write_embedded",
    }
}

fn scaled(draft: &Draft<'_>, demand: Term) -> Term {
    let factor = draft.value(Knob::ServiceTime);
    if draft.inputs.service_time.is_none() && (factor - 1.0).abs() > 1e-9 {
        demand * draft.input(Knob::ServiceTime)
    } else {
        demand
    }
}

/// Requests a second of a kind of work that reach the database: caches answer the rest.
pub fn reaching_database(draft: &Draft<'_>, work: Work) -> f64 {
    let key = match work {
        Work::Get => "hit_ratio_get",
        Work::Redirect => "hit_ratio_redirect",
        Work::List | Work::Write => return draft.load.rate_of(work),
    };
    if !draft.has(key) {
        return draft.load.rate_of(work);
    }
    let mut reaching = 0.0;
    for flow in draft.load.flows.iter().filter(|flow| flow.work == work) {
        let hits = flow.resource.and_then(|id| draft.number(key, &draft.name(id))).unwrap_or(0.0);
        reaching += flow.rate.value * (1.0 - hits);
    }
    reaching
}

/// CPU seconds a second that the database server takes at the peak, behind the caches.
pub fn database_cpu(draft: &Draft<'_>) -> Computed {
    let mut terms = Vec::new();
    let mut add = |name: &str, rate: f64, item: &str, source: &str| {
        if rate > 0.0 {
            let rate = Term::input(name, rate, Unit::PerSecond, Grade::Derived, source);
            terms.push(rate * draft.fact(item));
        }
    };
    let behind = "workload at goals.peak, less the hits of caches";
    let gets = reaching_database(draft, Work::Get) + reaching_database(draft, Work::Redirect);
    add("lists", draft.load.rate_of(Work::List), "list_database", behind);
    add("gets_missed", gets, "get_database", behind);
    add("writes", draft.load.writes(), "write_database", "workload at goals.peak");
    add("events", draft.load.events.values().sum(), "event_database", "events at goals.peak");
    add("counted_rows", counted_rows(draft), "child_database", "the counters decision");
    scaled(draft, Term::sum(terms)).named("database cpu", cpu_unit())
}

/// Rows a second that counters change, as decided in the data stage.
fn counted_rows(draft: &Draft<'_>) -> f64 {
    draft.numbers("counted_rows").map(|(_, rows)| rows).sum()
}

/// Nodes that carry a CPU demand at the peak and in a burst, none lost.
pub fn nodes_for(draft: &Draft<'_>, cpu: &Computed) -> Computed {
    let target = draft.fact("utilisation_target");
    let per_node = draft.fact("replica_vcpu");
    let steady = Term::from(cpu) / (per_node.clone() * &target);
    let burst = draft.value(Knob::Burst);
    let nodes = if burst / BURST_UTILISATION > 1.0 / target.value() {
        let room = Term::number(BURST_UTILISATION);
        Term::from(cpu) * draft.input(Knob::Burst) / (per_node * room)
    } else {
        steady
    };
    nodes.ceil().max(1.0).named("replicas for load", Unit::Count("replicas".to_owned()))
}

/// The smallest managed database that carries the demand and keeps the hot rows in memory.
pub fn database_size(draft: &Draft<'_>, cpu: f64, bytes: f64) -> &'static (&'static str, f64, f64) {
    let target = draft.catalog.value("utilisation_target");
    let memory_gb = (bytes * HOT_SHARE / 1e9).max(0.5);
    let fits = |size: &&(&str, f64, f64)| size.1 * target >= cpu && size.2 * 0.75 >= memory_gb;
    let found = DATABASE_SIZES.iter().find(fits);
    found.unwrap_or(&DATABASE_SIZES[DATABASE_SIZES.len() - 1])
}

/// The smallest managed database for the demand alone, and for the memory of hot rows alone.
pub fn database_wants(draft: &Draft<'_>) -> (&'static str, &'static str) {
    let demand = database_cpu(draft).value;
    (database_size(draft, demand, 0.0).0, database_size(draft, 0.0, draft.bytes()).0)
}

/// The peak at which the largest managed database is full at its target, behind the caches as they
/// are decided; none where nothing reaches it.
pub fn database_full(draft: &Draft<'_>) -> Option<f64> {
    let demand = database_cpu(draft).value;
    let (_, largest, _) = DATABASE_SIZES[DATABASE_SIZES.len() - 1];
    let room = largest * draft.catalog.value("utilisation_target");
    (demand > 0.0).then(|| draft.value(Knob::Peak) * room / demand)
}

/// A month of one application node.
pub fn replica_price(draft: &Draft<'_>) -> Term {
    let vcpu = draft.fact("replica_vcpu") * draft.fact("container_vcpu");
    let memory = draft.fact("replica_gb") * draft.fact("container_gb");
    (vcpu + memory) * hours()
}

/// The hours of a month as an input.
pub fn hours() -> Term {
    let unit = Unit::Count("hours".to_owned());
    Term::input("hours", MONTH_HOURS, unit, Grade::Derived, "hours billed in a month")
}

/// The unit of prices.
pub fn money(draft: &Draft<'_>) -> Unit {
    Unit::PerMonth(draft.catalog.currency.clone())
}

/// Percentiles of the whole at the peak.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Seconds: p50, p95, p99.
    pub percentiles: [f64; 3],
    /// Utilisation of the application nodes.
    pub app_utilisation: f64,
    /// Utilisation of the database.
    pub database_utilisation: f64,
    /// Means of one request by kind of work, in seconds, with its share of the requests.
    pub works: Vec<(Work, f64, f64)>,
}

/// Predicts the response times at a factor of the peak: a chain of the application's cores and the
/// database's, waits by Allen-Cunneen for the mixture of work, plus network trips and commits.
pub fn predict(draft: &Draft<'_>, replicas: f64, factor: f64) -> Prediction {
    let chain = chain(draft, replicas, factor);
    let parts: Vec<(f64, &Response)> =
        chain.parts.iter().map(|(rate, response)| (*rate, response)).collect();
    let at = |quantile| phases::mixture_quantile(&parts, quantile);
    Prediction {
        percentiles: [at(0.50), at(0.95), at(0.99)],
        app_utilisation: chain.app_utilisation,
        database_utilisation: chain.database_utilisation,
        works: chain.works,
    }
}

/// One percentile (0.999) of the whole at the peak.
pub fn percentile(draft: &Draft<'_>, replicas: f64, quantile: f64) -> f64 {
    let chain = chain(draft, replicas, 1.0);
    let parts: Vec<(f64, &Response)> =
        chain.parts.iter().map(|(rate, response)| (*rate, response)).collect();
    phases::mixture_quantile(&parts, quantile)
}

/// The responses of all kinds of work at a factor of the peak.
struct Chain {
    parts: Vec<(f64, Response)>,
    app_utilisation: f64,
    database_utilisation: f64,
    works: Vec<(Work, f64, f64)>,
}

fn chain(draft: &Draft<'_>, replicas: f64, factor: f64) -> Chain {
    let store = store(draft);
    let servers = (replicas * draft.catalog.value("replica_vcpu")).max(1.0);
    let app = station(draft, servers, factor, |flow| app_time(draft, flow, store));
    let database = (store == Store::Server).then(|| {
        let size = database_size(draft, database_cpu(draft).value, draft.bytes());
        let cores = size.1.max(1.0);
        let slowed = cores / size.1;
        let reaches = |flow: &Flow| database_time(draft, flow) * slowed;
        let seen = station(draft, cores, factor, reaches);
        let all = database_cpu(draft).value * slowed * factor;
        let arrivals = if seen.service > 0.0 { all / seen.service } else { seen.arrivals };
        Station { arrivals, ..seen }
    });
    let trip = draft.catalog.value("network_trip");
    let mut parts = Vec::new();
    let mut works = Vec::new();
    for work in WORKS {
        let rate = draft.load.client_rate(work);
        if rate <= 0.0 {
            continue;
        }
        let hit = hit_share(draft, work);
        let flow_time = |database: bool| mean_time(draft, work, store, database);
        let commit = match (work, store) {
            (Work::Write, Store::Server) if draft.flag("standby") => {
                draft.catalog.value("sync_write")
            }
            (Work::Write, Store::Server | Store::Embedded) => draft.catalog.value("local_sync"),
            (Work::List | Work::Get | Work::Redirect, _) => 0.0,
        };
        let near = Response::constant(trip + commit).station(&app, flow_time(false));
        let far = match &database {
            Some(database) => near.clone().plus(trip).station(database, flow_time(true)),
            None => near.clone(),
        };
        works.push((work, rate, near.mean() * hit + far.mean() * (1.0 - hit)));
        parts.push((rate * (1.0 - hit), far));
        parts.push((rate * hit, near));
    }
    let total: f64 = works.iter().map(|(_, rate, _)| rate).sum();
    for (_, rate, _) in &mut works {
        *rate /= total.max(1e-12);
    }
    Chain {
        parts,
        app_utilisation: app.utilisation(),
        database_utilisation: database.map_or(0.0, |database| database.utilisation()),
        works,
    }
}

/// Share of the requests of a kind of work that a cache answers.
pub fn hit_share(draft: &Draft<'_>, work: Work) -> f64 {
    let all = draft.load.rate_of(work);
    if all > 0.0 { 1.0 - reaching_database(draft, work) / all } else { 0.0 }
}

fn factor(draft: &Draft<'_>) -> f64 {
    draft.value(Knob::ServiceTime)
}

fn app_time(draft: &Draft<'_>, flow: &Flow, store: Store) -> f64 {
    mean_time(draft, flow.work, store, false)
}

fn database_time(draft: &Draft<'_>, flow: &Flow) -> f64 {
    let hits = match flow.work {
        Work::Get | Work::Redirect => hit_share(draft, flow.work),
        Work::List | Work::Write => 0.0,
    };
    mean_time(draft, flow.work, Store::Server, true) * (1.0 - hits)
}

fn mean_time(draft: &Draft<'_>, work: Work, store: Store, database: bool) -> f64 {
    if let (Some(time), false) = (&draft.inputs.service_time, database) {
        return time.value() * factor(draft);
    }
    let item = match (work, database) {
        (work, false) => app_item(work, store),
        (Work::List, true) => "list_database",
        (Work::Get | Work::Redirect, true) => "get_database",
        (Work::Write, true) => "write_database",
    };
    draft.catalog.value(item) * factor(draft)
}

/// A station that serves the mixture of all flows.
fn station(draft: &Draft<'_>, servers: f64, factor: f64, time: impl Fn(&Flow) -> f64) -> Station {
    let (mut arrivals, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for work in WORKS {
        let Some(flow) = draft.load.flows.iter().find(|flow| flow.work == work) else { continue };
        let rate = draft.load.rate_of(work) * factor;
        let mean = time(flow);
        arrivals += rate;
        sum += rate * mean;
        squares += rate * 2.0 * mean * mean;
    }
    if arrivals <= 0.0 {
        return Station::poisson(1, 0.0, 0.0);
    }
    let mean = sum / arrivals;
    let variation = if mean > 0.0 { squares / arrivals / (mean * mean) - 1.0 } else { 1.0 };
    Station {
        servers: servers.clamp(1.0, 100_000.0) as u32,
        arrivals,
        service: mean,
        arrival_variation: 1.0,
        service_variation: variation.max(0.0),
    }
}

/// The factor of the peak up to which a percentile (0.95) stays within its goal; zero where it
/// never does.
pub fn load_factor_at(draft: &Draft<'_>, replicas: f64, quantile: f64, goal: f64) -> f64 {
    let holds = |factor: f64| {
        let chain = chain(draft, replicas, factor);
        if chain.app_utilisation >= 1.0 || chain.database_utilisation >= 1.0 {
            return false;
        }
        let parts: Vec<(f64, &Response)> =
            chain.parts.iter().map(|(rate, response)| (*rate, response)).collect();
        phases::mixture_longer_than(&parts, goal) <= 1.0 - quantile
    };
    if !holds(0.01) {
        return 0.0;
    }
    let (mut low, mut high) = (0.01, 1.0);
    while holds(high) && high < 1e4 {
        low = high;
        high *= 2.0;
    }
    for _ in 0..12 {
        let middle = (low + high) / 2.0;
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}

/// Places of a pool by Little's law: calls in flight, and the places at which one in a thousand
/// finds none free.
pub fn pool(rate: &Term, time: &Term) -> (Computed, u32) {
    let flight = rate.clone() * time;
    let load = flight.value();
    (flight.named("in flight", Unit::One), queue::places_for(load, 0.001))
}
