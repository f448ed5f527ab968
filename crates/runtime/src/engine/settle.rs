//! What a row needs before it can be written: references that lead somewhere, copied fields,
//! computed fields.

use super::Failure;
use super::faults::Faults;
use super::reference::{Said, unknown};
use super::scope::RowScope;
use super::unit::Unit;
use crate::plan::needs::{Needs, Step, targets};
use crate::plan::resource::Copied;
use crate::problem::{Problem, kinds, pointer_token};
use crate::record::Record;
use ir::domain::{FieldId, ResourceId, Source};
use ir::expr::Expr;
use ir::value::Value;
use kernel::expr::Fault;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The position of a row in its aggregate: the root, or a child of a field.
pub(super) type Place = Option<(FieldId, usize)>;

impl Unit<'_> {
    /// Sets what the client does not: copies are kept while their references stay the same.
    ///
    /// # Errors
    /// References that lead nowhere, and expressions without a value.
    pub(crate) async fn settle(
        &mut self,
        resource: ResourceId,
        record: &mut Record,
        old: Option<&Record>,
        said: Said,
    ) -> Result<(), Failure> {
        let mut faults = Faults::default();
        self.check_references(resource, record, old, said, &mut faults).await?;
        std::mem::take(&mut faults).settle()?;
        self.copy(resource, record, old, &mut faults).await?;
        faults.settle()?;
        self.compute(resource, record).await?;
        self.check_paths(resource, record, old)
    }

    /// A value must not lead a public path to where the server answers something of its own.
    fn check_paths(
        &self,
        resource: ResourceId,
        record: &Record,
        old: Option<&Record>,
    ) -> Result<(), Failure> {
        let mut faults = Faults::default();
        for taken in &self.engine.plan.resource(resource).taken {
            let value = record.value(taken.field);
            if old.is_some_and(|old| old.value(taken.field) == value) {
                continue;
            }
            if let Some(path) = taken.path(value) {
                let at = pointer(self, resource, None, resource, taken.field);
                let detail = format!("could not be reached: the server answers `{path}` itself");
                faults.add(kinds::INVALID_VALUE, at, detail);
            }
        }
        faults.settle()
    }

    /// Follows what expressions need of other rows, from root rows.
    pub(crate) async fn follow(
        &mut self,
        resource: ResourceId,
        seeds: &[&Record],
        needs: &Needs,
    ) -> Result<(), Failure> {
        let (engine, call) = (self.engine, self.call);
        self.rows.follow(engine, call, resource, seeds, &needs.own).await?;
        for (field, path) in &needs.children {
            let children = &engine.plan.resource(resource).children;
            let Some(child) = children.iter().find(|child| child.field == *field) else { continue };
            let rows: Vec<&Record> =
                seeds.iter().flat_map(|seed| seed.children_of(*field)).collect();
            let path = std::slice::from_ref(path);
            self.rows.follow(engine, call, child.target, &rows, path).await?;
        }
        Ok(())
    }

    /// Copies fields through references, with the caller's own rights.
    async fn copy(
        &mut self,
        resource: ResourceId,
        record: &mut Record,
        old: Option<&Record>,
        faults: &mut Faults,
    ) -> Result<(), Failure> {
        let engine = self.engine;
        let mut wanted: Vec<(Place, ResourceId, usize)> = Vec::new();
        for (place, of, row, before) in rows(self, resource, record, old) {
            for (at, copied) in engine.plan.resource(of).copied.iter().enumerate() {
                let same = |field: &FieldId| {
                    before.is_some_and(|old| old.value(*field) == row.value(*field))
                };
                if before.is_none() || !copied.through.iter().all(same) {
                    wanted.push((place, of, at));
                }
            }
        }
        // Every relation is asked once for all rows that need it.
        let mut paths: BTreeMap<(ResourceId, &[FieldId]), Vec<Place>> = BTreeMap::new();
        for (place, of, at) in &wanted {
            for path in &engine.plan.resource(*of).copied[*at].paths {
                paths.entry((*of, path)).or_default().push(*place);
            }
        }
        for ((of, path), places) in paths {
            let mut ids: Vec<u128> = Vec::new();
            for place in places {
                ids.extend(row(record, place).value(path[0]).as_uuid());
            }
            for (at, target) in targets(&engine.plan.domain, of, path).into_iter().enumerate() {
                self.look(target, &ids, false).await?;
                let Some(next) = path.get(at + 1) else { break };
                let step = |id: &u128| self.rows.get(target, *id)?.value(*next).as_uuid();
                ids = ids.iter().filter_map(step).collect();
            }
        }
        for (place, of, at) in wanted {
            let copied = &engine.plan.resource(of).copied[at];
            self.copy_one(resource, record, place, of, copied, faults);
        }
        Ok(())
    }

    fn copy_one(
        &self,
        root: ResourceId,
        record: &mut Record,
        place: Place,
        of: ResourceId,
        copied: &Copied,
        faults: &mut Faults,
    ) {
        let plan = &self.engine.plan;
        let target = row(record, place);
        for path in &copied.paths {
            let mut at = target;
            for (step, resource) in path.iter().zip(targets(&plan.domain, of, path)) {
                let Some(id) = at.value(*step).as_uuid() else { break };
                match self.rows.get(resource, id).filter(|_| self.sees(resource, id)) {
                    Some(next) => at = next,
                    None => {
                        let pointer = pointer(self, root, place, of, path[0]);
                        faults.add(kinds::UNKNOWN_REFERENCE, pointer, unknown(self, resource));
                        return;
                    }
                }
            }
        }
        let Source::Copied(_, expr) = &plan.domain.resource(of).field(copied.field).source else {
            return;
        };
        match self.value_of(root, record, place, of, copied.field, expr) {
            Ok(value) => row_mut(record, place).values[copied.field.index()] = value,
            Err(problem) => {
                for fault in problem.errors {
                    faults.add(problem.kind, fault.at, fault.detail);
                }
            }
        }
    }

    /// Sets the computed fields of a root and its children, each after those it reads.
    pub(crate) async fn compute(
        &mut self,
        resource: ResourceId,
        record: &mut Record,
    ) -> Result<(), Failure> {
        let engine = self.engine;
        let plan = engine.plan.resource(resource);
        if plan.steps.is_empty() {
            return Ok(());
        }
        self.follow(resource, &[&*record], &plan.steps_need).await?;
        for child in &plan.children {
            let needs = &engine.plan.resource(child.target).steps_need;
            if !needs.is_empty() {
                let rows: Vec<&Record> = record.children_of(child.field).iter().collect();
                self.rows.follow(engine, self.call, child.target, &rows, &needs.own).await?;
            }
        }
        for Step { within, field } in &plan.steps {
            let (of, count) = match within {
                None => (resource, 1),
                Some(within) => {
                    let child = plan.children.iter().find(|child| child.field == *within);
                    let Some(child) = child else { continue };
                    (child.target, record.children_of(*within).len())
                }
            };
            let source = &engine.plan.domain.resource(of).field(*field).source;
            let Source::Computed(expr) = source else { continue };
            for index in 0..count {
                let place = within.map(|within| (within, index));
                let value = self.value_of(resource, record, place, of, *field, expr)?;
                row_mut(record, place).values[field.index()] = value;
            }
        }
        Ok(())
    }

    /// The value of an expression for a field of a row, fitted to the field.
    fn value_of(
        &self,
        root: ResourceId,
        record: &Record,
        place: Place,
        of: ResourceId,
        field: FieldId,
        expr: &Expr,
    ) -> Result<Value, Failure> {
        let plan = &self.engine.plan;
        let scope = RowScope::new(plan, &self.call.bindings, &self.rows, root, record);
        let scope = match place {
            None => scope,
            Some(_) => scope.child(of, row(record, place)),
        };
        let shape = &plan.resource(of).field(field).shape;
        let at = || pointer(self, root, place, of, field);
        let value = kernel::expr::evaluate(expr, &scope).map(Cow::into_owned);
        let value = value.map_err(|fault| no_value(fault, at()))?;
        shape.fit(value).map_err(|wrong| {
            let kind = Problem::new(kinds::INVALID_VALUE);
            Box::new(
                kind.at(at() + &wrong.inside, format!("would be computed, but {}", wrong.detail)),
            )
        })
    }
}

