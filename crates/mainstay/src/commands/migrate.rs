//! `mainstay migrate`: the tables of a store follow the model, step by step, reviewed or by `up`.

mod review;
mod way;

use crate::arguments::migrate::{Data, Migrate};
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
use ir::architecture::Architecture;
use runtime::adapters::sqlite::{DataDirectory, SqliteMigrations};
use runtime::ports::migrations::Migrations;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use way::{Service, Way};

use super::up::stores::{Home, not_opened, sqlite_config};

/// What became of one database, or would.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// Path of the database.
    pub(crate) shown: String,
    /// Its steps.
    pub(crate) steps: Vec<ir::migration::ScriptStep>,
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
            let (designed, directory) = opened(&args.data)?;
            let allowed = args.allow_destroy.iter().cloned().collect();
            let mut migrated = planned(&designed.architecture, &directory, &allowed)?;
            review::write(&designed.home, &mut migrated.ways)?;
            let reports = migrated.ways.into_iter().map(|way| way.report).collect();
            Ok(Migrated { reports, ..Migrated::default() })
        }
        Migrate::Apply(args) => {
            let (designed, directory) = opened(&args.data)?;
            let allowed = args.allow_destroy.iter().cloned().collect();
            let mut planned = planned(&designed.architecture, &directory, &allowed)?;
            review::check(&designed.home, &mut planned.ways)?;
            Ok(planned.carry_out(tell))
        }
        Migrate::Undo(args) => {
            let (designed, directory) = opened(args)?;
            undo(&designed.architecture, &directory)
        }
    }
}

/// What `up` does before it opens the data: in development all that loses nothing, in production
/// nothing.
pub(super) fn before_up(
    architecture: &Architecture,
    home: &Home,
    production: bool,
    tell: Tell<'_>,
) -> Outcome<Vec<Report>> {
    let Home::Directory(directory) = home else { return Ok(Vec::new()) };
    let planned = planned(architecture, directory, &BTreeSet::new())?;
    let some = planned.ways.iter().any(|way| !way.report.steps.is_empty());
    if production && some {
        return Err(Failure::new("the data was written for another model").hint(
            "`mainstay migrate plan` writes the steps to review, `migrate apply` goes them",
        ));
    }
    let migrated = planned.carry_out(tell);
    if migrated.fine() {
        return Ok(migrated.reports);
    }
    let mut failure = Failure::new("the data can't follow the model");
    for report in migrated.reports.iter().filter(|report| !report.problems.is_empty()) {
        failure = failure.caused_by(format!("`{}`", report.shown));
        failure = report.problems.iter().fold(failure, Failure::caused_by);
    }
    Err(failure.hint("change the model or the rows, or move the data directory away"))
}

fn opened(data: &Data) -> Outcome<(Designed, Arc<DataDirectory>)> {
    let designed = pipeline::design(&data.model.path, data.model.env.as_deref())?;
    let directory = data.data.of(&designed.home);
    super::home::check(&directory, &designed.architecture.domain.system)?;
    if data.database.database.is_none() && !directory.is_dir() {
        return Err(Failure::new(format!("there is no data in `{}`", directory.display()))
            .hint("give the data directory with `--data`; `mainstay up` makes one"));
    }
    match Home::of(&data.database, &directory)? {
        Home::Directory(directory) => Ok((designed, directory)),
        Home::Server(_) => Err(Failure::new("migrations on PostgreSQL are not carried out yet")
            .hint("leave `--database` out: the steps on SQLite are the same model's")),
    }
}

/// The ways of all databases of all services.
struct Planned {
    services: Vec<Service>,
    ways: Vec<Way>,
}

impl Planned {
    fn carry_out(self, tell: Tell<'_>) -> Migrated {
        let reports = way::carry_out(&self.services, self.ways, tell);
        Migrated { reports, applied: true, undone: Vec::new() }
    }
}

fn services(architecture: &Architecture, directory: &Arc<DataDirectory>) -> Outcome<Vec<Service>> {
    let open = |service: &ir::architecture::Service| {
        let config = sqlite_config(architecture, service, directory);
        let (domain, schema) = (architecture.domain.clone(), architecture.schema.clone());
        let store = SqliteMigrations::open(config, Arc::new(domain), Arc::new(schema));
        let store = store.map_err(|fault| not_opened(service, fault))?;
        let (name, contexts) = (service.name.clone(), service.contexts.clone());
        let store: Arc<dyn Migrations> = Arc::new(store);
        Ok(Service { name, contexts, tenant_files: architecture.settings.tenant_files, store })
    };
    architecture.services.iter().map(open).collect()
}

fn planned(
    architecture: &Architecture,
    directory: &Arc<DataDirectory>,
    allowed: &BTreeSet<String>,
) -> Outcome<Planned> {
    let services = services(architecture, directory)?;
    let mut ways = Vec::new();
    for (at, service) in services.iter().enumerate() {
        let bases = service.store.bases().map_err(|why| unreadable(&why))?;
        for base in bases {
            let way = way::plan(architecture, service, at, base, allowed);
            ways.extend(way.map_err(|why| unreadable(&why))?);
        }
    }
    Ok(Planned { services, ways })
}

fn unreadable(why: &str) -> Failure {
    Failure::new("can't read the data").caused_by(why)
}

fn undo(architecture: &Architecture, directory: &Arc<DataDirectory>) -> Outcome<Migrated> {
    let mut migrated = Migrated::default();
    for service in services(architecture, directory)? {
        for base in service.store.bases().map_err(|why| unreadable(&why))? {
            let undone = service.store.undo(&base);
            let undone = undone.map_err(|why| Failure::new("can't undo").caused_by(why))?;
            migrated.undone.extend(undone.map(|name| (base.shown, name)));
        }
    }
    Ok(migrated)
}
