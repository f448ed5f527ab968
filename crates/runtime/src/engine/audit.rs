//! What the audit trail says: who did what to which row, allowed by which rule, what was there
//! before and after; and who looked into another's tenant.

use super::change::Verb;
use super::unit::Unit;
use super::{Engine, Failure};
use crate::identity::Who;
use crate::json::write;
use crate::plan::Plan;
use crate::plan::audit::AuditPlan;
use crate::ports::audit::Entry;
use crate::ports::store::{CommitError, WriteSet};
use crate::record::Record;
use crate::request::Call;
use ir::contract::OperationKind;
use ir::domain::{FieldId, Grant, Kind, Resource, ResourceId, SYSTEM_READS};
use ir::value::Value;

/// What stands for a value that stays out of the trail.
const REDACTED: &[u8] = b"\"redacted\"";

impl Unit<'_> {
    /// Notes a change, to be committed with it.
    pub(super) fn trace(
        &mut self,
        resource: ResourceId,
        id: u128,
        before: Option<&Record>,
        after: Option<&Record>,
    ) {
        let (engine, call) = (self.engine, self.call);
        let Some(audit) = &engine.plan.audit else { return };
        let plan = &engine.plan;
        let operation = operation(plan, resource, self.doing);
        let of = plan.domain.resource(resource);
        let rule = self.why.map(|grant| rule(plan, resource, self.doing, &grant.text));
        let mut body = about(plan, call, rule.as_deref());
        body.extend_from_slice(b",\"changes\":{");
        Changes { plan, audit }.write(&mut body, resource, before, after);
        body.extend_from_slice(b"}}");
        self.audit.push(Entry {
            id: engine.shared.ids.next(call.bindings.now),
            shared: of.shared,
            time: call.bindings.now,
            who: who(call),
            operation,
            resource: plan.domain.full_name(resource),
            row: Some(id),
            body: String::from_utf8(body).unwrap_or_default(),
            write: Some(self.writes.len()),
        });
    }
}

/// The operation that does that; a command's where the contract hides it is named as well.
fn operation(plan: &Plan, resource: ResourceId, verb: Verb) -> String {
    let kind = match verb {
        Verb::Create => OperationKind::Create,
        Verb::Replace => OperationKind::Replace,
        Verb::Update => OperationKind::Update,
        Verb::Delete => OperationKind::Delete,
        Verb::Command(command) => OperationKind::Command(command),
    };
    let is = |of: &&crate::plan::OperationPlan| of.resource == Some(resource) && of.kind == kind;
    plan.operations.iter().find(is).map_or_else(String::new, |found| found.id.clone())
}

/// `ordering.Order.update: shopper when own`: the rule as the model has it, and where.
fn rule(plan: &Plan, resource: ResourceId, verb: Verb, text: &str) -> String {
    let part = match verb {
        Verb::Create => "create",
        Verb::Replace | Verb::Update => "update",
        Verb::Delete => "delete",
        Verb::Command(command) => &plan.domain.resource(resource).commands[command.index()].name,
    };
    format!("{}.{part}: {text}", plan.domain.full_name(resource))
}

/// The caller's subject.
fn who(call: &Call) -> String {
    call.bindings.me.as_deref().unwrap_or_default().to_owned()
}

/// The beginning of a body: who, whose, why, in which trace. Its object is still open.
fn about(plan: &Plan, call: &Call, rule: Option<&str>) -> Vec<u8> {
    let mut out = b"{\"actor\":".to_vec();
    let mut roles: &[String] = &[];
    match call.principal.as_ref().map(|principal| principal.who) {
        Some(Who::System) => write::text(&mut out, "system"),
        Some(Who::Actor(actor)) => {
            let actor = plan.domain.actor(actor);
            write::text(&mut out, &actor.name);
            roles = &actor.roles;
        }
        None => out.extend_from_slice(b"null"),
    }
    if let Some(principal) = &call.principal {
        out.extend_from_slice(b",\"roles\":[");
        let held = principal.roles.iter().filter_map(|role| roles.get(usize::from(*role)));
        for (at, role) in held.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write::text(&mut out, role);
        }
        out.push(b']');
        if let Some(key) = &principal.key {
            member(&mut out, "key", key);
        }
    }
    if let Some(tenant) = &call.tenant {
        member(&mut out, "tenant", tenant);
    }
    if let Some(rule) = rule {
        member(&mut out, "why", rule);
    }
    if let Some(trace) = &call.trace {
        member(&mut out, "trace_id", &trace.trace_id.to_string());
    }
    out
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    out.extend_from_slice(&write::key(name));
    write::text(out, value);
}

/// Writes what changed of a row.
struct Changes<'p> {
    plan: &'p Plan,
    audit: &'p AuditPlan,
}

