//! Turns what a request carries into a caller: a bearer token, an API key, or nothing.

use super::actors::Actors;
use super::cache::{Cache, Entry};
use super::development::{self, DevelopmentKey};
use super::issuer::{Issuer, IssuerConfig};
use super::jwk::Algorithm;
use super::token::{self, Denial, Rules, SKEW_S_MAX};
use super::{Principal, api_key};
use crate::http::Request;
use crate::ports::keys::KeyStore;
use crate::problem::{Problem, kinds};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName};
use ir::domain::Domain;
use ir::model::Proof;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const MICROSECONDS: i64 = 1_000_000;
/// The use of a key is noted at most once in so many microseconds.
const NOTE_EVERY: i64 = 60 * MICROSECONDS;
/// Keys whose last note is remembered.
const NOTES_MAX: usize = 10_000;

/// Whom to believe.
#[derive(Clone, Default)]
pub struct IdentityConfig {
    /// Providers; the first is the home issuer, whose subjects are stored as they are.
    pub issuers: Vec<IssuerConfig>,
    /// Seconds that clocks may differ, at most 60. Default 0; 30 is a good value.
    pub skew_s: i64,
    /// The development key.
    pub development: Option<Arc<DevelopmentKey>>,
    /// API keys; without, none is taken.
    pub keys: Option<Arc<dyn KeyStore>>,
    /// Refuses the development key and plain HTTP.
    pub production: bool,
}

/// Knows who calls. One value serves all cores.
pub struct Authenticator {
    shared: Arc<Shared>,
    actors: Actors,
    cache: Cache,
}

/// What outlives a change of the model.
struct Shared {
    issuers: Vec<Arc<Issuer>>,
    development: Option<(Arc<DevelopmentKey>, i64)>,
    keys: Option<Arc<dyn KeyStore>>,
    noted: Mutex<HashMap<String, i64>>,
}

