//! What of a plan is reused, what a set of changes ends, and how that is told.

use super::tags::Tag;
use super::told::Ended;
use crate::fixture::shop;
use crate::plan::caching::{Caching, Watched};
use crate::plan::{Plan, plan};
use crate::ports::store::{Tenant, Write, WriteSet};
use ir::domain::{Cache, FieldId, ResourceId};
use std::sync::Arc;

/// The shop, which reuses answers about products for a minute.
pub(crate) fn keeping(except: &[u16]) -> Plan {
    let mut plan = plan(&shop());
    let except = except.iter().map(|field| FieldId(*field)).collect();
    plan.domain.resources[0].cache = Some(Cache { seconds: 60.0, except });
    for operation in &mut plan.operations {
        let (kind, resource) = (operation.kind, operation.resource);
        operation.caching = Caching::of(&plan.domain, kind, resource, &operation.expands);
    }
    let kept = plan.operations.iter().filter_map(|of| Some((of.resource?, of.caching.as_ref()?)));
    plan.watched = Watched::all(&plan.domain, kept);
    plan
}

fn acme() -> Tenant {
    Some(Arc::from("acme"))
}

fn set(write: Write) -> WriteSet {
    WriteSet { tenant: acme(), writes: vec![write], ..WriteSet::default() }
}

const PRODUCT: ResourceId = ResourceId(0);

#[test]
fn a_plan_without_caches_watches_nothing() {
    let plan = plan(&shop());
    assert!(plan.watched.is_empty());
    assert!(plan.operations.iter().all(|operation| operation.caching.is_none()));
}

#[test]
fn an_answer_that_hides_a_field_from_some_is_not_everybodys() {
    let plan = keeping(&[]);
    let caching: Vec<&Caching> =
        plan.operations.iter().filter_map(|of| of.caching.as_ref()).collect();
    assert_eq!(caching.len(), 2, "one row, and the list");
    assert!(caching.iter().all(|one| !one.everyone && !one.public), "`cost` has a rule");
}

#[test]
fn a_set_ends_what_shows_its_rows_and_is_told_by_names() {
    let plan = keeping(&[3]);
    let delete = set(Write::Delete { resource: PRODUCT, id: 7, expected: 1 });
    let ended = Ended::by(&plan, &delete);
    assert!(ended.tags.contains(&Tag::Row(PRODUCT, acme(), 7)));
    assert!(ended.tags.contains(&Tag::List(PRODUCT, acme())));
    let told = ended.told(&plan, "one");
    assert_eq!(Ended::heard(&plan, &told, "other"), Some(ended));
    assert_eq!(Ended::heard(&plan, &told, "one"), None, "its own");
    let unknown = r#"{"by":"x","of":[["list","no.Such","acme",null]]}"#;
    assert!(Ended::heard(&plan, unknown, "one").is_some_and(|ended| ended.is_nothing()));
    assert!(Ended::heard(&plan, "what?", "one").is_some_and(|ended| ended.all));
}

#[test]
fn a_counter_or_field_that_is_excepted_ends_no_list() {
    let plan = keeping(&[3]);
    let count = |field| Write::Count { resource: PRODUCT, id: 7, field: FieldId(field), by: 1 };
    assert!(Ended::by(&plan, &set(count(3))).is_nothing());
    assert!(!Ended::by(&plan, &set(count(2))).is_nothing());
}

#[test]
fn more_than_fits_ends_everything() {
    let plan = keeping(&[]);
    let delete = |id| Write::Delete { resource: PRODUCT, id, expected: 1 };
    let many = WriteSet {
        tenant: acme(),
        writes: (0..5_000).map(delete).collect(),
        ..WriteSet::default()
    };
    let told = Ended::by(&plan, &many).told(&plan, "one");
    assert!(told.len() < 100, "{told}");
    assert!(Ended::heard(&plan, &told, "other").is_some_and(|ended| ended.all));
}
