//! Which answers a set of changes ends, and how other processes are told.

use super::tags::Tag;
use crate::plan::Plan;
use crate::ports::store::{Tenant, Write, WriteSet};
use ir::domain::{FieldId, ResourceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Bytes that are told of one set at most (PostgreSQL takes 8,000); where it would be more, all
/// that is kept ends.
const TOLD_BYTES_MAX: usize = 7_000;
/// Tags that are looked at to be told at most.
const TOLD_TAGS_MAX: usize = 256;

/// What a set of changes ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// These.
    pub(super) tags: BTreeSet<Tag>,
    /// Everything that is kept.
    pub(super) all: bool,
}

/// The same as it is told.
#[derive(Serialize, Deserialize)]
struct Told {
    /// Who tells it.
    by: String,
    /// What, by names; none: everything.
    of: Option<Vec<Named>>,
}

/// What, full name of the resource, tenant, row in hexadecimal.
type Named = (Kind, String, Option<String>, Option<String>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Row,
    Each,
    List,
    Any,
}

/// Whose rows, as tags name them.
pub(super) fn owner(plan: &Plan, resource: ResourceId, tenant: &Tenant) -> Tenant {
    match plan.watched[resource.index()].shared {
        true => None,
        false => tenant.clone(),
    }
}

impl Ended {
    /// By a set of changes.
    pub(super) fn by(plan: &Plan, set: &WriteSet) -> Self {
        let mut ended = Self::default();
        for write in &set.writes {
            ended.write(plan, &set.tenant, write);
        }
        ended
    }

    /// Nothing.
    pub(super) fn is_nothing(&self) -> bool {
        self.tags.is_empty() && !self.all
    }

    fn write(&mut self, plan: &Plan, tenant: &Tenant, write: &Write) {
        let id = write.resource();
        let watched = &plan.watched[id.index()];
        let excepted = |field| watched.except.contains(field);
        match write {
            Write::Insert { record, .. } => self.row(plan, tenant, id, record.id, true),
            Write::Update { record, fields, children, .. } => {
                let aside =
                    children.is_empty() && !fields.is_empty() && fields.iter().all(excepted);
                self.row(plan, tenant, id, record.id, !aside);
                let gone = children.iter().filter(|(_, change)| !change.removed.is_empty());
                for (field, _) in gone {
                    self.child_gone(plan, tenant, id, *field);
                }
            }
            Write::Count { field, .. } if excepted(field) => self.any(plan, tenant, id),
            Write::Count { id: row, .. } => self.row(plan, tenant, id, *row, true),
            Write::Delete { id: row, .. } => {
                self.row(plan, tenant, id, *row, true);
                self.all |= watched.takes_all;
                for along in &watched.takes {
                    self.each(plan, tenant, *along);
                }
            }
            Write::Clear { .. } => {
                self.each(plan, tenant, id);
                for along in &watched.takes {
                    self.each(plan, tenant, *along);
                }
            }
        }
    }

    /// Children of a field went, and with them what refers to them.
    fn child_gone(&mut self, plan: &Plan, tenant: &Tenant, id: ResourceId, field: FieldId) {
        let mut children = plan.domain.resource(id).children();
        let Some((_, child)) = children.find(|(of, _)| *of == field) else { return };
        for along in &plan.watched[child.index()].takes {
            self.each(plan, tenant, *along);
        }
    }

    /// A row changed; `listed` where lists show it.
    fn row(&mut self, plan: &Plan, tenant: &Tenant, id: ResourceId, row: u128, listed: bool) {
        if plan.watched[id.index()].kept {
            let of = owner(plan, id, tenant);
            self.tags.insert(Tag::Row(id, of.clone(), row));
            if listed {
                self.tags.insert(Tag::List(id, of));
            }
        }
        self.any(plan, tenant, id);
    }

    /// Rows changed, nobody says which.
    fn each(&mut self, plan: &Plan, tenant: &Tenant, id: ResourceId) {
        if plan.watched[id.index()].kept {
            let of = owner(plan, id, tenant);
            self.tags.insert(Tag::Each(id, of.clone()));
            self.tags.insert(Tag::List(id, of));
        }
        self.any(plan, tenant, id);
    }

    fn any(&mut self, plan: &Plan, tenant: &Tenant, id: ResourceId) {
        if plan.watched[id.index()].read_by_others {
            self.tags.insert(Tag::Any(id, owner(plan, id, tenant)));
        }
    }

    /// As text for other processes, by names that every model knows.
    pub(super) fn told(&self, plan: &Plan, by: &str) -> String {
        let named = |tag: &Tag| {
            let resource = plan.domain.full_name(tag.resource());
            let text = |tenant: &Tenant| tenant.as_deref().map(str::to_owned);
            match tag {
                Tag::Row(_, tenant, row) => {
                    (Kind::Row, resource, text(tenant), Some(format!("{row:032x}")))
                }
                Tag::Each(_, tenant) => (Kind::Each, resource, text(tenant), None),
                Tag::List(_, tenant) => (Kind::List, resource, text(tenant), None),
                Tag::Any(_, tenant) => (Kind::Any, resource, text(tenant), None),
            }
        };
        let whole = !self.all && self.tags.len() <= TOLD_TAGS_MAX;
        let of = whole.then(|| self.tags.iter().map(named).collect());
        let write = |of| {
            let told = Told { by: by.to_owned(), of };
            serde_json::to_string(&told).unwrap_or_default()
        };
        let text = write(of);
        if text.len() <= TOLD_BYTES_MAX { text } else { write(None) }
    }

    /// What another process told; none where it was this one. What can't be read ends everything.
    pub(super) fn heard(plan: &Plan, text: &str, me: &str) -> Option<Self> {
        let everything = || Self { all: true, ..Self::default() };
        let Ok(told) = serde_json::from_str::<Told>(text) else { return Some(everything()) };
        if told.by == me {
            return None;
        }
        let Some(of) = told.of else { return Some(everything()) };
        let mut tags = BTreeSet::new();
        for (kind, name, tenant, row) in of {
            let mut stored = plan.domain.stored();
            // Of a resource that this model does not have nothing is kept.
            let found = stored.find(|(id, _)| plan.domain.full_name(*id) == name);
            let Some((id, _)) = found else { continue };
            let tenant = owner(plan, id, &tenant.map(Into::into));
            tags.insert(match (kind, row) {
                (Kind::Row, row) => {
                    let row = row.and_then(|row| u128::from_str_radix(&row, 16).ok());
                    let Some(row) = row else { return Some(everything()) };
                    Tag::Row(id, tenant, row)
                }
                (Kind::Each, _) => Tag::Each(id, tenant),
                (Kind::List, _) => Tag::List(id, tenant),
                (Kind::Any, _) => Tag::Any(id, tenant),
            });
        }
        Some(Self { tags, all: false })
    }
}