enum Credential<'a> {
    None,
    Token(&'a str),
    Key(&'a str),
}

impl Authenticator {
    /// An authenticator for the actors of a model.
    ///
    /// # Errors
    /// A sentence for people: the configuration cannot work, or is not fit for production.
    pub fn new(config: IdentityConfig, domain: &Domain) -> Result<Self, String> {
        let IdentityConfig { issuers, skew_s, development, keys, production } = config;
        if !(0..=SKEW_S_MAX).contains(&skew_s) {
            return Err(format!("the clock skew is {skew_s} s; it can be 0 to {SKEW_S_MAX} s"));
        }
        if production && development.is_some() {
            return Err(
                "production does not start on a development key: its tokens can be made by \
                        whoever reads the file. Configure an issuer instead"
                    .to_owned(),
            );
        }
        let oidc = domain.actors.iter().find(|actor| actor.proof == Proof::Oidc);
        if let (Some(actor), true, true) = (oidc, production, issuers.is_empty()) {
            return Err(format!(
                "actor `{}` proves itself by a token, and no issuer is configured that could vouch \
                 for it",
                actor.name
            ));
        }
        for (at, issuer) in issuers.iter().enumerate() {
            issuer.check(production)?;
            if issuers[..at].iter().any(|other| other.url == issuer.url) {
                return Err(format!("issuer `{}` is configured twice", issuer.url));
            }
        }
        let names: Vec<String> = issuers.iter().map(|issuer| issuer.url.clone()).collect();
        for actor in &domain.actors {
            if let Some(url) = actor.issuer.as_ref().filter(|url| !names.contains(url))
                && production
            {
                return Err(format!("issuer `{url}` of actor `{}` is not configured", actor.name));
            }
        }
        let make = |config| Arc::new(Issuer::new(config, skew_s, production));
        let shared = Shared {
            issuers: issuers.into_iter().map(make).collect(),
            development: development.map(|key| (key, skew_s)),
            keys,
            noted: Mutex::default(),
        };
        let actors = Actors::new(domain, names.first().cloned(), names);
        Ok(Self { shared: Arc::new(shared), actors, cache: Cache::default() })
    }

    /// The same for another model: keys of issuers are shared, callers are resolved anew.
    #[must_use]
    pub fn with_domain(&self, domain: &Domain) -> Self {
        let actors = Actors::new(domain, self.actors.home(), self.actors.issuers());
        Self { shared: self.shared.clone(), actors, cache: Cache::default() }
    }

    /// Fetches the keys of all issuers; false where one cannot be reached yet.
    pub async fn warm(&self) -> bool {
        let issuers = self.shared.issuers.iter().map(|issuer| issuer.warm());
        futures::future::join_all(issuers).await.into_iter().all(|known| known)
    }

    /// The JWKS of the development key.
    pub fn jwks(&self) -> Option<String> {
        self.shared.development.as_ref().map(|(key, _)| key.jwks().to_owned())
    }

    /// Who calls; none for a request without token and key.
    ///
    /// # Errors
    /// 401 where token or key is not taken, 503 where it cannot be checked now.
    pub async fn authenticate(&self, request: &Request) -> Result<Option<Arc<Principal>>, Problem> {
        self.authenticate_at(&request.headers, now_us()).await
    }

    /// As [`Authenticator::authenticate`]; `now` is in microseconds since 1970.
    ///
    /// # Errors
    /// As there.
    pub async fn authenticate_at(
        &self,
        headers: &HeaderMap,
        now: i64,
    ) -> Result<Option<Arc<Principal>>, Problem> {
        match credential(headers).map_err(|why| self.denied("invalid_request", why))? {
            Credential::None => Ok(None),
            Credential::Token(token) => self.token(token, now / MICROSECONDS).await.map(Some),
            Credential::Key(key) => self.key(key, now).await.map(Some),
        }
    }

    /// The answer to a caller without token where one is needed.
    pub fn challenge(&self) -> Problem {
        let realm = self.actors.system();
        Problem::new(kinds::UNAUTHENTICATED)
            .detail("this needs a token or key")
            .header(WWW_AUTHENTICATE, &format!("Bearer realm=\"{realm}\""))
    }

    async fn token(&self, token: &str, now: i64) -> Result<Arc<Principal>, Problem> {
        if let Some(entry) = self.cache.get(token, now) {
            let issuer = entry.issuer.map(|at| &self.shared.issuers[at]);
            if issuer.map_or(0, Issuer::generation_now) == entry.generation {
                return Ok(entry.principal);
            }
        }
        let entry = self.verify(token, now).await?;
        self.cache.put(token, entry.clone(), now);
        Ok(entry.principal)
    }

    async fn verify(&self, token: &str, now: i64) -> Result<Entry, Problem> {
        let invalid = |why: Denial| self.denied("invalid_token", why);
        let unchecked = token::read(token).map_err(invalid)?;
        if unchecked.issuer == development::ISSUER {
            let (key, skew_s) = self.shared.development.as_ref().ok_or_else(|| {
                invalid("the token is of a development key, which is not taken here")
            })?;
            let rules = Rules {
                issuer: development::ISSUER.to_owned(),
                audiences: vec![self.actors.system().to_owned()],
                algorithms: vec![Algorithm::ES256],
                skew_s: *skew_s,
            };
            let claims = unchecked.check(&[key.key()], &rules, now).map_err(invalid)?;
            let principal = self.actors.of_development(&claims).map_err(invalid)?;
            let (principal, expires) = (Arc::new(principal), claims.expires);
            return Ok(Entry { principal, issuer: None, generation: 0, expires });
        }
        let issuers = &self.shared.issuers;
        let at = issuers.iter().position(|issuer| issuer.rules.issuer == unchecked.issuer);
        let at = at.ok_or_else(|| invalid("the token's issuer is not known here"))?;
        let issuer = &issuers[at];
        if !issuer.rules.algorithms.contains(&unchecked.algorithm) {
            return Err(invalid("the token's algorithm is not taken"));
        }
        let (kid, algorithm) = (unchecked.kid.clone(), unchecked.algorithm);
        let Some(set) = issuer.keys(kid.as_deref(), algorithm).await else {
            return Err(Problem::new(kinds::UNAVAILABLE)
                .detail("the keys of the token's issuer cannot be fetched now")
                .retry_after(10));
        };
        let keys = set.candidates(kid.as_deref(), algorithm);
        if keys.is_empty() {
            return Err(invalid("the token is signed with a key that is not known"));
        }
        let claims = unchecked.check(&keys, &issuer.rules, now).map_err(invalid)?;
        let principal = self.actors.of_provider(&issuer.rules.issuer, &claims).map_err(invalid)?;
        Ok(Entry {
            principal: Arc::new(principal),
            issuer: Some(at),
            generation: set.generation,
            expires: claims.expires,
        })
    }

    async fn key(&self, text: &str, now: i64) -> Result<Arc<Principal>, Problem> {
        let invalid = |why: Denial| self.denied("invalid_token", why);
        let unknown = || invalid("the key is not known");
        let store = self.shared.keys.as_ref().ok_or_else(unknown)?;
        // The checksum keeps typing errors and guesses away from the store.
        api_key::prefix(text).ok_or_else(unknown)?;
        let found = store.find(&api_key::hash(text)).await.map_err(|_| {
            Problem::new(kinds::UNAVAILABLE).detail("keys cannot be looked up now").retry_after(1)
        })?;
        let key = found.ok_or_else(unknown)?;
        if key.revoked.is_some() {
            return Err(invalid("the key was revoked"));
        }
        if key.expires.is_some_and(|at| now >= at) {
            return Err(invalid("the key has expired"));
        }
        let principal = self.actors.of_key(&key).map_err(invalid)?;
        self.note(store, &key.prefix, now);
        Ok(Arc::new(principal))
    }

    /// Notes that a key was used, now and then, without making the request wait.
    fn note(&self, store: &Arc<dyn KeyStore>, prefix: &str, now: i64) {
        let mut noted = self.shared.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = noted.get(prefix).is_some_and(|last| now - last < NOTE_EVERY);
        if recent {
            return;
        }
        if noted.len() >= NOTES_MAX {
            noted.clear();
        }
        noted.insert(prefix.to_owned(), now);
        let (store, prefix) = (store.clone(), prefix.to_owned());
        tokio::spawn(async move {
            if store.used(&prefix, now).await.is_err() {
                tracing::debug!("the use of a key could not be noted");
            }
        });
    }

    /// 401 as RFC 6750 section 3 asks.
    fn denied(&self, code: &str, why: Denial) -> Problem {
        let realm = self.actors.system();
        let challenge =
            format!("Bearer realm=\"{realm}\", error=\"{code}\", error_description=\"{why}\"");
        Problem::new(kinds::UNAUTHENTICATED).detail(why).header(WWW_AUTHENTICATE, &challenge)
    }
}

/// What a request carries: `Authorization: Bearer <token or key>`, or `X-API-Key: <key>`.
fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Denial> {
    let mut bearer = headers.get_all(AUTHORIZATION).iter();
    let mut keys = headers.get_all(API_KEY).iter();
    let sent = (bearer.next(), keys.next());
    if bearer.next().is_some() || keys.next().is_some() {
        return Err("the request carries more than one credential");
    }
    match sent {
        (None, None) => Ok(Credential::None),
        (Some(_), Some(_)) => Err("the request carries more than one credential"),
        (None, Some(key)) => match key.to_str() {
            Ok(key) => Ok(Credential::Key(key.trim())),
            Err(_) => Err("`X-API-Key` is malformed"),
        },
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| "`Authorization` is malformed")?;
            let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
            let token = rest.trim();
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Err("`Authorization` is not of the scheme `Bearer`");
            }
            match token {
                "" => Err("`Authorization` holds no token"),
                key if key.starts_with(api_key::PREFIX) => Ok(Credential::Key(key)),
                token => Ok(Credential::Token(token)),
            }
        }
    }
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
