//! `mainstay migrate`: the tables of a store follow the model, step by step, reviewed or by `up`.

mod pace;
mod review;
mod way;

use super::up::stores::{Home, not_opened, postgres_config, sqlite_config};
use crate::arguments::DatabaseUrl;
use crate::arguments::migrate::{Data, Migrate};
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
use ir::architecture::Architecture;
use ir::migration::ScriptStep;
use pace::Pace;
use runtime::adapters::postgres::PostgresMigrations;
use runtime::adapters::sql::dialect::TENANT;
use runtime::adapters::sqlite::SqliteMigrations;
use runtime::ports::migrations::Migrations;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use way::{Extent, Service, Tables, Way};

/// Steps that a refusal names at most.
const STEPS_TOLD: usize = 8;

/// What became of one database, or would.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// Path of the database.
    pub(crate) shown: String,
    /// Its steps.
    pub(crate) steps: Vec<ScriptStep>,
    /// Steps that wait until no process of a former model runs.
    pub(crate) waiting: Vec<ScriptStep>,
    /// It serves a former model too.
    pub(crate) window: bool,
    /// What is kept though no model has it, with the rows that hold it.
    pub(crate) kept: Vec<(String, u64)>,
    /// What stands in the way, a line each, cures among them.
    pub(crate) problems: Vec<String>,
    /// The file to review.
    pub(crate) file: Option<PathBuf>,
}

/// What became of all databases.
#[derive(Debug, Default)]
pub(crate) struct Migrated {
    /// One a database that is not as the model wants it.
    pub(crate) reports: Vec<Report>,
    /// They were carried out.
    pub(crate) applied: bool,
    /// Names of steps that were taken back, with their database.
    pub(crate) undone: Vec<(String, String)>,
}

impl Migrated {
    /// Nothing stands in the way.
    pub(crate) fn fine(&self) -> bool {
        self.reports.iter().all(|report| report.problems.is_empty())
    }
}

/// How far a step of a database has come.
pub(crate) type Tell<'a> = &'a (dyn Fn(&str, &str, u64, u64) + Sync);

/// Runs the verb.
pub(crate) fn migrate(verb: &Migrate, tell: Tell<'_>) -> Outcome<Migrated> {
    match verb {
        Migrate::Plan(args) => {
            let (designed, home) = opened(&args.data, Home::beside)?;
            let allowed = args.allow_destroy.iter().cloned().collect();
            let mut planned = Planned::open(&designed.architecture, &home)?;
            planned.plan(&allowed)?;
            review::write(&designed.home, &mut planned.ways)?;
            let reports = planned.ways.into_iter().map(|way| way.report).collect();
            Ok(Migrated { reports, ..Migrated::default() })
        }
        Migrate::Apply(args) => {
            let (designed, home) = opened(&args.way.data, Home::of)?;
            let allowed = args.way.allow_destroy.iter().cloned().collect();
            let mut planned = Planned::open(&designed.architecture, &home)?;
            planned.check_demands()?;
            planned.hold()?;
            planned.plan(&allowed)?;
            if args.contract {
                planned.check_alone()?;
            }
            let whole = args.contract || matches!(home, Home::Directory(_));
            planned.limit(if whole { Extent::Whole } else { Extent::Beside });
            review::check(&designed.home, &mut planned.ways)?;
            Ok(planned.carry_out(tell))
        }
        Migrate::Undo(args) => {
            let (designed, home) = opened(args, Home::of)?;
            undo(&Planned::open(&designed.architecture, &home)?)
        }
    }
}

/// What [`before_up`] would do in development; a failure where something stands in its way.
pub(super) fn foreseen(architecture: &Architecture, home: &Home) -> Outcome<Vec<Report>> {
    let mut planned = Planned::open(architecture, home)?;
    planned.check_demands()?;
    planned.plan(&BTreeSet::new())?;
    let others = planned.others()?;
    planned.limit(extent(home, others.is_empty()));
    let reports: Vec<Report> = planned.ways.into_iter().map(|way| way.report).collect();
    in_the_way(&reports).map_or(Ok(reports), Err)
}