impl Changes<'_> {
    /// The members of an object: each field that is another, with its value before and after.
    fn write(
        &self,
        out: &mut Vec<u8>,
        resource: ResourceId,
        before: Option<&Record>,
        after: Option<&Record>,
    ) {
        let begins = out.len();
        let of = self.plan.domain.resource(resource);
        for (id, field) in of.fields() {
            if let Kind::Children { target, .. } = field.kind {
                self.children(out, begins, of, (id, target), before, after);
                continue;
            }
            let value = |record: Option<&Record>| record.map(|record| record.value(id).clone());
            let (was, is) = (value(before), value(after));
            let same = was == is
                || matches!((&was, &is), (None, Some(Value::Null)) | (Some(Value::Null), None));
            if same {
                continue;
            }
            comma(out, begins);
            out.extend_from_slice(&write::key(&field.name));
            out.push(b'{');
            let inside = out.len();
            for (name, value) in [("before", was), ("after", is)] {
                let Some(value) = value else { continue };
                comma(out, inside);
                out.extend_from_slice(&write::key(name));
                if self.audit.hides(resource, id) && !value.is_null() {
                    out.extend_from_slice(REDACTED);
                } else {
                    write::value(out, &value);
                }
            }
            out.push(b'}');
        }
    }

    /// `"lines":[{"id":…,"quantity":{"before":1,"after":2}}]`: those that came, went or changed.
    fn children(
        &self,
        out: &mut Vec<u8>,
        begins: usize,
        of: &Resource,
        (field, target): (FieldId, ResourceId),
        before: Option<&Record>,
        after: Option<&Record>,
    ) {
        let rows = |record: Option<&'_ Record>| -> Vec<Record> {
            record.map(|record| record.children_of(field).to_vec()).unwrap_or_default()
        };
        let (was, is) = (rows(before), rows(after));
        let there = |row: &Record, all: &[Record]| -> Option<Record> {
            all.iter().find(|other| other.id == row.id).cloned()
        };
        let mut changed: Vec<(u128, Option<Record>, Option<Record>)> = is
            .iter()
            .map(|row| (row.id, there(row, &was), Some(row.clone())))
            .filter(|(_, was, is)| match (was, is) {
                (Some(was), Some(is)) => was.values != is.values,
                _ => true,
            })
            .collect();
        let gone = was.iter().filter(|row| there(row, &is).is_none());
        changed.extend(gone.map(|row| (row.id, Some(row.clone()), None)));
        if changed.is_empty() {
            return;
        }
        comma(out, begins);
        out.extend_from_slice(&write::key(&of.field(field).name));
        out.push(b'[');
        let inside = out.len();
        for (id, was, is) in changed {
            comma(out, inside);
            out.extend_from_slice(b"{\"id\":");
            write::value(out, &Value::Uuid(id));
            let mut fields = Vec::new();
            self.write(&mut fields, target, was.as_ref(), is.as_ref());
            if !fields.is_empty() {
                out.push(b',');
                out.extend_from_slice(&fields);
            }
            out.push(b'}');
        }
        out.push(b']');
    }
}

fn comma(out: &mut Vec<u8>, begins: usize) {
    if out.len() > begins {
        out.push(b',');
    }
}

/// What somebody saw in a tenant that is not its own.
pub(crate) struct Look<'a> {
    /// The operation that was asked for.
    pub(crate) operation: &'a str,
    /// Of which root.
    pub(crate) resource: Option<ResourceId>,
    /// The rows that the answer shows.
    pub(crate) rows: &'a [u128],
    /// Relations that it shows as rows.
    pub(crate) expanded: &'a [&'a str],
}

impl Engine {
    /// Writes down a look into a tenant that is not the caller's own, before the answer is given:
    /// an answer without its entry is not.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(crate) async fn looked(&self, call: &Call, look: &Look<'_>) -> Result<(), Failure> {
        let plan = &self.plan;
        let (Some(_), Some(principal), Some(tenant)) = (&plan.audit, &call.principal, &call.tenant)
        else {
            return Ok(());
        };
        let shared = look.resource.is_some_and(|id| plan.domain.resource(id).shared);
        let own = principal.tenant.as_ref() == Some(tenant);
        if !principal.across_tenants || own || shared {
            return Ok(());
        }
        let store = match look.resource {
            Some(resource) => self.store(resource),
            None => &*self.stores()[0],
        };
        // There is nothing to see in a tenant that has no place, and looking makes none.
        let known = store.knows(&call.tenant).await?;
        let entry = Entry {
            id: self.shared.ids.next(call.bindings.now),
            shared: !known,
            time: call.bindings.now,
            who: who(call),
            operation: look.operation.to_owned(),
            resource: look.resource.map_or(TRAIL.to_owned(), |id| plan.domain.full_name(id)),
            row: match look.rows {
                [one] => Some(*one),
                _ => None,
            },
            body: self.seen(call, look),
            write: None,
        };
        let tenant = call.tenant.clone().filter(|_| known);
        let set = WriteSet { tenant, audit: vec![entry], ..WriteSet::default() };
        match store.commit(set, &call.bindings).await {
            Ok(()) => Ok(()),
            Err(CommitError::Unavailable(why)) => Err(why.into()),
            Err(_) => Err(super::problem(crate::problem::kinds::INTERNAL)),
        }
    }

    fn seen(&self, call: &Call, look: &Look<'_>) -> String {
        let rules = |resource: ResourceId| {
            let read = &self.plan.domain.resource(resource).access.read;
            let mine = read.iter().filter(|grant| call.is(&grant.caller));
            let texts: Vec<&str> = mine.map(|grant: &Grant| grant.text.as_str()).collect();
            let texts = if call.is_system() { SYSTEM_READS.to_owned() } else { texts.join(" | ") };
            format!("{}.read: {texts}", self.plan.domain.full_name(resource))
        };
        let rule = look.resource.map(rules);
        let mut body = about(&self.plan, call, rule.as_deref());
        body.extend_from_slice(b",\"rows\":[");
        for (at, row) in look.rows.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            write::value(&mut body, &Value::Uuid(*row));
        }
        body.push(b']');
        if !look.expanded.is_empty() {
            member(&mut body, "expanded", &look.expanded.join(","));
        }
        body.push(b'}');
        String::from_utf8(body).unwrap_or_default()
    }
}

/// What an entry about the trail itself names as its resource.
pub(crate) const TRAIL: &str = "audit";
