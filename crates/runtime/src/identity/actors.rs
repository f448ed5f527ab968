//! Which actor of the model a checked token is, with its roles, tenant and subject.

use super::principal::{Principal, Role, Who};
use super::tenant;
use super::token::{self, Claims, Denial};
use super::{development, token::sound_subject};
use crate::ports::keys::StoredKey;
use ir::domain::{Actor, ActorId, Domain};
use ir::model::Proof;
use std::sync::Arc;

/// Who vouches for API keys.
const KEY_ISSUER: &str = "mainstay:key";

/// The actors of a model as identity needs them.
#[derive(Debug)]
pub(super) struct Actors {
    system: String,
    actors: Vec<Actor>,
    /// Name of the tenant claim.
    tenancy: Option<String>,
    /// The issuer whose subjects are stored as they are.
    home: Option<String>,
    /// All issuers whose tokens are taken.
    issuers: Vec<String>,
}

impl Actors {
    pub(super) fn new(domain: &Domain, home: Option<String>, issuers: Vec<String>) -> Self {
        Self {
            system: domain.system.clone(),
            actors: domain.actors.clone(),
            tenancy: domain.tenancy.as_ref().map(|tenancy| tenancy.claim.clone()),
            home,
            issuers,
        }
    }

    /// Name of the system: realm of challenges, audience of the development key.
    pub(super) fn system(&self) -> &str {
        &self.system
    }

    pub(super) fn home(&self) -> Option<String> {
        self.home.clone()
    }

    pub(super) fn issuers(&self) -> Vec<String> {
        self.issuers.clone()
    }

    fn all(&self) -> impl Iterator<Item = (ActorId, &Actor)> {
        self.actors.iter().enumerate().map(|(at, actor)| (ActorId::of(at), actor))
    }

