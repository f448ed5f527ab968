//! `/v1/webhooks/in/{integration}`: systems outside tell of something that happened there.
//!
//! A delivery is proved, its event kept in the log of a context, and answered 202 once that is on
//! disk; reactions follow from the log like from any event. The id of the event is made of the
//! sender's id, and the inbox takes note of it in the same commit: whatever comes again, at
//! whichever replica, is answered 202 and does nothing. So is an event that the model does not
//! name, for senders give up an endpoint that refuses. What does not fit the types of the model is
//! kept all the same: its sender would send the same again for days, while a dead letter can be
//! looked at, mended and tried again.

use crate::consume::row_named;
use crate::engine::backend::Live;
use crate::engine::{Failure, not_found, problem};
use crate::http::{Request, Response};
use crate::identity::tenant;
use crate::json::Json;
use crate::json::read::parse;
use crate::ports::events::{Consumed, Logged};
use crate::ports::store::{About, CommitError, OutboxRow, Tenant, WriteSet};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use crate::telemetry::trace::TraceContext;
use crate::webhooks::inbound::{DELIVERY_BYTES_MAX, Refused, Told, members, read};
use http::{StatusCode, header};
use ir::domain::EventId;
use ring::digest;

/// Where a secret is missing here, a sender is asked to try again after so long.
const RETRY_SECONDS: u64 = 60;

/// What became of a delivery.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// It is in the log.
    Accepted,
    /// It was there before.
    Repeated,
    /// The model does not name its event.
    Ignored,
}

/// Takes a delivery.
pub(super) async fn receive(
    live: &Live,
    request: &Request,
    call: &Call,
    segment: Option<&str>,
) -> Result<Response, Failure> {
    let receivers = &live.engine.plan.domain.receivers;
    let at = receivers.iter().position(|receiver| Some(&*receiver.name) == segment);
    let at = at.ok_or_else(not_found)?;
    let taken = take(live, request, call, at).await;
    let (sender, named) = (&live.senders[at], |outcome: &str| {
        let body = format!("{{\"outcome\":\"{outcome}\"}}");
        Response::json(StatusCode::ACCEPTED, body).header(header::CACHE_CONTROL, "no-store")
    });
    match taken {
        Ok(Outcome::Accepted) => {
            sender.accepted.add(1);
            Ok(named("accepted"))
        }
        Ok(Outcome::Repeated) => {
            sender.repeated.add(1);
            Ok(named("repeated"))
        }
        Ok(Outcome::Ignored) => {
            sender.ignored.add(1);
            Ok(named("ignored"))
        }
        Err(problem) => {
            sender.refused.add(1);
            Err(problem)
        }
    }
}

async fn take(live: &Live, request: &Request, call: &Call, at: usize) -> Result<Outcome, Failure> {
    let domain = &live.engine.plan.domain;
    let (sender, receiver) = (&live.senders[at], &domain.receivers[at]);
    if !sender.has_keys() {
        let detail = format!("nothing that `{}` proves itself by is set here", receiver.name);
        let problem = Problem::new(kinds::UNAVAILABLE).detail(detail);
        return Err(Box::new(problem.retry_after(RETRY_SECONDS)));
    }
    if request.body.len() > DELIVERY_BYTES_MAX {
        let problem = Problem::new(kinds::BODY_TOO_LARGE);
        return Err(Box::new(problem.member("limit_bytes", DELIVERY_BYTES_MAX)));
    }
    let refused = |refused| refuse(&receiver.name, refused);
    let seconds = call.bindings.now.div_euclid(1_000_000);
    let proof = sender.prove(request, seconds).map_err(refused)?;
    if domain.tenancy.is_some() {
        known_tenant(live, at, &call.tenant).await?;
    }
    let body = parse(&request.body).map_err(|why| {
        let detail = format!("{} at byte {}", why.reason, why.at);
        Box::new(Problem::new(kinds::MALFORMED_BODY).detail(detail))
    })?;
    let told = read(sender.scheme(), request, &body, &proof).map_err(refused)?;
    match sender.event(&told.names) {
        Some(event) => keep(live, call, (at, event), (&told, &body)).await,
        None => Ok(Outcome::Ignored),
    }
}

