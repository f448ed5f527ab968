//! The operations that domains are lowered to.

use super::contract;
use crate::lower::fixture;
use expect_test::expect;
use ir::contract::Operation;
use ir::domain::Domain;

fn print(domain: &Domain, show: fn(&Operation) -> String) -> String {
    contract(domain).operations.iter().map(|operation| show(operation) + "\n").collect()
}

#[test]
fn operations_are_what_somebody_is_allowed() {
    let (_, domain) = fixture::shop();
    let printed = print(&domain, |operation| {
        let Operation { id, method, path, summary, .. } = operation;
        let anonymous = if operation.anonymous { " anonymous" } else { "" };
        let internal = if operation.internal { " internal" } else { "" };
        format!("{id}: {method} {path} ({summary}){anonymous}{internal}")
    });
    expect![[r#"
        listProducts: GET /v1/products (List products) anonymous
        createProduct: POST /v1/products (Create a product)
        getProduct: GET /v1/products/{id} (Get a product) anonymous
        replaceProduct: PUT /v1/products/{id} (Replace a product)
        updateProduct: PATCH /v1/products/{id} (Change a product)
        deleteProduct: DELETE /v1/products/{id} (Delete a product)
        reserveProduct: POST /v1/products/{id}/reserve (Command `reserve` of a product) internal
        listOrders: GET /v1/orders (List orders)
        createOrder: POST /v1/orders (Create an order)
        getOrder: GET /v1/orders/{id} (Get an order)
        replaceOrder: PUT /v1/orders/{id} (Replace an order)
        updateOrder: PATCH /v1/orders/{id} (Change an order)
        placeOrder: POST /v1/orders/{id}/place (Command `place` of an order)
        cancelOrder: POST /v1/orders/{id}/cancel (Command `cancel` of an order)
        batch: POST /v1/batch (Do several operations of one context, all or none)
    "#]]
    .assert_eq(&printed);
}

#[test]
fn each_operation_names_its_problems() {
    let (_, domain) = fixture::shop();
    let printed = print(&domain, |operation| {
        let own = operation.problems.iter().filter(|slug| !super::problems::is_common(slug));
        let own: Vec<&str> = own.copied().collect();
        format!("{}: {}", operation.id, own.join(" "))
    });
    expect![[r#"
        listProducts: invalid-cursor tenant-unknown tenant-mismatch
        createProduct: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch duplicate key-running unsupported-media-type invalid-value key-reused
        getProduct: tenant-unknown tenant-mismatch not-found
        replaceProduct: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch not-found duplicate key-running version-mismatch unsupported-media-type invalid-value key-reused
        updateProduct: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch not-found duplicate key-running version-mismatch unsupported-media-type invalid-value key-reused
        deleteProduct: tenant-unknown forbidden tenant-mismatch not-found key-running version-mismatch key-reused
        reserveProduct: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch not-found key-running version-mismatch unsupported-media-type invalid-value key-reused
        listOrders: invalid-cursor tenant-unknown forbidden tenant-mismatch
        createOrder: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch key-running unsupported-media-type invalid-value unknown-reference mixed-currencies key-reused
        getOrder: tenant-unknown tenant-mismatch not-found
        replaceOrder: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch not-found key-running version-mismatch unsupported-media-type invalid-value unknown-reference mixed-currencies key-reused
        updateOrder: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch not-found key-running version-mismatch unsupported-media-type invalid-value unknown-reference mixed-currencies key-reused
        placeOrder: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch not-found illegal-transition key-running version-mismatch unsupported-media-type invalid-value mixed-currencies key-reused
        cancelOrder: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch not-found illegal-transition workflow-running key-running version-mismatch unsupported-media-type invalid-value mixed-currencies key-reused
        batch: malformed-body unknown-member read-only-member tenant-unknown forbidden tenant-mismatch not-found method-not-allowed duplicate illegal-transition workflow-running key-running version-mismatch unsupported-media-type invalid-value unknown-reference mixed-currencies key-reused
    "#]].assert_eq(&printed);
}

#[test]
fn lists_are_filtered_by_what_is_stored_and_may_be_compared() {
    let (_, domain) = fixture::shop();
    let contract = contract(&domain);
    let list = contract.operations.iter().find(|operation| operation.id == "listOrders");
    let list = list.expect("orders can be listed");
    let printed: String = list
        .filters
        .iter()
        .map(|filter| format!("{} {}\n", filter.name, filter.operators.join(" ")))
        .collect();
    expect![[r#"
        id ne gt gte lt lte in
        created_at ne gt gte lt lte in
        updated_at ne gt gte lt lte in
        shopper ne in
        total ne gt gte lt lte in
        total.currency ne in
        note ne gt gte lt lte in prefix null
        status ne in
    "#]]
    .assert_eq(&printed);
    assert_eq!(list.expands, ["lines", "lines.product"]);
    assert!(!list.searchable);
}

#[test]
fn resources_of_one_name_in_two_contexts_have_operations_of_two_names() {
    let (_, mut domain) = fixture::shop();
    let mut twin = domain.resources[0].clone();
    twin.context = ir::domain::ContextId(1);
    twin.path = "other-products".to_owned();
    domain.resources.push(twin);
    let contract = contract(&domain);
    let ids: Vec<&str> = contract.operations.iter().map(|one| one.id.as_str()).collect();
    assert!(ids.contains(&"listCatalogProducts"), "{ids:?}");
    assert!(ids.contains(&"listOrderingProducts"), "{ids:?}");
}
