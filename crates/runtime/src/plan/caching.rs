//! Which answers are reused, worked out once: for how long, for whom they are the same, what other
//! rows they are made of; and of each resource, whose answers a write of it ends.

use super::list::Expand;
use super::needs::{targets, walk};
use ir::contract::OperationKind;
use ir::domain::{Domain, FieldId, Grant, Kind, Resource, ResourceId, Source};
use ir::expr::{Expr, ExprKind, FieldRef};
use ir::model::{At, OnDelete};
use std::collections::BTreeSet;

/// Microseconds of a second.
const MICROS: f64 = 1_000_000.0;
/// A member that changes with whatever is excepted.
const UPDATED_AT: &str = "updated_at";

/// How the answers of an operation are reused.
#[derive(Debug)]
pub(crate) struct Caching {
    /// Microseconds at most.
    pub(crate) micros: i64,
    /// Every caller of a tenant gets the same, unless something is expanded.
    pub(crate) everyone: bool,
    /// And so do all tenants: whoever is between may keep it.
    pub(crate) public: bool,
    /// Members that are never answered from what is kept, and what changes with them, sorted.
    pub(crate) except: Vec<Box<str>>,
    /// `q` looks at such a member.
    pub(crate) searches_excepted: bool,
    /// Other resources whose rows each answer is made of.
    pub(crate) depends: Vec<ResourceId>,
    /// And further ones where something is expanded.
    pub(crate) expanded: Vec<ResourceId>,
    /// What is expanded may not be reused.
    pub(crate) expands_anew: bool,
}

impl Caching {
    /// Of an operation; none where its answers are never reused.
    pub(crate) fn of(
        domain: &Domain,
        kind: OperationKind,
        id: Option<ResourceId>,
        expands: &[Expand],
    ) -> Option<Self> {
        if !matches!(kind, OperationKind::Get | OperationKind::List) {
            return None;
        }
        let id = id?;
        let resource = domain.resource(id);
        let cache = resource.cache.as_ref()?;
        let micros = (cache.seconds * MICROS) as i64;
        let mut reads = Reads::default();
        reads.row(domain, id);
        // A right that comes or goes with the hour would outlive it.
        if micros <= 0 || reads.timed {
            return None;
        }
        let mut more = Reads::default();
        for (_, target) in expands.iter().filter_map(|expand| expand.reference) {
            more.rows.insert(target);
            more.row(domain, target);
            more.anew |= domain.resource(target).cache.as_ref().is_some_and(has_except);
        }
        let name = |field: &FieldId| resource.field(*field).name.as_str().into();
        let mut except: Vec<Box<str>> = cache.except.iter().map(name).collect();
        if !except.is_empty() {
            except.push(UPDATED_AT.into());
            except.sort();
        }
        let everyone = is_for_everyone(domain, resource) && !reads.asks;
        Some(Self {
            micros,
            everyone,
            public: everyone && (resource.shared || domain.tenancy.is_none()),
            except,
            searches_excepted: cache.except.iter().any(|field| resource.field(*field).search),
            depends: reads.rows.iter().copied().filter(|other| *other != id).collect(),
            expanded: more.rows.into_iter().collect(),
            expands_anew: more.timed || more.anew,
        })
    }

    /// True for a member that is never answered from what is kept.
    pub(crate) fn excepts(&self, member: &str) -> bool {
        self.except.iter().any(|name| **name == *member)
    }
}

fn has_except(cache: &ir::domain::Cache) -> bool {
    !cache.except.is_empty()
}

/// True where a rule without condition lets everybody read every member, none about a person.
fn is_for_everyone(domain: &Domain, resource: &Resource) -> bool {
    let anyone = |grant: &Grant| grant.caller == ir::domain::Caller::Anyone && grant.when.is_none();
    let plain =
        |of: &Resource| of.fields.iter().all(|field| field.read.is_none() && !field.personal);
    resource.access.read.iter().any(anyone)
        && plain(resource)
        && resource.children().all(|(_, child)| plain(domain.resource(child)))
}

/// What is read of other rows to show one.
#[derive(Default)]
struct Reads {
    rows: BTreeSet<ResourceId>,
    seen: BTreeSet<ResourceId>,
    /// Something of it changes with the time alone.
    timed: bool,
    /// Fields are asked for when they are read: null for who may not see where they come from.
    asks: bool,
    anew: bool,
}

impl Reads {
    fn row(&mut self, domain: &Domain, id: ResourceId) {
        if !self.seen.insert(id) {
            return;
        }
        let resource = domain.resource(id);
        self.grants(domain, id, &resource.access.read);
        let children = resource.children().map(|(_, child)| child);
        for of in [id].into_iter().chain(children) {
            for field in &domain.resource(of).fields {
                self.grants(domain, of, field.read.as_deref().unwrap_or_default());
                let Source::Copied(At::Read | At::Kept, expr) = &field.source else { continue };
                self.asks = true;
                let before = self.rows.clone();
                self.expr(domain, of, expr);
                // They are shown to whoever may see where they come from.
                for target in self.rows.clone().difference(&before) {
                    self.row(domain, *target);
                }
            }
        }
    }

