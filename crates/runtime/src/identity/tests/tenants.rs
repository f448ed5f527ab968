//! Whose tenant a call is for.

use super::*;
use crate::http::Request;
use expect_test::expect;
use http::HeaderValue;

fn principal(who: Who, tenant: Option<&str>, across: bool) -> Principal {
    Principal {
        who,
        roles: Vec::new(),
        tenant: tenant.map(Arc::from),
        across_tenants: across,
        me: "alice".into(),
        issuer: "x".into(),
        id: "x".into(),
        key: None,
        expires: None,
    }
}

fn resolved(caller: Option<&Principal>, host: &str, named: &str, development: bool) -> String {
    let mut request = Request::new(http::Method::GET, "/".parse().unwrap());
    request.host = HeaderValue::from_str(host).ok().filter(|host| !host.is_empty());
    if !named.is_empty() {
        request.headers.insert(tenant::HEADER, named.parse().unwrap());
    }
    match tenant::resolve(&shop(), development, caller, &request) {
        Ok(tenant) => tenant.map_or("none".to_owned(), |tenant| tenant.to_string()),
        Err(problem) => format!("{} {}", problem.kind.status, problem.kind.slug),
    }
}

#[test]
fn the_tenant_comes_from_token_host_or_header() {
    let alice = principal(SHOPPER, Some("acme"), false);
    let lost = principal(SHOPPER, None, false);
    let support = principal(Who::Actor(ActorId(3)), None, true);
    let based = principal(Who::Actor(ActorId(3)), Some("home"), true);
    let system = principal(Who::System, Some("acme"), false);
    let free = principal(Who::System, None, true);
    let callers = [
        ("nobody", None),
        ("alice of acme", Some(&alice)),
        ("alice of nowhere", Some(&lost)),
        ("support", Some(&support)),
        ("support of home", Some(&based)),
        ("system of acme", Some(&system)),
        ("system", Some(&free)),
    ];
    let mut table = String::new();
    for (name, caller) in callers {
        for (host, named) in [
            ("127.0.0.1", ""),
            ("acme.shop.example", ""),
            ("Other.Shop.Example.", ""),
            ("acme.localhost", ""),
            ("api.example", "other"),
            ("acme.shop.example", "other"),
            ("acme.shop.example", "acme"),
            ("a.b.shop.example", ""),
            ("-x.shop.example", ""),
            (".shop.example", ""),
            ("127.0.0.1", "A b"),
        ] {
            let tenant = resolved(caller, host, named, false);
            table.push_str(&format!("{name} | {host} | {named} | {tenant}\n"));
        }
    }
    expect![[r#"
        nobody | 127.0.0.1 |  | 401 tenant-unknown
        nobody | acme.shop.example |  | acme
        nobody | Other.Shop.Example. |  | other
        nobody | acme.localhost |  | 401 tenant-unknown
        nobody | api.example | other | 401 tenant-unknown
        nobody | acme.shop.example | other | 403 tenant-mismatch
        nobody | acme.shop.example | acme | acme
        nobody | a.b.shop.example |  | 401 tenant-unknown
        nobody | -x.shop.example |  | 401 tenant-unknown
        nobody | .shop.example |  | 401 tenant-unknown
        nobody | 127.0.0.1 | A b | 400 invalid-parameter
        alice of acme | 127.0.0.1 |  | acme
        alice of acme | acme.shop.example |  | acme
        alice of acme | Other.Shop.Example. |  | 403 tenant-mismatch
        alice of acme | acme.localhost |  | acme
        alice of acme | api.example | other | 403 tenant-mismatch
        alice of acme | acme.shop.example | other | 403 tenant-mismatch
        alice of acme | acme.shop.example | acme | acme
        alice of acme | a.b.shop.example |  | acme
        alice of acme | -x.shop.example |  | acme
        alice of acme | .shop.example |  | acme
        alice of acme | 127.0.0.1 | A b | 400 invalid-parameter
        alice of nowhere | 127.0.0.1 |  | 401 tenant-unknown
        alice of nowhere | acme.shop.example |  | 401 tenant-unknown
        alice of nowhere | Other.Shop.Example. |  | 401 tenant-unknown
        alice of nowhere | acme.localhost |  | 401 tenant-unknown
        alice of nowhere | api.example | other | 401 tenant-unknown
        alice of nowhere | acme.shop.example | other | 401 tenant-unknown
        alice of nowhere | acme.shop.example | acme | 401 tenant-unknown
        alice of nowhere | a.b.shop.example |  | 401 tenant-unknown
        alice of nowhere | -x.shop.example |  | 401 tenant-unknown
        alice of nowhere | .shop.example |  | 401 tenant-unknown
        alice of nowhere | 127.0.0.1 | A b | 400 invalid-parameter
        support | 127.0.0.1 |  | 401 tenant-unknown
        support | acme.shop.example |  | acme
        support | Other.Shop.Example. |  | other
        support | acme.localhost |  | 401 tenant-unknown
        support | api.example | other | other
        support | acme.shop.example | other | 403 tenant-mismatch
        support | acme.shop.example | acme | acme
        support | a.b.shop.example |  | 401 tenant-unknown
        support | -x.shop.example |  | 401 tenant-unknown
        support | .shop.example |  | 401 tenant-unknown
        support | 127.0.0.1 | A b | 400 invalid-parameter
        support of home | 127.0.0.1 |  | home
        support of home | acme.shop.example |  | acme
        support of home | Other.Shop.Example. |  | other
        support of home | acme.localhost |  | home
        support of home | api.example | other | other
        support of home | acme.shop.example | other | 403 tenant-mismatch
        support of home | acme.shop.example | acme | acme
        support of home | a.b.shop.example |  | home
        support of home | -x.shop.example |  | home
        support of home | .shop.example |  | home
        support of home | 127.0.0.1 | A b | 400 invalid-parameter
        system of acme | 127.0.0.1 |  | acme
        system of acme | acme.shop.example |  | acme
        system of acme | Other.Shop.Example. |  | 403 tenant-mismatch
        system of acme | acme.localhost |  | acme
        system of acme | api.example | other | 403 tenant-mismatch
        system of acme | acme.shop.example | other | 403 tenant-mismatch
        system of acme | acme.shop.example | acme | acme
        system of acme | a.b.shop.example |  | acme
        system of acme | -x.shop.example |  | acme
        system of acme | .shop.example |  | acme
        system of acme | 127.0.0.1 | A b | 400 invalid-parameter
        system | 127.0.0.1 |  | 401 tenant-unknown
        system | acme.shop.example |  | acme
        system | Other.Shop.Example. |  | other
        system | acme.localhost |  | 401 tenant-unknown
        system | api.example | other | other
        system | acme.shop.example | other | 403 tenant-mismatch
        system | acme.shop.example | acme | acme
        system | a.b.shop.example |  | 401 tenant-unknown
        system | -x.shop.example |  | 401 tenant-unknown
        system | .shop.example |  | 401 tenant-unknown
        system | 127.0.0.1 | A b | 400 invalid-parameter
    "#]]
    .assert_eq(&table);
}

#[test]
fn in_development_a_label_under_localhost_is_a_tenant() {
    assert_eq!(resolved(None, "acme.localhost", "", true), "acme");
    assert_eq!(resolved(None, "localhost", "", true), "401 tenant-unknown");
    assert_eq!(resolved(None, "acme.shop.example", "", true), "acme");
}

#[test]
fn without_tenancy_there_is_no_tenant() {
    let mut domain = shop();
    domain.tenancy = None;
    let request = Request::new(http::Method::GET, "/".parse().unwrap());
    assert_eq!(tenant::resolve(&domain, false, None, &request).unwrap(), None);
}

#[test]
fn names_of_tenants_are_labels_of_hosts() {
    for name in ["a", "0", "a-b", "a--", &"x".repeat(63)] {
        assert!(tenant::is_name(name), "{name}");
    }
    for name in ["", "-a", "A", "a_b", "a.b", "a b", "a/b", "ä", "..", &"x".repeat(64)] {
        assert!(!tenant::is_name(name), "{name}");
    }
}
