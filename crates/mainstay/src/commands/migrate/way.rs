//! The way of one database to the model: planned from what it holds, carried out with others beside
//! it.

use super::{Report, Tell};
use design::migrate::Place;
use formats::sql::migration::{Dialect, script, structure};
use ir::architecture::Architecture;
use ir::migration::{Phase, Query, Refusal, ScriptStep, Snapshot};
use ir::schema::Table;
use runtime::adapters::postgres::Apart;
use runtime::adapters::sql::dialect::TENANT;
use runtime::ports::migrations::{Base, Found, Migrations};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Databases that are worked on at a time.
const WORKERS_MAX: usize = 4;

/// A service with its databases.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) contexts: Vec<String>,
    pub(super) tables: Tables,
    pub(super) store: Arc<dyn Migrations>,
}

/// Where the tables of a service are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tables {
    /// In files.
    Sqlite {
        /// Tenants have a file each; what they share is in the service's.
        file_per_tenant: bool,
    },
    /// On a server.
    Postgresql(Apart),
}

impl Tables {
    /// Tenants have places of their own.
    fn apart(self) -> bool {
        match self {
            Self::Sqlite { file_per_tenant } => file_per_tenant,
            Self::Postgresql(apart) => apart != Apart::ByRow,
        }
    }

    /// In the names of files.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgresql(_) => "postgresql",
        }
    }
}

/// How far a way is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// As far as processes of a former model go on beside it.
    Beside,
    /// To its end.
    Whole,
}

/// A database and what is to be done to it.
pub(super) struct Way {
    /// Index of its service.
    pub(super) service: usize,
    pub(super) service_name: String,
    pub(super) base: Base,
    /// Number of its first step.
    pub(super) next: u64,
    /// It was begun: a step was broken off, or some wait for the end of a former model.
    pub(super) resumed: bool,
    pub(super) tables: Tables,
    /// The database serves the model already.
    pub(super) serves: bool,
    /// The model is the newest that it serves.
    pub(super) latest: bool,
    /// It serves a former model too.
    pub(super) window: bool,
    pub(super) extent: Extent,
    pub(super) report: Report,
}

impl Way {
    /// Leaves what others would notice for later, where they go on.
    pub(super) fn limit(&mut self, extent: Extent) {
        self.extent = extent;
        if extent == Extent::Whole {
            return;
        }
        let switch = self.report.steps.iter().find(|step| step.phase == Phase::Switch);
        if let Some(step) = switch.filter(|_| !self.serves) {
            self.report.problems.push(format!(
                "`{}` can't be done while processes of the former model run ({}): end them, then \
                 `mainstay migrate apply --contract`",
                step.name, step.reason
            ));
        }
        let all = std::mem::take(&mut self.report.steps);
        let now = |step: &ScriptStep| step.phase == Phase::Expand;
        (self.report.steps, self.report.waiting) = all.into_iter().partition(now);
    }
}

/// None where nothing is to be done: the database is new, or serves the model as it is.
pub(super) fn plan(
    architecture: &Architecture,
    service: &Service,
    at: usize,
    base: Base,
    allowed: &BTreeSet<String>,
) -> Result<Option<Way>, String> {
    let found = service.store.read(&base)?;
    let Some(text) = &found.remembered else { return Ok(None) };
    let before: Snapshot = serde_json::from_str(text).map_err(|why| {
        format!("`{}` remembers its tables in a form that is unknown here: {why}", base.shown)
    })?;
    let shared = |table: &Table| architecture.domain.resource(table.resource).shared;
    let holds = |table: &Table| {
        let here = !service.tables.apart() || shared(table) == base.tenant.is_none();
        here && service.contexts.contains(&table.context)
    };
    let name = |table: &Table| name(architecture, service, &base, table);
    let dialect = match service.tables {
        Tables::Sqlite { .. } => Dialect::Sqlite,
        Tables::Postgresql(_) => Dialect::Postgresql(&name),
    };
    let by_schema = matches!(service.tables, Tables::Postgresql(Apart::BySchema));
    let place = Place { holds: &holds, reaches_out: by_schema && base.tenant.is_some() };
    let planned = |kept: &BTreeSet<String>| {
        let plan = design::migrate::plan(&before, &architecture.schema, place, kept);
        (script(&plan, dialect), plan.refused)
    };
    let (steps, _) = planned(&BTreeSet::new());
    let kept = kept(service, &base, &steps, allowed)?;
    let (steps, refused) = planned(&kept.iter().map(|(name, _)| name.clone()).collect());
    if found.serves && !found.window && steps.is_empty() && kept.is_empty() {
        return Ok(None);
    }
    let mut problems = drift(&before, &found, &steps, dialect);
    problems.extend(refused.iter().map(told));
    for proof in steps.iter().filter(|step| step.destroys.is_none()).flat_map(|step| &step.proofs) {
        if proof.early {
            problems.extend(broken(service, &base, proof)?);
        }
    }
    let (shown, file) = (base.shown.clone(), None);
    let (waiting, window) = (Vec::new(), found.window);
    let report = Report { shown, steps, waiting, window, kept, problems, file };
    Ok(Some(Way {
        service: at,
        service_name: service.name.clone(),
        next: found.next,
        resumed: found.underway.is_some() || found.window,
        tables: service.tables,
        serves: found.serves,
        latest: found.latest,
        window,
        extent: Extent::Whole,
        base,
        report,
    }))
}

