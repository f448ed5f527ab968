//! What every store must do, as tests that run on each of them: `store_conformance!` makes one
//! test of each sentence here for a way of opening a store.

pub(crate) mod audit;
pub(crate) mod children;
pub(crate) mod constraints;
pub(crate) mod events;
pub(crate) mod lists;
pub(crate) mod operations;
pub(crate) mod references;
pub(crate) mod sets;
pub(crate) mod tenants;
pub(crate) mod values;
pub(crate) mod webhooks;

use crate::fixture::store::{AREA, Layout, PART, SLOT, THING, UNIT, part, thing};
use crate::ports::store::{
    Bindings, ChildChange, CommitError, Fresh, ListQuery, Store, Tenant, Unavailable, Write,
    WriteSet,
};
use crate::record::Record;
use ir::domain::{FieldId, ResourceId};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Operator, Type};
use ir::value::{Currency, Value};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Opens the same data again and again; a store that is dropped has let go of it.
pub(crate) trait Opens {
    fn layout(&self) -> Layout;
    fn open(&self) -> Arc<dyn Store>;
}

/// When everything happens, unless a test says otherwise.
pub(crate) const NOW: i64 = 1_790_000_000_000_000;

/// A store under test.
pub(crate) struct Bench {
    opens: Box<dyn Opens>,
    store: RefCell<Option<Arc<dyn Store>>>,
    runtime: Runtime,
}

