//! Who calls, and for which tenant: the backend's question, answered by tokens, keys and hosts.

use crate::arguments::up::Up;
use futures::FutureExt;
use futures::future::BoxFuture;
use ir::domain::Domain;
use runtime::http::Request;
use runtime::identity::development::DevelopmentKey;
use runtime::identity::issuer::IssuerConfig;
use runtime::identity::tenant;
use runtime::identity::{Authenticator, IdentityConfig};
use runtime::ingress::rest::{Identify, Identity};
use runtime::ports::keys::KeyStore;
use runtime::problem::{Problem, kinds};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Proves callers of one model.
pub(super) struct Callers {
    pub(super) authenticator: Authenticator,
    domain: Arc<Domain>,
    development: bool,
    issuers: BTreeSet<String>,
}

impl Callers {
    /// From the flags, the issuers that actors of the model name, and the development key.
    pub(super) fn new(
        arguments: &Up,
        domain: Arc<Domain>,
        key: Option<Arc<DevelopmentKey>>,
        keys: Arc<dyn KeyStore>,
    ) -> Result<Self, String> {
        let identity = &arguments.identity;
        let audiences = match identity.audiences.as_slice() {
            [] => vec![domain.system.clone()],
            named => named.to_vec(),
        };
        let named = issuers(arguments, &domain);
        let issuers = named.iter().map(|url| IssuerConfig::new(url, audiences.clone())).collect();
        let development = key.is_some();
        let config = IdentityConfig {
            issuers,
            skew_s: i64::from(identity.clock_skew),
            development: key,
            keys: Some(keys),
            production: !development,
        };
        let authenticator = Authenticator::new(config, &domain)?;
        let issuers = named.into_iter().collect();
        Ok(Self { authenticator, domain, development, issuers })
    }

    /// The same in terms of another model of the system: keys of issuers that were fetched are
    /// kept. None where it names other issuers.
    pub(super) fn with_domain(&self, arguments: &Up, domain: Arc<Domain>) -> Option<Self> {
        let issuers = issuers(arguments, &domain).into_iter().collect();
        (issuers == self.issuers).then(|| Self {
            authenticator: self.authenticator.with_domain(&domain),
            domain,
            development: self.development,
            issuers,
        })
    }
}

/// Those of the flags, then those that actors of the model name.
fn issuers(arguments: &Up, domain: &Domain) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let of_actors = domain.actors.iter().filter_map(|actor| actor.issuer.as_ref());
    let urls = arguments.identity.issuers.iter().chain(of_actors);
    urls.filter(|url| seen.insert(*url)).cloned().collect()
}

/// Fetches the keys of the issuers while the server begins to serve, so that the first caller does
/// not wait for that; a caller who comes earlier asks again.
pub(super) fn warm(callers: &Arc<Callers>) {
    let callers = Arc::clone(callers);
    std::thread::spawn(move || {
        let known = crate::commands::wait(callers.authenticator.warm());
        if !matches!(known, Ok(true)) {
            tracing::warn!("the keys of an issuer can't be fetched yet: see that it is reachable");
        }
    });
}

impl Identify for Callers {
    fn identify<'a>(
        &'a self,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Identity, Box<Problem>>> {
        async move {
            let principal = self.authenticator.authenticate(request).await?;
            let tenant =
                tenant::resolve(&self.domain, self.development, principal.as_deref(), request);
            let tenant = match tenant {
                // What all tenants share needs none; the backend refuses the rest.
                Err(problem) if problem.kind == kinds::TENANT_UNKNOWN => None,
                tenant => tenant?,
            };
            Ok(Identity { principal, tenant })
        }
        .boxed()
    }
}