    /// The caller of a provider's token.
    pub(super) fn of_provider(&self, issuer: &str, claims: &Claims) -> Result<Principal, Denial> {
        let (id, actor) = self.actor_of_provider(issuer, claims)?;
        let subject = match mapped(actor, "sub") {
            "sub" => claims.subject.clone(),
            name => {
                let value = token::claim(&claims.all, name).and_then(|value| value.as_str());
                value
                    .filter(|text| sound_subject(text))
                    .ok_or("the token names no subject")?
                    .to_owned()
            }
        };
        let me = if self.home.as_deref() == Some(issuer) {
            let foreign = |other: &String| {
                subject.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('#'))
            };
            if self.issuers.iter().any(foreign) {
                return Err("the token's subject looks like that of another issuer");
            }
            subject
        } else {
            format!("{issuer}#{subject}")
        };
        let roles = token::claim(&claims.all, mapped(actor, "roles"));
        let roles = roles.map(token::texts).unwrap_or_default();
        let tenant = self.tenant(claims, |name| mapped(actor, name).to_owned())?;
        Ok(self.principal(Some((id, actor)), &roles, tenant, &me, issuer, Some(claims.expires)))
    }

    /// A token has one actor: the one it names, or the only one its issuer can vouch for.
    fn actor_of_provider(
        &self,
        issuer: &str,
        claims: &Claims,
    ) -> Result<(ActorId, &Actor), Denial> {
        // An issuer that an actor has for itself vouches for nobody else.
        let own = self.actors.iter().any(|actor| actor.issuer.as_deref() == Some(issuer));
        let wanted = own.then_some(issuer);
        let candidates: Vec<(ActorId, &Actor)> = self
            .all()
            .filter(|(_, actor)| actor.proof == Proof::Oidc && actor.issuer.as_deref() == wanted)
            .collect();
        let named = |actor: &Actor| token::claim(&claims.all, mapped(actor, "actor"));
        let is = |actor: &Actor| {
            named(actor).is_some_and(|value| token::texts(value).contains(&actor.name.as_str()))
        };
        let mut matching = candidates.iter().filter(|(_, actor)| is(actor));
        match (matching.next(), matching.next()) {
            (Some(found), None) => Ok(*found),
            (Some(_), Some(_)) => Err("the token is of more than one actor"),
            (None, _) => match candidates[..] {
                [only] if named(only.1).is_none() => Ok(only),
                _ => Err("the token names no actor of this API"),
            },
        }
    }

    /// The caller of a token of the development key.
    pub(super) fn of_development(&self, claims: &Claims) -> Result<Principal, Denial> {
        let name = claims.all.get("actor").and_then(|value| value.as_str()).unwrap_or_default();
        let actor = match self.all().find(|(_, actor)| actor.name == name) {
            Some(found) => Some(found),
            None if name == development::SYSTEM => None,
            None => return Err("the token names no actor of this API"),
        };
        let roles = claims.all.get("roles").map(token::texts).unwrap_or_default();
        let tenant = self.tenant(claims, str::to_owned)?;
        let (me, issuer) = (&claims.subject, development::ISSUER);
        Ok(self.principal(actor, &roles, tenant, me, issuer, Some(claims.expires)))
    }

    /// The caller of an API key.
    pub(super) fn of_key(&self, key: &StoredKey) -> Result<Principal, Denial> {
        let found = self.all().find(|(_, actor)| actor.name == key.actor);
        let found = found.filter(|(_, actor)| actor.proof == Proof::ApiKey);
        let found = found.ok_or("the key is of an actor that this API does not have any more")?;
        let roles: Vec<&str> = key.roles.iter().map(String::as_str).collect();
        let tenant = key.tenant.as_deref().map(Arc::from).filter(|_| self.tenancy.is_some());
        let expires = key.expires.map(|at| at / 1_000_000);
        let mut principal =
            self.principal(Some(found), &roles, tenant, &key.subject, KEY_ISSUER, expires);
        principal.key = Some(key.prefix.as_str().into());
        Ok(principal)
    }

    fn tenant(
        &self,
        claims: &Claims,
        name: impl Fn(&str) -> String,
    ) -> Result<Option<Arc<str>>, Denial> {
        let Some(claim) = &self.tenancy else { return Ok(None) };
        match token::claim(&claims.all, &name(claim)) {
            None => Ok(None),
            Some(value) => match value.as_str().filter(|text| tenant::is_name(text)) {
                Some(text) => Ok(Some(text.into())),
                None => Err("the token's tenant is malformed"),
            },
        }
    }

    fn principal(
        &self,
        actor: Option<(ActorId, &Actor)>,
        roles: &[&str],
        tenant: Option<Arc<str>>,
        me: &str,
        issuer: &str,
        expires: Option<i64>,
    ) -> Principal {
        let known = |actor: &Actor| {
            let held =
                actor.roles.iter().enumerate().filter(|(_, role)| roles.contains(&role.as_str()));
            held.filter_map(|(at, _)| Role::try_from(at).ok()).collect()
        };
        let name = actor.map_or(development::SYSTEM, |(_, actor)| actor.name.as_str());
        // Neither issuer, actor nor subject holds a control character.
        let id = format!("{issuer}\n{name}\n{}\n{me}", tenant.as_deref().unwrap_or(""));
        Principal {
            who: actor.map_or(Who::System, |(id, _)| Who::Actor(id)),
            roles: actor.map(|(_, actor)| known(actor)).unwrap_or_default(),
            // A service token that names a tenant is bound to it.
            across_tenants: actor.map_or(tenant.is_none(), |(_, actor)| actor.across_tenants),
            tenant,
            me: me.into(),
            issuer: issuer.into(),
            id: id.into(),
            key: None,
            expires,
        }
    }
}

/// What the provider calls a claim of ours.
fn mapped<'a>(actor: &'a Actor, name: &'a str) -> &'a str {
    let own = actor.claims.iter().find(|(ours, _)| ours == name);
    own.map_or(name, |(_, theirs)| theirs.as_str())
}
