//! A provider in the process: it serves a discovery document and keys that the test changes.
use super::*;
use crate::identity::issuer::Keeping;
use crate::identity::jwk::Algorithm;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

struct Provider {
    url: String,
    jwks: Arc<Mutex<String>>,
    down: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

/// A key of the provider.
struct Signer {
    kid: &'static str,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { kid, pair: Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap() }
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig"})
    }

    fn sign(&self, claims: &Value) -> HeaderMap {
        let header = json!({"alg": "EdDSA", "kid": self.kid});
        let message = format!("{}.{}", encode(&header), encode(claims));
        let signed = URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()));
        bearer(&format!("{message}.{signed}"))
    }
}

impl Provider {
    fn start(keys: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self {
            url: url.clone(),
            jwks: Arc::default(),
            down: Arc::default(),
            asked: Arc::default(),
        };
        provider.show(keys);
        let (jwks, down, asked) =
            (provider.jwks.clone(), provider.down.clone(), provider.asked.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                let mut request = Vec::new();
                let mut part = [0; 4096];
                while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                    let bytes = socket.read(&mut part).unwrap();
                    request.extend_from_slice(&part[..bytes]);
                    if bytes == 0 {
                        break;
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let body = if request.starts_with("GET /.well-known/openid-configuration ") {
                    json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string()
                } else {
                    asked.fetch_add(1, SeqCst);
                    std::thread::sleep(Duration::from_millis(30));
                    jwks.lock().unwrap().clone()
                };
                let status = if down.load(SeqCst) { "500 Down" } else { "200 OK" };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = socket.write_all(format!("{head}{body}").as_bytes());
            }
        });
        provider
    }

    fn show(&self, keys: &[&Signer]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        *self.jwks.lock().unwrap() = json!({"keys": keys}).to_string();
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.url, "aud": "shop", "sub": "alice", "actor": "shopper", "org": "acme",
            "exp": NOW + 600,
        })
    }

    fn authenticator(&self, keeping: Keeping, domain: &Domain) -> Arc<Authenticator> {
        let mut issuer = IssuerConfig::new(&self.url, vec!["shop".to_owned()]);
        issuer.keeping = keeping;
        let config = IdentityConfig { issuers: vec![issuer], ..IdentityConfig::default() };
        Arc::new(Authenticator::new(config, domain).unwrap())
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

/// Long against the work of a test on a busy machine.
const RETRY: Duration = Duration::from_millis(2_500);

fn keeping() -> Keeping {
    Keeping { retry_every: RETRY, ..Keeping::default() }
}

#[tokio::test]
async fn keys_are_discovered_once_for_all_who_wait() {
    let signer = Signer::new("one");
    let provider = Provider::start(&[&signer]);
    let authenticator = provider.authenticator(keeping(), &shop());
    let waiting = (0..50).map(|at| {
        let authenticator = authenticator.clone();
        let mut claims = provider.claims();
        claims["sub"] = format!("user-{at}").into();
        let token = signer.sign(&claims);
        tokio::spawn(async move { ask(&authenticator, &token).await.unwrap().unwrap() })
    });
    for (at, caller) in futures::future::join_all(waiting).await.into_iter().enumerate() {
        let caller = caller.unwrap();
        assert_eq!((caller.who, caller.me.to_string()), (SHOPPER, format!("user-{at}")));
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn an_unknown_key_is_fetched_but_not_more_often_than_allowed() {
    let (old, new, stranger) = (Signer::new("old"), Signer::new("new"), Signer::new("stranger"));
    let provider = Provider::start(&[&old]);
    let authenticator = provider.authenticator(keeping(), &shop());
    let claims = provider.claims();
    assert!(ask(&authenticator, &old.sign(&claims)).await.is_ok());
    provider.show(&[&old, &new]);
    // The provider was asked just now, so the new key has to wait.
    let said = refusal(&authenticator, &new.sign(&claims)).await;
    assert_eq!(said, "401 the token is signed with a key that is not known");
    assert_eq!(provider.asked(), 1);
    tokio::time::sleep(RETRY).await;
    assert!(ask(&authenticator, &new.sign(&claims)).await.is_ok());
    assert_eq!(provider.asked(), 2);
    let began = tokio::time::Instant::now();
    for at in 0..100 {
        let mut claims = provider.claims();
        claims["sub"] = at.to_string().into();
        refusal(&authenticator, &stranger.sign(&claims)).await;
    }
    let allowed = 2 + began.elapsed().as_millis() / RETRY.as_millis();
    assert!(provider.asked() as u128 <= allowed, "{} of {allowed}", provider.asked());
}

#[tokio::test]
async fn a_key_that_is_shown_no_more_is_taken_for_its_overlap() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let provider = Provider::start(&[&old]);
    let keeping = Keeping {
        refresh_every: Duration::from_millis(60),
        retry_every: Duration::from_millis(20),
        overlap: Duration::from_secs(3),
        ..Keeping::default()
    };
    let authenticator = provider.authenticator(keeping, &shop());
    let token = old.sign(&provider.claims());
    assert!(ask(&authenticator, &token).await.is_ok());
    provider.show(&[&new]);
    tokio::time::sleep(Duration::from_millis(25)).await;
    assert!(ask(&authenticator, &new.sign(&provider.claims())).await.is_ok());
    assert!(ask(&authenticator, &token).await.is_ok(), "the old key lives on for a while");
    // In the cache it would live until it expires; the fetch in the background ends that too.
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        match ask(&authenticator, &token).await {
            Ok(_) => assert!(tokio::time::Instant::now() < end, "the key was never dropped"),
            Err(problem) => {
                assert_eq!(said(&problem), "401 the token is signed with a key that is not known");
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test]
async fn while_the_provider_is_down_its_last_keys_are_taken() {
    let signer = Signer::new("one");
    let provider = Provider::start(&[&signer]);
    provider.down.store(true, SeqCst);
    let authenticator = provider.authenticator(keeping(), &shop());
    let claims = provider.claims();
    let problem = ask(&authenticator, &signer.sign(&claims)).await.unwrap_err();
    assert_eq!(said(&problem), "503 the keys of the token's issuer cannot be fetched now");
    assert!(!authenticator.warm().await);
    provider.down.store(false, SeqCst);
    tokio::time::sleep(RETRY).await;
    assert!(authenticator.warm().await);
    provider.down.store(true, SeqCst);
    tokio::time::sleep(RETRY).await;
    assert!(ask(&authenticator, &signer.sign(&claims)).await.is_ok());
    let other = Signer::new("two");
    let said = refusal(&authenticator, &other.sign(&claims)).await;
    assert_eq!(said, "401 the token is signed with a key that is not known");
}

#[tokio::test]
async fn a_provider_that_says_it_is_another_is_not_believed() {
    let signer = Signer::new("one");
    let provider = Provider::start(&[&signer]);
    let url = provider.url.replace("127.0.0.1", "localhost");
    let issuer = IssuerConfig::new(&url, vec!["shop".to_owned()]);
    let config = IdentityConfig { issuers: vec![issuer], ..IdentityConfig::default() };
    let authenticator = Authenticator::new(config, &shop()).unwrap();
    let mut claims = provider.claims();
    claims["iss"] = url.into();
    let problem = ask(&authenticator, &signer.sign(&claims)).await.unwrap_err();
    assert_eq!(problem.kind.status, 503);
}

#[tokio::test]
async fn an_algorithm_that_is_not_configured_is_refused() {
    let signer = Signer::new("one");
    let provider = Provider::start(&[&signer]);
    let mut issuer = IssuerConfig::new(&provider.url, vec!["shop".to_owned()]);
    issuer.algorithms = vec![Algorithm::RS256];
    let config = IdentityConfig { issuers: vec![issuer], ..IdentityConfig::default() };
    let authenticator = Authenticator::new(config, &shop()).unwrap();
    let said = refusal(&authenticator, &signer.sign(&provider.claims())).await;
    assert_eq!(said, "401 the token's algorithm is not taken");
    assert_eq!(provider.asked(), 0);
}

/// Who the token is, for a model and claims.
async fn caller(change: impl Fn(&mut Domain, &str), more: Value) -> String {
    let signer = Signer::new("one");
    let provider = Provider::start(&[&signer]);
    let mut domain = shop();
    change(&mut domain, &provider.url);
    let authenticator = provider.authenticator(keeping(), &domain);
    let mut claims = provider.claims();
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    match ask(&authenticator, &signer.sign(&claims)).await {
        Ok(caller) => {
            let caller = caller.unwrap();
            let Who::Actor(actor) = caller.who else { return "system".to_owned() };
            let name = &domain.actor(actor).name;
            let tenant = caller.tenant.as_deref().unwrap_or("-");
            format!("{name} {} {tenant} {:?}", caller.me, caller.roles)
        }
        Err(problem) => said(&problem),
    }
}

#[tokio::test]
async fn claims_of_another_provider_are_mapped() {
    let mapped = |domain: &mut Domain, _: &str| {
        let map = |ours: &str, theirs: &str| (ours.to_owned(), theirs.to_owned());
        domain.actors[1].claims = vec![
            map("actor", "https://shop.example/kind"),
            map("roles", "realm_access.roles"),
            map("org", "tid"),
            map("sub", "oid"),
        ];
    };
    let claims = json!({
        "actor": null, "https://shop.example/kind": "staff", "tid": "umbrella", "oid": "o-1",
        "realm_access": {"roles": ["offline_access", "manager"]},
    });
    assert_eq!(caller(mapped, claims.clone()).await, "staff o-1 umbrella [1]");
    let mut wrong = claims;
    wrong["oid"] = json!(7);
    assert_eq!(caller(mapped, wrong).await, "401 the token names no subject");
}

#[tokio::test]
async fn a_token_has_exactly_one_actor() {
    let same = |_: &mut Domain, _: &str| {};
    let roles = json!({"actor": "staff", "roles": "picker unknown"});
    assert_eq!(caller(same, roles).await, "staff alice acme [0]");
    for (claims, wanted) in [
        (json!({"actor": "boss"}), "401 the token names no actor of this API"),
        (json!({"actor": null}), "401 the token names no actor of this API"),
        (json!({"actor": ["shopper", "staff"]}), "401 the token is of more than one actor"),
        (json!({"actor": "partner"}), "401 the token names no actor of this API"),
        (json!({"actor": "system"}), "401 the token names no actor of this API"),
    ] {
        assert_eq!(caller(same, claims.clone()).await, wanted, "{claims}");
    }
    let only = |domain: &mut Domain, _: &str| domain.actors.truncate(1);
    assert_eq!(caller(only, json!({"actor": null})).await, "shopper alice acme []");
    let said = caller(only, json!({"actor": "staff"})).await;
    assert_eq!(said, "401 the token names no actor of this API");
}

#[tokio::test]
async fn an_issuer_of_an_actor_vouches_for_that_actor_alone() {
    let own = |domain: &mut Domain, url: &str| domain.actors[1].issuer = Some(url.to_owned());
    assert_eq!(caller(own, json!({"actor": "staff"})).await, "staff alice acme []");
    assert_eq!(
        caller(own, json!({"actor": "shopper"})).await,
        "401 the token names no actor of this API"
    );
    let other =
        |domain: &mut Domain, _: &str| domain.actors[1].issuer = Some("https://other".to_owned());
    assert_eq!(
        caller(other, json!({"actor": "staff"})).await,
        "401 the token names no actor of this API"
    );
}

#[tokio::test]
async fn a_subject_of_another_issuer_is_told_apart() {
    let (home, guest) = (Signer::new("home"), Signer::new("guest"));
    let (one, other) = (Provider::start(&[&home]), Provider::start(&[&guest]));
    let issuers = [&one, &other].map(|of| IssuerConfig::new(&of.url, vec!["shop".to_owned()]));
    let config = IdentityConfig { issuers: issuers.into(), ..IdentityConfig::default() };
    let authenticator = Authenticator::new(config, &shop()).unwrap();
    let bare = ask(&authenticator, &home.sign(&one.claims())).await.unwrap().unwrap();
    let foreign = ask(&authenticator, &guest.sign(&other.claims())).await.unwrap().unwrap();
    assert_eq!(&*bare.me, "alice");
    assert_eq!(*foreign.me, format!("{}#alice", other.url));
    assert_ne!(bare.id, foreign.id);
    let mut posing = one.claims();
    posing["sub"] = foreign.me.to_string().into();
    let said = refusal(&authenticator, &home.sign(&posing)).await;
    assert_eq!(said, "401 the token's subject looks like that of another issuer");
    let mut borrowed = one.claims();
    borrowed["iss"] = other.url.clone().into();
    let said = refusal(&authenticator, &home.sign(&borrowed)).await;
    assert_eq!(said, "401 the token is signed with a key that is not known");
}
