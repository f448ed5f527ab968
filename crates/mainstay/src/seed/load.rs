//! Rows into the store, through the API.

use super::wire::{self, Made};
use super::{Caller, Mint, Row, caller};
use formats::seed::Members;
use futures::FutureExt;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use ir::architecture::Architecture;
use ir::contract::OperationKind;
use ir::domain::{CommandId, Domain, Kind, Resource, ResourceId, Source};
use runtime::http::{Body, Request, Response, Service};
use std::collections::BTreeMap;

/// What was made.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// Rows that are there now.
    pub(crate) rows: usize,
    /// Tenants that have some, in order.
    pub(crate) tenants: Vec<String>,
    /// Plausible rows and commands that the model's rules refused, by resource.
    pub(crate) refused: BTreeMap<String, Refused>,
}

/// What the model's rules refused of one resource.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// How many rows and commands.
    pub(crate) number: usize,
    /// Why the first of them was.
    pub(crate) first: String,
}

impl Loaded {
    fn refuse(&mut self, resource: &str, why: String) {
        let of = self.refused.entry(resource.to_owned()).or_default();
        of.number += 1;
        if of.number == 1 {
            of.first = why;
        }
    }
}

/// What a loader works with.
struct Loader<'a> {
    architecture: &'a Architecture,
    api: &'a dyn Service,
    /// A token for a caller in a tenant.
    token: &'a Mint<'a>,
    tokens: BTreeMap<(Caller, Option<String>), String>,
    /// Ids by tenant.
    made: BTreeMap<Option<String>, Made>,
    requests: usize,
}

/// Makes the rows in order. `Err` names the row that was refused and says why.
pub(crate) async fn load(
    architecture: &Architecture,
    api: &dyn Service,
    token: &Mint<'_>,
    rows: &[Row],
) -> Result<Loaded, String> {
    let (tokens, made) = (BTreeMap::new(), BTreeMap::new());
    let mut loader = Loader { architecture, api, token, tokens, made, requests: 0 };
    let mut loaded = Loaded::default();
    for row in rows {
        let of = &architecture.domain.resource(row.resource).name;
        match loader.row(row).await {
            Ok(refused) => {
                loaded.rows += 1;
                refused.into_iter().for_each(|why| loaded.refuse(of, why));
                if let Some(tenant) = &row.tenant
                    && !loaded.tenants.contains(tenant)
                {
                    loaded.tenants.push(tenant.clone());
                }
            }
            Err(why) if row.may_fail => loaded.refuse(of, why),
            Err(why) => {
                return Err(format!("{}: `{}` of `{of}`: {why}", row.place, row.name));
            }
        }
    }
    Ok(loaded)
}

