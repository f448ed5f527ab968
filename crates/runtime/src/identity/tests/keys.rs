//! Keys: of providers, of development, and API keys.

use super::*;
use crate::identity::api_key::{self, KEY_CHARS, NewKey};
use crate::ports::keys::{KeyStore, StoredKey};
use crate::ports::store::Unavailable;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Mutex;

/// Keys in memory.
#[derive(Default)]
struct Kept(Mutex<Vec<StoredKey>>);

impl KeyStore for Kept {
    fn find<'a>(
        &'a self,
        hash: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<Option<StoredKey>, Unavailable>> {
        let found = self.0.lock().unwrap().iter().find(|key| key.hash == *hash).cloned();
        async move { Ok(found) }.boxed()
    }

    fn create(&self, key: StoredKey) -> BoxFuture<'_, Result<(), Unavailable>> {
        self.0.lock().unwrap().push(key);
        async { Ok(()) }.boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<StoredKey>, Unavailable>> {
        let all = self.0.lock().unwrap().clone();
        async move { Ok(all) }.boxed()
    }

    fn revoke<'a>(&'a self, prefix: &'a str, now: i64) -> BoxFuture<'a, Result<bool, Unavailable>> {
        let mut keys = self.0.lock().unwrap();
        let found = keys.iter_mut().find(|key| key.prefix == prefix);
        let revoked = found.map(|key| key.revoked = Some(now)).is_some();
        async move { Ok(revoked) }.boxed()
    }

    fn used<'a>(&'a self, prefix: &'a str, now: i64) -> BoxFuture<'a, Result<(), Unavailable>> {
        let mut keys = self.0.lock().unwrap();
        if let Some(key) = keys.iter_mut().find(|key| key.prefix == prefix) {
            key.used = Some(now);
        }
        async { Ok(()) }.boxed()
    }
}

fn new<'a>() -> NewKey<'a> {
    NewKey { actor: "partner", tenant: Some("acme"), label: "the ERP", ..NewKey::default() }
}

async fn with_key(new: &NewKey<'_>) -> (Authenticator, Arc<Kept>, String) {
    let (text, stored) = api_key::make(&shop(), new, NOW * 1_000_000).unwrap();
    let store = Arc::new(Kept::default());
    store.create(stored).await.unwrap();
    let config = IdentityConfig { keys: Some(store.clone()), ..IdentityConfig::default() };
    (Authenticator::new(config, &shop()).unwrap(), store, text)
}

fn header(key: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", key.parse().unwrap());
    headers
}

#[tokio::test]
async fn a_key_is_its_caller_in_both_headers() {
    let roles = ["reader".to_owned()];
    let (authenticator, store, key) = with_key(&NewKey { roles: &roles, ..new() }).await;
    for headers in [header(&key), bearer(&key)] {
        let caller = ask(&authenticator, &headers).await.unwrap().unwrap();
        assert_eq!((caller.who, caller.tenant.as_deref()), (PARTNER, Some("acme")));
        assert_eq!((caller.roles.as_slice(), caller.key.as_deref()), (&[0][..], Some(&key[..11])));
        assert_eq!(&*caller.me, &key[..11]);
    }
    tokio::task::yield_now().await;
    let stored = store.list().await.unwrap().remove(0);
    assert_eq!(stored.used, Some(NOW * 1_000_000));
    assert!(!format!("{stored:?}").contains(&key), "the key itself is kept nowhere");
}

#[tokio::test]
async fn a_key_ends_when_it_expires_or_is_revoked() {
    let (authenticator, store, key) = with_key(&NewKey { ttl_s: Some(10), ..new() }).await;
    let at = |seconds: i64| (NOW + seconds) * 1_000_000;
    let headers = header(&key);
    assert!(authenticator.authenticate_at(&headers, at(9)).await.is_ok());
    let problem = authenticator.authenticate_at(&headers, at(10)).await.unwrap_err();
    assert_eq!(said(&problem), "401 the key has expired");
    assert!(store.revoke(&key[..11], at(1)).await.unwrap());
    let problem = authenticator.authenticate_at(&headers, at(2)).await.unwrap_err();
    assert_eq!(said(&problem), "401 the key was revoked");
}

#[tokio::test]
async fn what_is_not_a_key_is_not_looked_up() {
    let (authenticator, store, key) = with_key(&new()).await;
    let (stranger, _) = api_key::make(&shop(), &new(), 0).unwrap();
    let last = if key.ends_with('0') { "1" } else { "0" };
    for wrong in [
        stranger,
        format!("{}{last}", &key[..KEY_CHARS - 1]),
        key.replace("ms_", "mt_"),
        key[1..].to_owned(),
        format!("{key}x"),
        "ms_".to_owned(),
        String::new(),
    ] {
        assert_eq!(refusal(&authenticator, &header(&wrong)).await, "401 the key is not known");
    }
    store.0.lock().unwrap()[0].actor = "gone".to_owned();
    let said = refusal(&authenticator, &header(&key)).await;
    assert_eq!(said, "401 the key is of an actor that this API does not have any more");
    let (without, _) = development();
    assert_eq!(refusal(&without, &header(&key)).await, "401 the key is not known");
}

#[test]
fn a_key_has_the_form_that_scanners_know() {
    let (key, stored) = api_key::make(&shop(), &new(), 5).unwrap();
    assert_eq!(key.len(), KEY_CHARS);
    assert_eq!(api_key::prefix(&key), Some(stored.prefix.as_str()));
    assert_eq!(stored.hash, api_key::hash(&key));
    let parts: Vec<usize> = key.split('_').map(str::len).collect();
    assert_eq!(parts, [2, 8, 43, 6]);
    let (other, _) = api_key::make(&shop(), &new(), 5).unwrap();
    assert_ne!(key, other);
    // A fixed key pins the checksum (CRC-32 in base 62, by another implementation): to change it
    // would turn away every key that is out there.
    let known = "ms_00000000_0000000000000000000000000000000000000000000_0IymTI";
    assert_eq!(api_key::prefix(known), Some("ms_00000000"));
}

#[test]
fn a_key_for_what_the_model_does_not_have_is_not_made() {
    let role = ["boss".to_owned()];
    for (new, error) in [
        (NewKey { actor: "nobody", ..new() }, "unknown actor `nobody`"),
        (NewKey { actor: "shopper", ..new() }, "actor `shopper` proves itself by a token"),
        (NewKey { roles: &role, ..new() }, "actor `partner` has no role `boss`"),
        (NewKey { tenant: None, ..new() }, "a key of `partner` is bound to a tenant: name it"),
        (NewKey { tenant: Some("A"), ..new() }, "`A` is not the name of a tenant"),
    ] {
        let said = api_key::make(&shop(), &new, 0).unwrap_err();
        assert!(said.starts_with(error), "{said}");
    }
}
