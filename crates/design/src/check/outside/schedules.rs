//! Schedules: which rows, which command.

use super::calls::{Callee, Given, callee, give};
use super::{Call, Doings, Outside};
use crate::check::place::Place;
use crate::check::typing::condition;
use crate::check::typing::scope::{Scope, Use};
use crate::check::{e062_child_as_root, e086_schedule};
use ir::Diagnostic;

/// Looks at every schedule.
pub(super) fn look(outside: Outside<'_, '_>, doings: &mut Doings, found: &mut Vec<Diagnostic>) {
    for schedule in &outside.world.model.schedules {
        let name = schedule.name.as_str();
        e086_schedule::times(schedule, found);
        let place = Place::new(name, "for");
        let Some(row) = outside.world.resource_anywhere(&schedule.resource, place, found) else {
            continue;
        };
        if outside.domain.resource(row).owner.is_some() {
            let fault =
                e062_child_as_root::fault(outside.world, row, schedule.resource.span, place);
            found.push(fault);
            continue;
        }
        if let Some(when) = &schedule.condition {
            let place = Place::new(name, "where");
            condition(&Scope::row(outside.world, place, Use::Filter, Some(row)), when, found);
        }
        let place = Place::new(name, "do");
        let Some(called) = callee(outside, &schedule.run, Some(row), None, place, found) else {
            doings.incomplete = true;
            continue;
        };
        let Callee::Command { resource, command, .. } = called else {
            found.push(e086_schedule::operation(schedule));
            continue;
        };
        let scope = Scope::row(outside.world, place, Use::Step, Some(row));
        let given = Given { call: &schedule.run, with: &schedule.with, shared: false };
        give(outside, &scope, called, given, found);
        let by = format!("the schedule `{name}`");
        doings.calls.push(Call { by, span: schedule.run.span, resource, command });
    }
}
