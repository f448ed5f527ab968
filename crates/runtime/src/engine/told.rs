//! Which events a caller may be told: those about rows that it may read, without the members that
//! it may not.

use super::access::{always, concerns};
use super::unit::Unit;
use super::{Engine, Failure};
use crate::json::read::parse;
use crate::json::{Json, write};
use crate::plan::Plan;
use crate::ports::events::Logged;
use crate::request::Call;
use crate::upcast::{self, Unread};
use ir::domain::{Field, Kind, Resource, ResourceId};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// An event as the caller may know it.
#[derive(Debug)]
pub(crate) struct Told {
    /// The event.
    pub(crate) event: Logged,
    /// Its data without what the caller may not read; none: all of it.
    pub(crate) data: Option<Vec<u8>>,
}

impl Told {
    /// The data to show.
    pub(crate) fn data(&self) -> &[u8] {
        self.data.as_deref().unwrap_or(self.event.data.as_bytes())
    }
}

/// What a caller may know of the events of a resource.
enum Sight {
    /// Every one.
    All,
    /// Those about rows that it may read.
    Rows,
    /// None.
    Nothing,
}

fn sight(call: &Call, resource: &Resource) -> Sight {
    if call.is_system() || always(call, &resource.access.read) {
        Sight::All
    } else if concerns(call, &resource.access.read) {
        Sight::Rows
    } else {
        Sight::Nothing
    }
}

/// Names of the events that the caller may be told something of.
pub(crate) fn known(plan: &Plan, call: &Call) -> Vec<String> {
    let sees = |id: &ResourceId| !matches!(sight(call, plan.domain.resource(*id)), Sight::Nothing);
    let events = plan.domain.events.iter().filter(|event| event.emitters.iter().any(sees));
    events.map(|event| event.name.clone()).collect()
}

/// An event as it is delivered to a caller: as it would be told it; where the model does not let
/// the caller read such rows at all, every one, for then that it has them delivered is the rule.
/// None where it may not be told of that one, or the model has no such rows any more.
///
/// # Errors
/// Where the row can't be read.
pub(crate) async fn delivered(
    engine: &Engine,
    call: &Call,
    event: &Logged,
) -> Result<Option<Told>, Failure> {
    let Some(id) = engine.plan.consumers.resource(&event.resource) else { return Ok(None) };
    let event = &*upcast::current(&engine.plan, event).map_err(|why| Box::new(why.problem()))?;
    let resource = engine.plan.domain.resource(id);
    if matches!(sight(call, resource), Sight::Rows) {
        return Ok(Unit::new(engine, call).told(vec![event.clone()]).await?.pop());
    }
    let data = shown(&engine.plan, call, resource, event);
    Ok(Some(Told { event: event.clone(), data }))
}

impl Unit<'_> {
    /// Of some events those that the caller may be told. One about a row that is gone is told to
    /// those alone who may read every row.
    ///
    /// # Errors
    /// Where the rows can't be read.
    pub(crate) async fn told(&mut self, events: Vec<Logged>) -> Result<Vec<Told>, Failure> {
        let (plan, call) = (&self.engine.plan, self.call);
        let domain = &plan.domain;
        let of = |event: &Logged| plan.consumers.resource(&event.resource);
        let mut asked: BTreeMap<ResourceId, Vec<u128>> = BTreeMap::new();
        for event in &events {
            if let Some(id) = of(event)
                && matches!(sight(call, domain.resource(id)), Sight::Rows)
            {
                asked.entry(id).or_default().push(event.row);
            }
        }
        for (resource, ids) in asked {
            self.look(resource, &ids, false).await?;
        }
        let mut told = Vec::with_capacity(events.len());
        for event in events {
            let Some(id) = of(&event) else { continue };
            let resource = domain.resource(id);
            let seen = match sight(call, resource) {
                Sight::All => true,
                Sight::Rows => self.sees(id, event.row),
                Sight::Nothing => false,
            };
            if !seen {
                continue;
            }
            let made = match upcast::current(plan, &event) {
                Ok(Cow::Borrowed(_)) => None,
                Ok(Cow::Owned(made)) => Some(made),
                Err(why @ Unread::Newer { .. }) => return Err(Box::new(why.problem())),
                Err(why @ Unread::Unfit { .. }) => {
                    let (position, detail) = (event.position, why.detail());
                    tracing::error!(position, event = &*event.event, detail, "left out of a list");
                    continue;
                }
            };
            let event = made.unwrap_or(event);
            let data = shown(plan, call, resource, &event);
            told.push(Told { event, data });
        }
        Ok(told)
    }
}

/// The data without members that only some readers of the row may see; none where all may stay.
fn shown(plan: &Plan, call: &Call, resource: &Resource, event: &Logged) -> Option<Vec<u8>> {
    if call.is_system() {
        return None;
    }
    let hidden = |field: &Field| field.read.as_ref().is_some_and(|read| !always(call, read));
    let hides = |field: &Field| match field.kind {
        Kind::Children { target, .. } => {
            hidden(field) || plan.domain.resource(target).fields.iter().any(hidden)
        }
        Kind::Scalar | Kind::Enum(_) | Kind::Reference { .. } | Kind::Actor(_) => hidden(field),
    };
    let guarded: Vec<&str> =
        resource.fields.iter().filter(|field| hides(field)).map(|field| &*field.name).collect();
    if guarded.is_empty() {
        return None;
    }
    // What the store holds was made here; anything else is not shown at all.
    let Ok(Json::Object(members)) = parse(event.data.as_bytes()) else {
        return Some(b"{}".to_vec());
    };
    let mut out = b"{".to_vec();
    for (name, value) in members.iter().filter(|(name, _)| !guarded.contains(&&**name)) {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&write::key(name));
        value.write(&mut out);
    }
    out.push(b'}');
    Some(out)
}