/// Keeps an event, where it is not kept yet.
async fn keep(
    live: &Live,
    call: &Call,
    (at, event): (usize, EventId),
    (told, body): (&Told, &Json<'_>),
) -> Result<Outcome, Failure> {
    let plan = &live.engine.plan;
    let (sender, receiver) = (&live.senders[at], &plan.domain.receivers[at]);
    let of = plan.domain.event(event);
    let inbound = of.inbound.as_ref().ok_or_else(not_found)?;
    let now = call.bindings.now;
    let data = String::from_utf8(members(of, inbound, told, body));
    let data = data.map_err(|_| problem(kinds::INTERNAL))?;
    let about = plan.domain.sender_name(receiver);
    let id = event_id(&receiver.name, &call.tenant, &told.id);
    let trace = call.trace.as_ref().map(TraceContext::traceparent);
    let logged = Logged {
        position: 0,
        id,
        tenant: call.tenant.clone(),
        event: of.name.as_str().into(),
        version: of.version,
        resource: about.as_str().into(),
        row: id,
        time: now,
        data: data.as_str().into(),
        trace: None,
    };
    let row = match row_named(plan, event, &logged, now) {
        Ok(row) => row.unwrap_or(id),
        Err(problem) => {
            // Where it is wrong, and nothing of what was sent.
            let at = problem.errors.first().map(|fault| fault.at.as_str()).unwrap_or_default();
            tracing::warn!(event = of.name, member = at, "a webhook does not fit the model");
            sender.unfit.add(1);
            id
        }
    };
    let (event, version) = (of.name.clone(), of.version);
    let about = About::Sender(about.into());
    let consumer = format!("webhooks of {}", receiver.name).into();
    let set = WriteSet {
        tenant: call.tenant.clone(),
        outbox: vec![OutboxRow { id, event, version, about, row, time: now, data, trace }],
        consumed: Some(Consumed { consumer, event: id, now }),
        ..WriteSet::default()
    };
    let store = &live.engine.stores()[plan.service_of(receiver.context)];
    match store.commit(set, &call.bindings).await {
        Ok(()) => Ok(Outcome::Accepted),
        Err(CommitError::Consumed) => Ok(Outcome::Repeated),
        Err(CommitError::Unavailable(why)) => Err(why.into()),
        Err(_) => Err(problem(kinds::INTERNAL)),
    }
}

/// Who sends has no token: the host names the tenant, and it is there already.
async fn known_tenant(live: &Live, at: usize, tenant: &Tenant) -> Result<(), Failure> {
    let plan = &live.engine.plan;
    if tenant.is_none() {
        return Err(Box::new(tenant::unknown(&plan.domain)));
    }
    let service = plan.service_of(plan.domain.receivers[at].context);
    if live.engine.stores()[service].knows(tenant).await? {
        return Ok(());
    }
    let problem = Problem::new(kinds::TENANT_UNKNOWN)
        .detail("there is no such tenant yet: its first row comes from a caller with a token");
    Err(Box::new(problem.header(header::WWW_AUTHENTICATE, "Bearer")))
}

fn refuse(integration: &str, refused: Refused) -> Failure {
    let unproved = |detail: String| {
        let realm = format!("Signature realm=\"{integration}\"");
        let problem = Problem::new(kinds::UNAUTHENTICATED).detail(detail);
        Box::new(problem.header(header::WWW_AUTHENTICATE, &realm))
    };
    match refused {
        Refused::Malformed(detail) => Box::new(Problem::new(kinds::MALFORMED_BODY).detail(detail)),
        Refused::Missing(name) => unproved(format!("the header `{name}` is missing")),
        Refused::Signature => unproved("no signature is that of what came".to_owned()),
        Refused::Time => unproved("it was signed too long ago, or in the future".to_owned()),
    }
}

/// The id of the event that a sender's id stands for: a UUIDv8 of a digest, so that a second
/// delivery collides with the first wherever it comes.
fn event_id(integration: &str, tenant: &Tenant, id: &str) -> u128 {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [integration, tenant.as_deref().unwrap_or_default(), id] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let digest = context.finish();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::event_id;

    #[test]
    fn an_id_is_that_of_sender_tenant_and_message_and_marked_as_made_of_a_digest() {
        let tenant = Some("acme".into());
        let id = event_id("payments", &tenant, "evt_1");
        assert_eq!(id, event_id("payments", &tenant, "evt_1"));
        assert_ne!(id, event_id("payments", &tenant, "evt_2"));
        assert_ne!(id, event_id("payments", &None, "evt_1"));
        assert_ne!(event_id("pay", &tenant, "1"), event_id("paya", &Some("cme".into()), "1"));
        assert_eq!((id >> 76 & 0xf, id >> 62 & 0b11), (8, 0b10));
    }
}
