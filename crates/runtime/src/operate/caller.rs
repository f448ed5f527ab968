//! Who asked, as it is kept with an operation: names, for a plan that comes later counts anew.

use crate::identity::{Principal, Who};
use crate::plan::Plan;
use crate::ports::operations::Operation;
use crate::ports::store::{Bindings, Fresh};
use crate::request::Call;
use crate::telemetry::trace::TraceContext;
use ir::domain::ActorId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A caller as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caller {
    /// Name of the actor; none for `system`.
    actor: Option<String>,
    /// Names of the roles it had when it asked.
    roles: Vec<String>,
    tenant: Option<String>,
    across_tenants: bool,
    me: String,
    issuer: String,
    id: String,
    key: Option<String>,
}

impl Caller {
    /// Of a proved caller.
    pub(crate) fn of(plan: &Plan, principal: &Principal) -> Self {
        let actor = match principal.who {
            Who::Actor(actor) => Some(plan.domain.actor(actor)),
            Who::System => None,
        };
        let named = |role: &u16| Some(actor?.roles.get(usize::from(*role))?.clone());
        Self {
            actor: actor.map(|actor| actor.name.clone()),
            roles: principal.roles.iter().filter_map(named).collect(),
            tenant: principal.tenant.as_deref().map(str::to_owned),
            across_tenants: principal.across_tenants,
            me: principal.me.to_string(),
            issuer: principal.issuer.to_string(),
            id: principal.id.to_string(),
            key: principal.key.as_deref().map(str::to_owned),
        }
    }

    /// As it was kept; none where it is misshapen.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As it is kept.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Its call, for one step of an operation. None where the plan does not have the actor any
    /// more; roles that it does not have any more are left out.
    pub(crate) fn call(&self, plan: &Plan, operation: &Operation, now: i64) -> Option<Call> {
        let (who, roles) = match &self.actor {
            None => (Who::System, Vec::new()),
            Some(name) => {
                let at = plan.domain.actors.iter().position(|actor| actor.name == *name)?;
                let known = &plan.domain.actors[at].roles;
                let place = |role: &String| known.iter().position(|other| other == role);
                let roles = self.roles.iter().filter_map(place);
                let mut roles: Vec<u16> =
                    roles.filter_map(|role| u16::try_from(role).ok()).collect();
                roles.sort_unstable();
                (Who::Actor(ActorId::of(at)), roles)
            }
        };
        let me: Arc<str> = Arc::from(self.me.as_str());
        let principal = Principal {
            who,
            roles,
            tenant: self.tenant.as_deref().map(Arc::from),
            across_tenants: self.across_tenants,
            me: Arc::clone(&me),
            issuer: Arc::from(self.issuer.as_str()),
            id: Arc::from(self.id.as_str()),
            key: self.key.as_deref().map(Arc::from),
            expires: None,
        };
        let micros = (plan.settings.request_seconds_max * 1e6) as i64;
        let deadline = now.saturating_add(micros);
        let trace = operation.trace.as_deref();
        Some(Call {
            principal: Some(Arc::new(principal)),
            tenant: operation.tenant.clone(),
            bindings: Bindings { me: Some(me), now, deadline, fresh: Fresh::Newest },
            trace: Some(TraceContext::continued(trace.map(str::as_bytes))),
            effect_of: None,
        })
    }
}
