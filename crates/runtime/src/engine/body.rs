//! From a JSON body to a row: which members may be there, of which type, and what fills the rest.

use super::access::concerns;
use super::faults::{At, Faults};
use super::rows::Rows;
use super::scope::RowScope;
use super::{Engine, access};
use crate::json::literal::read_uuid;
use crate::json::read::{parse, shorten};
use crate::json::scalar::{Made, Wire, Wrong};
use crate::json::{Json, write};
use crate::plan::resource::ChildPlan;
use crate::problem::kinds;
use crate::record::Record;
use crate::request::Call;
use ir::domain::{Field, FieldId, Kind, ResourceId, Source};
use ir::value::Value;
use std::borrow::Cow;

/// What a body means for members that are not in it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// A new row.
    Create,
    /// The whole row anew, PUT or a child that stays: what is absent takes its default.
    Replace(&'a Record),
    /// A merge patch: what is absent stays.
    Patch(&'a Record),
}

impl<'a> Mode<'a> {
    fn old(self) -> Option<&'a Record> {
        match self {
            Self::Create => None,
            Self::Replace(old) | Self::Patch(old) => Some(old),
        }
    }
}

/// A field with a write rule that a body set: the rule is asked when the row is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruled {
    /// The child of the root it stands in: its field and position.
    pub(crate) child: Option<(FieldId, usize)>,
    /// The field.
    pub(crate) field: FieldId,
    /// Where it stands.
    pub(crate) pointer: String,
}

/// A row made of a body; copied and computed fields are not set yet.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The row.
    pub(crate) record: Record,
    /// Fields with rules of their own that the body set.
    pub(crate) ruled: Vec<Ruled>,
}

/// Reads bodies of one call.
pub(crate) struct Reader<'a> {
    /// Plan, clock and ids.
    pub(crate) engine: &'a Engine,
    /// Who calls.
    pub(crate) call: &'a Call,
    /// What earlier operations of a batch made.
    pub(crate) made: Made<'a>,
    /// What is wrong.
    pub(crate) faults: Faults,
    ruled: Vec<Ruled>,
}

impl<'a> Reader<'a> {
    /// Nothing read yet.
    pub(crate) fn new(engine: &'a Engine, call: &'a Call, made: Made<'a>) -> Self {
        Self { engine, call, made, faults: Faults::default(), ruled: Vec::new() }
    }

    /// The row that a body makes; worth something only where there are no faults.
    pub(crate) fn row(&mut self, resource: ResourceId, body: &Json<'_>, mode: Mode<'_>) -> Draft {
        let record = self.level(resource, body, mode, &At::Root, None);
        Draft { record, ruled: std::mem::take(&mut self.ruled) }
    }

    /// One object: the root's, or that of a child.
    fn level(
        &mut self,
        resource: ResourceId,
        body: &Json<'_>,
        mode: Mode<'_>,
        at: &At<'_>,
        child: Option<(FieldId, usize)>,
    ) -> Record {
        let mut record = self.blank(resource, mode);
        let Json::Object(members) = body else {
            self.faults.invalid(at, format!("must be an object, not {}", body.kind()));
            return record;
        };
        let fields = self.engine.plan.domain.resource(resource).fields.len();
        let mut given = vec![false; fields];
        for (name, value) in members {
            let at = At::Member(at, name);
            let Some(field) = self.settable(resource, name, mode, &at, child) else { continue };
            given[field.index()] = true;
            self.member(resource, &mut record, field, value, mode, &at);
        }
        self.absent(resource, &mut record, &given, mode, at);
        record
    }

    /// The row before the body: the old one, or nothing but an id and states at their beginning.
    fn blank(&self, resource: ResourceId, mode: Mode<'_>) -> Record {
        if let Some(old) = mode.old() {
            return old.clone();
        }
        let now = self.call.bindings.now;
        let plan = &self.engine.plan;
        let first = |field: &Field| match (&field.source, &field.kind) {
            (Source::State, Kind::Enum(values)) => {
                values.first().map_or(Value::Null, |first| Value::text(first.as_str()))
            }
            (Source::Counted, _) => Value::Int(0),
            _ => Value::Null,
        };
        let of = plan.domain.resource(resource);
        Record {
            id: self.engine.shared.ids.next(now),
            version: i64::from(of.owner.is_none()),
            created_at: now,
            updated_at: now,
            values: of.fields.iter().map(first).collect(),
            children: of.children().map(|(field, _)| (field, Vec::new())).collect(),
        }
    }

