//! Reading: one row, a page of rows, a row by a unique field.

use super::access::{Reach, allows, denied, reach};
use super::scope::RowScope;
use super::unit::Unit;
use super::{Failure, not_found};
use crate::plan::needs::targets;
use crate::plan::resource::Copied;
use crate::ports::store::ListQuery;
use crate::record::Record;
use ir::domain::{FieldId, ResourceId, Source};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Operator, Type};
use ir::value::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// What a client asks of a list.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// Of which root.
    pub(crate) resource: ResourceId,
    /// Conditions, all to hold.
    pub(crate) filters: Vec<Expr>,
    /// Folded words.
    pub(crate) search: Vec<String>,
    /// Keys, ending in the id.
    pub(crate) sort: Vec<(FieldRef, bool)>,
    /// Keys of the last row of the page before.
    pub(crate) after: Option<Vec<Value>>,
    /// Rows of a page.
    pub(crate) limit: u32,
    /// Children to load.
    pub(crate) children: &'a [FieldId],
}

/// A page of rows.
#[derive(Debug)]
pub(crate) struct Page {
    /// The rows.
    pub(crate) rows: Vec<Record>,
    /// There are more after them.
    pub(crate) more: bool,
}

impl Unit<'_> {
    /// One row with children of those fields, which are all that its rules read.
    ///
    /// # Errors
    /// 404 where there is none, or the caller may not know of it.
    pub(crate) async fn get(
        &mut self,
        resource: ResourceId,
        id: u128,
        children: &[FieldId],
    ) -> Result<Record, Failure> {
        let (engine, call) = (self.engine, self.call);
        let plan = engine.plan.resource(resource);
        let store = engine.store(resource);
        let read = store.get(&call.tenant, resource, &[id], children, &call.bindings).await?;
        let record = read.into_iter().next().ok_or_else(not_found)?;
        if !call.is_system() {
            self.follow(resource, &[&record], &plan.rules.read).await?;
            let grants = &engine.plan.domain.resource(resource).access.read;
            let scope = RowScope::new(&engine.plan, &call.bindings, &self.rows, resource, &record);
            if !allows(call, grants, &scope) {
                return Err(not_found());
            }
        }
        let mut record = [record];
        self.complete(resource, &mut record).await?;
        let [record] = record;
        Ok(record)
    }

    /// A page of the rows that the caller may read.
    ///
    /// # Errors
    /// 403 where no rule lets the caller read any.
    pub(crate) async fn list(&mut self, asked: Asked<'_>) -> Result<Page, Failure> {
        let (engine, call, resource) = (self.engine, self.call, asked.resource);
        let grants = &engine.plan.domain.resource(resource).access.read;
        let mut filter: Vec<Cow<'_, Expr>> = Vec::with_capacity(asked.filters.len() + 1);
        if !call.is_system() {
            match reach(call, grants) {
                Reach::All => {}
                Reach::Some(condition) => filter.push(condition),
                Reach::Nothing => {
                    let name = &engine.plan.domain.resource(resource).name;
                    return Err(denied(call, grants, &format!("list `{name}`")));
                }
            }
        }
        filter.extend(asked.filters.into_iter().map(Cow::Owned));
        let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
        let query = ListQuery {
            resource,
            filter,
            search: asked.search,
            sort: asked.sort,
            after: asked.after,
            rows_max: asked.limit + 1,
            children: asked.children,
        };
        let mut rows = engine.store(resource).list(&call.tenant, &query, &call.bindings).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        self.complete(resource, &mut rows).await?;
        Ok(Page { rows, more })
    }

    /// The row of a public path, by a unique field and the path's condition.
    ///
    /// # Errors
    /// 404 where there is none.
    pub(crate) async fn find(
        &mut self,
        resource: ResourceId,
        route: usize,
        value: Value,
    ) -> Result<Record, Failure> {
        let (engine, call) = (self.engine, self.call);
        let domain = engine.plan.domain.resource(resource);
        let route = &domain.routes[route];
        let ty = Type::Text;
        let field = Expr { kind: ExprKind::Field(FieldRef::Field(route.by)), ty: ty.clone() };
        let value = Expr { kind: ExprKind::Literal(value), ty };
        let kind = ExprKind::Compare(Operator::Equal, Box::new(field), Box::new(value));
        let mut filter = vec![Cow::Owned(Expr { kind, ty: Type::Bool })];
        filter.extend(route.when.as_ref().map(Cow::Borrowed));
        if route.redirect.is_none() && !call.is_system() {
            match reach(call, &domain.access.read) {
                Reach::All => {}
                Reach::Some(condition) => filter.push(condition),
                Reach::Nothing => return Err(not_found()),
            }
        }
        let children = &engine.plan.resource(resource).child_fields;
        let query = ListQuery {
            resource,
            filter,
            search: Vec::new(),
            sort: vec![(FieldRef::Implicit(Implicit::Id), true)],
            after: None,
            rows_max: 1,
            children: if route.redirect.is_none() { children } else { &[] },
        };
        let rows = engine.store(resource).list(&call.tenant, &query, &call.bindings).await?;
        let mut rows: Vec<Record> = rows.into_iter().take(1).collect();
        if route.redirect.is_none() {
            self.complete(resource, &mut rows).await?;
        }
        rows.pop().ok_or_else(not_found)
    }

    /// Gets what the rows need to be shown: fields that are asked for when they are read, and rows
    /// that the rules of fields speak of.
    pub(crate) async fn complete(
        &mut self,
        resource: ResourceId,
        records: &mut [Record],
    ) -> Result<(), Failure> {
        let shown = &self.engine.plan.resource(resource).rules.shown;
        if !shown.is_empty() {
            let seeds: Vec<&Record> = records.iter().collect();
            self.follow(resource, &seeds, shown).await?;
        }
        if self.needs_asking(resource) {
            self.ask(resource, records).await?;
        }
        Ok(())
    }

    /// The same for one row that is shared: copied only where something of it is asked for.
    pub(crate) async fn complete_shared(
        &mut self,
        resource: ResourceId,
        record: &mut Arc<Record>,
    ) -> Result<(), Failure> {
        let shown = &self.engine.plan.resource(resource).rules.shown;
        self.follow(resource, &[record], shown).await?;
        if self.needs_asking(resource) {
            let record = std::slice::from_mut(Arc::make_mut(record));
            self.ask(resource, record).await?;
        }
        Ok(())
    }

    /// True where the resource or its children have fields that are asked for when read.
    pub(crate) fn needs_asking(&self, resource: ResourceId) -> bool {
        let plan = self.engine.plan.resource(resource);
        let children = plan.children.iter();
        !plan.asked.is_empty()
            || children
                .map(|child| self.engine.plan.resource(child.target))
                .any(|child| !child.asked.is_empty())
    }

    /// Sets the fields that are asked of their owners when a row is read; null where the caller
    /// may not see the row they come from.
    pub(crate) async fn ask(
        &mut self,
        resource: ResourceId,
        records: &mut [Record],
    ) -> Result<(), Failure> {
        let engine = self.engine;
        let plan = engine.plan.resource(resource);
        for copied in &plan.asked {
            let seeds: Vec<&Record> = records.iter().collect();
            self.ask_paths(resource, &seeds, copied).await?;
        }
        for child in &plan.children {
            for copied in &engine.plan.resource(child.target).asked {
                let rows = records.iter().flat_map(|record| record.children_of(child.field));
                let seeds: Vec<&Record> = rows.collect();
                self.ask_paths(child.target, &seeds, copied).await?;
            }
        }
        for record in records {
            for copied in &plan.asked {
                let value = self.asked_value(resource, record, None, copied);
                record.values[copied.field.index()] = value;
            }
            for child in &plan.children {
                let asked = &engine.plan.resource(child.target).asked;
                for at in 0..record.children_of(child.field).len() {
                    for copied in asked {
                        let row = &record.children_of(child.field)[at];
                        let value = self.asked_value(child.target, row, Some(record), copied);
                        let of = record.children.iter_mut().find(|(of, _)| *of == child.field);
                        if let Some((_, rows)) = of {
                            rows[at].values[copied.field.index()] = value;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn ask_paths(
        &mut self,
        resource: ResourceId,
        seeds: &[&Record],
        copied: &Copied,
    ) -> Result<(), Failure> {
        for path in &copied.paths {
            let Some(first) = path.first() else { continue };
            let mut ids: Vec<u128> =
                seeds.iter().filter_map(|seed| seed.value(*first).as_uuid()).collect();
            let resources = targets(&self.engine.plan.domain, resource, path);
            for (at, target) in resources.into_iter().enumerate() {
                self.look(target, &ids, false).await?;
                let Some(next) = path.get(at + 1) else { break };
                let step = |id: &u128| self.rows.get(target, *id)?.value(*next).as_uuid();
                ids = ids.iter().filter_map(step).collect();
            }
        }
        Ok(())
    }

    fn asked_value(
        &self,
        resource: ResourceId,
        record: &Record,
        parent: Option<&Record>,
        copied: &Copied,
    ) -> Value {
        let plan = &self.engine.plan;
        let visible = copied.paths.iter().all(|path| {
            let mut at = record;
            for (step, target) in path.iter().zip(targets(&plan.domain, resource, path)) {
                let Some(id) = at.value(*step).as_uuid() else { return true };
                match self.rows.get(target, id).filter(|_| self.sees(target, id)) {
                    Some(next) => at = next,
                    None => return false,
                }
            }
            true
        });
        let source = &plan.domain.resource(resource).field(copied.field).source;
        let (true, Source::Copied(_, expr)) = (visible, source) else { return Value::Null };
        let scope = RowScope::new(plan, &self.call.bindings, &self.rows, resource, record);
        let scope = RowScope { parent, ..scope };
        let value = kernel::expr::evaluate(expr, &scope).map(Cow::into_owned);
        value.unwrap_or_default()
    }
}
