//! Jobs: what is given, which row, which command, who may ask.

use super::calls::{Callee, Given, callee, give, inputs};
use super::{Call, Doings, Outside};
use crate::check::place::Place;
use crate::check::resolve::{grant, input};
use crate::check::typing::assign::assign;
use crate::check::typing::scope::{Given as Input, Scope, Use};
use crate::check::world::value_type;
use crate::check::{e062_child_as_root, e111_job};
use crate::naming;
use ir::Diagnostic;
use ir::domain::{Grant, Job, Priority};
use ir::expr::Type;
use ir::model;

/// Looks at every job; gives those without fault.
pub(super) fn look(
    outside: Outside<'_, '_>,
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) -> Vec<Job> {
    let jobs = &outside.world.model.jobs;
    jobs.iter().filter_map(|job| one(outside, job, doings, found)).collect()
}

fn one(
    outside: Outside<'_, '_>,
    job: &model::Job,
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) -> Option<Job> {
    let (world, name) = (outside.world, job.name.as_str());
    e111_job::bounds(job, found);
    let by = callers(outside, job, found);
    let place = Place::new(name, "do");
    let Some(called) = callee(outside, &job.run, None, None, place, found) else {
        doings.incomplete = true;
        return None;
    };
    let Callee::Command { resource, command, .. } = called else {
        found.push(e111_job::operation(job));
        return None;
    };
    if outside.domain.resource(resource).owner.is_some() {
        found.push(e062_child_as_root::fault(world, resource, job.run.span, place));
        return None;
    }
    let context = world.entry(resource).context;
    let part = Place::new(name, "input");
    let fields: Vec<_> =
        job.input.iter().map(|field| input(world, context, field, part, found)).collect();
    let given: Vec<Input<'_>> = fields
        .iter()
        .map(|(field, known)| {
            let ty = known.then(|| value_type(&field.declared, &field.kind));
            Input { name: &field.name, ty }
        })
        .collect();
    let scope = |place| Scope { input: &given, ..Scope::row(world, place, Use::Reaction, None) };
    let row = job.row.as_ref().and_then(|row| {
        assign(&scope(Place::new(name, "for")), row, &Type::Reference(resource), "for", found)
    });
    let callee = Callee::Command { resource, command, row_known: true };
    let with = Given { call: &job.run, with: &job.with, shared: false };
    let arguments = give(outside, &scope(Place::new(name, "with")), callee, with, found);
    let caller = format!("the job `{name}`");
    doings.calls.push(Call { by: caller, span: job.run.span, resource, command });
    let (_, inputs) = inputs(outside, (resource, command), arguments?);
    Some(Job {
        name: name.to_owned(),
        path: naming::kebab(name),
        about: job.about.as_ref().map_or_else(String::new, |about| about.value.clone()),
        resource,
        command,
        row: row?,
        inputs,
        by: by?,
        priority: match job.priority.as_ref().map(|priority| priority.as_str()) {
            Some("high") => Priority::High,
            Some("low") => Priority::Low,
            Some(_) | None => Priority::Normal,
        },
        attempts_max: job.retry.as_ref().map_or(Job::ATTEMPTS, |retry| retry.value),
        concurrency: job.concurrency.as_ref().map(|most| most.value),
        was: job.was.as_ref().map(|was| was.value.clone()),
        input: fields.into_iter().map(|(field, _)| field).collect(),
    })
}

/// Who may ask; none where one of them is at fault.
fn callers(
    outside: Outside<'_, '_>,
    job: &model::Job,
    found: &mut Vec<Diagnostic>,
) -> Option<Vec<Grant>> {
    e111_job::callers(job, found);
    let place = Place::new(job.name.as_str(), "by");
    let plain = |asked: &model::Grant| model::Grant { when: None, ..asked.clone() };
    let grants = job.by.iter().map(|asked| {
        let asked = plain(asked);
        grant(outside.world, None, &asked, place, found)
    });
    grants.collect()
}
