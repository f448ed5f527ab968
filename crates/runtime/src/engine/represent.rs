//! Rows as JSON: members in order, what the caller may not read left out, relations expanded.

use super::access::allows;
use super::rows::Rows;
use super::scope::RowScope;
use super::tag::Tag;
use super::unit::Unit;
use crate::json::write;
use crate::plan::Plan;
use crate::plan::list::Expand;
use crate::plan::resource::{EventPlan, Member, Part};
use crate::record::Record;
use crate::request::Call;
use ir::domain::{FieldId, ResourceId};
use ir::expr::Implicit;
use ir::value::Value;

/// What of a row is shown, and to whom.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// Knows the members.
    pub(crate) plan: &'a Plan,
    /// Who looks; none: an event, which shows whatever it declares.
    pub(crate) call: Option<&'a Call>,
    /// Rows that conditions of fields lead to.
    pub(crate) rows: &'a Rows,
    /// Only these members, by name; none: all.
    pub(crate) fields: Option<&'a [String]>,
    /// Children are shown: all of them in one item, those expanded in a list.
    pub(crate) children: Children<'a>,
    /// References shown as rows.
    pub(crate) expands: &'a [&'a Expand],
    /// The rows for them that the caller may see.
    pub(crate) expanded: &'a Rows,
}

/// Which children are shown.
#[derive(Clone, Copy)]
pub(crate) enum Children<'a> {
    /// All.
    All,
    /// Those of expanded fields.
    Expanded(&'a [FieldId]),
}

impl View<'_> {
    /// Writes a row as an object.
    pub(crate) fn write(&self, out: &mut Vec<u8>, resource: ResourceId, record: &Record) {
        let members = &self.plan.resource(resource).members;
        self.object(out, resource, record, None, members, None);
    }

    fn object(
        &self,
        out: &mut Vec<u8>,
        resource: ResourceId,
        record: &Record,
        parent: Option<&Record>,
        members: &[Member],
        through: Option<FieldId>,
    ) {
        out.push(b'{');
        let begins = out.len();
        for member in members {
            if !self.shows(resource, record, parent, member) {
                continue;
            }
            if out.len() > begins {
                out.push(b',');
            }
            out.extend_from_slice(&member.key);
            match member.part {
                Part::Implicit(Implicit::Id) => write::id(out, record.id),
                Part::Implicit(Implicit::CreatedAt) => write::instant(out, record.created_at),
                Part::Implicit(Implicit::UpdatedAt) => write::instant(out, record.updated_at),
                Part::Field(field) => {
                    self.value(out, record.value(field), field, through);
                }
                Part::Children(field, child) => {
                    let members = &self.plan.resource(child).members;
                    out.push(b'[');
                    for (at, row) in record.children_of(field).iter().enumerate() {
                        if at > 0 {
                            out.push(b',');
                        }
                        self.object(out, child, row, Some(record), members, Some(field));
                    }
                    out.push(b']');
                }
            }
        }
        out.push(b'}');
    }

    fn value(&self, out: &mut Vec<u8>, value: &Value, field: FieldId, through: Option<FieldId>) {
        let expands = |expand: &&&Expand| {
            expand.reference.is_some_and(|(reference, _)| reference == field)
                && expand.children.map(|(children, _)| children) == through
        };
        // What most answers expand is nothing.
        let Value::Uuid(id) = value else { return write::value(out, value) };
        let target = self.expands.iter().find(expands).and_then(|expand| expand.reference);
        let Some((_, target)) = target else { return write::id(out, *id) };
        match self.expanded.get(target, *id) {
            Some(row) => {
                let inner = View { fields: None, children: Children::All, expands: &[], ..*self };
                inner.write(out, target, row);
            }
            None => out.extend_from_slice(b"null"),
        }
    }

    fn shows(
        &self,
        resource: ResourceId,
        record: &Record,
        parent: Option<&Record>,
        member: &Member,
    ) -> bool {
        if let (Part::Children(field, _), Children::Expanded(shown)) = (member.part, self.children)
            && !shown.contains(&field)
        {
            return false;
        }
        let wanted = |names: &[String]| {
            &*member.name == "id" || names.iter().any(|name| **name == *member.name)
        };
        if parent.is_none() && self.fields.is_some_and(|names| !wanted(names)) {
            return false;
        }
        let (Some(call), true) = (self.call, member.guarded) else { return true };
        let (Part::Field(field) | Part::Children(field, _)) = member.part else { return true };
        let grants = &self.plan.domain.resource(resource).field(field).read;
        let scope = RowScope::new(self.plan, &call.bindings, self.rows, resource, record);
        let scope = RowScope { parent, ..scope };
        let grants = grants.as_deref().unwrap_or_default();
        call.is_system() || allows(call, grants, &scope)
    }
}

impl Unit<'_> {
    /// A whole row as the caller may see it, with its tag; what it needs must be known.
    pub(crate) fn represent(&self, resource: ResourceId, record: &Record) -> (Tag, Vec<u8>) {
        let nothing = Rows::default();
        let view = View {
            plan: &self.engine.plan,
            call: Some(self.call),
            rows: &self.rows,
            fields: None,
            children: Children::All,
            expands: &[],
            expanded: &nothing,
        };
        let mut body = Vec::with_capacity(512);
        view.write(&mut body, resource, record);
        (Tag::of(record.version, &body), body)
    }
}

/// The data of an event about a row.
pub(crate) fn event(
    plan: &Plan,
    event: &EventPlan,
    resource: ResourceId,
    record: &Record,
) -> String {
    let rows = Rows::default();
    let view = View {
        plan,
        call: None,
        rows: &rows,
        fields: None,
        children: Children::All,
        expands: &[],
        expanded: &rows,
    };
    let mut out = Vec::with_capacity(256);
    view.object(&mut out, resource, record, None, &event.members, None);
    String::from_utf8(out).unwrap_or_default()
}
