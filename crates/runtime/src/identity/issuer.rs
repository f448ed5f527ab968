//! An OpenID provider as a source of keys: discovered, cached, fetched again when a token names a
//! key that is not known, at most every ten seconds and once for all who wait.

use super::jwk::{Algorithm, Key, SET_BYTES_MAX, read_set};
use super::token::Rules;
use arc_swap::ArcSwap;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// What is known of a provider.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// Its URL, exactly as in `iss`.
    pub url: String,
    /// Audiences that mean this API; a token must name one.
    pub audiences: Vec<String>,
    /// Algorithms that are taken. [`IssuerConfig::new`] takes all asymmetric ones known here.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are, when not where its discovery document says.
    pub jwks_url: Option<String>,
    /// How keys are kept.
    pub keeping: Keeping,
}

/// How the keys of a provider are kept.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// They are fetched again in the background after this. Default 5 min.
    pub refresh_every: Duration,
    /// Never more often than this, whatever tokens say. Default 10 s.
    pub retry_every: Duration,
    /// A key that the provider does not show any more is still taken for this long. Default 5 min.
    pub overlap: Duration,
    /// While the provider cannot be reached its last keys are taken for this long. Default 24 h.
    pub stale_max: Duration,
    /// For one fetch. Default 5 s.
    pub timeout: Duration,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            refresh_every: Duration::from_secs(300),
            retry_every: Duration::from_secs(10),
            overlap: Duration::from_secs(300),
            stale_max: Duration::from_secs(24 * 3600),
            timeout: Duration::from_secs(5),
        }
    }
}

impl IssuerConfig {
    /// A provider with the defaults.
    pub fn new(url: &str, audiences: Vec<String>) -> Self {
        Self {
            url: url.to_owned(),
            audiences,
            algorithms: Algorithm::ALL.to_vec(),
            jwks_url: None,
            keeping: Keeping::default(),
        }
    }

    /// What is wrong with it, if anything; in production its URLs are `https`.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check(&self, production: bool) -> Result<(), String> {
        let Self { url, audiences, algorithms, .. } = self;
        if audiences.is_empty() || audiences.iter().any(String::is_empty) {
            return Err(format!("issuer `{url}` has no audience; name the one of this API"));
        }
        if algorithms.is_empty() {
            return Err(format!("issuer `{url}` has no algorithm"));
        }
        for url in [Some(url), self.jwks_url.as_ref()].into_iter().flatten() {
            if !safe_url(url, production) {
                return Err(format!("`{url}` is not an `https` URL"));
            }
        }
        Ok(())
    }
}

/// Keys over plain HTTP could be anybody's; only a development machine may fetch them from itself.
fn safe_url(url: &str, production: bool) -> bool {
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|local| {
        url.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    });
    url.starts_with("https://") && url.len() > "https://".len() || (local && !production)
}

/// The keys of a provider at one time.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Held>,
    fetched: Option<Instant>,
    /// Changes when a key is dropped, so that verified tokens are looked at again.
    pub(super) generation: u64,
}

#[derive(Debug, Clone)]
struct Held {
    key: Key,
    gone: Option<Instant>,
}

impl KeySet {
    /// The keys that may have signed; none where the set knows none.
    pub(super) fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<&Key> {
        let named = |key: &Key| match (kid, key.kid.as_deref()) {
            (Some(wanted), Some(own)) => wanted == own,
            (None, _) | (Some(_), None) => true,
        };
        let keys = self.keys.iter().map(|held| &held.key);
        keys.filter(|key| key.fits(algorithm) && named(key)).collect()
    }

    fn age(&self) -> Option<Duration> {
        self.fetched.map(|fetched| fetched.elapsed())
    }
}

