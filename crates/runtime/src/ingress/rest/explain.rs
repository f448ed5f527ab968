//! `GET /v1/explain?operation=placeOrder&id=…`: which rule allows or denies it to the caller.

use super::query::{invalid, parameters, unknown};
use crate::engine::access::unauthenticated;
use crate::engine::audit::Look;
use crate::engine::backend::{Backend, Live};
use crate::engine::explain::Standing;
use crate::engine::unit::Unit;
use crate::engine::{Failure, not_found};
use crate::http::{Request, Response};
use crate::json::literal::read_uuid;
use crate::json::write;
use crate::request::Call;
use http::{StatusCode, header};

/// Tells a caller about its own rights; of a row only where it may see it.
pub(super) async fn explain(
    _backend: &Backend,
    live: &Live,
    request: &Request,
    call: &Call,
) -> Result<Response, Failure> {
    if call.principal.is_none() {
        return Err(unauthenticated());
    }
    let (mut name, mut id) = (None, None);
    let parameters = parameters(request)?;
    for parameter in &parameters {
        match &*parameter.name {
            "operation" => name = Some(&*parameter.value),
            "id" => {
                let read = read_uuid(&parameter.value);
                id = Some(read.ok_or_else(|| invalid("id", "must be a UUID"))?);
            }
            other => return Err(unknown(other, "is no parameter of this operation")),
        }
    }
    let name = name.ok_or_else(|| invalid("operation", "is required: the id of an operation"))?;
    let plan = &live.engine.plan;
    let found = plan
        .operations
        .iter()
        .find(|operation| operation.id == name && (!operation.internal || call.is_system()));
    let unknown_operation = || invalid("operation", "is the id of no operation");
    let operation = found.ok_or_else(unknown_operation)?;
    let resource = operation.resource.ok_or_else(unknown_operation)?;
    let needs_tenant = plan.domain.tenancy.is_some() && !plan.domain.resource(resource).shared;
    if needs_tenant && call.tenant.is_none() {
        return Err(not_found());
    }
    let mut unit = Unit::new(&live.engine, call);
    let rules = unit.explain(operation, resource, id).await?;
    if let Some(id) = id {
        let look =
            Look { operation: "explain", resource: Some(resource), rows: &[id], expanded: &[] };
        live.engine.looked(call, &look).await?;
    }
    let any = |standing| rules.iter().any(|(_, of)| *of == standing);
    let decision = if any(Standing::Allows) {
        "allowed"
    } else if any(Standing::DependsOnRow) {
        "depends_on_row"
    } else {
        "denied"
    };
    let mut body = b"{\"operation\":".to_vec();
    write::text(&mut body, name);
    body.extend_from_slice(b",\"decision\":");
    write::text(&mut body, decision);
    body.extend_from_slice(b",\"rules\":[");
    for (at, (rule, standing)) in rules.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"rule\":");
        write::text(&mut body, rule);
        body.extend_from_slice(b",\"result\":");
        write::text(&mut body, standing.word());
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    Ok(Response::json(StatusCode::OK, body).header(header::CACHE_CONTROL, "no-store"))
}
