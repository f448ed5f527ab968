//! Vectors of the specifications, and one made by hand where there is none.

use super::*;
use crate::json::read::parse;
use crate::webhooks::inbound::payload::read;
use http::{HeaderName, HeaderValue, Method};
use sfv::ListEntry;

const CLOCK: Clock = Clock { now: 1_614_265_330, tolerance: 300 };

fn request(body: &str, headers: &[(&'static str, &str)]) -> Request {
    let mut request =
        Request::new(Method::POST, "/foo?param=Value&Pet=dog".parse().expect("a path"));
    request.body = body.to_owned().into();
    request.host = Some(HeaderValue::from_static("example.com"));
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("a value");
        request.headers.append(HeaderName::from_static(name), value);
    }
    request
}

fn keys(scheme: Scheme, texts: &[&str]) -> Vec<SenderKey> {
    let of = |text: &&str| SenderKey::of(scheme, text).expect("a key");
    texts.iter().map(of).collect()
}

#[test]
fn the_delivery_of_the_standard_is_proved_within_its_time_alone() {
    let keys = keys(Scheme::Standard, &["whsec_AAAA", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
    let told = |body| {
        request(
            body,
            &[
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", "v1a,AA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ],
        )
    };
    let good = told(r#"{"test": 2432232314}"#);
    let at = |now| schemes::standard(&keys, &good, Clock { now, ..CLOCK });
    for now in [CLOCK.now - 300, CLOCK.now, CLOCK.now + 300] {
        assert_eq!(at(now), Ok(Proof::default()));
    }
    assert_eq!(at(CLOCK.now - 301), Err(Refused::Time));
    assert_eq!(at(CLOCK.now + 301), Err(Refused::Time));
    let other = schemes::standard(&keys, &told(r#"{"test": 2432232315}"#), CLOCK);
    assert_eq!(other, Err(Refused::Signature));
}

#[test]
fn what_we_sign_ourselves_is_proved_by_either_key() {
    use crate::ports::webhooks::Signing;
    use crate::webhooks::signature::{Key, signatures};
    let key = Key([9; 32]);
    for (signing, text) in
        [(Signing::Hmac, key.secret()), (Signing::Ed25519, key.public().expect("a key"))]
    {
        let signature = signatures(&[key], signing, "m", CLOCK.now, b"{}");
        let time = CLOCK.now.to_string();
        let told = request(
            "{}",
            &[("webhook-id", "m"), ("webhook-timestamp", &time), ("webhook-signature", &signature)],
        );
        let keys = keys(Scheme::Standard, &[&text]);
        assert_eq!(schemes::standard(&keys, &told, CLOCK), Ok(Proof::default()));
    }
}

#[test]
fn stripe_signs_the_time_that_it_tells_and_other_versions_count_for_nothing() {
    let keys = keys(Scheme::Stripe, &["whsec_test_secret"]);
    let body = r#"{"id":"evt_1","type":"charge.succeeded"}"#;
    let tag = "4ee5e8d695c9619e003fd480d3d51700d924e29697337d379a6ef6e06e703ab4";
    let clock = Clock { now: 1_492_774_577, tolerance: 300 };
    let prove = |header: &str| {
        schemes::stripe(&keys, &request(body, &[("stripe-signature", header)]), clock)
    };
    assert_eq!(prove(&format!("t=1492774577,v1=00,v1={tag}")), Ok(Proof::default()));
    assert_eq!(prove(&format!("t=1492774578,v1={tag}")), Err(Refused::Signature));
    assert_eq!(prove(&format!("t=1492774577,v0={tag}")), Err(Refused::Signature));
    assert!(matches!(prove(&format!("v1={tag}")), Err(Refused::Malformed(_))));
    let many = format!("t=1492774577{},v1={tag}", ",v1=00".repeat(SIGNATURES_MAX));
    assert_eq!(prove(&many), Err(Refused::Signature), "those behind the bound are not looked at");
}

#[test]
fn the_delivery_of_github_s_documentation_is_proved() {
    let keys = keys(Scheme::GitHub, &["It's a Secret to Everybody"]);
    let tag = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let prove = |body, tag| schemes::github(&keys, &request(body, &[("x-hub-signature-256", tag)]));
    assert_eq!(prove("Hello, World!", tag), Ok(Proof::default()));
    assert_eq!(prove("Hello, World?", tag), Err(Refused::Signature));
    assert_eq!(prove("Hello, World!", &tag[7..]), Err(Refused::Signature));
    let none = schemes::github(&keys, &request("Hello, World!", &[]));
    assert_eq!(none, Err(Refused::Missing("x-hub-signature-256")));
}

/// The request of the appendix of RFC 9421, with one of its signatures.
fn appendix(input: &str, signature: &str) -> Request {
    request(
        "{\"hello\": \"world\"}",
        &[
            ("host", "example.com"),
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("content-type", "application/json"),
            ("content-length", "18"),
            ("signature-input", input),
            ("signature", signature),
        ],
    )
}

/// True where the signature of the appendix is that of the text that is made here.
fn holds(request: &Request, key: &str) -> bool {
    let dictionary = |name| message::dictionary(request, name).expect("a dictionary");
    let (inputs, signatures) = (dictionary("signature-input"), dictionary("signature"));
    let Some(ListEntry::InnerList(input)) = inputs.values().next() else { return false };
    let covered = message::components(input).expect("parts");
    let base = message::base(request, input, &covered).expect("a text");
    let signature = signatures.values().next().and_then(message::bytes_of).expect("bytes");
    let key = SenderKey::of(Scheme::Rfc9421, key).expect("a key");
    key.verifies(key.algorithm(), base.as_bytes(), signature)
}

#[test]
fn the_signatures_of_the_appendix_of_rfc_9421_are_those_of_the_same_text() {
    let ed25519 = appendix(
        "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
         \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"",
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WP\
         pBKRCw==:",
    );
    let pem = "-----BEGIN PUBLIC KEY-----\n\
               MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n\
               -----END PUBLIC KEY-----\n";
    assert!(holds(&ed25519, pem));
    let hmac = appendix(
        "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;\
         keyid=\"test-shared-secret\"",
        "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
    );
    let secret = "whsec_uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8\
                  jsasjlTMtDQ==";
    assert!(holds(&hmac, secret));
    assert!(!holds(&hmac, "whsec_AAAA"));
    // Whole as it is, it proves nothing here: the body is not covered.
    let clock = Clock { now: 1_618_884_473, tolerance: 300 };
    let refused = message::verify(&keys(Scheme::Rfc9421, &[secret]), &hmac, clock);
    assert!(matches!(refused, Err(Refused::Malformed(why)) if why.contains("content-digest")));
}

#[test]
fn what_an_event_is_called_and_where_its_members_stand_is_the_scheme_s() {
    let told = |scheme, body: &str, headers: &[(&'static str, &str)], covered: &[&str]| {
        let covered = covered.iter().map(|name| (*name).to_owned()).collect();
        let json = parse(body.as_bytes()).expect("JSON");
        read(scheme, &request(body, headers), &json, &Proof { covered })
            .map(|told| (told.id, told.names.join(" "), told.base))
    };
    let ok = |id: &str, names: &str, base| Ok((id.to_owned(), names.to_owned(), base));
    let standard = told(Scheme::Standard, r#"{"type":"a.b"}"#, &[("webhook-id", "m")], &[]);
    assert_eq!(standard, ok("m", "a.b", "/data"));
    let stripe = told(Scheme::Stripe, r#"{"id":"e","type":"a.b"}"#, &[], &[]);
    assert_eq!(stripe, ok("e", "a.b", "/data/object"));
    let headers = [("x-github-event", "issues"), ("x-github-delivery", "d")];
    let github = told(Scheme::GitHub, r#"{"action":"opened"}"#, &headers, &[]);
    assert_eq!(github, ok("d", "issues.opened issues", ""));
    assert_eq!(told(Scheme::GitHub, "{}", &headers, &[]), ok("d", "issues", ""));
    let body = r#"{"id":"e","type":"a.b","data":{}}"#;
    assert_eq!(told(Scheme::Rfc9421, body, &[], &[]), ok("e", "a.b", "/data"));
    let headers = [("ce-id", "c"), ("ce-type", "t")];
    let covered = ["ce-id", "ce-type"];
    assert_eq!(told(Scheme::Rfc9421, "{}", &headers, &covered), ok("c", "t", ""));
    // What nobody signed says nothing.
    assert!(told(Scheme::Rfc9421, "{}", &headers, &covered[..1]).is_err());
    assert!(told(Scheme::Stripe, r#"{"id":7,"type":"a.b"}"#, &[], &[]).is_err());
}

#[test]
fn a_key_that_is_none_is_told_without_being_shown() {
    for (scheme, text) in [
        (Scheme::Standard, "whsec_*secret*"),
        (Scheme::Standard, "whpk_AAAA"),
        (Scheme::Rfc9421, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
        (Scheme::Rfc9421, "whpk_secret"),
    ] {
        let told = SenderKey::of(scheme, text).err().expect("no key");
        assert!(!told.contains("*secret*") && !told.contains("AAAA"), "{told}");
    }
    let mut secrets = Secrets::default();
    secrets.add("shop", Scheme::Stripe, &["shown?".to_owned()]).expect("a key");
    assert_eq!(format!("{secrets:?}"), "Secrets(…)");
}
