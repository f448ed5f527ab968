//! Tokens: what is accepted, and every way to be refused.

use super::*;
use crate::identity::token::TOKEN_BYTES_MAX;

fn claims() -> Value {
    json!({
        "iss": development::ISSUER, "aud": "shop", "sub": "alice", "actor": "shopper",
        "org": "acme", "exp": NOW + 60, "iat": NOW,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[tokio::test]
async fn a_token_of_the_development_key_is_its_caller() {
    let (authenticator, key) = development();
    let roles = ["manager".to_owned(), "picker".to_owned()];
    let wanted = Wanted {
        actor: "staff",
        roles: &roles,
        tenant: Some("acme"),
        subject: Some("bob"),
        ttl_s: 600,
    };
    let token = key.issue(&shop(), &wanted, NOW).unwrap();
    let caller = ask(&authenticator, &bearer(&token)).await.unwrap().unwrap();
    assert_eq!((caller.who, &*caller.me, caller.tenant.as_deref()), (STAFF, "bob", Some("acme")));
    assert_eq!(caller.roles, [0, 1]);
    assert!(caller.is(ActorId(1), Some(1)) && !caller.is(ActorId(0), None));
    assert!(!caller.across_tenants);
    let again = ask(&authenticator, &bearer(&token)).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&caller, &again), "a verified token is remembered");
    let wanted = Wanted { actor: "system", ttl_s: 600, ..Wanted::default() };
    let token = key.issue(&shop(), &wanted, NOW).unwrap();
    let caller = ask(&authenticator, &bearer(&token)).await.unwrap().unwrap();
    assert_eq!((caller.who, &*caller.me, caller.across_tenants), (Who::System, "system", true));
    let bound = Wanted { tenant: Some("acme"), ..wanted };
    let token = key.issue(&shop(), &bound, NOW).unwrap();
    let caller = ask(&authenticator, &bearer(&token)).await.unwrap().unwrap();
    assert_eq!((caller.tenant.as_deref(), caller.across_tenants), (Some("acme"), false));
    assert_eq!(ask(&authenticator, &HeaderMap::new()).await.unwrap(), None);
}

#[tokio::test]
async fn claims_that_do_not_hold_are_refused() {
    let (authenticator, key) = development();
    for (claims, wanted) in [
        (with("exp", json!(NOW - 31)), "401 the token has expired"),
        (without("exp"), "401 the token never expires"),
        (with("exp", json!("soon")), "401 a time in the token is not a number"),
        (with("exp", json!(1e300)), "401 a time in the token is not a number"),
        (with("nbf", json!(NOW + 31)), "401 the token is not valid yet"),
        (with("aud", json!("other")), "401 the token is for another audience"),
        (with("aud", json!(["other", 7])), "401 the token is for another audience"),
        (with("aud", json!("shop ")), "401 the token is for another audience"),
        (without("aud"), "401 the token is for another audience"),
        (with("iss", json!("https://evil.example")), "401 the token's issuer is not known here"),
        (without("iss"), "401 the token names no issuer"),
        (with("iss", json!([development::ISSUER])), "401 the token names no issuer"),
        (without("sub"), "401 the token's subject is missing or malformed"),
        (with("sub", json!("")), "401 the token's subject is missing or malformed"),
        (with("sub", json!(7)), "401 the token's subject is missing or malformed"),
        (with("sub", json!("a\nb")), "401 the token's subject is missing or malformed"),
        (with("sub", json!("a\0")), "401 the token's subject is missing or malformed"),
        (with("sub", json!("x".repeat(256))), "401 the token's subject is missing or malformed"),
        (with("actor", json!("boss")), "401 the token names no actor of this API"),
        (without("actor"), "401 the token names no actor of this API"),
        (with("org", json!("Acme")), "401 the token's tenant is malformed"),
        (with("org", json!("../x")), "401 the token's tenant is malformed"),
        (with("org", json!(["acme"])), "401 the token's tenant is malformed"),
    ] {
        let token = key.sign(&claims);
        assert_eq!(refusal(&authenticator, &bearer(&token)).await, wanted, "{claims}");
    }
    for claims in [
        claims(),
        with("exp", json!(NOW - 29)),
        with("exp", json!(NOW as f64 + 0.5)),
        with("nbf", json!(NOW + 30)),
        with("aud", json!(["other", "shop"])),
        with("roles", json!(["boss"])),
    ] {
        let caller = ask(&authenticator, &bearer(&key.sign(&claims))).await.unwrap().unwrap();
        assert_eq!((caller.who, caller.roles.len()), (SHOPPER, 0), "{claims}");
    }
}

#[tokio::test]
async fn a_token_expires_also_in_the_cache() {
    let (authenticator, key) = development();
    let token = bearer(&key.sign(&claims()));
    assert!(ask(&authenticator, &token).await.is_ok());
    let later = (NOW + 89) * 1_000_000;
    assert!(authenticator.authenticate_at(&token, later).await.is_ok(), "within the skew");
    let later = (NOW + 90) * 1_000_000;
    let problem = authenticator.authenticate_at(&token, later).await.unwrap_err();
    assert_eq!(said(&problem), "401 the token has expired");
}

/// A token of the development key with another header; signed rightly where that is possible.
fn headed(key: &DevelopmentKey, header: &Value) -> String {
    let token = key.sign(&claims());
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", encode(header))
}

#[tokio::test]
async fn the_header_cannot_choose_how_it_is_checked() {
    let (authenticator, key) = development();
    let public = key.jwks().to_owned();
    for (header, wanted) in [
        (json!({"alg": "none"}), "401 the token's algorithm is not taken"),
        (json!({"alg": "NONE"}), "401 the token's algorithm is not taken"),
        (json!({"alg": ""}), "401 the token's algorithm is not taken"),
        (json!({"alg": "HS256"}), "401 the token's algorithm is not taken"),
        (json!({"alg": "RS256"}), "401 the token's algorithm is not taken"),
        (json!({"alg": "ES384"}), "401 the token's algorithm is not taken"),
        (json!({"alg": ["ES256"]}), "401 the token is malformed"),
        (json!({"typ": "JWT"}), "401 the token is malformed"),
        (json!({"alg": "ES256", "typ": "dpop+jwt"}), "401 the token is not an access token"),
        (json!({"alg": "ES256", "typ": "logout+jwt"}), "401 the token is not an access token"),
        (
            json!({"alg": "ES256", "crit": ["b64"]}),
            "401 the token uses an extension that is not known",
        ),
        // The signature covers the header, so a changed one never verifies.
        (
            json!({"alg": "ES256", "kid": "../../dev-key.pem"}),
            "401 the token's signature is not valid",
        ),
        (
            json!({"alg": "ES256", "jku": "http://127.0.0.1:1/"}),
            "401 the token's signature is not valid",
        ),
        (json!({"alg": "ES256", "jwk": public}), "401 the token's signature is not valid"),
    ] {
        let token = headed(&key, &header);
        assert_eq!(refusal(&authenticator, &bearer(&token)).await, wanted, "{header}");
    }
}

#[tokio::test]
async fn a_symmetric_signature_with_the_public_key_is_refused() {
    let (authenticator, key) = development();
    let message = format!("{}.{}", encode(&json!({"alg": "HS256"})), encode(&claims()));
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.jwks().as_bytes());
    let tag = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&secret, message.as_bytes()));
    let said = refusal(&authenticator, &bearer(&format!("{message}.{tag}"))).await;
    assert_eq!(said, "401 the token's algorithm is not taken");
    let bare = format!("{}.{}.", encode(&json!({"alg": "none"})), encode(&claims()));
    assert_eq!(
        refusal(&authenticator, &bearer(&bare)).await,
        "401 the token's algorithm is not taken"
    );
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let (authenticator, key) = development();
    let good = key.sign(&claims());
    let other = DevelopmentKey::ephemeral().unwrap().sign(&claims());
    assert_eq!(
        refusal(&authenticator, &bearer(&other)).await,
        "401 the token's signature is not valid"
    );
    let long = "x".repeat(TOKEN_BYTES_MAX + 1);
    assert_eq!(refusal(&authenticator, &bearer(&long)).await, "401 the token is too long");
    let (message, signature) = good.rsplit_once('.').unwrap();
    for token in [
        "x".to_owned(),
        "a.b".to_owned(),
        "a.b.c".to_owned(),
        format!("{good}="),
        format!("{good}.x"),
        format!(".{message}.{signature}"),
        format!("{message}.{signature}!"),
        good.replace('.', ".."),
    ] {
        let said = refusal(&authenticator, &bearer(&token)).await;
        assert_eq!(said, "401 the token is malformed", "{token}");
    }
    assert_eq!(
        refusal(&authenticator, &bearer(&format!("{message}."))).await,
        "401 the token's signature is not valid"
    );
}

