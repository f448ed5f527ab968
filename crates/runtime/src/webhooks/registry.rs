//! Endpoints as they are kept: found, changed, disabled, and given their places in the logs.

use super::{FAILING_MICROS_MAX, Hooks, consumer};
use crate::consume::source_name;
use crate::engine::Engine;
use crate::identity::{Principal, Who};
use crate::plan::Plan;
use crate::ports::events::{Part, Place, Refused, Span};
use crate::ports::store::{Bindings, Fresh, Tenant, Unavailable};
use crate::ports::webhooks::{Endpoint, EndpointQuery, Stored, Webhooks};
use crate::request::Call;
use ir::domain::ActorId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Another process changes an endpoint at the same moment: so often it is tried again.
const CHANGES_MAX: usize = 5;

/// What an endpoint hears of one log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ear {
    /// The service whose log it is, and which of its logs.
    pub(crate) source: usize,
    /// Where.
    pub(crate) place: Place,
    /// The work on it.
    pub(crate) part: Part,
}

/// Every endpoint of every tenant, each once.
pub(crate) async fn all(engine: &Engine) -> Result<Vec<Endpoint>, Unavailable> {
    let mut found: Vec<Endpoint> = Vec::new();
    for store in engine.stores() {
        let (Some(hooks), Some(log)) = (store.webhooks(), store.eventing()) else { continue };
        for place in log.places().await? {
            found.extend(hooks.endpoints(&place, &EndpointQuery::default()).await?);
        }
    }
    Ok(once(found))
}

/// The endpoints of a tenant, oldest first.
pub(crate) async fn of_tenant(
    engine: &Engine,
    tenant: &Tenant,
    id: Option<u128>,
) -> Result<Vec<Endpoint>, Unavailable> {
    let query = EndpointQuery { tenant: Some(tenant.clone()), id };
    let mut found = Vec::new();
    for store in engine.stores() {
        if let Some(hooks) = store.webhooks() {
            found.extend(hooks.endpoints(tenant, &query).await?);
        }
    }
    Ok(once(found))
}

/// Services in one database keep them together.
fn once(mut found: Vec<Endpoint>) -> Vec<Endpoint> {
    found.sort_by_key(|endpoint| endpoint.id);
    found.dedup_by_key(|endpoint| endpoint.id);
    found
}

/// The store that new endpoints and attempts are kept in.
pub(crate) fn home(engine: &Engine) -> Option<&dyn Webhooks> {
    engine.stores().iter().find_map(|store| store.webhooks())
}

/// Changes an endpoint, as it is now, unless `change` finds nothing to do; as it is then. None
/// where there is none.
pub(crate) async fn alter(
    engine: &Engine,
    hooks: &Hooks,
    of: (&Tenant, u128),
    now: i64,
    change: &mut (dyn FnMut(&mut Endpoint) -> bool + Send),
) -> Result<Option<Endpoint>, Unavailable> {
    for _ in 0..CHANGES_MAX {
        let Some(old) = of_tenant(engine, of.0, Some(of.1)).await?.pop() else { return Ok(None) };
        let mut new = old.clone();
        if !change(&mut new) {
            return Ok(Some(old));
        }
        new.updated = now.max(old.updated.saturating_add(1));
        for store in engine.stores() {
            let Some(kept) = store.webhooks() else { continue };
            if kept.change(&new, old.updated).await? == Stored::Yes {
                hooks.change();
                return Ok(Some(new));
            }
        }
    }
    Err(Unavailable::Busy)
}

/// Deletes an endpoint, and what every store keeps of it; false where there is none.
pub(crate) async fn remove(
    engine: &Engine,
    hooks: &Hooks,
    tenant: &Tenant,
    id: u128,
) -> Result<bool, Unavailable> {
    let mut gone = false;
    for store in engine.stores() {
        if let Some(kept) = store.webhooks() {
            gone |= kept.remove(tenant, id).await?;
            if tenant.is_some() {
                // What is heard in the logs that tenants share is remembered there.
                gone |= kept.remove(&None, id).await?;
            }
        }
    }
    hooks.change();
    Ok(gone)
}

