//! The port of webhooks: endpoints that callers registered, and what came of deliveries to them.
//!
//! An endpoint is a consumer of events, `webhook <id>`; how far it is and what it holds is kept
//! through the event port ([`super::events`]), of which some things are done here that only
//! webhooks need: to hold events again that are to be replayed, and to let go of one without an
//! inbox row, for deliveries are made at least once.

use super::events::{Held, Place};
use super::store::{Tenant, Unavailable};
use futures::future::BoxFuture;
use std::sync::Arc;

/// How the deliveries of an endpoint are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Signing {
    /// HMAC-SHA256 with a secret that both sides know.
    #[default]
    Hmac,
    /// Ed25519: the receiver knows the public key alone.
    Ed25519,
}

impl Signing {
    /// As it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Hmac, Self::Ed25519].into_iter().find(|signing| signing.name() == name)
    }
}

/// An endpoint as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// UUIDv7.
    pub id: u128,
    /// Whose.
    pub tenant: Tenant,
    /// Subject of who registered it.
    pub owner: Arc<str>,
    /// Name of the actor that the owner acted as.
    pub actor: Arc<str>,
    /// Where deliveries go.
    pub url: String,
    /// Names of the events that it hears: `order.paid`.
    pub events: Vec<String>,
    /// What it is for, in the words of who registered it.
    pub description: String,
    /// How deliveries are signed.
    pub signing: Signing,
    /// The key, encrypted.
    pub secret: String,
    /// The key before it, encrypted, and until when it signs beside the new one (microseconds since
    /// 1970).
    pub previous: Option<(String, i64)>,
    /// Nothing is delivered.
    pub disabled: bool,
    /// Why nothing is delivered, where Mainstay itself disabled it.
    pub reason: Option<String>,
    /// Since when every attempt failed, in microseconds since 1970.
    pub failing: Option<i64>,
    /// Microseconds since 1970.
    pub created: i64,
    /// Microseconds since 1970; grows with every change.
    pub updated: i64,
}

/// What came of storing an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is stored.
    Yes,
    /// A new one: there is one of that id, or the tenant has as many as it may. Another: it changed
    /// meanwhile, or is gone.
    No,
}

/// Which endpoints.
#[derive(Debug, Clone, Default)]
pub struct EndpointQuery {
    /// Only of this tenant (of none where it holds none).
    pub tenant: Option<Tenant>,
    /// Only that one.
    pub id: Option<u128>,
}

/// Endpoints.
pub trait Endpoints: Send + Sync {
    /// Endpoints that a place keeps, oldest first.
    fn endpoints<'a>(
        &'a self,
        place: &'a Place,
        query: &'a EndpointQuery,
    ) -> BoxFuture<'a, Result<Vec<Endpoint>, Unavailable>>;

    /// Keeps a new endpoint, where its tenant has fewer than so many.
    fn register<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        endpoints_max: u32,
    ) -> BoxFuture<'a, Result<Stored, Unavailable>>;

    /// Changes an endpoint that has not changed since `updated`.
    fn change<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        updated: i64,
    ) -> BoxFuture<'a, Result<Stored, Unavailable>>;

    /// Deletes an endpoint with everything that a place keeps of it; false where it is not there.
    fn remove<'a>(&'a self, place: &'a Place, id: u128)
    -> BoxFuture<'a, Result<bool, Unavailable>>;
}

/// An attempt to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// UUIDv7: by time.
    pub id: u128,
    /// To which endpoint.
    pub endpoint: u128,
    /// Whose.
    pub tenant: Tenant,
    /// The event.
    pub event: u128,
    /// Its name.
    pub name: String,
    /// Microseconds since 1970 when it began.
    pub at: i64,
    /// What was answered; none where nothing was.
    pub status: Option<u16>,
    /// Why it failed; none where it did not.
    pub error: Option<String>,
    /// Microseconds that it took.
    pub took: i64,
    /// The beginning of what was answered.
    pub answer: String,
}

/// Which attempts: of one endpoint, newest first.
#[derive(Debug, Clone)]
pub struct AttemptQuery {
    /// To which endpoint.
    pub endpoint: u128,
    /// Only those before this one.
    pub before: Option<u128>,
    /// Rows at most.
    pub rows_max: u32,
}

/// What came of deliveries.
pub trait Attempts: Send + Sync {
    /// Keeps an attempt, and forgets some that were made before a time.
    fn note<'a>(
        &'a self,
        attempt: &'a Attempt,
        forgotten: i64,
    ) -> BoxFuture<'a, Result<(), Unavailable>>;

    /// A page of attempts.
    fn attempts<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a AttemptQuery,
    ) -> BoxFuture<'a, Result<Vec<Attempt>, Unavailable>>;

    /// Holds events, whoever has claimed the part: they are delivered again when they are due.
    fn hold<'a>(
        &'a self,
        place: &'a Place,
        held: &'a [Held],
    ) -> BoxFuture<'a, Result<(), Unavailable>>;

    /// Lets go of an event that is held.
    fn let_go<'a>(
        &'a self,
        place: &'a Place,
        consumer: &'a str,
        event: u128,
    ) -> BoxFuture<'a, Result<(), Unavailable>>;
}

/// All that a store with webhooks can do.
pub trait Webhooks: Endpoints + Attempts {}

impl<T: Endpoints + Attempts> Webhooks for T {}
