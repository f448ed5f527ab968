//! Identity from outside: a request goes in, a caller or a problem comes out.

mod keys;
mod provider;
mod tenants;
mod tokens;

use super::development::Wanted;
use super::*;
use crate::problem::Problem;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use ir::domain::{Actor, ActorId, Domain, Tenancy};
use ir::model::{Isolation, Proof};
use serde_json::{Value, json};
use std::sync::Arc;

/// Seconds since 1970 at which the tests play.
const NOW: i64 = 1_800_000_000;

fn actor(name: &str, proof: Proof, roles: &[&str]) -> Actor {
    Actor {
        name: name.to_owned(),
        proof,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        limit: None,
        across_tenants: false,
        claims: Vec::new(),
        issuer: None,
    }
}

/// The actors of the shop, with one that may act in every tenant.
fn shop() -> Domain {
    let mut support = actor("support", Proof::Oidc, &[]);
    support.across_tenants = true;
    Domain {
        system: "shop".to_owned(),
        tenancy: Some(Tenancy {
            isolation: Isolation::Row,
            claim: "org".to_owned(),
            host: Some((String::new(), ".shop.example".to_owned())),
        }),
        actors: vec![
            actor("shopper", Proof::Oidc, &[]),
            actor("staff", Proof::Oidc, &["picker", "manager"]),
            actor("partner", Proof::ApiKey, &["reader"]),
            support,
        ],
        ..Domain::default()
    }
}

const SHOPPER: Who = Who::Actor(ActorId(0));
const STAFF: Who = Who::Actor(ActorId(1));
const PARTNER: Who = Who::Actor(ActorId(2));

fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    headers
}

/// Status and detail; the challenge must be there.
fn said(problem: &Problem) -> String {
    let challenge = problem.headers.iter().any(|(name, _)| name == "www-authenticate");
    assert_eq!(challenge, problem.kind.status == 401, "{problem:?}");
    format!("{} {}", problem.kind.status, problem.detail.as_deref().unwrap_or("-"))
}

fn development() -> (Authenticator, Arc<DevelopmentKey>) {
    let key = Arc::new(DevelopmentKey::ephemeral().unwrap());
    let config =
        IdentityConfig { development: Some(key.clone()), skew_s: 30, ..IdentityConfig::default() };
    (Authenticator::new(config, &shop()).unwrap(), key)
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

async fn ask(of: &Authenticator, headers: &HeaderMap) -> Result<Option<Arc<Principal>>, Problem> {
    of.authenticate_at(headers, NOW * 1_000_000).await
}

async fn refusal(of: &Authenticator, headers: &HeaderMap) -> String {
    said(&ask(of, headers).await.expect_err("the credential must be refused"))
}
