//! The text of statements, as it is prepared.

use super::dialect::Sqlite;
use super::list;
use super::plan::Plan;
use super::term::Param;
use crate::fixture::{ORDER, PRODUCT, shop};
use crate::ports::store::ListQuery;
use expect_test::{Expect, expect};
use ir::domain::{FieldId, ResourceId};
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Function, Implicit, Operator, Type};
use ir::value::{Currency, Value};
use std::borrow::Cow;
use std::sync::Arc;

const ID: FieldRef = FieldRef::Implicit(Implicit::Id);
const CREATED: FieldRef = FieldRef::Implicit(Implicit::CreatedAt);
const MONEY: Type = Type::Money { currency: None };

fn plan() -> Plan {
    let architecture = shop();
    let (domain, schema) = (architecture.domain.clone(), architecture.schema.clone());
    Plan::new(Arc::new(domain), Arc::new(schema), Arc::new(Sqlite)).expect("they fit")
}

/// One clause a line.
fn lines(text: &str) -> String {
    [
        "CASE ",
        "THEN ",
        "FROM ",
        "WHERE ",
        "AND ",
        "ORDER BY ",
        "VALUES ",
        "SET ",
        "ON CONFLICT ",
        "DO UPDATE ",
    ]
    .iter()
    .fold(text.to_owned(), |text, word| text.replace(&format!(" {word}"), &format!("\n{word}")))
    .replace(" coalesce(mainstay", "\ncoalesce(mainstay")
}

fn query(resource: ResourceId) -> ListQuery<'static> {
    ListQuery {
        resource,
        filter: Vec::new(),
        search: Vec::new(),
        sort: vec![(ID, true)],
        after: None,
        rows_max: 20,
        children: &[],
    }
}

/// What follows the columns.
fn check(query: &ListQuery<'_>, expected: Expect) {
    let statement = list::statement(&plan(), query).expect("it has a text");
    let from = statement.text.find(" FROM ").expect("it reads a table");
    let params: Vec<_> = statement
        .params
        .iter()
        .zip(1..)
        .map(|(param, at)| match param {
            Param::Cell(cell) => format!("?{at} {cell:?}"),
            other => format!("?{at} {other:?}"),
        })
        .collect();
    expected.assert_eq(&format!("{}\n{}", lines(&statement.text[from..]), params.join("\n")));
}

fn of(field: u16, ty: Type) -> Expr {
    Expr { kind: ExprKind::Field(FieldRef::Field(FieldId(field))), ty }
}

fn literal(value: Value) -> Expr {
    Expr { kind: ExprKind::Literal(value), ty: Type::Null }
}

fn compare(operator: Operator, left: Expr, right: Expr) -> Expr {
    Expr { kind: ExprKind::Compare(operator, Box::new(left), Box::new(right)), ty: Type::Bool }
}

fn own() -> Expr {
    compare(Operator::Equal, of(0, Type::Text), Expr { kind: ExprKind::Me, ty: Type::Text })
}

