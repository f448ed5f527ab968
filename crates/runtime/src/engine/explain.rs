//! Why something is allowed or denied: the rules of an operation as they stand for the caller.
//!
//! Beside the model's rules stand two that need not be written: `system` reads every row, and a
//! path that redirects is open to anyone.

use super::Failure;
use super::scope::RowScope;
use super::unit::Unit;
use crate::plan::OperationPlan;
use crate::record::Record;
use ir::contract::OperationKind;
use ir::domain::{Grant, Resource, ResourceId, SYSTEM_READS};
use ir::expr::Expr;
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

/// The rule of a path that redirects.
const OPEN_PATH: &str = "anyone follows the path";

/// The rules that the model writes for an operation.
fn deciding(resource: &Resource, kind: OperationKind) -> &[Grant] {
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
    ) -> Result<Vec<(&'p str, Standing)>, Failure>
    where
        Self: 'p,
    {
        let engine = self.engine;
        let plan = engine.plan.resource(resource);
        let of = engine.plan.domain.resource(resource);
        let route = match operation.kind {
            OperationKind::Route(at) => Some(&of.routes[at]),
            _ => None,
        };
        let record = match id {
            Some(id) => Some(self.get(resource, id, &plan.child_fields).await?),
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
        let on_path = route.and_then(|route| route.when.as_ref());
        let stands = |conditions: [Option<&Expr>; 2]| {
            self.stands(resource, conditions.into_iter().flatten(), record.as_ref())
        };
        if route.is_some_and(|route| route.redirect.is_some()) {
            return Ok(vec![(OPEN_PATH, stands([on_path, None]))]);
        }
        let reads = matches!(operation.kind, OperationKind::List | OperationKind::Get);
        let mut rules = Vec::new();
        if self.call.is_system() && (reads || route.is_some()) {
            rules.push((SYSTEM_READS, stands([on_path, None])));
        }
        rules.extend(deciding(of, operation.kind).iter().map(|grant| {
            let standing = match self.call.is(&grant.caller) {
                true => stands([on_path, grant.when.as_ref()]),
                false => Standing::OtherCaller,
            };
            (grant.text.as_str(), standing)
        }));
        Ok(rules)
    }

    fn stands<'c>(
        &self,
        resource: ResourceId,
        conditions: impl Iterator<Item = &'c Expr>,
        record: Option<&Record>,
    ) -> Standing {
        let mut conditions = conditions.peekable();
        if conditions.peek().is_none() {
            return Standing::Allows;
        }
        let Some(record) = record else { return Standing::DependsOnRow };
        let plan = &self.engine.plan;
        let scope = RowScope::new(plan, &self.call.bindings, &self.rows, resource, record);
        if conditions.all(|when| holds(when, &scope).unwrap_or(false)) {
            Standing::Allows
        } else {
            Standing::ConditionFalse
        }
    }
}
