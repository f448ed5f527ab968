//! `mainstay erase`: what rows say of one person goes, the rows stay.

use super::place::{self, Opened, Use};
use super::up::stores::Stores;
use crate::arguments::transfer::Erase;
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
use ir::domain::ActorId;
use runtime::engine::erase::{Erased, Erasure, Part, Person};
use runtime::ports::clock::{SystemClock, SystemRandomness};
use runtime::ports::store::Tenant;
use runtime::ports::transfer::{Forgotten, Trace, TransferError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was erased.
#[derive(Debug)]
pub(crate) struct Done {
    /// Nothing was, it was only counted.
    pub(crate) dry: bool,
    /// By resource that may name somebody.
    pub(crate) all: Vec<Changed>,
    /// Kept answers that went.
    pub(crate) answers: u64,
    /// Events that lost members.
    pub(crate) events: u64,
}

/// What was erased of a resource.
#[derive(Debug)]
pub(crate) struct Changed {
    /// `care.Patient`
    pub(crate) resource: String,
    /// Rows that name the subject.
    pub(crate) rows: u64,
    /// Those of them in which something was left to erase.
    pub(crate) changed: u64,
}

/// Erases the personal fields of a subject's rows.
pub(crate) fn erase(arguments: &Erase) -> Outcome<Done> {
    let place = &arguments.place;
    let designed = pipeline::design_to_run(&place.model.path, place.model.env.as_deref())?;
    let subject = &arguments.subject;
    if let Some(name) = &arguments.tenant {
        place::tenant(&designed, name)?;
    }
    let person =
        Person { subject: Arc::from(subject.as_str()), actor: actor(&designed, arguments)? };
    if !arguments.yes && !arguments.dry_run {
        return Err(Failure::new(format!("nothing of `{subject}` was erased"))
            .hint("there is no way back: say `--yes`; `--dry-run` counts the rows"));
    }
    let which = place::Which { data: &place.data, database: &place.database };
    let opened = place::open(&designed, &which, Use::Change)?;
    let tenants = tenants(&designed, arguments, &opened)?;
    let run = Run { designed: &designed, opened: &opened, tenants, person };
    if arguments.dry_run {
        return Ok(done(true, run.pass(Part::Facts, true)?, run.pass(Part::Names, true)?, None));
    }
    let facts = run.pass(Part::Facts, false)?;
    // While the rows still name the subject: what is broken off here is found again.
    let forgotten = run.forget(&facts)?;
    let named = run.pass(Part::Names, false)?;
    if named.iter().any(|one| one.changed > 0) {
        run.forget(&[])?;
    }
    Ok(done(false, facts, named, Some(forgotten)))
}

/// What is erased, where.
struct Run<'a> {
    designed: &'a Designed,
    opened: &'a Opened,
    /// In turn; none: what is shared.
    tenants: Vec<Tenant>,
    person: Person,
}

impl Run<'_> {
    fn failed(&self, cause: impl std::fmt::Display) -> Failure {
        Failure::new(format!("can't erase `{}`", self.person.subject))
            .caused_by(cause)
            .hint("what was erased until then stays erased: run it again, it goes on")
    }

    /// One pass over all rows, through stores that are closed at its end.
    fn pass(&self, part: Part, dry: bool) -> Outcome<Vec<Erased>> {
        let architecture = &self.designed.architecture;
        let stores = Stores::alone(architecture, &self.opened.home)?;
        let plan = Arc::new(runtime::plan::plan(architecture));
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandomness));
        let erasure = Erasure::new(plan, stores.ports(), clock, random);
        let passed = super::wait(async {
            let mut all = Vec::new();
            for tenant in &self.tenants {
                all.extend(erasure.erase(tenant, &self.person, part, dry).await?);
            }
            Ok::<_, String>(all)
        });
        stores.close();
        passed?.map_err(|why| self.failed(why))
    }

    fn forget(&self, rows: &[Erased]) -> Outcome<Forgotten> {
        let trace = |one: &Erased| Trace {
            resource: one.resource.clone(),
            members: one.members.clone(),
            rows: one.rows.clone(),
        };
        let tenants: Vec<Arc<str>> = self.tenants.iter().flatten().cloned().collect();
        let traces: Vec<Trace> = rows.iter().map(trace).collect();
        let forgotten = self.opened.transfer.forget(&tenants, &traces);
        forgotten.map_err(|why: TransferError| self.failed(why))
    }
}

/// The tenants whose rows are erased, and what all share where none is named.
fn tenants(designed: &Designed, arguments: &Erase, opened: &Opened) -> Outcome<Vec<Tenant>> {
    if let Some(name) = &arguments.tenant {
        return Ok(vec![Some(Arc::from(name.as_str()))]);
    }
    let mut all = vec![None];
    if designed.architecture.domain.tenancy.is_some() {
        let there = opened.transfer.tenants().map_err(|cause| {
            let failure = Failure::new("can't list the tenants");
            place::hinted(failure, cause).hint("name one with `--tenant`")
        })?;
        all.extend(there.into_iter().map(Some));
    }
    Ok(all)
}

fn actor(designed: &Designed, arguments: &Erase) -> Outcome<Option<ActorId>> {
    let Some(name) = &arguments.actor else { return Ok(None) };
    let actors = &designed.architecture.domain.actors;
    let found = actors.iter().position(|actor| actor.name == *name).map(ActorId::of);
    let known: Vec<_> = actors.iter().map(|actor| format!("`{}`", actor.name)).collect();
    let unknown = || {
        Failure::new(format!("there is no actor `{name}`"))
            .hint(format!("the model has {}", known.join(", ")))
    };
    found.map(Some).ok_or_else(unknown)
}

/// Both passes together, each resource once.
fn done(dry: bool, facts: Vec<Erased>, names: Vec<Erased>, forgotten: Option<Forgotten>) -> Done {
    // Rows, what of them changed first, and what changed last: once a row, whatever of it changed.
    let mut all: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    for one in facts {
        let sum = all.entry(one.resource).or_default();
        sum.0 += one.rows.len() as u64;
        sum.1 += one.changed;
    }
    for one in names {
        all.entry(one.resource).or_default().2 += one.changed;
    }
    let changed = |(resource, (rows, facts, names)): (String, (u64, u64, u64))| Changed {
        resource,
        rows,
        changed: facts.max(names),
    };
    let Forgotten { answers, events } = forgotten.unwrap_or_default();
    Done { dry, all: all.into_iter().map(changed).collect(), answers, events }
}