/// Notes what an attempt means for the endpoint: that it works again, that it fails, or that it is
/// disabled because it fails for too long or wants nothing any more.
pub(crate) async fn learn(
    engine: &Engine,
    hooks: &Hooks,
    endpoint: &Endpoint,
    (failed, gone): (bool, bool),
    now: i64,
) -> Result<(), Unavailable> {
    let nothing_new = match (failed, endpoint.failing) {
        (false, None) => true,
        (true, Some(since)) => !gone && now.saturating_sub(since) < FAILING_MICROS_MAX,
        (false, Some(_)) | (true, None) => false,
    };
    if nothing_new || endpoint.disabled {
        return Ok(());
    }
    let mut disabled = false;
    let mut change = |endpoint: &mut Endpoint| {
        let before = endpoint.clone();
        take_note(endpoint, (failed, gone), now);
        disabled = endpoint.disabled && !before.disabled;
        *endpoint != before
    };
    alter(engine, hooks, (&endpoint.tenant, endpoint.id), now, &mut change).await?;
    if disabled {
        hooks.count_disabled();
        let id = crate::json::write::uuid_text(endpoint.id);
        tracing::warn!(webhook = id, gone, "an endpoint is disabled: nothing gets through");
    }
    Ok(())
}

/// What an attempt changes of an endpoint: whether it failed, and wants nothing any more.
fn take_note(endpoint: &mut Endpoint, (failed, gone): (bool, bool), now: i64) {
    if !failed {
        endpoint.failing = None;
        return;
    }
    let since = *endpoint.failing.get_or_insert(now);
    let reason = match gone {
        true => "answered 410: it wants nothing any more",
        false if now.saturating_sub(since) >= FAILING_MICROS_MAX => {
            "every attempt failed for 5 days"
        }
        false => return,
    };
    endpoint.disabled = true;
    endpoint.reason = Some(reason.to_owned());
}

/// Where the logs of each service are, by their order.
pub(crate) async fn places(engine: &Engine) -> Result<Vec<Vec<Place>>, Unavailable> {
    let mut places = Vec::with_capacity(engine.stores().len());
    for store in engine.stores() {
        places.push(match store.eventing() {
            Some(log) => log.places().await?,
            None => Vec::new(),
        });
    }
    Ok(places)
}

/// What an endpoint hears: the logs of the services whose rows its events are about, among those
/// of all services.
pub(crate) fn ears_among(plan: &Plan, places: &[Vec<Place>], endpoint: &Endpoint) -> Vec<Ear> {
    let mut sources = BTreeSet::new();
    for name in &endpoint.events {
        let Some((_, event)) = plan.domain.event_named(name) else { continue };
        let of = |id: &ir::domain::ResourceId| plan.service_of(plan.domain.resource(*id).context);
        sources.extend(event.emitters.iter().map(of));
    }
    let mut ears = Vec::new();
    for source in sources.into_iter().filter(|source| !places[*source].is_empty()) {
        let own = endpoint.tenant.is_some() && places[source].contains(&endpoint.tenant);
        let place = if own { endpoint.tenant.clone() } else { None };
        let name = source_name(plan, source, &place).into();
        let part = Part { consumer: consumer(endpoint.id), source: name, number: 0 };
        ears.push(Ear { source, place, part });
    }
    ears
}

/// What an endpoint hears.
pub(crate) async fn ears(engine: &Engine, endpoint: &Endpoint) -> Result<Vec<Ear>, Unavailable> {
    Ok(ears_among(&engine.plan, &places(engine).await?, endpoint))
}

