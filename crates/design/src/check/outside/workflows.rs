//! Workflows: what each step calls, with what, and what it may read.

use super::calls::{Callee, Given, callee, give};
use super::views::wire_type;
use super::{Call, Doings, Outside};
use crate::check::place::Place;
use crate::check::resolve::caller;
use crate::check::typing::condition;
use crate::check::typing::scope::{Answer, Scope, Use};
use crate::check::world::Meaning;
use crate::check::{
    e035_unknown_field, e038_unknown_event, e039_unknown_command, e041_unknown_workflow, e082_step,
    e084_unknown_refusal,
};
use ir::Diagnostic;
use ir::domain::{Kind, ResourceId};
use ir::expr::{FieldRef, Type};
use ir::model::{Step, Workflow};
use std::collections::BTreeMap;

/// Looks at every workflow.
pub(super) fn look(outside: Outside<'_, '_>, doings: &mut Doings, found: &mut Vec<Diagnostic>) {
    for workflow in &outside.world.model.workflows {
        let place = Place::new(workflow.name.as_str(), "after");
        let started = callee(outside, &workflow.after, None, None, place, found);
        let row = match started {
            Some(Callee::Command { resource, .. }) => Some(resource),
            Some(Callee::Operation(..)) => {
                found.push(e039_unknown_command::operation(&workflow.after, place));
                None
            }
            None => None,
        };
        let mut walk = Walk { outside, workflow, row, answers: Vec::new(), doings, found };
        for step in &workflow.steps {
            walk.step(step);
        }
        walk.otherwise();
    }
}

struct Walk<'a, 'm, 'w> {
    outside: Outside<'a, 'm>,
    workflow: &'m Workflow,
    /// The row that the starting command is called on; none where that is at fault.
    row: Option<ResourceId>,
    answers: Vec<Answer<'m>>,
    doings: &'w mut Doings,
    found: &'w mut Vec<Diagnostic>,
}