#[test]
fn a_list_of_ones_own_newest_first() {
    let own = own();
    let filter = vec![Cow::Borrowed(&own)];
    let page = ListQuery { filter, after: Some(vec![Value::Uuid(7)]), ..query(ORDER) };
    check(
        &page,
        expect![[r#"

            FROM "ordering_orders" r
            WHERE r."org" = ?1
            AND r."shopper" = ?2
            AND r."id" < ?3
            ORDER BY r."id" DESC LIMIT ?4
            ?1 Tenant
            ?2 Me
            ?3 After { key: 0, part: Whole, shape: Uuid }
            ?4 Limit"#]],
    );
}

#[test]
fn a_page_behind_another_in_mixed_directions_with_nulls() {
    let note = FieldRef::Field(FieldId(3));
    let sort = vec![(CREATED, true), (note, false), (ID, true)];
    let after = |note| Some(vec![Value::Timestamp(5), note, Value::Uuid(7)]);
    let page = ListQuery { sort: sort.clone(), after: after(Value::text("a")), ..query(ORDER) };
    check(
        &page,
        expect![[r#"

            FROM "ordering_orders" r
            WHERE r."org" = ?1
            AND r."created_at" <= ?2
            AND (r."created_at" < ?2 OR r."created_at" = ?2
            AND (r."note" > ?3 OR r."note" IS NULL) OR r."created_at" = ?2
            AND r."note" = ?3
            AND r."id" < ?4)
            ORDER BY r."created_at" DESC, r."note" NULLS LAST, r."id" DESC LIMIT ?5
            ?1 Tenant
            ?2 After { key: 0, part: Whole, shape: Timestamp }
            ?3 After { key: 1, part: Whole, shape: Text }
            ?4 After { key: 2, part: Whole, shape: Uuid }
            ?5 Limit"#]],
    );
    let page = ListQuery { sort, after: after(Value::Null), ..query(ORDER) };
    check(
        &page,
        expect![[r#"

            FROM "ordering_orders" r
            WHERE r."org" = ?1
            AND r."created_at" <= ?2
            AND (r."created_at" < ?2 OR r."created_at" = ?2
            AND r."note" IS NULL
            AND r."id" < ?3)
            ORDER BY r."created_at" DESC, r."note" NULLS LAST, r."id" DESC LIMIT ?4
            ?1 Tenant
            ?2 After { key: 0, part: Whole, shape: Timestamp }
            ?3 After { key: 2, part: Whole, shape: Uuid }
            ?4 Limit"#]],
    );
    let sort = vec![(CREATED, true), (ID, true)];
    let after = Some(vec![Value::Timestamp(5), Value::Uuid(7)]);
    check(
        &ListQuery { sort, after, ..query(ORDER) },
        expect![[r#"

            FROM "ordering_orders" r
            WHERE r."org" = ?1
            AND (r."created_at", r."id") < (?2, ?3)
            ORDER BY r."created_at" DESC, r."id" DESC LIMIT ?4
            ?1 Tenant
            ?2 After { key: 0, part: Whole, shape: Timestamp }
            ?3 After { key: 1, part: Whole, shape: Uuid }
            ?4 Limit"#]],
    );
}

#[test]
fn words_are_looked_for_in_the_shadow_column() {
    let search = vec!["red".to_owned(), "sho".to_owned()];
    check(
        &ListQuery { search, ..query(PRODUCT) },
        expect![[r#"

            FROM "catalog_products" r
            WHERE r."org" = ?1
            AND (instr(r."name_search", ?2) > 0)
            AND (instr(r."name_search", ?3) > 0)
            ORDER BY r."id" DESC LIMIT ?4
            ?1 Tenant
            ?2 Text(" red")
            ?3 Text(" sho")
            ?4 Limit"#]],
    );
}

#[test]
fn filters_of_clients() {
    let total = |value| compare(Operator::GreaterEqual, of(2, MONEY), literal(value));
    let call = |function, arguments, ty| Expr { kind: ExprKind::Call(function, arguments), ty };
    let status = Box::new(of(4, Type::Text));
    let some = ["placed", "paid"].map(|name| literal(Value::text(name))).to_vec();
    let currency = call(Function::Currency, vec![of(2, MONEY)], Type::Text);
    let note = of(3, Type::Text);
    let prefix = vec![note.clone(), literal(Value::text("ab"))];
    let filter = [
        total(Value::Int(1000)),
        total(Value::Decimal { units: 12_345_678, scale: 6 }),
        total(Value::Money { units: 5, currency: Currency(*b"EUR") }),
        compare(Operator::Equal, currency, literal(Value::text("EUR"))),
        Expr { kind: ExprKind::In(status, some), ty: Type::Bool },
        compare(Operator::NotEqual, note.clone(), literal(Value::text("x"))),
        compare(Operator::Equal, note, literal(Value::Null)),
        call(Function::StartsWith, prefix, Type::Bool),
    ];
    let filter = filter.into_iter().map(Cow::Owned).collect();
    check(
        &ListQuery { filter, ..query(ORDER) },
        expect![[r#"

            FROM "ordering_orders" r
            WHERE r."org" = ?1
            AND r."total" >= ?3
            AND r."total" > ?5
            AND (r."total" >= ?6
            AND r."total_currency" = ?7)
            AND r."total_currency" = ?7
            AND (r."status" = ?8 OR r."status" = ?9)
            AND NOT coalesce(r."note" = ?10, FALSE)
            AND r."note" IS NULL
            AND (r."note" >= ?11
            AND r."note" < ?12)
            ORDER BY r."id" DESC LIMIT ?13
            ?1 Tenant
            ?2 Int(1000)
            ?3 Int(10000000)
            ?4 Int(12345678)
            ?5 Int(123456)
            ?6 Int(5)
            ?7 Text("EUR")
            ?8 Text("placed")
            ?9 Text("paid")
            ?10 Text("x")
            ?11 Text("ab")
            ?12 Text("ac")
            ?13 Limit"#]],
    );
}

#[test]
fn conditions_that_may_fault_are_asked_in_order() {
    let quantity = of(2, Type::Int);
    let sum = ExprKind::Aggregate(Aggregate::Sum, FieldId(1), Some(Box::new(quantity)));
    let many =
        compare(Operator::Greater, Expr { kind: sum, ty: Type::Int }, literal(Value::Int(10)));
    let age = Expr { kind: ExprKind::Age, ty: Type::Duration };
    let old = compare(Operator::Greater, age, literal(Value::Duration(86_400_000_000)));
    let any = Expr { kind: ExprKind::Or(vec![many, old.clone()]), ty: Type::Bool };
    let not = Expr { kind: ExprKind::Not(Box::new(own())), ty: Type::Bool };
    let filter = [any, old, not].into_iter().map(Cow::Owned).collect();
    check(
        &ListQuery { filter, ..query(ORDER) },
        expect![[r#"

            FROM "ordering_orders" r
            WHERE r."org" = ?1 AND
            CASE (CASE WHEN typeof((SELECT
            coalesce(mainstay_fold('sum|int|int', t2."quantity", NULL), 0)
            FROM "ordering_order_lines" t2
            WHERE t2."org" = ?1
            AND t2."order_id" = r."id")) = 'real'
            THEN NULL ELSE coalesce((SELECT
            coalesce(mainstay_fold('sum|int|int', t2."quantity", NULL), 0)
            FROM "ordering_order_lines" t2
            WHERE t2."org" = ?1
            AND t2."order_id" = r."id") > ?2, FALSE) END) WHEN TRUE
            THEN TRUE WHEN FALSE
            THEN (coalesce(r."created_at" < ?3, FALSE)) END
            AND r."created_at" < ?3
            AND NOT (coalesce(r."shopper" = ?4, FALSE))
            ORDER BY r."id" DESC LIMIT ?5
            ?1 Tenant
            ?2 Int(10)
            ?3 Now { less: 86400000000 }
            ?4 Me
            ?5 Limit"#]],
    );
}

#[test]
fn statements_of_a_root_and_of_a_child() {
    let plan = plan();
    let (root, child) = (plan.table(ORDER), plan.table(ResourceId(2)));
    let all = [
        root.get.as_str(),
        root.insert.as_str(),
        plan.update(ORDER, &[FieldId(0), FieldId(1)]).text.as_str(),
        root.delete.as_str(),
        child.of_owner.as_deref().unwrap_or_default(),
        child.upsert.as_deref().unwrap_or_default(),
        child.delete.as_str(),
    ];
    let all: Vec<_> = all.iter().map(|text| lines(text)).collect();
    expect![[r#"
        SELECT r."id",
          r."row_version",
          r."created_at",
          r."updated_at",
          r."shopper",
          r."total",
          r."total_currency",
          r."note",
          r."status"
        FROM "ordering_orders" r
        WHERE r."org" = ?1
        AND r."id" = ?2

        INSERT INTO "ordering_orders" ("org",
          "id",
          "row_version",
          "created_at",
          "updated_at",
          "shopper",
          "total",
          "total_currency",
          "note",
          "status")
        VALUES (?1,
          ?2,
          ?3,
          ?4,
          ?5,
          ?6,
          ?7,
          ?8,
          ?9,
          ?10)

        UPDATE "ordering_orders"
        SET "row_version" = ?1,
          "updated_at" = ?2,
          "shopper" = ?3
        WHERE "org" = ?4
        AND "id" = ?5
        AND "row_version" = ?6

        DELETE
        FROM "ordering_orders"
        WHERE "org" = ?1
        AND "id" = ?2
        AND "row_version" = ?3

        SELECT r."id",
          r."product",
          r."price",
          r."price_currency",
          r."quantity",
          r."amount",
          r."amount_currency"
        FROM "ordering_order_lines" r
        WHERE r."org" = ?1
        AND r."order_id" = ?2
        ORDER BY r."position"

        INSERT INTO "ordering_order_lines" ("org",
          "id",
          "order_id",
          "position",
          "product",
          "price",
          "price_currency",
          "quantity",
          "amount",
          "amount_currency")
        VALUES (?1,
          ?2,
          ?3,
          ?4,
          ?5,
          ?6,
          ?7,
          ?8,
          ?9,
          ?10)
        ON CONFLICT ("org",
          "id") DO UPDATE
        SET "position" = excluded."position",
          "product" = excluded."product",
          "price" = excluded."price",
          "price_currency" = excluded."price_currency",
          "quantity" = excluded."quantity",
          "amount" = excluded."amount",
          "amount_currency" = excluded."amount_currency"
        WHERE "ordering_order_lines"."order_id" = excluded."order_id"

        DELETE
        FROM "ordering_order_lines"
        WHERE "org" = ?1
        AND "id" = ?2
        AND "order_id" = ?3"#]]
    .assert_eq(&all.join("\n\n").replace(", ", ",\n  "));
}
