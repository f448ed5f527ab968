//! Why something is allowed or denied: the rules of an operation as they stand for the caller.

use super::Failure;
use super::scope::RowScope;
use super::unit::Unit;
use crate::plan::OperationPlan;
use crate::record::Record;
use ir::contract::OperationKind;
use ir::domain::{Grant, Resource, ResourceId};
use kernel::expr::holds;

/// How one rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It allows.
    Allows,
    /// It speaks of other callers.
    OtherCaller,
    /// Its condition is false for the row.
    ConditionFalse,
    /// Its condition is asked of a row, and none was named.
    DependsOnRow,
}

impl Standing {
    /// Its word on the wire.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Allows => "allows",
            Self::OtherCaller => "other_caller",
            Self::ConditionFalse => "condition_false",
            Self::DependsOnRow => "depends_on_row",
        }
    }
}

/// The rules that decide about an operation.
pub(crate) fn deciding(resource: &Resource, kind: OperationKind) -> &[Grant] {
    match kind {
        OperationKind::List | OperationKind::Get | OperationKind::Route(_) => &resource.access.read,
        OperationKind::Create => &resource.access.create,
        OperationKind::Replace | OperationKind::Update => &resource.access.update,
        OperationKind::Delete => &resource.access.delete,
        OperationKind::Command(command) => &resource.commands[command.index()].by,
        OperationKind::Batch => &[],
    }
}

impl Unit<'_> {
    /// How each rule of an operation stands for the caller, on a row where one is named. The row
    /// must be one that the caller may see.
    ///
    /// # Errors
    /// 404 where it is not.
    pub(crate) async fn explain<'p>(
        &mut self,
        operation: &OperationPlan,
        resource: ResourceId,
        id: Option<u128>,
    ) -> Result<Vec<(&'p Grant, Standing)>, Failure>
    where
        Self: 'p,
    {
        let engine = self.engine;
        let plan = engine.plan.resource(resource);
        let grants = deciding(engine.plan.domain.resource(resource), operation.kind);
        let record = match id {
            Some(id) => Some(self.get(resource, id).await?),
            None => None,
        };
        if let Some(record) = &record {
            let needs = match operation.kind {
                OperationKind::List | OperationKind::Get => &plan.rules.read,
                OperationKind::Route(_) => &plan.routes_need,
                OperationKind::Create => &plan.rules.create,
                OperationKind::Replace | OperationKind::Update => &plan.rules.update,
                OperationKind::Delete => &plan.rules.delete,
                OperationKind::Command(command) => &plan.commands[command.index()].by,
                OperationKind::Batch => &plan.rules.read,
            };
            self.follow(resource, &[record], needs).await?;
        }
        let stand = |grant| (grant, self.stands(resource, grant, record.as_ref()));
        Ok(grants.iter().map(stand).collect())
    }

    fn stands(&self, resource: ResourceId, grant: &Grant, record: Option<&Record>) -> Standing {
        if !self.call.is(&grant.caller) {
            return Standing::OtherCaller;
        }
        let (Some(when), Some(record)) = (&grant.when, record) else {
            return if grant.when.is_none() { Standing::Allows } else { Standing::DependsOnRow };
        };
        let plan = &self.engine.plan;
        let scope = RowScope::new(plan, &self.call.bindings, &self.rows, resource, record);
        if holds(when, &scope).unwrap_or(false) {
            Standing::Allows
        } else {
            Standing::ConditionFalse
        }
    }
}