    /// The field of a member that the body may set; else the fault is noted.
    fn settable(
        &mut self,
        resource: ResourceId,
        name: &str,
        mode: Mode<'_>,
        at: &At<'_>,
        child: Option<(FieldId, usize)>,
    ) -> Option<FieldId> {
        let engine = self.engine;
        let Some(id) = engine.plan.resource(resource).named(name) else {
            let implicit = match name {
                // A child that stays is named by its id.
                "id" if child.is_some() && !matches!(mode, Mode::Create) => return None,
                "id" => true,
                "created_at" | "updated_at" => child.is_none(),
                _ => false,
            };
            if implicit {
                self.faults.add(kinds::READ_ONLY_MEMBER, at.pointer(), "is set by the server");
            } else {
                let detail = format!("`{}` is no member of this body", shorten(name));
                self.faults.add(kinds::UNKNOWN_MEMBER, at.pointer(), detail);
            }
            return None;
        };
        let field = engine.plan.domain.resource(resource).field(id);
        if let Some(why) = self.read_only(field) {
            self.faults.add(kinds::READ_ONLY_MEMBER, at.pointer(), why);
            return None;
        }
        if let Some(grants) = &field.write {
            if self.call.effect_of.is_none() && !concerns(self.call, grants) {
                let detail = format!("only {} may set it", access::named(grants));
                self.faults.add(kinds::FORBIDDEN, at.pointer(), detail);
                return None;
            }
            self.ruled.push(Ruled { child, field: id, pointer: at.pointer() });
        }
        Some(id)
    }

