//! Plain writes: create, replace, update, delete.

use super::access::{allowing, allows, concerns, denied};
use super::body::{Draft, Mode, Reader, Ruled};
use super::faults::Faults;
use super::reference::Said;
use super::scope::RowScope;
use super::unit::Unit;
use super::{Failure, not_found, problem};
use crate::json::Json;
use crate::json::read::parse;
use crate::plan::needs::Needs;
use crate::problem::{Problem, kinds};
use crate::record::Record;
use ir::domain::{Change, CommandId, Grant, ResourceId};
use std::sync::Arc;

/// A write that a client asks for.
#[derive(Debug)]
pub(crate) struct Write<'a> {
    /// What.
    pub(crate) verb: Verb,
    /// Of which root.
    pub(crate) resource: ResourceId,
    /// Which row; none for a new one.
    pub(crate) row: Option<Row>,
    /// What came with it.
    pub(crate) body: Body<'a>,
    /// What must hold of the row's version.
    pub(crate) preconditions: Preconditions,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// A new row.
    Create,
    /// The whole row anew.
    Replace,
    /// A merge patch.
    Update,
    /// That it goes.
    Delete,
    /// A named change.
    Command(CommandId),
}

/// A row by its id, or as the one that an operation of the batch made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// By id.
    Id(u128),
    /// `#n`
    Made(usize),
}

/// A body, read when it is its turn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body<'a> {
    /// Bytes as they came.
    Bytes(&'a [u8]),
    /// Read already, as part of a batch.
    Json(&'a Json<'a>),
    /// None.
    Nothing,
}

/// Versions that must or must not be the row's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Preconditions {
    /// `If-Match`
    pub(crate) matches: Match,
    /// `If-None-Match`
    pub(crate) differs: Match,
}

/// A precondition as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Match {
    /// Not at all.
    #[default]
    Absent,
    /// `*`
    Any,
    /// One of these versions.
    Versions(Vec<i64>),
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Done {
    /// What.
    pub(crate) verb: Verb,
    /// Of which root.
    pub(crate) resource: ResourceId,
    /// The row.
    pub(crate) id: u128,
    /// The row as it is then, where the caller may see it.
    pub(crate) record: Option<Arc<Record>>,
}

impl<'e> Unit<'e> {
    /// Does one write in this unit.
    ///
    /// # Errors
    /// Whatever forbids it.
    pub(crate) async fn perform(&mut self, write: &Write<'_>) -> Result<Done, Failure> {
        let id = match write.row {
            None => 0,
            Some(Row::Id(id)) => id,
            Some(Row::Made(at)) => self.made.get(at).copied().flatten().ok_or_else(not_found)?,
        };
        (self.doing, self.why) = (write.verb, None);
        let done = match write.verb {
            Verb::Create => self.create(write).await?,
            Verb::Replace | Verb::Update => self.change(write, id).await?,
            Verb::Delete => self.remove(write, id).await?,
            Verb::Command(command) => self.command(write, id, command).await?,
        };
        self.made.push((done.verb == Verb::Create).then_some(done.id));
        Ok(done)
    }

    async fn create(&mut self, write: &Write<'_>) -> Result<Done, Failure> {
        let (engine, call, resource) = (self.engine, self.call, write.resource);
        let plan = engine.plan.resource(resource);
        let grants = &engine.plan.domain.resource(resource).access.create;
        if call.effect_of.is_none() && !concerns(call, grants) {
            return Err(self.may_not(resource, grants, "create {}"));
        }
        let mut draft = self.draft(write, Mode::Create)?;
        self.settle(resource, &mut draft.record, None, Said::ByCaller).await?;
        self.rule(resource, &draft.record, grants, &plan.rules.create, "create {}").await?;
        self.field_rules(resource, &draft, None).await?;
        let id = draft.record.id;
        self.insert(resource, draft.record);
        self.done(write, id).await
    }