impl Bench {
    pub(crate) fn new(opens: Box<dyn Opens>) -> Self {
        let store = RefCell::new(Some(opens.open()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_time()
            .build()
            .expect("a runtime");
        Self { opens, store, runtime }
    }

    fn layout(&self) -> Layout {
        self.opens.layout()
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.borrow().clone().expect("the store is open")
    }

    /// Closes the store and opens it again.
    fn restart(&self) {
        self.store.replace(None);
        self.store.replace(Some(self.opens.open()));
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The tenant of most tests.
    fn tenant(&self) -> Tenant {
        self.named("acme")
    }

    fn named(&self, name: &str) -> Tenant {
        (self.layout() != Layout::NoTenants).then(|| Arc::from(name))
    }

    fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        self.commit_of(&self.tenant(), writes)
    }

    fn commit_of(&self, tenant: &Tenant, writes: Vec<Write>) -> Result<(), CommitError> {
        let set = WriteSet { tenant: tenant.clone(), writes, ..WriteSet::default() };
        self.wait(self.store().commit(set, &bindings()))
    }

    fn insert(&self, resource: ResourceId, record: &Record) -> Result<(), CommitError> {
        self.commit(vec![Write::Insert { resource, record: record.clone().into() }])
    }

    fn put(&self, resource: ResourceId, records: &[Record]) {
        let insert = |record: &Record| Write::Insert { resource, record: record.clone().into() };
        self.commit(records.iter().map(insert).collect()).expect("the rows are written");
    }

    fn get(&self, resource: ResourceId, id: u128) -> Option<Record> {
        self.get_of(&self.tenant(), resource, id)
    }

    fn get_of(&self, tenant: &Tenant, resource: ResourceId, id: u128) -> Option<Record> {
        let children: &[FieldId] = if resource == THING { &[thing::PARTS] } else { &[] };
        let found = self.wait(self.store().get(tenant, resource, &[id], children, &bindings()));
        found.expect("it reads").into_iter().next()
    }

    fn list(&self, query: &ListQuery<'_>) -> Result<Vec<Record>, Unavailable> {
        self.list_of(&self.tenant(), query)
    }

    fn list_of(&self, tenant: &Tenant, query: &ListQuery<'_>) -> Result<Vec<Record>, Unavailable> {
        self.wait(self.store().list(tenant, query, &bindings()))
    }

    /// Ids of the rows for which a condition holds, in order.
    fn ids(&self, resource: ResourceId, filter: Option<&Expr>) -> Vec<u128> {
        let query =
            ListQuery { filter: filter.into_iter().map(Cow::Borrowed).collect(), ..all(resource) };
        ids(&self.list(&query).expect("it lists"))
    }
}

fn bindings() -> Bindings {
    Bindings { me: Some(Arc::from("alice")), now: NOW, deadline: 0, fresh: Fresh::Newest }
}

fn ids(rows: &[Record]) -> Vec<u128> {
    rows.iter().map(|row| row.id).collect()
}

/// All rows by id.
fn all(resource: ResourceId) -> ListQuery<'static> {
    ListQuery {
        resource,
        filter: Vec::new(),
        search: Vec::new(),
        sort: vec![(FieldRef::Implicit(Implicit::Id), false)],
        after: None,
        rows_max: 1_000,
        children: &[],
    }
}

fn row(id: u128, values: Vec<Value>) -> Record {
    let values = values.into_boxed_slice();
    Record { id, version: 1, created_at: NOW, updated_at: NOW, values, children: Vec::new() }
}

/// A thing that has nothing but its code and what is said.
fn thing_with(id: u128, fields: &[(FieldId, Value)]) -> Record {
    let mut values = vec![Value::Null; thing::COUNT_OF];
    values[thing::CODE.index()] = Value::text(format!("code {id}"));
    values[thing::HITS.index()] = Value::Int(0);
    for (field, value) in fields {
        values[field.index()] = value.clone();
    }
    Record { children: vec![(thing::PARTS, Vec::new())], ..row(id, values) }
}

/// A thing with parts of these ids and kinds.
fn thing_of_parts(id: u128, parts: &[(u128, &str)]) -> Record {
    let parts = parts.iter().map(|(id, kind)| part_of(*id, kind)).collect();
    Record { children: vec![(thing::PARTS, parts)], ..thing_with(id, &[]) }
}

fn part_of(id: u128, kind: &str) -> Record {
    let mut values = vec![Value::Null; 4];
    values[part::KIND.index()] = Value::text(kind);
    Record { version: 0, ..row(id, values) }
}

fn area(id: u128) -> Record {
    row(id, vec![Value::text(format!("area {id}")), Value::Null])
}

fn slot(id: u128, area: u128, start: i64, end: i64) -> Record {
    row(id, vec![Value::Uuid(area), Value::Timespan { start, end }])
}

fn unit(id: u128) -> Record {
    row(id, vec![Value::text("m")])
}

/// The row one version on.
fn changed(record: &Record, fields: &[(FieldId, Value)]) -> Record {
    let mut next = Record { version: record.version + 1, updated_at: NOW + 1, ..record.clone() };
    for (field, value) in fields {
        next.values[field.index()] = value.clone();
    }
    next
}

fn update(resource: ResourceId, record: Record) -> Write {
    let (expected, fields) = (record.version - 1, all_fields(&record));
    Write::Update { resource, record: record.into(), fields, expected, children: Vec::new() }
}

fn update_parts(record: Record, removed: &[u128], put: Vec<Record>) -> Write {
    let (expected, fields) = (record.version - 1, all_fields(&record));
    let change = ChildChange { removed: removed.to_vec(), put };
    let children = vec![(thing::PARTS, change)];
    Write::Update { resource: THING, record: record.into(), fields, expected, children }
}

fn all_fields(record: &Record) -> Vec<FieldId> {
    (0..record.values.len()).map(FieldId::of).collect()
}

fn delete(resource: ResourceId, id: u128, expected: i64) -> Write {
    Write::Delete { resource, id, expected }
}

fn euro(units: i64) -> Value {
    Value::Money { units, currency: Currency(*b"EUR") }
}

fn field(field: FieldId, ty: Type) -> Expr {
    Expr { kind: ExprKind::Field(FieldRef::Field(field)), ty }
}

fn compare(operator: Operator, left: Expr, right: Value) -> Expr {
    let right = Expr { ty: left.ty.clone(), kind: ExprKind::Literal(right) };
    Expr { kind: ExprKind::Compare(operator, Box::new(left), Box::new(right)), ty: Type::Bool }
}

/// Every sentence about events as a test of its own.
macro_rules! events_conformance {
    ($module:ident, $opens:expr) => {
        $crate::ports::conformance::store_conformance!(@all $module, $opens,
            events: events_are_read_in_order_whole_and_in_parts,
            events: places_are_where_logs_are,
            events: a_reader_misses_nothing_of_many_writers,
            events: events_of_a_tenant_are_listed_both_ways_and_by_what_is_asked,
            events: a_second_owner_fences_the_first,
            events: what_is_settled_is_there_whole,
            events: an_event_has_its_effect_once,
            events: only_one_of_many_has_the_effect,
            events: only_the_first_of_a_key_is_due,
            events: a_dead_event_is_driven_again_or_given_up,
            events: held_events_of_tenants_are_told_apart,
            events: a_log_is_cut_off_where_all_have_read,
            events: a_view_moves_on_from_where_it_was_read,
            events: a_view_is_made_anew_for_one_tenant,
            events: a_dead_event_is_passed_over_by_who_asks_for_those_alive,
            webhooks: an_endpoint_is_found_as_it_was_kept_by_its_tenant,
            webhooks: an_endpoint_is_changed_by_who_saw_it_last,
            webhooks: a_tenant_has_so_many_endpoints_at_most,
            webhooks: attempts_are_read_newest_first_until_they_are_forgotten,
            webhooks: what_an_endpoint_holds_is_let_go_and_goes_with_it,
            operations: an_operation_begins_with_what_came_and_ends_with_what_was_made,
            operations: what_an_earlier_claim_still_writes_is_refused,
            operations: what_waits_comes_by_priority_then_age_and_the_old_grow,
            operations: of_a_kind_so_many_run_as_may,
            operations: tenants_take_turns,
            operations: one_that_is_cancelled_goes_no_further,
        );
    };
}
pub(crate) use events_conformance;

/// Every sentence as a test of its own.
macro_rules! store_conformance {
    ($module:ident, $opens:expr) => {
        store_conformance!(@all $module, $opens,
            values: every_kind_of_value_comes_back_as_it_went_in,
            values: a_row_without_values_comes_back_empty,
            values: rows_are_read_by_id_and_missing_ones_are_left_out,
            lists: pages_follow_every_order_with_nulls_last,
            lists: an_untouched_row_is_on_one_page_whatever_comes_and_goes,
            lists: words_are_found_by_their_beginning,
            lists: a_page_shows_children_in_their_order,
            lists: a_filter_knows_the_caller_and_the_time,
            lists: a_deadline_that_has_passed_stops_a_long_list,
            constraints: a_unique_key_refuses_and_is_named,
            constraints: null_never_collides,
            constraints: a_unique_key_with_a_condition_looks_at_it,
            constraints: a_unique_key_of_two_fields_needs_both,
            constraints: spans_of_one_area_never_overlap,
            references: a_reference_must_lead_somewhere,
            references: a_row_that_is_referred_to_is_held,
            references: a_deletion_clears_references_and_raises_the_version,
            references: a_deletion_takes_along_what_cascades,
            references: a_shared_row_is_referred_to_by_rows_of_tenants,
            children: children_keep_their_order,
            children: children_are_changed_moved_added_and_removed,
            children: a_child_of_another_owner_is_a_conflict,
            children: children_go_with_their_owner,
            sets: a_stale_version_is_a_conflict,
            sets: a_set_is_written_whole_or_not_at_all,
            sets: an_answer_is_kept_once_with_its_effect,
            sets: an_answer_that_is_there_keeps_a_row_with_parts_away,
            sets: a_change_that_is_refused_is_not_reported,
            sets: an_expired_answer_makes_room,
            sets: a_set_sees_its_own_changes,
            sets: one_failing_set_spoils_no_other,
            sets: no_update_is_lost_among_many_writers,
            sets: counters_are_raised_without_a_new_version,
            sets: what_was_acknowledged_is_there_after_a_restart,
            sets: a_set_after_its_deadline_is_not_written,
            audit: an_entry_is_there_with_its_change_and_without_it_is_not,
            audit: many_writers_make_one_chain,
            audit: a_trail_is_read_in_pages_and_by_what_is_asked,
            audit: trails_of_tenants_never_meet,
            tenants: tenants_never_meet,
            tenants: a_call_without_a_tenant_reads_nothing,
            tenants: shared_rows_are_seen_by_every_tenant,
        );
    };
    (@all $module:ident, $opens:expr, $($part:ident: $name:ident,)*) => {
        mod $module {
            use super::*;
            $(#[test]
            fn $name() {
                let opens = $opens;
                let bench = $crate::ports::conformance::Bench::new(Box::new(opens));
                $crate::ports::conformance::$part::$name(&bench);
            })*
        }
    };
}
pub(crate) use store_conformance;
