//! One call of the engine, whatever protocol it came by: who, whose, until when.

use crate::identity::{Principal, Who};
use crate::ports::events::Consumed;
use crate::ports::store::{Bindings, Tenant};
use crate::telemetry::trace::TraceContext;
use ir::domain::Caller;
use std::sync::Arc;

/// A call with its caller proved and its tenant known.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who calls; none without token.
    pub principal: Option<Arc<Principal>>,
    /// Whose rows; none where the system has no tenants.
    pub tenant: Tenant,
    /// Caller, time and deadline as conditions see them.
    pub bindings: Bindings,
    /// The trace that the events it causes belong to.
    pub trace: Option<TraceContext>,
    /// The event that it is the effect of: what the model orders then needs no other rule, and the
    /// inbox takes note of it in the same commit.
    pub effect_of: Option<Consumed>,
}

impl Call {
    /// Mainstay's own call in a tenant; `issuer` says for what.
    pub(crate) fn of_system(issuer: &'static str, tenant: &Tenant, bindings: Bindings) -> Self {
        let principal = Principal {
            who: Who::System,
            roles: Vec::new(),
            tenant: tenant.clone(),
            across_tenants: false,
            me: Arc::from(""),
            issuer: Arc::from(issuer),
            id: Arc::from(issuer),
            key: None,
            expires: None,
        };
        let (principal, tenant) = (Some(Arc::new(principal)), tenant.clone());
        Self { principal, tenant, bindings, trace: None, effect_of: None }
    }

    /// True for Mainstay's own service identity, which reads whatever it needs to do its work
    /// ([`ir::domain::SYSTEM_READS`]) and changes only what a rule lets `system` change.
    pub fn is_system(&self) -> bool {
        self.principal.as_ref().is_some_and(|principal| principal.who == Who::System)
    }

    /// True where a rule that speaks of `caller` speaks of this one.
    pub fn is(&self, caller: &Caller) -> bool {
        match (caller, &self.principal) {
            (Caller::Anyone, _) => true,
            (Caller::System, _) => self.is_system(),
            (Caller::Actor(actor, role), Some(principal)) => principal.is(*actor, *role),
            (Caller::Actor(..), None) => false,
        }
    }
}