    async fn change(&mut self, write: &Write<'_>, id: u128) -> Result<Done, Failure> {
        let (engine, resource) = (self.engine, write.resource);
        let plan = engine.plan.resource(resource);
        let old = self.target(resource, id).await?;
        let grants = &engine.plan.domain.resource(resource).access.update;
        self.rule(resource, &old, grants, &plan.rules.update, "change {}").await?;
        self.precondition(write, &old)?;
        let mode = match write.verb {
            Verb::Replace => Mode::Replace(&old),
            Verb::Create | Verb::Update | Verb::Delete | Verb::Command(_) => Mode::Patch(&old),
        };
        let mut draft = self.draft(write, mode)?;
        self.next_version(&mut draft.record, &old);
        self.settle(resource, &mut draft.record, Some(&old), Said::ByCaller).await?;
        self.rule(resource, &draft.record, grants, &plan.rules.update, "change {} to that").await?;
        self.field_rules(resource, &draft, Some(&old)).await?;
        self.publish(resource, Change::Updated, &draft.record);
        self.update(resource, &old, draft.record, write.preconditions.names_version());
        self.done(write, id).await
    }

    async fn remove(&mut self, write: &Write<'_>, id: u128) -> Result<Done, Failure> {
        let (engine, resource) = (self.engine, write.resource);
        let plan = engine.plan.resource(resource);
        let old = self.target(resource, id).await?;
        let grants = &engine.plan.domain.resource(resource).access.delete;
        self.rule(resource, &old, grants, &plan.rules.delete, "delete {}").await?;
        self.precondition(write, &old)?;
        self.delete(resource, &old, write.preconditions.names_version());
        Ok(Done { verb: write.verb, resource, id, record: None })
    }

    /// The row to change, which the caller must be able to see.
    async fn target(&mut self, resource: ResourceId, id: u128) -> Result<Arc<Record>, Failure> {
        let (engine, call) = (self.engine, self.call);
        let old = self.rows.whole(engine, call, resource, id).await?;
        let old = old.ok_or_else(not_found)?;
        self.look(resource, &[id], true).await?;
        if self.sees(resource, id) { Ok(old) } else { Err(not_found()) }
    }

    /// What the caller can be told after a write.
    pub(crate) async fn done(&mut self, write: &Write<'_>, id: u128) -> Result<Done, Failure> {
        self.look(write.resource, &[id], true).await?;
        let seen = self.sees(write.resource, id);
        let mut record = self.rows.shared(write.resource, id).filter(|_| seen);
        if let Some(record) = &mut record {
            self.complete_shared(write.resource, record).await?;
        }
        Ok(Done { verb: write.verb, resource: write.resource, id, record })
    }

    /// The row that the body makes.
    fn draft(&self, write: &Write<'_>, mode: Mode<'_>) -> Result<Draft, Failure> {
        let mut reader = Reader::new(self.engine, self.call, &self.made);
        let draft = match write.body {
            Body::Json(json) => reader.row(write.resource, json, mode),
            Body::Bytes(bytes) => reader.row(write.resource, &read_json(bytes)?, mode),
            Body::Nothing => reader.row(write.resource, &read_json(b"")?, mode),
        };
        reader.faults.settle()?;
        Ok(draft)
    }

    /// A rule must hold of a row.
    async fn rule(
        &mut self,
        resource: ResourceId,
        record: &Record,
        grants: &'e [Grant],
        needs: &Needs,
        what: &str,
    ) -> Result<(), Failure> {
        // The model itself orders it.
        if self.call.effect_of.is_some() {
            return Ok(());
        }
        self.follow(resource, &[record], needs).await?;
        let plan = &self.engine.plan;
        let scope = RowScope::new(plan, &self.call.bindings, &self.rows, resource, record);
        let Some(why) = allowing(self.call, grants, &scope) else {
            return Err(self.may_not(resource, grants, what));
        };
        self.why = Some(why);
        Ok(())
    }

    fn may_not(&self, resource: ResourceId, grants: &[Grant], what: &str) -> Failure {
        let name = &self.engine.plan.domain.resource(resource).name;
        denied(self.call, grants, &what.replace("{}", &format!("this `{name}`")))
    }