    fn grants(&mut self, domain: &Domain, id: ResourceId, grants: &[Grant]) {
        for when in grants.iter().filter_map(|grant| grant.when.as_ref()) {
            self.expr(domain, id, when);
        }
    }

    fn expr(&mut self, domain: &Domain, id: ResourceId, expr: &Expr) {
        walk(expr, None, &mut |expr, within| match &expr.kind {
            ExprKind::Now | ExprKind::Age => self.timed = true,
            ExprKind::Related { path, .. } => {
                let from = within.map_or(id, |field| match domain.resource(id).field(field).kind {
                    Kind::Children { target, .. } => target,
                    Kind::Scalar | Kind::Enum(_) | Kind::Reference { .. } | Kind::Actor(_) => id,
                });
                self.rows.extend(targets(domain, from, path));
            }
            _ => {}
        });
    }
}

/// Of a resource: whose answers a write of it ends.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Its own answers are kept.
    pub(crate) kept: bool,
    /// Answers about others are made of it too.
    pub(crate) read_by_others: bool,
    /// Its rows are everybody's.
    pub(crate) shared: bool,
    /// Fields that change without ending lists.
    pub(crate) except: Vec<FieldId>,
    /// Roots whose rows a deletion takes along or changes.
    pub(crate) takes: Vec<ResourceId>,
    /// A deletion may change rows of every tenant.
    pub(crate) takes_all: bool,
}

impl Watched {
    /// Of every resource by its id; empty where no answer is ever kept.
    pub(crate) fn all<'a>(
        domain: &Domain,
        kept: impl Iterator<Item = (ResourceId, &'a Caching)>,
    ) -> Vec<Self> {
        let mut all: Vec<Self> = domain.stored().map(|_| Self::default()).collect();
        let mut any = false;
        for (id, caching) in kept {
            any = true;
            all[id.index()].kept = true;
            for other in caching.depends.iter().chain(&caching.expanded) {
                all[other.index()].read_by_others = true;
            }
        }
        if !any {
            return Vec::new();
        }
        let matters: Vec<bool> = all.iter().map(Self::matters).collect();
        for (id, resource) in domain.stored() {
            let mut along = Along::default();
            along.delete(domain, id);
            let watched = &mut all[id.index()];
            watched.shared = resource.shared;
            let takes = along.roots.into_iter().filter(|root| matters[root.index()]);
            watched.takes = takes.collect();
            watched.takes_all = along.all && !watched.takes.is_empty();
            if let Some(cache) = resource.cache.as_ref().filter(|_| !ruled_by(resource)) {
                watched.except.clone_from(&cache.except);
            }
        }
        all
    }

    /// True where some answer ends with a change of its rows.
    pub(crate) fn matters(&self) -> bool {
        self.kept || self.read_by_others
    }
}

/// True where a rule of reading looks at an excepted field: who sees a row changes with it.
fn ruled_by(resource: &Resource) -> bool {
    let except = resource.cache.iter().flat_map(|cache| &cache.except);
    let except: Vec<FieldRef> = except.map(|field| FieldRef::Field(*field)).collect();
    let own = resource.fields.iter().filter_map(|field| field.read.as_ref()).flatten();
    let mut ruled = false;
    for when in resource.access.read.iter().chain(own).filter_map(|grant| grant.when.as_ref()) {
        walk(when, None, &mut |expr, _| {
            let (ExprKind::Field(field) | ExprKind::Parent(field)) = &expr.kind else { return };
            ruled |= except.contains(field);
        });
    }
    ruled
}

/// What goes or changes with a row.
#[derive(Default)]
struct Along {
    gone: BTreeSet<ResourceId>,
    roots: BTreeSet<ResourceId>,
    all: bool,
}

impl Along {
    fn delete(&mut self, domain: &Domain, id: ResourceId) {
        if !self.gone.insert(id) {
            return;
        }
        for (other, resource) in domain.stored() {
            let root = resource.owner.map_or(other, |(root, _)| root);
            for field in &resource.fields {
                let Kind::Reference { target, crosses: false, on_delete } = field.kind else {
                    continue;
                };
                if target != id || on_delete == OnDelete::Restrict {
                    continue;
                }
                self.roots.insert(root);
                self.all |= domain.resource(id).shared && !resource.shared;
                if on_delete == OnDelete::Cascade {
                    self.delete(domain, other);
                }
            }
        }
        for (_, child) in domain.resource(id).children() {
            self.delete(domain, child);
        }
    }
}