impl Loader<'_> {
    /// Makes one row and runs its commands; why one of them was refused, where it may be.
    async fn row(&mut self, row: &Row) -> Result<Option<String>, String> {
        let domain = &self.architecture.domain;
        let resource = domain.resource(row.resource);
        let who = caller::for_grants(domain, resource, &resource.access.create, row)
            .ok_or("nobody may create one")?;
        let made = self.made.entry(row.tenant.clone()).or_default();
        let body = body_for(domain, row, &who, made)?;
        let path = self.path(row.resource, OperationKind::Create)?;
        let answer = self.send(&who, row, &path, &body.to_string(), None).await?;
        let id = answer.id.ok_or("the answer has no id")?;
        let made = self.made.entry(row.tenant.clone()).or_default();
        made.insert((row.resource, row.name.clone()), id.clone());
        let mut etag = answer.etag;
        for (name, input) in &row.then {
            match self.command(row, resource, &id, name, input, etag.clone()).await {
                Ok(next) => etag = next,
                Err(why) if row.may_fail => return Ok(Some(format!("`{name}`: {why}"))),
                Err(why) => return Err(format!("`{name}`: {why}")),
            }
        }
        Ok(None)
    }

    async fn command(
        &mut self,
        row: &Row,
        resource: &Resource,
        id: &str,
        name: &str,
        input: &Members,
        etag: Option<String>,
    ) -> Result<Option<String>, String> {
        let domain = &self.architecture.domain;
        let at = resource.commands.iter().position(|command| command.name == name);
        let at = at.ok_or("there is no such command")?;
        let command = &resource.commands[at];
        let who = caller::for_grants(domain, resource, &command.by, row).ok_or("nobody may")?;
        let made = self.made.entry(row.tenant.clone()).or_default();
        let body = wire::body(domain, &command.input, input, made)?;
        let path = self.path(row.resource, OperationKind::Command(CommandId::of(at)))?;
        let path = path.replace("{id}", id);
        let body = if input.is_empty() { String::new() } else { body.to_string() };
        Ok(self.send(&who, row, &path, &body, etag).await?.etag)
    }

    fn path(&self, resource: ResourceId, kind: OperationKind) -> Result<String, String> {
        let operations = &self.architecture.contract.operations;
        let found = operations
            .iter()
            .find(|operation| operation.resource == Some(resource) && operation.kind == kind);
        found.map(|operation| operation.path.clone()).ok_or_else(|| "it has no path".to_owned())
    }

    async fn send(
        &mut self,
        who: &Caller,
        row: &Row,
        path: &str,
        body: &str,
        etag: Option<String>,
    ) -> Result<Answer, String> {
        let uri: Uri = path.parse().map_err(|_| format!("`{path}` is no path"))?;
        let mut request = Request::new(Method::POST, uri);
        self.requests += 1;
        let key = format!("seed-{}", self.requests);
        let mut headers = vec![(header::HeaderName::from_static("idempotency-key"), key)];
        headers.extend(etag.map(|etag| (header::IF_MATCH, etag)));
        if let Some(token) = self.token(who, row)? {
            headers.push((header::AUTHORIZATION, format!("Bearer {token}")));
        }
        if !body.is_empty() {
            headers.push((header::CONTENT_TYPE, "application/json".to_owned()));
            request.body = bytes::Bytes::copy_from_slice(body.as_bytes());
        }
        for (name, value) in headers {
            let value = HeaderValue::from_str(&value).map_err(|fault| fault.to_string())?;
            request.headers.insert(name, value);
        }
        let call = std::panic::AssertUnwindSafe(self.api.call(request)).catch_unwind();
        let response = call.await.map_err(|_| "the backend panicked".to_owned())?;
        answer(response)
    }

    fn token(&mut self, who: &Caller, row: &Row) -> Result<Option<String>, String> {
        if *who == Caller::Anyone {
            return Ok(None);
        }
        let key = (who.clone(), row.tenant.clone());
        if let Some(token) = self.tokens.get(&key) {
            return Ok(Some(token.clone()));
        }
        let token = (self.token)(who, row.tenant.as_deref())?;
        self.tokens.insert(key, token.clone());
        Ok(Some(token))
    }
}

/// The body that makes a row: what is filled from the caller is left out of it.
pub(super) fn body_for(
    domain: &Domain,
    row: &Row,
    who: &Caller,
    made: &Made,
) -> Result<serde_json::Value, String> {
    let resource = domain.resource(row.resource);
    let given = row.fields.iter().filter(|(name, _)| !is_the_callers(domain, resource, name, who));
    let given: Members = given.cloned().collect();
    wire::body(domain, &resource.fields, &given, made)
}

fn is_the_callers(domain: &Domain, resource: &Resource, name: &str, who: &Caller) -> bool {
    let Some((_, field)) = resource.field_named(name) else { return false };
    let (Kind::Actor(actor), Source::Caller) = (&field.kind, &field.source) else { return false };
    let Caller::Token { actor: named, .. } = who else { return false };
    domain.actor(*actor).name == *named
}

/// What the loader needs of an answer.
struct Answer {
    id: Option<String>,
    etag: Option<String>,
}

fn answer(response: Response) -> Result<Answer, String> {
    let etag = response.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let etag = etag.map(str::to_owned);
    match response.body {
        Body::Full(bytes) if response.status.is_success() => {
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok(Answer { id: value["id"].as_str().map(str::to_owned), etag })
        }
        Body::Empty if response.status.is_success() => Ok(Answer { id: None, etag }),
        Body::Problem(problem) => Err(told(&problem, response.status)),
        Body::Empty | Body::Full(_) | Body::Stream(_) => Err(format!("{}", response.status)),
    }
}

fn told(problem: &runtime::problem::Problem, status: StatusCode) -> String {
    let mut text = format!("{} {}", status.as_u16(), problem.kind.slug);
    if let Some(detail) = &problem.detail {
        text.push_str(&format!(": {detail}"));
    }
    for fault in &problem.errors {
        text.push_str(&format!("; {}: {}", fault.at, fault.detail));
    }
    text
}