/// The quoted name of a table in a place of PostgreSQL.
fn name(architecture: &Architecture, service: &Service, base: &Base, table: &Table) -> String {
    let by_schema = matches!(service.tables, Tables::Postgresql(Apart::BySchema));
    let key = table.sql_name();
    let beyond = || {
        let known = architecture.schema.tables.iter().find(|table| table.sql_name() == key);
        known.is_some_and(|table| architecture.domain.resource(table.resource).shared)
    };
    match by_schema && base.tenant.is_some() && !beyond() {
        true => format!("{TENANT}.\"{key}\""),
        false => formats::sql::postgresql_name(table),
    }
}

/// What holds values and may not be destroyed.
fn kept(
    service: &Service,
    base: &Base,
    steps: &[ScriptStep],
    allowed: &BTreeSet<String>,
) -> Result<Vec<(String, u64)>, String> {
    let mut kept = Vec::new();
    for step in steps {
        let Some(name) = step.destroys.as_ref().filter(|name| !allowed.contains(*name)) else {
            continue;
        };
        for proof in &step.proofs {
            // What can't be asked yet is taken to be full.
            let rows = if proof.early { service.store.ask(base, proof)?.rows } else { 1 };
            kept.extend((rows > 0).then(|| (name.clone(), rows)));
        }
    }
    Ok(kept)
}

fn told(refusal: &Refusal) -> String {
    format!("`{}`: {}; {}", refusal.place, refusal.why, refusal.instead)
}

fn broken(service: &Service, base: &Base, proof: &Query) -> Result<Option<String>, String> {
    let broken = service.store.ask(base, proof)?;
    let (rows, ids) = (broken.rows, broken.examples.join(", "));
    let verb = if rows == 1 { "row of" } else { "rows of" };
    let told =
        || format!("{rows} {verb} `{}` {} ({ids}): {}", proof.table, proof.fault, proof.instead);
    Ok((rows > 0).then(told))
}

/// What was changed behind Mainstay's back, line by line.
fn drift(
    before: &Snapshot,
    found: &Found,
    steps: &[ScriptStep],
    dialect: Dialect<'_>,
) -> Vec<String> {
    let tampered = found.tampered.iter();
    let mut lines: Vec<String> =
        tampered.map(|name| format!("the journal's text of `{name}` was changed")).collect();
    if let Some(underway) = &found.underway {
        let known = steps.iter().any(|step| step.name == *underway);
        lines.extend((!known).then(|| {
            format!("`{underway}` was broken off on the way to another model: finish that first")
        }));
        return lines;
    }
    for (key, held) in &before.tables {
        let (wanted, is) = (structure(held, dialect), found.structure.get(key));
        let is = is.cloned().unwrap_or_default();
        let gone = wanted.iter().filter(|line| !is.contains(line)).map(|line| ('-', line));
        let come = is.iter().filter(|line| !wanted.contains(line)).map(|line| ('+', line));
        let told = gone.chain(come).map(|(sign, line)| {
            format!("`{key}` was changed behind Mainstay's back: {sign} {line}")
        });
        lines.extend(told);
    }
    lines
}

/// Several databases at a time; one that fails is named and stops no other.
pub(super) fn carry_out(services: &[Service], ways: Vec<Way>, tell: Tell<'_>) -> Vec<Report> {
    let (tenants, own): (Vec<Way>, Vec<Way>) =
        ways.into_iter().partition(|way| way.base.tenant.is_some());
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Report)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS_MAX.min(tenants.len()) {
            scope.spawn(|| {
                while let Some(way) = tenants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = one(services, way, tell, true);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((way.service, report));
                }
            });
        }
    });
    let mut reports = Vec::new();
    let mut failed = BTreeSet::new();
    let mut all = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_by(|(_, a), (_, b)| a.shown.cmp(&b.shown));
    for (service, report) in all {
        if !report.problems.is_empty() {
            failed.insert(service);
        }
        reports.push(report);
    }
    for way in &own {
        reports.push(one(services, way, tell, !failed.contains(&way.service)));
    }
    reports
}

fn one(services: &[Service], way: &Way, tell: Tell<'_>, vouches: bool) -> Report {
    let mut report = way.report.clone();
    let service = &services[way.service];
    if !report.problems.is_empty() {
        return report;
    }
    let run = || -> Result<(), String> {
        for step in &way.report.steps {
            for proof in step.proofs.iter().filter(|_| step.destroys.is_none()) {
                if let Some(problem) = broken(service, &way.base, proof)? {
                    return Err(problem);
                }
            }
            let last = AtomicU64::new(u64::MAX);
            let told = |done: u64, of: u64| {
                let percent = done * 100 / of.max(1);
                if of > 0 && last.swap(percent, Ordering::Relaxed) != percent {
                    tell(&way.base.shown, &step.name, done, of);
                }
            };
            service.store.apply(&way.base, step, &told)?;
        }
        let beside = way.extent == Extent::Beside;
        if vouches { service.store.serve(&way.base, beside) } else { Ok(()) }
    };
    report.problems.extend(run().err());
    report.window = way.extent == Extent::Beside && (way.window || !way.serves);
    report
}
