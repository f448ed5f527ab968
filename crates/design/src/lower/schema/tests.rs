//! The tables, keys and indexes that domains are lowered to.

use super::schema;
use crate::lower::fixture;
use expect_test::{Expect, expect};
use ir::domain::{Domain, FieldId, Kind, ResourceId, Unique};
use ir::expr::{ExprKind, Operator};
use ir::model::{FieldType, Isolation, Model, OnDelete};
use ir::schema::{Index, Schema};
use ir::value::Value;
use std::fmt::Write as _;

fn check(model: &Model, domain: &Domain, expected: Expect) {
    expected.assert_eq(&print(&schema(model, domain)));
}

fn print(schema: &Schema) -> String {
    let mut out = String::new();
    for table in &schema.tables {
        let key = table.primary_key.join(", ");
        let _ = writeln!(out, "{}.{} ({key})", table.context, table.name);
        for column in &table.columns {
            let null = if column.nullable { " null" } else { "" };
            let check = column.check.as_ref().map(|check| format!(" {check:?}"));
            let check = check.unwrap_or_default();
            let _ = writeln!(out, "  {} {:?}{null}{check}", column.name, column.storage);
        }
        for key in &table.foreign_keys {
            let to = &schema.tables[key.table].name;
            let (columns, then) = (key.columns.join(", "), key.on_delete);
            let _ = writeln!(out, "  ({columns}) -> {to} ({}) {then:?}", key.to.join(", "));
        }
        table.indexes.iter().for_each(|index| out.push_str(&print_index(index)));
    }
    out
}

fn print_index(index: &Index) -> String {
    let column = |(name, down): &(String, bool)| format!("{name}{}", if *down { "-" } else { "" });
    let columns: Vec<String> = index.columns.iter().map(column).collect();
    let mut out = format!("  {} ({})", index.name, columns.join(", "));
    if !index.only.is_empty() {
        let _ = write!(out, " only {:?}", index.only);
    }
    out.push('\n');
    index.needed_by.iter().for_each(|why| {
        let _ = writeln!(out, "    {why}");
    });
    out
}

fn indexes(model: &Model, domain: &Domain, table: usize, expected: Expect) {
    let schema = schema(model, domain);
    let printed: String = schema.tables[table].indexes.iter().map(print_index).collect();
    // `expect!` takes off what every line begins with.
    let printed: String = printed.lines().map(|line| format!("{}\n", &line[2..])).collect();
    expected.assert_eq(&printed);
}

