//! References that a caller makes: they lead to rows that it may read, or nowhere.

use super::Failure;
use super::access::{allows, always};
use super::faults::Faults;
use super::scope::RowScope;
use super::settle::{pointer_in, rows};
use super::unit::Unit;
use crate::plan::resource::Reference;
use crate::problem::{kinds, pointer_token};
use crate::record::Record;
use ir::domain::{Command, Kind, ResourceId};
use ir::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the references of a row come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// From the caller's body.
    ByCaller,
    /// From effects of a command, whose inputs have been looked at: what the model moves from row
    /// to row is not the caller's word.
    ByCommand,
}

/// Rows to look at, each with what refers to it: a pointer is only made where one is told.
type References<R> = BTreeMap<ResourceId, Vec<(u128, R)>>;

impl Unit<'_> {
    /// Looks at the rows that are newly referred to, in one call for each resource.
    pub(super) async fn check_references(
        &mut self,
        resource: ResourceId,
        record: &Record,
        old: Option<&Record>,
        said: Said,
        faults: &mut Faults,
    ) -> Result<(), Failure> {
        let mut asked = References::default();
        let engine = self.engine;
        for (place, of, row, before) in rows(self, resource, record, old) {
            for Reference { field, target, crosses } in &engine.plan.resource(of).references {
                let Some(id) = row.value(*field).as_uuid() else { continue };
                if before.is_some_and(|before| before.value(*field).as_uuid() == Some(id)) {
                    continue;
                }
                if !crosses && (said == Said::ByCommand || self.reads_all(*target)) {
                    continue;
                }
                asked.entry(*target).or_default().push((id, (place, of, *field)));
            }
        }
        let domain = &engine.plan.domain;
        let at = |(place, of, field)| pointer_in(domain, resource, place, of, field);
        self.check_asked(asked, at, faults).await
    }

    /// The same for the inputs of a command.
    pub(super) async fn check_inputs(
        &mut self,
        command: &Command,
        inputs: &[Value],
    ) -> Result<(), Failure> {
        let mut asked = References::default();
        for (index, (field, value)) in command.input.iter().zip(inputs).enumerate() {
            let Kind::Reference { target, crosses, .. } = field.kind else { continue };
            let Some(id) = value.as_uuid() else { continue };
            if crosses || !self.reads_all(target) {
                asked.entry(target).or_default().push((id, index));
            }
        }
        let at = |index: usize| format!("/{}", pointer_token(&command.input[index].name));
        let mut faults = Faults::default();
        self.check_asked(asked, at, &mut faults).await?;
        faults.settle()
    }

    async fn check_asked<R>(
        &mut self,
        asked: References<R>,
        at: impl Fn(R) -> String,
        faults: &mut Faults,
    ) -> Result<(), Failure> {
        for (target, references) in asked {
            let ids: Vec<u128> = references.iter().map(|(id, _)| *id).collect();
            self.look(target, &ids, false).await?;
            for (id, referrer) in references {
                if !self.sees(target, id) {
                    faults.add(kinds::UNKNOWN_REFERENCE, at(referrer), unknown(self, target));
                }
            }
        }
        Ok(())
    }

    /// True where the caller may read every row, so that the foreign key alone tells whether one
    /// is there.
    fn reads_all(&self, resource: ResourceId) -> bool {
        let grants = &self.engine.plan.domain.resource(resource).access.read;
        self.call.is_system() || always(self.call, grants)
    }

    /// Reads rows with what the caller's right to read them depends on.
    pub(crate) async fn look(
        &mut self,
        resource: ResourceId,
        ids: &[u128],
        whole: bool,
    ) -> Result<(), Failure> {
        let needs = &self.engine.plan.resource(resource).rules.read;
        self.rows.fetch(self.engine, self.call, resource, ids, whole || needs.whole).await?;
        if needs.is_empty() {
            return Ok(());
        }
        let found: Vec<Arc<Record>> =
            ids.iter().filter_map(|id| self.rows.shared(resource, *id)).collect();
        let seeds: Vec<&Record> = found.iter().map(|row| &**row).collect();
        self.follow(resource, &seeds, needs).await
    }

    /// True where the row is there and the caller may read it; it must have been looked at.
    pub(crate) fn sees(&self, resource: ResourceId, id: u128) -> bool {
        let Some(record) = self.rows.get(resource, id) else { return false };
        if self.call.is_system() {
            return true;
        }
        let plan = &self.engine.plan;
        let scope = RowScope::new(plan, &self.call.bindings, &self.rows, resource, record);
        allows(self.call, &plan.domain.resource(resource).access.read, &scope)
    }
}

/// Why a reference is refused: whether the row is there is not told.
pub(super) fn unknown(unit: &Unit<'_>, target: ResourceId) -> String {
    let name = &unit.engine.plan.domain.resource(target).name;
    format!("there is no such `{name}`, or you may not see it")
}
