//! Schedules: which rows, which command.

use super::calls::{Callee, Given, callee, give, inputs, path};
use super::{Call, Doings, Outside};
use crate::check::place::Place;
use crate::check::typing::condition;
use crate::check::typing::scope::{Scope, Use};
use crate::check::{e062_child_as_root, e086_schedule};
use ir::Diagnostic;
use ir::domain::{CatchUp, Overlap, Schedule, Times};
use ir::model;

/// Looks at every schedule; gives those without fault.
pub(super) fn look(
    outside: Outside<'_, '_>,
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) -> Vec<Schedule> {
    let schedules = &outside.world.model.schedules;
    schedules.iter().filter_map(|schedule| one(outside, schedule, doings, found)).collect()
}

fn one(
    outside: Outside<'_, '_>,
    schedule: &model::Schedule,
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) -> Option<Schedule> {
    let name = schedule.name.as_str();
    e086_schedule::times(schedule, found);
    e086_schedule::catch_up(schedule, found);
    let place = Place::new(name, "for");
    let row = outside.world.resource_anywhere(&schedule.resource, place, found)?;
    if outside.domain.resource(row).owner.is_some() {
        let fault = e062_child_as_root::fault(outside.world, row, schedule.resource.span, place);
        found.push(fault);
        return None;
    }
    let filter = schedule.condition.as_ref().map(|when| {
        let place = Place::new(name, "where");
        condition(&Scope::row(outside.world, place, Use::Filter, Some(row)), when, found)
    });
    let place = Place::new(name, "do");
    let Some(called) = callee(outside, &schedule.run, Some(row), None, place, found) else {
        doings.incomplete = true;
        return None;
    };
    let Callee::Command { resource, command, .. } = called else {
        found.push(e086_schedule::operation(schedule));
        return None;
    };
    let scope = Scope::row(outside.world, place, Use::Step, Some(row));
    let given = Given { call: &schedule.run, with: &schedule.with, shared: false };
    let arguments = give(outside, &scope, called, given, found);
    let by = format!("the schedule `{name}`");
    doings.calls.push(Call { by, span: schedule.run.span, resource, command });
    let (id, inputs) = inputs(outside, (resource, command), arguments?);
    Some(Schedule {
        name: name.to_owned(),
        times: times(schedule)?,
        resource: row,
        condition: match filter {
            Some(filter) => Some(filter?),
            None => None,
        },
        path: path(outside, row, &schedule.run),
        of: resource,
        id,
        command,
        inputs,
        catch_up: catch_up(schedule)?,
        overlap: match schedule.overlap.as_ref().map(|overlap| overlap.as_str()) {
            Some("wait") => Overlap::Wait,
            Some(_) | None => Overlap::Skip,
        },
    })
}

/// Where it is not said, the latest of those that were missed is made up for.
fn catch_up(schedule: &model::Schedule) -> Option<CatchUp> {
    let Some(said) = &schedule.catch_up else { return Some(CatchUp::One) };
    match said.runs.as_str() {
        "none" => Some(CatchUp::None),
        "all" => said.up_to.as_ref().map(|most| CatchUp::All { runs_max: most.value }),
        _ => Some(CatchUp::One),
    }
}

fn times(schedule: &model::Schedule) -> Option<Times> {
    match (&schedule.every, &schedule.cron) {
        (Some(every), None) => Some(Times::Every(every.value)),
        (None, Some(cron)) => Some(Times::Cron(cron.value.clone())),
        (Some(_), Some(_)) | (None, None) => None,
    }
}