    fn read_only(&self, field: &Field) -> Option<&'static str> {
        match (&field.source, &field.kind) {
            (Source::Client | Source::Default(_), _) => None,
            (Source::Caller, kind) => {
                self.is_actor(kind).then_some("is the caller, and cannot be set")
            }
            (Source::Computed(_), _) => Some("is computed"),
            (Source::Copied(..), _) => Some("is copied through a reference"),
            (Source::State, _) => Some("is changed by commands alone"),
            (Source::Counted, _) => Some("is counted by the server"),
        }
    }

    /// True where the caller is the actor of the field.
    fn is_actor(&self, kind: &Kind) -> bool {
        let Kind::Actor(actor) = kind else { return false };
        self.call.principal.as_ref().is_some_and(|principal| principal.is(*actor, None))
    }

    fn member(
        &mut self,
        resource: ResourceId,
        record: &mut Record,
        id: FieldId,
        value: &Json<'_>,
        mode: Mode<'_>,
        at: &At<'_>,
    ) {
        let engine = self.engine;
        let plan = engine.plan.resource(resource);
        if let Some(child) = plan.children.iter().find(|child| child.field == id) {
            let rows = self.children(child, value, mode, at);
            if let Some((_, place)) = record.children.iter_mut().find(|(field, _)| *field == id) {
                *place = rows;
            } else {
                record.children.push((id, rows));
            }
            return;
        }
        let field = plan.field(id);
        if matches!(value, Json::Null) {
            if field.optional {
                record.values[id.index()] = Value::Null;
            } else {
                self.faults.invalid(at, "may not be null");
            }
            return;
        }
        let read = match (mode, value, &field.shape.ty) {
            // Money and spans are given whole, so a patch keeps nothing of them.
            (Mode::Patch(old), Json::Object(_), Wire::Json) if !old.value(id).is_null() => {
                let mut text = Vec::new();
                write::value(&mut text, old.value(id));
                let merged = parse(&text).map(|mut json| {
                    json.merge(value.clone());
                    field.shape.read(&json, self.made)
                });
                // What was stored is JSON.
                merged.unwrap_or_else(|_| field.shape.read(value, self.made))
            }
            _ => field.shape.read(value, self.made),
        };
        match read {
            Ok(value) => record.values[id.index()] = value,
            Err(wrong) => self.wrong(at, wrong),
        }
    }

    fn wrong(&mut self, at: &At<'_>, wrong: Wrong) {
        let kind = if wrong.unknown { kinds::UNKNOWN_MEMBER } else { kinds::INVALID_VALUE };
        self.faults.add(kind, at.pointer() + &wrong.inside, wrong.detail);
    }

    /// The rows of a children field. One with the id of a row that is there stays and is replaced,
    /// one without an id is new; what is not named goes.
    fn children(
        &mut self,
        child: &ChildPlan,
        value: &Json<'_>,
        mode: Mode<'_>,
        at: &At<'_>,
    ) -> Vec<Record> {
        let Json::Array(items) = value else {
            self.faults.invalid(at, format!("must be an array, not {}", value.kind()));
            return Vec::new();
        };
        let there = mode.old().map(|old| old.children_of(child.field)).unwrap_or_default();
        let mut rows: Vec<Record> = Vec::with_capacity(items.len().min(child.max));
        if items.len() > child.max {
            self.faults.invalid(at, format!("must have at most {}", elements(child.max)));
            return rows;
        }
        if items.len() < child.min {
            self.faults.invalid(at, format!("must have at least {}", elements(child.min)));
        }
        for (index, item) in items.iter().enumerate() {
            let at = At::Index(at, index);
            let place = Some((child.field, index));
            let id = match item {
                Json::Object(members) if mode.old().is_some() => {
                    members.iter().find(|(name, _)| name == "id").map(|(_, id)| id)
                }
                _ => None,
            };
            let Some(id) = id else {
                let row = self.level(child.target, item, Mode::Create, &at, place);
                rows.push(row);
                continue;
            };
            let known = match id {
                Json::Text(text) => read_uuid(text),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => None,
                Json::Object(_) => None,
            };
            let old = known.and_then(|id| there.iter().find(|row| row.id == id));
            match old {
                Some(old) if rows.iter().all(|row| row.id != old.id) => {
                    let row = self.level(child.target, item, Mode::Replace(old), &at, place);
                    rows.push(row);
                }
                Some(_) => self.faults.invalid(&At::Member(&at, "id"), "stands twice"),
                None => {
                    let detail = "is the id of no element that is there; leave it out of a new one";
                    self.faults.invalid(&At::Member(&at, "id"), detail);
                }
            }
        }
        rows
    }

    /// Fills what the body does not say.
    fn absent(
        &mut self,
        resource: ResourceId,
        record: &mut Record,
        given: &[bool],
        mode: Mode<'_>,
        at: &At<'_>,
    ) {
        if matches!(mode, Mode::Patch(_)) {
            return;
        }
        let engine = self.engine;
        let replaces = matches!(mode, Mode::Replace(_));
        for (id, field) in engine.plan.domain.resource(resource).fields() {
            let writable = field.source.writable();
            if given[id.index()] || !writable {
                continue;
            }
            // Who may not set a field keeps it by leaving it out.
            let forbidden = field.write.as_ref().is_some_and(|grants| !concerns(self.call, grants));
            let is_caller = matches!(field.source, Source::Caller) && self.is_actor(&field.kind);
            if replaces && (forbidden || matches!(field.source, Source::Caller)) {
                continue;
            }
            let at = At::Member(at, &field.name);
            let filled = match (&field.source, &field.kind) {
                (Source::Default(expr), _) => self.default(resource, record, expr),
                (Source::Caller, _) if is_caller => {
                    let me = self.call.bindings.me.as_deref();
                    Some(me.map_or(Value::Null, Value::text))
                }
                (_, Kind::Children { min, .. }) => {
                    if let Some((_, rows)) =
                        record.children.iter_mut().find(|(field, _)| *field == id)
                    {
                        rows.clear();
                    }
                    (*min == 0).then_some(Value::Null)
                }
                _ => field.optional.then_some(Value::Null),
            };
            match filled {
                Some(value) => record.values[id.index()] = value,
                None if forbidden => {
                    let grants = field.write.as_deref().unwrap_or_default();
                    let detail =
                        format!("is required, and only {} may set it", access::named(grants));
                    self.faults.add(kinds::FORBIDDEN, at.pointer(), detail);
                }
                None => self.faults.invalid(&at, "is required"),
            }
        }
    }

    /// The value of a default, which reads no field.
    fn default(
        &self,
        resource: ResourceId,
        record: &Record,
        expr: &ir::expr::Expr,
    ) -> Option<Value> {
        let rows = Rows::default();
        let bindings = &self.call.bindings;
        let scope = RowScope::new(&self.engine.plan, bindings, &rows, resource, record);
        kernel::expr::evaluate(expr, &scope).ok().map(Cow::into_owned)
    }

    /// The inputs of a command.
    pub(crate) fn inputs(
        &mut self,
        declared: &[Field],
        plans: &[crate::plan::resource::FieldPlan],
        body: &Json<'_>,
    ) -> Vec<Value> {
        let mut values = vec![None; declared.len()];
        let Json::Object(members) = body else {
            let detail = format!("must be an object, not {}", body.kind());
            self.faults.invalid(&At::Root, detail);
            return Vec::new();
        };
        for (name, value) in members {
            let at = At::Member(&At::Root, name);
            let Some(index) = declared.iter().position(|field| field.name == **name) else {
                let detail = format!("`{}` is no input of this command", shorten(name));
                self.faults.add(kinds::UNKNOWN_MEMBER, at.pointer(), detail);
                continue;
            };
            values[index] = Some(Value::Null);
            match (value, plans[index].optional) {
                (Json::Null, true) => {}
                (Json::Null, false) => self.faults.invalid(&at, "may not be null"),
                (value, _) => match plans[index].shape.read(value, self.made) {
                    Ok(value) => values[index] = Some(value),
                    Err(wrong) => self.wrong(&at, wrong),
                },
            }
        }
        let nothing = Record::nothing();
        let fill = |(value, field): (Option<Value>, &Field)| {
            value.unwrap_or_else(|| match &field.source {
                Source::Default(expr) => {
                    self.default(ResourceId(0), &nothing, expr).unwrap_or_default()
                }
                _ if field.optional => Value::Null,
                _ => {
                    let at = At::Member(&At::Root, &field.name);
                    self.faults.invalid(&at, "is required");
                    Value::Null
                }
            })
        };
        values.into_iter().zip(declared).map(fill).collect()
    }
}

fn elements(count: usize) -> String {
    format!("{count} element{}", if count == 1 { "" } else { "s" })
}