/// A provider and its keys.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) rules: Rules,
    jwks_url: Option<String>,
    keeping: Keeping,
    production: bool,
    set: ArcSwap<KeySet>,
    attempted: Mutex<Option<Instant>>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    pub(super) fn new(config: IssuerConfig, skew_s: i64, production: bool) -> Self {
        let IssuerConfig { url, audiences, algorithms, jwks_url, keeping } = config;
        let rules = Rules { issuer: url, audiences, algorithms, skew_s };
        let set = ArcSwap::from_pointee(KeySet::default());
        Self { rules, jwks_url, keeping, production, set, attempted: Mutex::new(None) }
    }

    /// Changes when a key was dropped. Looks for new keys in the background when it is time, for
    /// tokens that are known already would never cause it.
    pub(super) fn generation_now(self: &Arc<Self>) -> u64 {
        let set = self.set.load_full();
        if set.age().is_some_and(|age| age >= self.keeping.refresh_every) {
            self.refresh(&set);
        }
        set.generation
    }

    /// Begins a fetch in the background unless one runs or just ran.
    fn refresh(self: &Arc<Self>, seen: &Arc<KeySet>) {
        let due =
            |at: &Option<Instant>| at.is_none_or(|at| at.elapsed() >= self.keeping.retry_every);
        if self.attempted.try_lock().is_ok_and(|attempted| due(&attempted)) {
            tokio::spawn(self.clone().fetch(seen.clone()));
        }
    }

    /// Keys to check a token with, fetched now where the one it names is not known. `None` where
    /// there are no keys because the provider cannot be reached.
    pub(super) async fn keys(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Option<Arc<KeySet>> {
        let set = self.set.load_full();
        let known = !set.candidates(kid, algorithm).is_empty();
        let age = set.age().unwrap_or(Duration::MAX);
        if known && age < self.keeping.stale_max {
            if age >= self.keeping.refresh_every {
                self.refresh(&set);
            }
            return Some(set);
        }
        self.fetched(set).await;
        let set = self.set.load_full();
        (set.age()? < self.keeping.stale_max).then_some(set)
    }

    /// Fetches the keys where they are not known yet.
    pub(super) async fn warm(self: &Arc<Self>) -> bool {
        let set = self.set.load_full();
        if set.fetched.is_none() {
            self.fetched(set).await;
        }
        self.set.load().fetched.is_some()
    }

    /// A task of its own: it goes on when the request that caused it is dropped.
    async fn fetched(self: &Arc<Self>, seen: Arc<KeySet>) {
        let fetch = tokio::spawn(self.clone().fetch(seen));
        // It fails when the runtime ends, and then nobody waits any more.
        let _ = fetch.await;
    }

    /// Fetches unless somebody else just did, or tried.
    async fn fetch(self: Arc<Self>, seen: Arc<KeySet>) {
        let mut attempted = self.attempted.lock().await;
        let newer = !Arc::ptr_eq(&seen, &self.set.load_full());
        if newer || attempted.is_some_and(|at| at.elapsed() < self.keeping.retry_every) {
            return;
        }
        let downloaded = self.download().await;
        *attempted = Some(Instant::now());
        match downloaded {
            Ok(keys) => self.install(keys),
            Err(error) => {
                let issuer = &self.rules.issuer;
                tracing::warn!("the keys of issuer `{issuer}` could not be fetched: {error}");
            }
        }
    }

    fn install(&self, keys: Vec<Key>) {
        let now = Instant::now();
        let old = self.set.load_full();
        let mut generation = old.generation;
        let mut held: Vec<Held> = keys.into_iter().map(|key| Held { key, gone: None }).collect();
        for Held { key, gone } in &old.keys {
            if held.iter().any(|held| held.key == *key) {
                continue;
            }
            let since = gone.unwrap_or(now);
            match since.elapsed() < self.keeping.overlap {
                true => held.push(Held { key: key.clone(), gone: Some(since) }),
                false => generation += 1,
            }
        }
        self.set.store(Arc::new(KeySet { keys: held, fetched: Some(now), generation }));
    }

    async fn download(&self) -> Result<Vec<Key>, String> {
        // The process may have one already; it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(self.keeping.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        let url = match &self.jwks_url {
            Some(url) => url.clone(),
            None => self.discover(&client).await?,
        };
        read_set(&get(&client, &url).await?)
    }

    async fn discover(&self, client: &reqwest::Client) -> Result<String, String> {
        let issuer = &self.rules.issuer;
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        let text = get(client, &format!("{base}/.well-known/openid-configuration")).await?;
        let found: Discovery = serde_json::from_slice(&text)
            .map_err(|error| format!("the discovery document is not readable: {error}"))?;
        if found.issuer != *issuer {
            return Err(format!("the discovery document is of issuer `{}`", found.issuer));
        }
        match safe_url(&found.jwks_uri, self.production) {
            true => Ok(found.jwks_uri),
            false => Err(format!("`jwks_uri` `{}` is not an `https` URL", found.jwks_uri)),
        }
    }
}

async fn get(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, String> {
    let request = client.get(url).header("accept", "application/json");
    let mut response = request.send().await.map_err(|error| error.to_string())?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("`{url}` answered {}", response.status().as_u16()));
    }
    let mut text = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| error.to_string())? {
        text.extend_from_slice(&part);
        if text.len() > SET_BYTES_MAX {
            return Err(format!("`{url}` answered more than {SET_BYTES_MAX} bytes"));
        }
    }
    Ok(text)
}
