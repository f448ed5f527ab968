//! Committing a unit of work: again where others were faster, a problem where the store refuses.

use super::change::{Done, Write};
use super::settle;
use super::unit::{Mark, Unit};
use super::{Engine, Failure, problem};
use crate::plan::Plan;
use crate::ports::operations::Operated;
use crate::ports::store::{CommitError, StoredAnswer};
use crate::problem::{Problem, kinds, pointer_token};
use crate::request::Call;
use ir::domain::{Domain, Field, FieldId, Kind, Resource, ResourceId};
use ir::model::OnDelete;

/// How often a write is done again after conflicts, deadline or not.
const ATTEMPTS_MAX: u32 = 1_000;

/// Makes the answer to keep for the idempotency key, once all is done and before it is committed.
pub(crate) type Seal<'s> = &'s mut (dyn FnMut(&Unit<'_>, &[Done]) -> Option<StoredAnswer> + Send);

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Committed {
    /// It is done.
    Done,
    /// Another process did it with the same key: read its answer. Or the inbox had the event.
    Elsewhere,
}

impl Engine {
    /// Does writes, all or none.
    ///
    /// # Errors
    /// The first problem; its pointers lead into `/operations/n` where `batch` is set.
    pub(crate) async fn write(
        &self,
        call: &Call,
        writes: &[Write<'_>],
        batch: bool,
        seal: Seal<'_>,
    ) -> Result<Committed, Failure> {
        self.written(call, writes, batch, (seal, None)).await
    }

    /// Does one write as a step of an operation: both are committed together, or neither is;
    /// [`Committed::Elsewhere`] where the operation is another's, or over.
    ///
    /// # Errors
    /// As [`Engine::write`].
    pub(crate) async fn write_step(
        &self,
        call: &Call,
        write: &Write<'_>,
        step: &Operated,
    ) -> Result<Committed, Failure> {
        let one = std::slice::from_ref(write);
        self.written(call, one, false, (&mut |_, _| None, Some(step))).await
    }

    async fn written(
        &self,
        call: &Call,
        writes: &[Write<'_>],
        batch: bool,
        (seal, step): (Seal<'_>, Option<&Operated>),
    ) -> Result<Committed, Failure> {
        let mut turn = None;
        for _ in 0..ATTEMPTS_MAX {
            let mut unit = Unit::new(self, call);
            let left = unit.time_left()?;
            let mut done = Vec::with_capacity(writes.len());
            for (at, write) in writes.iter().enumerate() {
                let performed = unit.perform(write).await;
                done.push(performed.map_err(|failure| within(failure, batch, at))?);
            }
            let answer = seal(&unit, &done);
            if unit.is_idle() && answer.is_none() && step.is_none() {
                return Ok(Committed::Done);
            }
            let service = unit.service().unwrap_or(0);
            let (mut set, marks) = unit.into_set(answer);
            set.operated = step.cloned();
            let conflict = match self.stores()[service].commit(set, &call.bindings).await {
                Ok(()) => return Ok(Committed::Done),
                Err(CommitError::AnswerExists | CommitError::Consumed) => {
                    return Ok(Committed::Elsewhere);
                }
                Err(CommitError::Fenced) if step.is_some() => return Ok(Committed::Elsewhere),
                Err(CommitError::Conflict { write }) => write,
                Err(error) => {
                    let (at, failure) = refused(&self.plan, &marks, error);
                    return Err(within(failure, batch, at));
                }
            };
            let Some(mark) = marks.get(conflict) else {
                return Err(problem(kinds::INTERNAL));
            };
            if mark.conditional {
                let at = mark.operation;
                return Err(within(problem(kinds::VERSION_MISMATCH), batch, at));
            }
            // The turn that was held goes back before another is waited for.
            drop(turn.take());
            turn = self.shared.turns.wait(mark.id, left).await;
            if turn.is_none() {
                return Err(problem(kinds::DEADLINE_EXCEEDED));
            }
        }
        Err(Box::new(Problem::new(kinds::UNAVAILABLE).retry_after(1)))
    }
}

/// A failure of operation `at` of a batch.
fn within(mut failure: Failure, batch: bool, at: usize) -> Failure {
    if !batch {
        return failure;
    }
    if failure.errors.is_empty() {
        let detail = failure.detail.clone().unwrap_or_else(|| failure.kind.title.to_owned());
        *failure = failure.at(format!("/operations/{at}"), detail);
        return failure;
    }
    for fault in &mut failure.errors {
        if !fault.at.starts_with(['?', '@']) {
            fault.at = format!("/operations/{at}/body{}", fault.at);
        }
    }
    failure
}

/// What the store refused: the index of the operation and the problem.
pub(crate) fn refused(plan: &Plan, marks: &[Mark], error: CommitError) -> (usize, Failure) {
    let operation = |write: usize| marks.get(write).map_or(0, |mark| mark.operation);
    let root = |write: usize, of: ResourceId| marks.get(write).map_or(of, |mark| mark.resource);
    let domain = &plan.domain;
    match error {
        CommitError::Duplicate { write, resource, unique } => {
            let fields = &domain.resource(resource).uniques[unique].fields;
            let place = Place { plan, root: root(write, resource), resource };
            (operation(write), place.taken(kinds::DUPLICATE, fields, "is taken"))
        }
        CommitError::Overlap { write, resource, overlap } => {
            let (equal, span) = &domain.resource(resource).overlaps[overlap];
            let place = Place { plan, root: root(write, resource), resource };
            let names: Vec<&str> = equal.iter().map(|field| place.name(*field)).collect();
            let detail = format!("overlaps another with the same {}", names.join(", "));
            (operation(write), place.taken(kinds::OVERLAP, std::slice::from_ref(span), &detail))
        }
        CommitError::UnknownReference { write, resource, field, id } => {
            let place = Place { plan, root: root(write, resource), resource };
            let found = marks.get(write).and_then(|mark| {
                let is = |(of, at, to, _): &&(ResourceId, FieldId, u128, settle::Place)| {
                    (*of, *at, *to) == (resource, field, id)
                };
                let (of, at, _, place) = mark.references.iter().find(is)?;
                Some(settle::pointer_in(domain, mark.resource, *place, *of, *at))
            });
            let pointer = found.unwrap_or_else(|| place.pointer(field));
            let problem = Problem::new(kinds::UNKNOWN_REFERENCE);
            (operation(write), Box::new(problem.at(pointer, "there is no such row")))
        }
        CommitError::StillReferenced { write, by } => {
            let detail = still_referenced(domain, root(write, by), by);
            let problem = Problem::new(kinds::STILL_REFERENCED).detail(detail);
            (operation(write), Box::new(problem))
        }
        CommitError::Unavailable(why) => (0, why.into()),
        // Both were looked at before.
        CommitError::Conflict { write } => (operation(write), problem(kinds::VERSION_MISMATCH)),
        CommitError::AnswerExists => (0, problem(kinds::KEY_RUNNING)),
        // Only consumers say what these answer.
        CommitError::Consumed | CommitError::Fenced => (0, problem(kinds::INTERNAL)),
    }
}

/// Why a row stays. A shared one can be held by rows of tenants that the caller does not see: the
/// store then names the row's own resource. Where tenants have files of their own, it is held
/// whatever the reference says, for no file changes with another's transaction.
fn still_referenced(domain: &Domain, row: ResourceId, by: ResourceId) -> String {
    let of_row = |field: &Field| match field.kind {
        Kind::Reference { target, crosses: false, on_delete } if target == row => Some(on_delete),
        Kind::Reference { .. } | Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) => None,
        Kind::Children { .. } => None,
    };
    let references = |resource: &Resource| -> Vec<OnDelete> {
        resource.fields.iter().filter_map(of_row).collect()
    };
    let name = &domain.resource(by).name;
    let mine = references(domain.resource(by));
    if by == row && mine.is_empty() {
        let holds = |resource: &&Resource| references(resource).contains(&OnDelete::Restrict);
        let holders = domain.resources.iter().filter(holds);
        let names: Vec<String> = holders.map(|holder| format!("`{}`", holder.name)).collect();
        return match names.as_slice() {
            [] => "a row of a tenant refers to it".to_owned(),
            names => format!("a {} of a tenant refers to it", names.join(" or ")),
        };
    }
    if !mine.is_empty() && !mine.contains(&OnDelete::Restrict) {
        let why = "whose file does not change with what all share";
        return format!("a `{name}` of a tenant refers to it, {why}");
    }
    format!("a `{name}` refers to it")
}

/// A field of a root or of its children.
struct Place<'a> {
    plan: &'a Plan,
    root: ResourceId,
    resource: ResourceId,
}

impl<'a> Place<'a> {
    fn name(&self, field: FieldId) -> &'a str {
        &self.plan.domain.resource(self.resource).field(field).name
    }

    /// Which of the children it is, the store does not say.
    fn pointer(&self, field: FieldId) -> String {
        let name = pointer_token(self.name(field));
        match self.plan.domain.resource(self.resource).owner {
            Some((root, list)) if root == self.root => {
                format!("/{}", pointer_token(&self.plan.domain.resource(root).field(list).name))
            }
            Some(_) | None => format!("/{name}"),
        }
    }

    fn taken(&self, kind: crate::problem::Kind, fields: &[FieldId], detail: &str) -> Failure {
        let mut problem = Problem::new(kind);
        for field in fields {
            problem = problem.at(self.pointer(*field), detail);
        }
        problem.errors.dedup();
        Box::new(problem)
    }
}