/// Gives an endpoint its places at the ends of the logs, where it has none yet: what happens from
/// now on is not missed.
pub(crate) async fn begin(
    engine: &Engine,
    endpoint: &Endpoint,
    now: i64,
) -> Result<(), Unavailable> {
    for Ear { source, place, part } in ears(engine, endpoint).await? {
        let Some(log) = engine.stores()[source].eventing() else { continue };
        if log.progress(&place).await?.iter().any(|progress| progress.part == part) {
            continue;
        }
        let from = log.extent(&place).await?.last;
        // Taken for no time at all: whoever works claims it.
        match log.claim(&place, &part, "", Span { now, until: now, from }).await {
            Ok(_) | Err(Refused::Taken { .. }) => {}
            Err(Refused::Unavailable(why)) => return Err(why),
        }
    }
    Ok(())
}

/// Names of the events that callers of an actor may have delivered.
pub(crate) fn offered<'p>(plan: &'p Plan, actor: &str) -> Vec<&'p str> {
    let events = plan.domain.events.iter().map(|event| event.name.as_str());
    events.filter(|event| offers(plan, actor, event)).collect()
}

/// True where callers of an actor may have an event delivered.
pub(crate) fn offers(plan: &Plan, actor: &str, event: &str) -> bool {
    let domain = &plan.domain;
    let named = |id: &ir::domain::ActorId| domain.actor(*id).name == actor;
    domain.event_named(event).is_some_and(|(_, event)| event.webhook.iter().any(named))
}

/// A call of the owner of an endpoint, without any role: what only a role may see is not told. None
/// where the model does not have the actor any more.
pub(crate) fn call_of(engine: &Engine, endpoint: &Endpoint, now: i64) -> Option<Call> {
    const ISSUER: &str = "mainstay:webhook";
    let plan = &engine.plan;
    let at = plan.domain.actors.iter().position(|actor| *actor.name == *endpoint.actor)?;
    let principal = Principal {
        who: Who::Actor(ActorId::of(at)),
        roles: Vec::new(),
        tenant: endpoint.tenant.clone(),
        across_tenants: false,
        me: Arc::clone(&endpoint.owner),
        issuer: Arc::from(ISSUER),
        id: Arc::from(ISSUER),
        key: None,
        expires: None,
    };
    let micros = (plan.settings.request_seconds_max * 1e6) as i64;
    let bindings = Bindings {
        me: Some(Arc::clone(&endpoint.owner)),
        now,
        deadline: now.saturating_add(micros),
        fresh: Fresh::Newest,
    };
    Some(Call {
        principal: Some(Arc::new(principal)),
        tenant: endpoint.tenant.clone(),
        bindings,
        trace: None,
        effect_of: None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ports::webhooks::Signing;

    /// An endpoint of nobody in particular.
    pub(crate) fn endpoint(id: u128) -> Endpoint {
        Endpoint {
            id,
            tenant: Some("acme".into()),
            owner: "ann".into(),
            actor: "partner".into(),
            url: "https://example.com/hooks".to_owned(),
            events: vec!["order.paid".to_owned()],
            description: String::new(),
            signing: Signing::Hmac,
            secret: "sealed".to_owned(),
            previous: None,
            disabled: false,
            reason: None,
            failing: None,
            created: 1_000,
            updated: 1_000,
        }
    }

    #[test]
    fn an_endpoint_is_disabled_where_it_fails_for_days_or_says_that_it_is_gone() {
        let mut one = endpoint(7);
        take_note(&mut one, (true, false), 100);
        assert_eq!((one.failing, one.disabled), (Some(100), false));
        take_note(&mut one, (true, false), 99 + FAILING_MICROS_MAX);
        assert_eq!((one.failing, one.disabled), (Some(100), false));
        take_note(&mut one, (false, false), 200);
        assert_eq!((one.failing, one.disabled), (None, false), "one that arrives is enough");
        take_note(&mut one, (true, false), 300);
        take_note(&mut one, (true, false), 300 + FAILING_MICROS_MAX);
        assert!(one.disabled && one.reason.as_ref().is_some_and(|why| why.contains("5 days")));
        let mut gone = endpoint(8);
        take_note(&mut gone, (true, true), 100);
        assert!(gone.disabled && gone.reason.as_ref().is_some_and(|why| why.contains("410")));
    }
}