/// The way back to what is served, where the way to another model was not gone to its end.
pub(super) fn back(
    served: &Architecture,
    next: &Architecture,
    home: &Home,
) -> Outcome<Vec<Report>> {
    let mut planned = Planned::open(next, home)?;
    planned.hold()?;
    planned.plan(&BTreeSet::new())?;
    for way in &planned.ways {
        if let Some(step) = way.report.steps.first() {
            let abandoned = planned.services[way.service].store.abandon(&way.base, step);
            abandoned.map_err(|why| Failure::new("can't go back").caused_by(why))?;
        }
    }
    drop(planned);
    let mut former = served.clone();
    former.schema = design::migrate::turned_round(&served.schema, &next.schema);
    before_up(&former, home, false)
}

/// Beside processes of another model only what they bear; one process uses a directory.
fn extent(home: &Home, alone: bool) -> Extent {
    match home {
        Home::Server(_) if !alone => Extent::Beside,
        Home::Server(_) | Home::Directory(_) => Extent::Whole,
    }
}

/// What `up` does before it opens the data: in development all that loses nothing and that other
/// processes bear, in production nothing.
pub(super) fn before_up(
    architecture: &Architecture,
    home: &Home,
    production: bool,
) -> Outcome<Vec<Report>> {
    let mut planned = Planned::open(architecture, home)?;
    planned.check_demands()?;
    planned.plan(&BTreeSet::new())?;
    let behind = planned.ways.iter().filter(|way| !way.serves);
    let steps = behind.flat_map(|way| &way.report.steps);
    let steps: BTreeSet<&str> = steps.map(|step| step.name.as_str()).collect();
    if production && !steps.is_empty() {
        let failure = Failure::new("the data was written for another model");
        let failure = steps
            .iter()
            .take(STEPS_TOLD)
            .fold(failure, |failure, step| failure.caused_by(format!("to be done: {step}")));
        let more = steps.len().saturating_sub(STEPS_TOLD);
        let failure = match more {
            0 => failure,
            more => failure.caused_by(format!("and {more} more")),
        };
        return Err(failure.hint(
            "`mainstay migrate plan` writes the steps to review, `migrate apply` goes them",
        ));
    }
    let others = planned.others()?;
    if planned.ways.iter().all(|way| way.serves) {
        let over = others.is_empty() && planned.ways.iter().all(|way| way.latest);
        if production || !over {
            planned.limit(Extent::Beside);
            return Ok(planned.ways.into_iter().map(|way| way.report).collect());
        }
    }
    if !planned.ways.is_empty() {
        // Another process may have gone the way meanwhile.
        planned.hold()?;
        planned.plan(&BTreeSet::new())?;
    }
    planned.limit(extent(home, !production && others.is_empty()));
    let pace = Pace::default();
    let migrated = planned.carry_out(&|shown, step, done, of| pace.tell(shown, step, done, of));
    in_the_way(&migrated.reports).map_or(Ok(migrated.reports), Err)
}

fn in_the_way(reports: &[Report]) -> Option<Failure> {
    let mut failure = None;
    for report in reports.iter().filter(|report| !report.problems.is_empty()) {
        let so_far = failure.unwrap_or_else(|| Failure::new("the data can't follow the model"));
        let so_far = so_far.caused_by(format!("`{}`", report.shown));
        failure = Some(report.problems.iter().fold(so_far, Failure::caused_by));
    }
    failure.map(|failure| failure.hint("change the model or the rows, or use other data"))
}

fn opened(
    data: &Data,
    home: fn(&DatabaseUrl, &Path) -> Outcome<Home>,
) -> Outcome<(Designed, Home)> {
    let designed = pipeline::design_to_run(&data.model.path, data.model.env.as_deref())?;
    let directory = data.data.of(&designed.home);
    super::home::check(&directory, &designed.architecture.domain.system)?;
    if data.database.database.is_none() && !directory.is_dir() {
        return Err(Failure::new(format!("there is no data in `{}`", directory.display()))
            .hint("give the data directory with `--data`; `mainstay up` makes one"));
    }
    let home = home(&data.database, &directory)?;
    Ok((designed, home))
}

/// The text of a step for people: the schema of a tenant is any tenant's.
pub(crate) fn shown(text: &str) -> String {
    text.replace(TENANT, "\"TENANT\"")
}