#[test]
fn a_shop_of_tenants_in_rows_has_these_tables() {
    let (model, domain) = fixture::shop();
    check(
        &model,
        &domain,
        expect![[r#"
        catalog.products (org, id)
          org Text Length { min: Some(1), max: None }
          id Uuid
          row_version Int Range { min: Some(1), max: None }
          created_at Timestamp
          updated_at Timestamp
          sku Text Length { min: None, max: Some(40) }
          name Text Length { min: None, max: Some(200) }
          name_search Text
          price Units
          price_currency Currency
          stock Int Range { min: Some(0), max: None }
          ux_catalog_products_org_sku (org, sku)
            unique `sku`
          ix_catalog_products_org_id_name_search (org, id, name_search)
            `q` of `GET /v1/products`
        ordering.orders (org, id)
          org Text Length { min: Some(1), max: None }
          id Uuid
          row_version Int Range { min: Some(1), max: None }
          created_at Timestamp
          updated_at Timestamp
          shopper Text
          total Units
          total_currency Currency
          note Text null Length { min: None, max: Some(500) }
          status Text OneOf(["draft", "placed", "paid", "shipped", "cancelled"])
          ix_ordering_orders_org_shopper_id (org, shopper, id)
            `GET /v1/orders` as `shopper when own`, newest first
        ordering.order_lines (org, id)
          org Text Length { min: Some(1), max: None }
          id Uuid
          order_id Uuid
          position Int Range { min: Some(0), max: None }
          product Uuid
          price Units
          price_currency Currency
          quantity Int Range { min: Some(1), max: Some(99) }
          amount Units
          amount_currency Currency
          (org, order_id) -> orders (org, id) Cascade
          ix_ordering_order_lines_org_order_id_position (org, order_id, position)
            `lines` of one Order or of a page of them, in their order
    "#]],
    );
}

#[test]
fn tenants_with_a_database_each_have_no_tenant_column() {
    let (model, mut domain) = fixture::shop();
    if let Some(tenancy) = &mut domain.tenancy {
        tenancy.isolation = Isolation::Database;
    }
    let schema = schema(&model, &domain);
    assert!(schema.tables.iter().all(|table| table.tenant.is_none()));
    assert_eq!(schema.tables[1].primary_key, ["id"]);
    assert_eq!(schema.tables[2].foreign_keys[0].columns, ["order_id"]);
}

#[test]
fn a_field_named_as_an_implicit_column_gives_way() {
    let (model, mut domain) = fixture::shop();
    domain.resources[0].fields[0].name = "org".to_owned();
    let names = schema(&model, &domain).tables[0].columns.clone();
    let names: Vec<&str> = names.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names[0], "org");
    assert!(names.contains(&"org_2"), "{names:?}");
}

#[test]
fn a_partial_unique_becomes_a_partial_index() {
    let (model, mut domain) = fixture::shop();
    let text = |text| ExprKind::Literal(Value::text(text));
    domain.resources[1].uniques = vec![Unique {
        fields: vec![FieldId(0)],
        when: Some(fixture::compare(Operator::NotEqual, 4, text("cancelled"))),
    }];
    indexes(
        &model,
        &domain,
        1,
        expect![[r#"
              ux_ordering_orders_org_shopper (org, shopper) only [NotEqual("status", Text("cancelled"))]
                unique `shopper`, of the rows its condition holds for
              ix_ordering_orders_org_shopper_id (org, shopper, id)
                `GET /v1/orders` as `shopper when own`, newest first
        "#]],
    );
}

#[test]
fn an_index_that_begins_like_another_is_not_made_twice() {
    let (model, mut domain) = fixture::shop();
    let own = domain.resources[1].access.read[0].clone();
    domain.resources[1].access.read.push(own);
    let schema = schema(&model, &domain);
    assert_eq!(schema.tables[1].indexes.len(), 1, "{:?}", schema.tables[1].indexes);
}

#[test]
fn references_and_spans_of_one_context_are_indexed_and_those_of_others_are_not() {
    let (model, mut domain) = fixture::shop();
    let declared = FieldType::Reference { context: None, resource: Default::default() };
    let on_delete = OnDelete::Clear;
    let kind = Kind::Reference { target: ResourceId(1), crosses: false, on_delete };
    domain.resources[2].fields[0].kind = kind.clone();
    domain.resources[1].fields.push(ir::domain::Field {
        kind,
        optional: true,
        ..fixture::field("earlier", declared)
    });
    domain.resources[1].fields.push(fixture::field("during", FieldType::Timespan));
    domain.resources[1].overlaps = vec![(vec![FieldId(0)], FieldId(6))];
    indexes(
        &model,
        &domain,
        1,
        expect![[r#"
              ix_ordering_orders_org_shopper_id (org, shopper, id)
                `GET /v1/orders` as `shopper when own`, newest first
              ix_ordering_orders_org_shopper_during_start (org, shopper, during_start)
                is the span free? (never overlap by `shopper`)
              ix_ordering_orders_org_earlier_id (org, earlier, id)
                deletion of Order: clears the reference
                `earlier=` of `GET /v1/orders`, newest first
        "#]],
    );
    indexes(
        &model,
        &domain,
        2,
        expect![[r#"
              ix_ordering_order_lines_org_order_id_position (org, order_id, position)
                `lines` of one Order or of a page of them, in their order
              ix_ordering_order_lines_org_product_id (org, product, id)
                deletion of Order: clears the reference
        "#]],
    );
}

#[test]
fn a_journey_that_lists_by_a_condition_has_its_index_within_the_rule_of_its_actor() {
    let (mut model, domain) = fixture::shop();
    let order =
        |actor: &str, sort: Option<&str>| fixture::list_where(actor, "Order", "status", sort);
    model.workload = vec![order("staff", None), order("shopper", Some("-created_at"))];
    indexes(
        &model,
        &domain,
        1,
        expect![[r#"
              ix_ordering_orders_org_shopper_id (org, shopper, id)
                `GET /v1/orders` as `shopper when own`, newest first
              ix_ordering_orders_org_status_id (org, status, id)
                `GET /v1/orders` of journey `pick` where status == paid, newest first
              ix_ordering_orders_org_shopper_status_created_at_id (org, shopper, status, created_at, id)
                `GET /v1/orders` of journey `pick` where status == paid, sorted by -created_at
        "#]],
    );
}
