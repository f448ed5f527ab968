//! A caller that has proved who it is.

use ir::domain::ActorId;
use std::sync::Arc;

/// What a proved caller acts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// An actor of the model.
    Actor(ActorId),
    /// Mainstay's own service identity: a token of the development key.
    System,
}

/// Index of a role in [`ir::domain::Actor::roles`].
pub type Role = u16;

/// A caller that has proved who it is. Anonymous callers have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// What it acts as.
    pub who: Who,
    /// Roles of that actor, ascending; roles that the model does not know are left out.
    pub roles: Vec<Role>,
    /// The tenant that token or key is bound to.
    pub tenant: Option<Arc<str>>,
    /// May act in every tenant: an actor `across tenants`, or a service token without tenant.
    pub across_tenants: bool,
    /// `me` as stored in actor fields: the subject, or `issuer#subject` where the issuer is not
    /// the home issuer of the data.
    pub me: Arc<str>,
    /// Who vouched: the issuer's URL, `mainstay:dev` or `mainstay:key`.
    pub issuer: Arc<str>,
    /// Names the caller for cursors, idempotency and limits: differs wherever issuer, subject,
    /// actor or tenant differ.
    pub id: Arc<str>,
    /// Prefix of the API key it came with.
    pub key: Option<Arc<str>>,
    /// Seconds since 1970 after which it is refused.
    pub expires: Option<i64>,
}

impl Principal {
    /// True where it has the role.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.binary_search(&role).is_ok()
    }

    /// True where it is that actor, with the role if one is named.
    pub fn is(&self, actor: ActorId, role: Option<Role>) -> bool {
        self.who == Who::Actor(actor) && role.is_none_or(|role| self.has_role(role))
    }
}
