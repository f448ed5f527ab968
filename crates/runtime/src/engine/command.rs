//! Commands: guard, transition, effect and event of one row, in one step.

use super::access::{allowing, denied};
use super::body::Reader;
use super::change::{Body, Done, Write, read_json};
use super::reference::Said;
use super::scope::RowScope;
use super::settle::no_value;
use super::unit::Unit;
use super::{Failure, not_found};
use crate::json::Json;
use crate::problem::{Problem, kinds};
use crate::record::Record;
use ir::domain::{Command, CommandId, ResourceId};
use ir::value::Value;
use kernel::expr::{evaluate, holds};
use std::borrow::Cow;

impl Unit<'_> {
    /// Runs a command on a row.
    ///
    /// # Errors
    /// 404 where the caller may neither run it nor see the row, 403, 409 for state and guard.
    pub(super) async fn command(
        &mut self,
        write: &Write<'_>,
        id: u128,
        command_id: CommandId,
    ) -> Result<Done, Failure> {
        let (engine, call, resource) = (self.engine, self.call, write.resource);
        let command = &engine.plan.domain.resource(resource).commands[command_id.index()];
        let plan = &engine.plan.resource(resource).commands[command_id.index()];
        let old = self.rows.whole(engine, call, resource, id).await?;
        let old = old.ok_or_else(not_found)?;
        self.look(resource, &[id], true).await?;
        self.follow(resource, &[&old], &plan.by).await?;
        self.why = allowing(call, &command.by, &self.scope(resource, &old));
        if self.why.is_none() {
            if !self.sees(resource, id) {
                return Err(not_found());
            }
            let name = &engine.plan.domain.resource(resource).name;
            let what = format!("`{}` this `{name}`", command.name);
            return Err(denied(call, &command.by, &what));
        }
        self.precondition(write, &old)?;
        let inputs = self.inputs(write, command, &plan.input)?;
        self.check_inputs(command, &inputs).await?;
        check_transitions(engine.plan.domain.resource(resource), command, &old)?;
        let got = self.lookups(resource, &old, command, &plan.get, &inputs).await?;
        self.follow(resource, &[&old], &plan.rest).await?;
        let scope = RowScope { inputs: &inputs, got: &got, ..self.scope(resource, &old) };
        for (text, guard) in &command.require {
            if !holds(guard, &scope).unwrap_or(false) {
                let detail = format!("`{text}` does not hold");
                let problem = Problem::new(kinds::GUARD_FAILED).detail(detail);
                return Err(Box::new(problem.member("condition", text.as_str())));
            }
        }
        let mut record = self.effects(resource, &old, command, &scope)?;
        self.next_version(&mut record, &old);
        self.settle(resource, &mut record, Some(&old), Said::ByCommand).await?;
        for event in &plan.emits {
            self.emit(resource, event, &record);
        }
        self.update(resource, &old, record, write.preconditions.names_version());
        self.done(write, id).await
    }

    fn scope<'a>(&'a self, resource: ResourceId, record: &'a Record) -> RowScope<'a> {
        let plan = &self.engine.plan;
        RowScope::new(plan, &self.call.bindings, &self.rows, resource, record)
    }

    fn inputs(
        &self,
        write: &Write<'_>,
        command: &Command,
        plans: &[crate::plan::resource::FieldPlan],
    ) -> Result<Vec<Value>, Failure> {
        let mut reader = Reader::new(self.engine, self.call, &self.made);
        let inputs = match write.body {
            Body::Json(json) => reader.inputs(&command.input, plans, json),
            Body::Bytes(bytes) if !bytes.is_empty() => {
                reader.inputs(&command.input, plans, &read_json(bytes)?)
            }
            Body::Bytes(_) | Body::Nothing => {
                reader.inputs(&command.input, plans, &Json::Object(Vec::new()))
            }
        };
        reader.faults.settle()?;
        Ok(inputs)
    }

    /// The values of `get`, each in sight of those before it.
    async fn lookups(
        &mut self,
        resource: ResourceId,
        old: &Record,
        command: &Command,
        needs: &crate::plan::needs::Needs,
        inputs: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        self.follow(resource, &[old], needs).await?;
        let mut got: Vec<Value> = Vec::with_capacity(command.get.len());
        for (_, expr) in &command.get {
            let scope = RowScope { inputs, got: &got, ..self.scope(resource, old) };
            let value = evaluate(expr, &scope).map(Cow::into_owned);
            let value = value.map_err(|fault| no_value(fault, String::new()))?;
            got.push(value);
        }
        Ok(got)
    }

    /// The row after transitions and effects; every effect sees the row as it was.
    fn effects(
        &self,
        resource: ResourceId,
        old: &Record,
        command: &Command,
        scope: &RowScope<'_>,
    ) -> Result<Record, Failure> {
        let domain = self.engine.plan.domain.resource(resource);
        let mut record = old.clone();
        for transition in &command.transitions {
            record.values[transition.field.index()] = Value::text(transition.to.as_str());
        }
        for (field, expr) in &command.set {
            let value = evaluate(expr, scope).map(Cow::into_owned);
            let value = value.map_err(|fault| no_value(fault, String::new()))?;
            let (plan, field_of) =
                (self.engine.plan.resource(resource).field(*field), domain.field(*field));
            if value.is_null() && !plan.optional {
                return Err(would_be(&field_of.name, "null, which it may not be"));
            }
            let value = plan.shape.fit(value);
            let value = value.map_err(|wrong| would_be(&field_of.name, &wrong.detail))?;
            record.values[field.index()] = value;
        }
        Ok(record)
    }
}

fn would_be(field: &str, why: &str) -> Failure {
    let detail = format!("`{field}` {why}");
    Box::new(Problem::new(kinds::INVALID_VALUE).at("", detail))
}

fn check_transitions(
    resource: &ir::domain::Resource,
    command: &Command,
    old: &Record,
) -> Result<(), Failure> {
    for transition in &command.transitions {
        let field = resource.field(transition.field);
        let from = old.value(transition.field).as_text().unwrap_or_default();
        if transition.from.iter().any(|allowed| allowed == from) {
            continue;
        }
        let needed: Vec<String> =
            transition.from.iter().map(|state| format!("`{state}`")).collect();
        let allowed = resource.reachable(transition.field, from);
        let detail = format!(
            "`{}` needs `{}` to be {}, and it is `{from}`",
            command.name,
            field.name,
            needed.join(" or "),
        );
        let problem = Problem::new(kinds::ILLEGAL_TRANSITION).detail(detail);
        return Err(Box::new(
            problem
                .member("field", field.name.as_str())
                .member("from", from)
                .member("to", transition.to.as_str())
                .member("allowed", allowed),
        ));
    }
    Ok(())
}
