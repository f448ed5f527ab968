//! Which tenant a request is for: the token's, the host's, or named by who may act in every one.

use super::Principal;
use crate::http::Request;
use crate::problem::{Problem, kinds};
use http::HeaderName;
use http::header::WWW_AUTHENTICATE;
use ir::domain::{Domain, Tenancy};
use std::sync::Arc;

/// Header in which a caller that may act in every tenant names one.
pub const HEADER: HeaderName = HeaderName::from_static("x-tenant");
/// Characters of a tenant's name at most: it is a label of a host name.
pub const NAME_CHARS_MAX: usize = 63;
/// In development the host `acme.localhost` names the tenant `acme`.
const LOCAL: (&str, &str) = ("", ".localhost");

/// Refuses a name that no tenant can have: `[a-z0-9][a-z0-9-]{0,62}`.
///
/// # Errors
/// A sentence for people.
pub fn check_name(name: &str) -> Result<(), String> {
    match is_name(name) {
        true => Ok(()),
        false => Err(format!(
            "`{}` is not the name of a tenant: lower-case letters, digits and `-`, first no `-`, \
             at most {NAME_CHARS_MAX}",
            name.escape_debug().take(80).collect::<String>()
        )),
    }
}

/// True for what a tenant can be called.
pub fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.starts_with('-') && (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(sound)
}

/// The tenant of a request; none where the model has no tenancy.
///
/// The token's claim wins and a host that contradicts it is refused. Without a token the host
/// names the tenant. A caller that may act in every tenant names one by `X-Tenant` or host, else
/// it acts in its own.
///
/// # Errors
/// 403 `tenant-mismatch`, 401 `tenant-unknown`, 400 for an `X-Tenant` that no tenant can be
/// called.
pub fn resolve(
    domain: &Domain,
    development: bool,
    principal: Option<&Principal>,
    request: &Request,
) -> Result<Option<Arc<str>>, Problem> {
    let Some(tenancy) = &domain.tenancy else { return Ok(None) };
    let host = request.host().and_then(|host| by_host(tenancy, development, host));
    let named = named(request)?;
    let everywhere = principal.is_some_and(|caller| caller.across_tenants);
    if everywhere {
        if let (Some(named), Some(host)) = (&named, &host) {
            same(named, host)?;
        }
        let own = principal.and_then(|caller| caller.tenant.clone());
        return named.or(host).or(own).map(Some).ok_or_else(|| unknown(domain));
    }
    let tenant = match principal {
        Some(caller) => {
            let tenant = caller.tenant.clone().ok_or_else(|| unknown(domain))?;
            if let Some(host) = &host {
                same(&tenant, host)?;
            }
            tenant
        }
        None => host.ok_or_else(|| unknown(domain))?,
    };
    match named {
        Some(named) => same(&tenant, &named).map(|()| Some(tenant)),
        None => Ok(Some(tenant)),
    }
}

fn by_host(tenancy: &Tenancy, development: bool, host: &str) -> Option<Arc<str>> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let between = |before: &str, after: &str| {
        let (first, rest) = host.split_at_checked(before.len())?;
        let (label, last) = rest.split_at_checked(rest.len().checked_sub(after.len())?)?;
        let same = first.eq_ignore_ascii_case(before) && last.eq_ignore_ascii_case(after);
        let label = same.then(|| label.to_ascii_lowercase())?;
        is_name(&label).then(|| Arc::from(label))
    };
    let pattern = tenancy.host.as_ref();
    pattern
        .and_then(|(before, after)| between(before, after))
        .or_else(|| development.then(|| between(LOCAL.0, LOCAL.1)).flatten())
}

fn named(request: &Request) -> Result<Option<Arc<str>>, Problem> {
    if !request.headers.contains_key(HEADER) {
        return Ok(None);
    }
    match request.header(HEADER).filter(|name| is_name(name)) {
        Some(name) => Ok(Some(name.into())),
        None => Err(Problem::new(kinds::INVALID_PARAMETER)
            .header_fault("X-Tenant", "must be the name of one tenant")),
    }
}

fn same(one: &str, other: &str) -> Result<(), Problem> {
    match one == other {
        true => Ok(()),
        false => Err(Problem::new(kinds::TENANT_MISMATCH)),
    }
}

/// The answer to a call for rows of tenants that names none.
pub(crate) fn unknown(domain: &Domain) -> Problem {
    let claim = domain.tenancy.as_ref().map_or("tenant", |tenancy| tenancy.claim.as_str());
    let host = domain.tenancy.as_ref().and_then(|tenancy| tenancy.host.as_ref());
    let or_host = host.map_or(String::new(), |(before, after)| {
        format!(", or without a token the host `{before}{{tenant}}{after}`")
    });
    let detail = format!("no tenant is named: a token does it with the claim `{claim}`{or_host}");
    Problem::new(kinds::TENANT_UNKNOWN).detail(detail).header(WWW_AUTHENTICATE, "Bearer")
}
