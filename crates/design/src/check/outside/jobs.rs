//! Jobs: what is given, which row, which command or which call outside, who may ask.

use super::calls::{Callee, Given, callee, give, inputs};
use super::{Call, Doings, Outside, integrations};
use crate::check::place::Place;
use crate::check::resolve::{grant, input};
use crate::check::typing::assign::assign;
use crate::check::typing::scope::{Given as Input, Scope, Use};
use crate::check::world::value_type;
use crate::check::{e062_child_as_root, e111_job};
use crate::naming;
use ir::Diagnostic;
use ir::domain::{Grant, Job, Priority, ResourceId, Target};
use ir::expr::Type;
use ir::model::{self, FieldType};

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
    let resource = match called {
        Callee::Command { resource, .. } => resource,
        Callee::Operation(_) => keeper(outside, job)?,
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
    let target = target(outside, job, called, &given, doings, found);
    Some(Job {
        name: name.to_owned(),
        path: naming::kebab(name),
        about: job.about.as_ref().map_or_else(String::new, |about| about.value.clone()),
        resource,
        target: target?,
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

/// What is called, and with what, in the scope of the inputs.
fn target(
    outside: Outside<'_, '_>,
    job: &model::Job,
    called: Callee<'_>,
    given: &[Input<'_>],
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) -> Option<Target> {
    let name = job.name.as_str();
    let scope = |place| {
        let row = Scope::row(outside.world, place, Use::Reaction, None);
        Scope { input: given, ..row }
    };
    let with = Given { call: &job.run, with: &job.with, shared: false };
    let (for_, with_) = (scope(Place::new(name, "for")), scope(Place::new(name, "with")));
    match called {
        Callee::Command { resource, command, .. } => {
            let row = e111_job::row(job, found)
                .and_then(|row| assign(&for_, row, &Type::Reference(resource), "for", found));
            let callee = Callee::Command { resource, command, row_known: true };
            let arguments = give(outside, &with_, callee, with, found);
            let by = format!("the job `{name}`");
            doings.calls.push(Call { by, span: job.run.span, resource, command });
            let (_, inputs) = inputs(outside, (resource, command), arguments?);
            Some(Target::Command { command, row: row?, inputs })
        }
        Callee::Operation(_) => {
            e111_job::no_row(job, found);
            let with = give(outside, &with_, called, with, found)?;
            integrations::call(outside.domain, &job.run, with).map(Target::Operation)
        }
    }
}

/// The root whose store keeps a job that calls outside: the first that it is given a row of, else
/// the first of the model.
fn keeper(outside: Outside<'_, '_>, job: &model::Job) -> Option<ResourceId> {
    let given = job.input.iter().find_map(|field| match &field.ty.value {
        FieldType::Reference { context: Some(context), resource } => {
            outside.world.resource_quietly(&format!("{context}.{resource}"))
        }
        FieldType::Reference { context: None, resource } => {
            outside.world.resource_quietly(resource.as_str())
        }
        _ => None,
    });
    let root = |id| outside.domain.resource(id).owner.map_or(id, |(root, _)| root);
    let mut roots = outside.domain.stored().filter(|(_, one)| one.owner.is_none());
    given.map(root).or_else(|| roots.next().map(|(id, _)| id))
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