#[tokio::test]
async fn a_request_carries_one_credential() {
    let (authenticator, key) = development();
    let token = key.sign(&claims());
    let mut two = bearer(&token);
    two.append(AUTHORIZATION, "Bearer x".parse().unwrap());
    let mut both = bearer(&token);
    both.insert("x-api-key", "ms_x".parse().unwrap());
    for headers in [two, both] {
        let said = refusal(&authenticator, &headers).await;
        assert_eq!(said, "401 the request carries more than one credential");
    }
    for (value, wanted) in [
        ("Basic YTpi", "401 `Authorization` is not of the scheme `Bearer`"),
        ("Bearer", "401 `Authorization` holds no token"),
        ("Bearer ", "401 `Authorization` holds no token"),
        ("", "401 `Authorization` is not of the scheme `Bearer`"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        assert_eq!(refusal(&authenticator, &headers).await, wanted, "{value:?}");
    }
    let mut lower = HeaderMap::new();
    lower.insert(AUTHORIZATION, format!("bearer   {token} ").parse().unwrap());
    assert!(ask(&authenticator, &lower).await.unwrap().is_some());
}

#[tokio::test]
async fn the_challenge_says_why() {
    let (authenticator, key) = development();
    let token = key.sign(&with("exp", json!(1)));
    let problem = ask(&authenticator, &bearer(&token)).await.unwrap_err();
    let (_, challenge) = &problem.headers[0];
    let wanted =
        r#"Bearer realm="shop", error="invalid_token", error_description="the token has expired""#;
    assert_eq!(challenge, wanted);
    assert_eq!(authenticator.challenge().headers[0].1, r#"Bearer realm="shop""#);
}

#[test]
fn the_development_key_is_made_once_and_readable_by_its_owner_alone() {
    let data = std::env::temp_dir().join(format!("mainstay-key-{}", std::process::id()));
    let first = DevelopmentKey::open(&data).unwrap();
    let again = DevelopmentKey::open(&data).unwrap();
    assert_eq!(first.jwks(), again.jwks());
    let path = data.join(development::FILE);
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        .unwrap();
    let error = DevelopmentKey::open(&data).err().unwrap();
    assert!(error.contains("does not hold a key that was made here"), "{error}");
    std::fs::remove_dir_all(&data).unwrap();
}

#[test]
fn a_token_for_what_the_model_does_not_have_is_not_made() {
    let key = DevelopmentKey::ephemeral().unwrap();
    let role = ["boss".to_owned()];
    let base = Wanted { actor: "staff", ttl_s: 60, ..Wanted::default() };
    for (wanted, error) in [
        (
            Wanted { actor: "stuff", ..base.clone() },
            "unknown actor `stuff`; there are `shopper`, `staff`, `partner`, `support`, `system`",
        ),
        (
            Wanted { roles: &role, ..base.clone() },
            "actor `staff` has no role `boss`; there are `picker`, `manager`",
        ),
        (
            Wanted { actor: "shopper", roles: &role, ..base.clone() },
            "actor `shopper` has no role `boss`; there are none",
        ),
        (
            Wanted { tenant: Some("A/B"), ..base.clone() },
            "`A/B` is not the name of a tenant: lower-case letters, digits and `-`, first no `-`, at most 63",
        ),
        (
            Wanted { subject: Some("a\tb"), ..base.clone() },
            "a subject is text of 1 to 255 characters without control characters",
        ),
    ] {
        assert_eq!(key.issue(&shop(), &wanted, NOW).unwrap_err(), error);
    }
}

#[test]
fn production_refuses_what_is_for_development() {
    let key = Arc::new(DevelopmentKey::ephemeral().unwrap());
    let development =
        IdentityConfig { production: true, development: Some(key), ..IdentityConfig::default() };
    let none = IdentityConfig { production: true, ..IdentityConfig::default() };
    let plain = IdentityConfig {
        production: true,
        issuers: vec![IssuerConfig::new("http://127.0.0.1:9/", vec!["shop".into()])],
        ..IdentityConfig::default()
    };
    let skewed = IdentityConfig { skew_s: 61, ..IdentityConfig::default() };
    let aimless = IdentityConfig {
        issuers: vec![IssuerConfig::new("https://id.example", Vec::new())],
        ..IdentityConfig::default()
    };
    for (config, error) in [
        (development, "production does not start on a development key"),
        (none, "actor `shopper` proves itself by a token, and no issuer is configured"),
        (plain, "`http://127.0.0.1:9/` is not an `https` URL"),
        (skewed, "the clock skew is 61 s; it can be 0 to 60 s"),
        (aimless, "issuer `https://id.example` has no audience"),
    ] {
        let said = Authenticator::new(config, &shop()).err().unwrap();
        assert!(said.starts_with(error), "{said}");
    }
}