/// The problem of an expression without a value.
pub(crate) fn no_value(fault: Fault, at: String) -> Failure {
    let (kind, detail) = match fault {
        Fault::MixedCurrencies => (kinds::MIXED_CURRENCIES, "amounts have unlike currencies"),
        Fault::Overflow => (kinds::INVALID_VALUE, "cannot be computed: a number leaves its range"),
        Fault::DivisionByZero => (kinds::INVALID_VALUE, "cannot be computed: division by zero"),
        Fault::Mismatch => (kinds::INVALID_VALUE, "cannot be computed from these values"),
    };
    Box::new(Problem::new(kind).at(at, detail))
}

/// All rows of an aggregate with what they were before.
pub(super) fn rows<'r>(
    unit: &Unit<'_>,
    resource: ResourceId,
    record: &'r Record,
    old: Option<&'r Record>,
) -> Vec<(Place, ResourceId, &'r Record, Option<&'r Record>)> {
    let mut all = vec![(None, resource, record, old)];
    for child in &unit.engine.plan.resource(resource).children {
        let there = old.map(|old| old.children_of(child.field)).unwrap_or_default();
        let rows = record.children_of(child.field).iter().enumerate();
        all.extend(rows.map(|(at, row)| {
            let before = there.iter().find(|before| before.id == row.id);
            (Some((child.field, at)), child.target, row, before)
        }));
    }
    all
}

/// The row at a place.
fn row(record: &Record, place: Place) -> &Record {
    match place {
        None => record,
        Some((field, at)) => record.children_of(field).get(at).unwrap_or(record),
    }
}

fn row_mut(record: &mut Record, place: Place) -> &mut Record {
    let Some((field, at)) = place else { return record };
    let index = record.children.iter().position(|(of, rows)| *of == field && at < rows.len());
    match index {
        Some(index) => &mut record.children[index].1[at],
        None => record,
    }
}

/// `/lines/2/product`
pub(super) fn pointer(
    unit: &Unit<'_>,
    root: ResourceId,
    place: Place,
    of: ResourceId,
    field: FieldId,
) -> String {
    pointer_in(&unit.engine.plan.domain, root, place, of, field)
}

/// The same where there is no unit any more.
pub(super) fn pointer_in(
    domain: &ir::domain::Domain,
    root: ResourceId,
    place: Place,
    of: ResourceId,
    field: FieldId,
) -> String {
    let name = pointer_token(&domain.resource(of).field(field).name);
    match place {
        None => format!("/{name}"),
        Some((children, at)) => {
            let list = pointer_token(&domain.resource(root).field(children).name);
            format!("/{list}/{at}/{name}")
        }
    }
}
