//! Erasure of what rows say about one person: its personal fields become null, or a replacement
//! that says nothing; version, `updated_at` and the audit trail hold as for any other change.
//!
//! A person is known by the fields of an actor's type. These change last, where they are personal
//! themselves: until then what was broken off is found again and goes on. A replacement is made of
//! the id of its row alone, so that it is unique where it has to be and the same when done again.

mod blank;

use self::blank::{Blank, names};
use super::change::Verb;
use super::unit::Unit;
use super::{Engine, Shared};
use crate::cache::Cache;
use crate::plan::Plan;
use crate::plan::audit::AuditPlan;
use crate::ports::clock::{Clock, Randomness};
use crate::ports::store::{Bindings, CommitError, ListQuery, Store, Tenant, Unavailable};
use crate::record::Record;
use crate::request::Call;
use ir::domain::{ActorId, FieldId, Kind, ResourceId};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Operator, Type};
use ir::value::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// Rows read at a time.
const PAGE_ROWS_MAX: u32 = 100;
/// How often a row is tried that others change meanwhile.
const ATTEMPTS_MAX: u32 = 100;
/// The operation that the audit trail names.
const OPERATION: &str = "erasePersonal";

/// Whom to erase.
#[derive(Debug, Clone)]
pub struct Person {
    /// As actor fields hold it.
    pub subject: Arc<str>,
    /// Only where it is named as this actor; none: as any.
    pub actor: Option<ActorId>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything but the fields by which the person is found.
    Facts,
    /// Those, where they are personal.
    Names,
}

/// What became of the rows of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// `care.Patient`
    pub resource: String,
    /// Members that events about it may hold and that are personal.
    pub members: Vec<String>,
    /// Rows that name the person.
    pub rows: Vec<u128>,
    /// How many of them were changed, or would be.
    pub changed: u64,
}

/// Erases people from stores.
pub struct Erasure {
    engine: Engine,
    blank: Blank,
}

