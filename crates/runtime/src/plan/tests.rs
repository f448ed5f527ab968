//! What the plan of the fixture holds.

use super::needs::Step;
use super::plan;
use crate::fixture::{ORDER, shop};
use http::Method;
use ir::domain::FieldId;

#[test]
fn computed_fields_come_after_what_they_read() {
    let plan = plan(&shop());
    let amount = Step { within: Some(FieldId(1)), field: FieldId(3) };
    let total = Step { within: None, field: FieldId(2) };
    assert_eq!(plan.resource(ORDER).steps, [amount, total]);
}

#[test]
fn paths_lead_to_operations_by_method() {
    let plan = plan(&shop());
    let find = |method: &Method, path: &str| {
        let found = plan.router.find(path)?;
        let at = found.endpoint.operation(method)?;
        Some((plan.operations[at].id.clone(), found.segment.map(str::to_owned)))
    };
    let (id, segment) = find(&Method::POST, "/v1/orders/17/place").unwrap();
    assert_eq!((id.as_str(), segment.as_deref()), ("POST /v1/orders/{id}/place Order", Some("17")));
    assert!(find(&Method::HEAD, "/v1/orders").is_some());
    assert!(find(&Method::PUT, "/v1/orders").is_none());
    assert!(find(&Method::GET, "/v1/orders/").is_none());
    assert!(find(&Method::GET, "/c/summer").is_some());
    let found = plan.router.find("/v1/orders").unwrap();
    assert_eq!(found.endpoint.allow, "GET, HEAD, POST");
}