    /// The write rules of the fields that a body set, before and after.
    async fn field_rules(
        &mut self,
        resource: ResourceId,
        draft: &Draft,
        old: Option<&Record>,
    ) -> Result<(), Failure> {
        if draft.ruled.is_empty() || self.call.effect_of.is_some() {
            return Ok(());
        }
        let engine = self.engine;
        let needs = &engine.plan.resource(resource).rules.fields;
        let seeds: Vec<&Record> = old.into_iter().chain([&draft.record]).collect();
        self.follow(resource, &seeds, needs).await?;
        let mut faults = Faults::default();
        for ruled in &draft.ruled {
            let (of, row) = self.ruled_row(resource, &draft.record, ruled);
            let grants = engine.plan.domain.resource(of).field(ruled.field).write.as_deref();
            let grants = grants.unwrap_or_default();
            let scope = |record, parent| {
                let scope =
                    RowScope::new(&engine.plan, &self.call.bindings, &self.rows, of, record);
                RowScope { parent, ..scope }
            };
            let parent = ruled.child.map(|_| &draft.record);
            let before = ruled.child.is_some()
                || old.is_none_or(|old| allows(self.call, grants, &scope(old, None)));
            if !before || !allows(self.call, grants, &scope(row, parent)) {
                let detail = format!("only {} may set it", super::access::named(grants));
                faults.add(kinds::FORBIDDEN, ruled.pointer.clone(), detail);
            }
        }
        faults.settle()
    }

    fn ruled_row<'r>(
        &self,
        resource: ResourceId,
        record: &'r Record,
        ruled: &Ruled,
    ) -> (ResourceId, &'r Record) {
        let Some((field, at)) = ruled.child else { return (resource, record) };
        let children = &self.engine.plan.resource(resource).children;
        let child = children.iter().find(|child| child.field == field);
        let row = record.children_of(field).get(at);
        child.zip(row).map_or((resource, record), |(child, row)| (child.target, row))
    }

    /// The row still has the version that the client meant. A tag is compared by its version: the
    /// hash after it tells representations apart, which differ by caller, by `expand`, and by
    /// counters that rise without a new version.
    pub(crate) fn precondition(&self, write: &Write<'_>, old: &Record) -> Result<(), Failure> {
        let Preconditions { matches, differs } = &write.preconditions;
        let resource = self.engine.plan.domain.resource(write.resource);
        if resource.if_match_required && *matches == Match::Absent {
            let detail = format!("send the `ETag` of this `{}` as `If-Match`", resource.name);
            return Err(Box::new(Problem::new(kinds::PRECONDITION_REQUIRED).detail(detail)));
        }
        let right = match matches {
            Match::Absent | Match::Any => true,
            Match::Versions(versions) => versions.contains(&old.version),
        };
        let new = match differs {
            Match::Absent => true,
            Match::Any => false,
            Match::Versions(versions) => !versions.contains(&old.version),
        };
        if right && new { Ok(()) } else { Err(problem(kinds::VERSION_MISMATCH)) }
    }

    /// Counts the write.
    pub(crate) fn next_version(&self, record: &mut Record, old: &Record) {
        record.version = old.version + 1;
        record.updated_at = self.call.bindings.now.max(old.updated_at);
    }
}

impl Preconditions {
    /// Those of the backend itself: it read no version that it could name, and works on the row as
    /// it is.
    pub(crate) fn own() -> Self {
        Self { matches: Match::Any, differs: Match::Absent }
    }

    /// The client said which version it meant: a conflict is its, not ours to solve.
    pub(crate) fn names_version(&self) -> bool {
        matches!(self.matches, Match::Versions(_))
    }
}

/// Reads a body.
///
/// # Errors
/// Where it is not JSON as it is taken here.
pub(crate) fn read_json(bytes: &[u8]) -> Result<Json<'_>, Failure> {
    parse(bytes).map_err(|malformed| {
        let detail = format!("{} at byte {}", malformed.reason, malformed.at);
        Box::new(Problem::new(kinds::MALFORMED_BODY).detail(detail))
    })
}