impl Erasure {
    /// Over one store for each service of the plan.
    pub fn new(
        plan: Arc<Plan>,
        stores: Vec<Arc<dyn Store>>,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Self {
        let derived = AuditPlan::of_personal(&plan.domain);
        let blank = Blank::new(&plan.domain, &derived);
        let shared = Arc::new(Shared::new(clock, randomness));
        // Processes that serve on the same database may keep answers with what is erased.
        let stores = Cache::telling(&plan, stores, &shared);
        let engine = Engine::new(plan, stores, shared);
        Self { engine, blank }
    }

    /// Erases a person from the rows of a tenant; from what tenants share where none is named.
    /// With `dry` nothing is written.
    ///
    /// # Errors
    /// What went wrong, in words; what was done until then stays, and it may be done again.
    pub async fn erase(
        &self,
        tenant: &Tenant,
        person: &Person,
        part: Part,
        dry: bool,
    ) -> Result<Vec<Erased>, String> {
        let mut all = Vec::new();
        let domain = &self.engine.plan.domain;
        for (resource, of) in domain.roots() {
            let shared = of.shared || domain.tenancy.is_none();
            if shared == tenant.is_none() && self.blank.concerns(domain, resource) {
                all.push(self.resource(tenant, resource, person, part, dry).await?);
            }
        }
        Ok(all)
    }

    async fn resource(
        &self,
        tenant: &Tenant,
        resource: ResourceId,
        person: &Person,
        part: Part,
        dry: bool,
    ) -> Result<Erased, String> {
        let plan = &self.engine.plan;
        let domain = &plan.domain;
        let name = domain.full_name(resource);
        let members = self.blank.members(domain, resource);
        let mut erased = Erased { resource: name, members, rows: Vec::new(), changed: 0 };
        let filter = self.filter(resource, person);
        let store = self.engine.store(resource);
        let mut after = None;
        loop {
            let query = ListQuery {
                resource,
                filter: filter.iter().map(Cow::Borrowed).collect(),
                search: Vec::new(),
                sort: vec![(FieldRef::Implicit(Implicit::Id), false)],
                after: after.take(),
                rows_max: PAGE_ROWS_MAX,
                children: &plan.resource(resource).child_fields,
            };
            let bindings = self.call(tenant).bindings;
            let page = store.list(tenant, &query, &bindings).await;
            let page = page.map_err(|why| failed(&erased.resource, why))?;
            after = page.last().map(|last| vec![Value::Uuid(last.id)]);
            for row in page {
                if !names(domain, resource, &row, person) {
                    continue;
                }
                erased.rows.push(row.id);
                let changed = self.row(tenant, resource, row, person, part, dry).await;
                let changed = changed.map_err(|why| format!("`{}`: {why}", erased.resource))?;
                erased.changed += u64::from(changed);
            }
            if after.is_none() {
                return Ok(erased);
            }
        }
    }

    /// The rows that name the person; all, where a child may.
    fn filter(&self, resource: ResourceId, person: &Person) -> Option<Expr> {
        let domain = &self.engine.plan.domain;
        let of = domain.resource(resource);
        let actors = |id: ResourceId| {
            let fields = domain.resource(id).fields();
            fields.filter_map(|(field, of)| match of.kind {
                Kind::Actor(actor) if person.actor.is_none_or(|only| only == actor) => {
                    Some((field, actor))
                }
                _ => None,
            })
        };
        if of.children().any(|(_, child)| actors(child).next().is_some()) {
            return None;
        }
        let is = |(field, actor): (FieldId, ActorId)| {
            let ty = Type::Actor(actor);
            let field = Expr { kind: ExprKind::Field(FieldRef::Field(field)), ty: ty.clone() };
            let subject = Value::text(&*person.subject);
            let subject = Expr { kind: ExprKind::Literal(subject), ty };
            let kind = ExprKind::Compare(Operator::Equal, Box::new(field), Box::new(subject));
            Expr { kind, ty: Type::Bool }
        };
        Some(Expr { kind: ExprKind::Or(actors(resource).map(is).collect()), ty: Type::Bool })
    }

    /// Erases one row; true where something was left to erase.
    async fn row(
        &self,
        tenant: &Tenant,
        resource: ResourceId,
        mut old: Record,
        person: &Person,
        part: Part,
        dry: bool,
    ) -> Result<bool, String> {
        let plan = &self.engine.plan;
        let store = self.engine.store(resource);
        for _ in 0..ATTEMPTS_MAX {
            let call = self.call(tenant);
            let mut record = old.clone();
            self.blank.root(&plan.domain, resource, &mut record, person, part);
            if record == old {
                return Ok(false);
            }
            if dry {
                return Ok(true);
            }
            let mut unit = Unit::new(&self.engine, &call);
            unit.doing = Verb::Update;
            unit.next_version(&mut record, &old);
            let computed = unit.compute(resource, &mut record).await;
            computed.map_err(|problem| {
                let faults = problem.errors.iter().map(|fault| fault.at.as_str());
                format!("{} {}", problem.kind.title, faults.collect::<Vec<_>>().join(", "))
            })?;
            let id = old.id;
            unit.update(resource, &old, record, false);
            let operation = |entry: &mut crate::ports::audit::Entry| {
                OPERATION.clone_into(&mut entry.operation);
            };
            unit.audit.iter_mut().for_each(operation);
            let (set, _) = unit.into_set(None);
            match store.commit(set, &call.bindings).await {
                Ok(()) => return Ok(true),
                Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::Unavailable(why)) => return Err(told(&why)),
                Err(why) => return Err(format!("a replacement does not fit: {why:?}")),
            }
            let children = &plan.resource(resource).child_fields;
            let read = store.get(tenant, resource, &[id], children, &call.bindings).await;
            match read.map_err(|why| told(&why))?.pop() {
                Some(row) if names(&plan.domain, resource, &row, person) => old = row,
                Some(_) | None => return Ok(false),
            }
        }
        Err("others change a row all the time: run it again".to_owned())
    }

    /// As whom it is done.
    fn call(&self, tenant: &Tenant) -> Call {
        let now = self.engine.shared.clock.now();
        Call::of_system("mainstay:erase", tenant, Bindings { now, ..Bindings::default() })
    }
}

fn failed(resource: &str, why: Unavailable) -> String {
    format!("`{resource}`: {}", told(&why))
}

fn told(why: &Unavailable) -> String {
    match why {
        Unavailable::Busy => "too many writes wait".to_owned(),
        Unavailable::Deadline => "it took too long".to_owned(),
        Unavailable::Full => "the disk is full".to_owned(),
        Unavailable::ReadOnly => "the store takes no writes".to_owned(),
        Unavailable::Broken(why) => why.clone(),
    }
}