/// The ways of all databases of all services.
struct Planned<'a> {
    architecture: &'a Architecture,
    services: Vec<Service>,
    ways: Vec<Way>,
}

impl<'a> Planned<'a> {
    fn open(architecture: &'a Architecture, home: &Home) -> Outcome<Self> {
        let open = |service| open(architecture, service, home);
        let services = architecture.services.iter().map(open).collect::<Outcome<_>>()?;
        Ok(Self { architecture, services, ways: Vec::new() })
    }

    /// Plans, or plans again.
    fn plan(&mut self, allowed: &BTreeSet<String>) -> Outcome<()> {
        self.ways.clear();
        for (at, service) in self.services.iter().enumerate() {
            for base in service.store.bases().map_err(unreadable)? {
                let way = way::plan(self.architecture, service, at, base, allowed);
                self.ways.extend(way.map_err(unreadable)?);
            }
        }
        Ok(())
    }

    /// Nobody else changes tables from now on.
    fn hold(&self) -> Outcome<()> {
        let refused = |why: String| Failure::new("can't migrate").caused_by(why);
        self.services.iter().try_for_each(|service| service.store.hold().map_err(refused))
    }

    /// What somebody else has to do first is told before anything is done here.
    fn check_demands(&self) -> Outcome<()> {
        self.services.iter().try_for_each(|service| {
            let checked = service.store.check_demands();
            checked.map_err(|why| not_opened(&service.name, why))
        })
    }

    fn others(&self) -> Outcome<Vec<String>> {
        let mut all = Vec::new();
        for service in &self.services {
            all.extend(service.store.others().map_err(unreadable)?);
        }
        Ok(all)
    }

    fn check_alone(&self) -> Outcome<()> {
        let others = self.others()?;
        if others.is_empty() {
            return Ok(());
        }
        let failure = Failure::new("processes of another model use the data");
        let told = |failure: Failure, who| failure.caused_by(format!("connections: {who}"));
        let failure = others.iter().fold(failure, told);
        Err(failure.hint("end them first; without `--contract` they go on meanwhile"))
    }

    fn limit(&mut self, extent: Extent) {
        self.ways.iter_mut().for_each(|way| way.limit(extent));
    }

    fn carry_out(self, tell: Tell<'_>) -> Migrated {
        let reports = way::carry_out(&self.services, self.ways, tell);
        Migrated { reports, applied: true, undone: Vec::new() }
    }
}

fn open(
    architecture: &Architecture,
    service: &ir::architecture::Service,
    home: &Home,
) -> Outcome<Service> {
    let domain = Arc::new(architecture.domain.clone());
    let schema = Arc::new(architecture.schema.clone());
    let (tables, store): (_, Arc<dyn Migrations>) = match home {
        Home::Directory(directory) => {
            let config = sqlite_config(architecture, service, directory);
            let tables = Tables::Sqlite { file_per_tenant: config.file_per_tenant };
            let store = SqliteMigrations::open(config, domain, schema);
            (tables, Arc::new(store.map_err(|fault| not_opened(&service.name, fault))?))
        }
        Home::Server(address) => {
            let config = postgres_config(architecture, service, address);
            let tables = Tables::Postgresql(config.apart);
            let store = PostgresMigrations::open(config, domain, schema);
            (tables, Arc::new(store.map_err(|fault| not_opened(&service.name, fault))?))
        }
    };
    let (name, contexts) = (service.name.clone(), service.contexts.clone());
    Ok(Service { name, contexts, tables, store })
}

fn unreadable(why: String) -> Failure {
    Failure::new("can't read the data").caused_by(why)
}

fn undo(planned: &Planned<'_>) -> Outcome<Migrated> {
    planned.hold()?;
    let mut migrated = Migrated::default();
    for service in &planned.services {
        for base in service.store.bases().map_err(unreadable)? {
            let undone = service.store.undo(&base);
            let undone = undone.map_err(|why| Failure::new("can't undo").caused_by(why))?;
            migrated.undone.extend(undone.map(|name| (base.shown, name)));
        }
    }
    Ok(migrated)
}