impl<'m> Walk<'_, 'm, '_> {
    fn place(&self, step: &'m Step) -> Place<'m> {
        Place::new(self.workflow.name.as_str(), step.name.as_str())
    }

    fn step(&mut self, step: &'m Step) {
        let place = self.place(step);
        self.found.extend(e082_step::shape(step, place));
        for inner in &step.parallel {
            self.step(inner);
        }
        let item = self.each(step, place);
        if let Some(wait) = &step.wait
            && !wait.value.starts_with(|letter: char| letter.is_ascii_digit())
            && !self.outside.events.contains_key(wait.as_str())
        {
            let known = self.outside.events.keys().map(String::as_str);
            let fault = e038_unknown_event::fault(self.outside.world, wait, place, known);
            self.found.push(fault);
        }
        if let Some(wait) = &step.wait {
            self.doings.heard.insert(wait.value.clone());
        }
        if let Some(grant) = &step.approve {
            caller(self.outside.world, grant, place, self.found);
        }
        if let Some(inner) = &step.workflow
            && !self.outside.world.workflows.contains_key(inner.as_str())
        {
            let fault = e041_unknown_workflow::fault(self.outside.world, inner, place);
            self.found.push(fault);
        }
        if let Some(row) = self.row
            && let Some(when) = &step.when
        {
            let answers = self.answers.clone();
            let base = Scope::row(self.outside.world, place, Use::Step, Some(row));
            let scope = Scope { item, steps: &answers, ..base };
            condition(&scope, when, self.found);
        }
        if self.row.is_some() {
            self.run(step, item, place);
        }
    }

    /// The child that `item` is.
    fn each(&mut self, step: &'m Step, place: Place<'m>) -> Option<ResourceId> {
        let (each, row) = (step.each.as_ref()?, self.row?);
        let entry = self.outside.world.entry(row);
        match entry.field(each.as_str()) {
            Some(FieldRef::Field(field)) => match entry.kinds[field.index()] {
                Some(Kind::Children { target, .. }) => Some(target),
                Some(_) => {
                    self.found.push(e082_step::no_children(each, place));
                    None
                }
                None => None,
            },
            Some(FieldRef::Implicit(_)) => {
                self.found.push(e082_step::no_children(each, place));
                None
            }
            None => {
                let fault = e035_unknown_field::fault(self.outside.world, row, each, place);
                self.found.push(fault);
                None
            }
        }
    }

    fn run(&mut self, step: &'m Step, item: Option<ResourceId>, place: Place<'m>) {
        let broken_each = step.each.is_some() && item.is_none();
        if broken_each {
            return;
        }
        let called = step.run.as_ref().and_then(|run| {
            let callee = callee(self.outside, run, self.row, item, place, self.found);
            self.doings.incomplete |= callee.is_none();
            let given = Given { call: run, with: &step.with, shared: false };
            self.give(step, callee?, given, item, place);
            callee
        });
        let answer =
            called.map(|callee| Answer { step: step.name.as_str(), members: self.members(callee) });
        let outer = self.answers.len();
        self.answers.extend(answer);
        if let Some(undo) = &step.undo
            && let Some(callee) = callee(self.outside, undo, self.row, item, place, self.found)
        {
            let shared = step.undo_with.is_empty();
            let with = if shared { &step.with } else { &step.undo_with };
            self.give(step, callee, Given { call: undo, with, shared }, item, place);
        }
        if step.each.is_some() {
            self.answers.truncate(outer);
        }
    }

    /// Types what a call is given, and notes the call.
    fn give(
        &mut self,
        step: &'m Step,
        callee: Callee<'m>,
        given: Given<'m>,
        item: Option<ResourceId>,
        place: Place<'m>,
    ) {
        let answers = self.answers.clone();
        let base = Scope::row(self.outside.world, place, Use::Step, self.row);
        let scope = Scope { item, steps: &answers, ..base };
        give(self.outside, &scope, callee, given, self.found);
        if let Callee::Command { resource, command, .. } = callee {
            let by = format!("the step `{}` of `{}`", step.name, self.workflow.name);
            self.doings.calls.push(Call { by, span: given.call.span, resource, command });
        }
    }

    /// The members of an answer: what an operation returns, or the row a command was called on.
    fn members(&self, callee: Callee<'m>) -> BTreeMap<&'m str, Option<Type>> {
        match callee {
            Callee::Operation(operation) => {
                let returns = operation.returns.iter();
                returns.map(|f| (f.name.as_str(), wire_type(self.outside.world, f))).collect()
            }
            Callee::Command { resource, .. } => {
                let world = self.outside.world;
                let id = std::iter::once(("id", Some(Type::Reference(resource))));
                let fields = world.entry(resource).fields.iter();
                let fields = fields.map(|(name, field)| match world.meaning(resource, *field) {
                    Meaning::Value(ty) => (*name, Some(ty)),
                    Meaning::Children(_) | Meaning::Faulty => (*name, None),
                });
                id.chain(fields).collect()
            }
        }
    }

    /// What ends the workflow where it fails.
    fn otherwise(&mut self) {
        let place = Place::new(self.workflow.name.as_str(), "otherwise");
        let refusals = self.refusals(&self.workflow.steps);
        for (refusal, run) in &self.workflow.otherwise {
            if let Some(refusal) = refusal
                && !refusals.contains(&refusal.as_str())
            {
                let known = refusals.iter().copied();
                let budget = &self.outside.world.budget;
                let fault = e084_unknown_refusal::fault(refusal, place, known, budget);
                self.found.push(fault);
            }
            if self.row.is_none() {
                continue;
            }
            let Some(called) = callee(self.outside, run, self.row, None, place, self.found) else {
                continue;
            };
            let scope = Scope::row(self.outside.world, place, Use::Step, self.row);
            let given = Given { call: run, with: &[], shared: false };
            give(self.outside, &scope, called, given, self.found);
            if let Callee::Command { resource, command, .. } = called {
                let by = format!("`otherwise` of `{}`", self.workflow.name);
                self.doings.calls.push(Call { by, span: run.span, resource, command });
            }
        }
    }

    /// The names of all business answers that a step may get.
    fn refusals(&self, steps: &'m [Step]) -> Vec<&'m str> {
        let mut refusals = Vec::new();
        for step in steps {
            let operation = step.run.as_ref().and_then(|run| {
                let (integration, operation) = run.as_str().rsplit_once('.')?;
                let integration = self.outside.world.integrations.get(integration)?;
                integration.operations.iter().find(|known| known.name == operation)
            });
            let names = operation.into_iter().flat_map(|operation| &operation.refuses);
            refusals.extend(names.map(|(_, name)| name.as_str()));
            refusals.extend(self.refusals(&step.parallel));
        }
        refusals
    }
}
