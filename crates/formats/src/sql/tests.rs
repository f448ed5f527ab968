//! What both dialects say of tables that the examples do not have: circles, partial uniques,
//! cleared references, names that need quoting.

use super::{
    Place, postgresql_name, postgresql_statements, sqlite_statements, write_postgresql,
    write_sqlite,
};
use expect_test::expect;
use ir::domain::{FieldId, ResourceId};
use ir::model::OnDelete;
use ir::schema::{
    Check, Column, ForeignKey, Index, IndexCondition, Literal, Overlap, Part, Schema, Storage,
    Table,
};

fn column(name: &str, storage: Storage) -> Column {
    let (field, check, was, fill) = (None, None, None, None);
    let giver = ir::schema::Giver::Writer;
    Column { name: name.to_owned(), storage, nullable: false, field, check, was, fill, giver }
}

fn part(column: Column, field: u16, part: Part) -> Column {
    Column { field: Some((FieldId(field), part)), nullable: true, ..column }
}

fn key(column: &str, table: usize, on_delete: OnDelete) -> ForeignKey {
    ForeignKey {
        columns: vec!["org".to_owned(), column.to_owned()],
        table,
        to: vec!["org".to_owned(), "id".to_owned()],
        on_delete,
        field: Some(FieldId(0)),
    }
}

fn table(number: u16, name: &str, columns: Vec<Column>) -> Table {
    let mut all = vec![
        column("org", Storage::Text),
        column("id", Storage::Uuid),
        column("row_version", Storage::Int),
    ];
    all.extend(columns);
    Table {
        resource: ResourceId(number),
        context: "care".to_owned(),
        name: name.to_owned(),
        tenant: Some("org".to_owned()),
        owner: None,
        columns: all,
        primary_key: vec!["org".to_owned(), "id".to_owned()],
        foreign_keys: Vec::new(),
        indexes: Vec::new(),
        overlaps: Vec::new(),
        was: None,
        unmanaged: None,
    }
}

fn index(name: &str, columns: &[&str], unique: Option<usize>) -> Index {
    Index {
        name: name.to_owned(),
        columns: columns.iter().map(|column| ((*column).to_owned(), false)).collect(),
        unique,
        only: Vec::new(),
        needed_by: vec!["a query\nof two lines".to_owned()],
    }
}

/// A visit refers to a doctor who may go, and to a room; a room to the visit it is open for.
fn schema() -> Schema {
    let mut visit = table(
        0,
        "visits",
        vec![
            Column { nullable: true, ..column("doctor", Storage::Uuid) },
            column("room", Storage::Uuid),
            part(column("during_start", Storage::Timestamp), 2, Part::Start),
            part(column("during_end", Storage::Timestamp), 2, Part::End),
            Column { nullable: true, ..column("state", Storage::Text) },
            column("open", Storage::Bool),
        ],
    );
    visit.foreign_keys =
        vec![key("doctor", 1, OnDelete::Clear), key("room", 2, OnDelete::Restrict)];
    visit.indexes = vec![
        Index {
            only: vec![
                IndexCondition::NotEqual("state".to_owned(), Literal::Text("it's over".to_owned())),
                IndexCondition::Equal("open".to_owned(), Literal::Int(1)),
                IndexCondition::NotNull("doctor".to_owned()),
            ],
            ..index("ux_room", &["org", "room"], Some(0))
        },
        index("ix_free", &["org", "doctor", "during_start"], None),
    ];
    visit.overlaps = vec![Overlap {
        equal: vec!["org".to_owned(), "doctor".to_owned()],
        start: "during_start".to_owned(),
        end: "during_end".to_owned(),
    }];
    let born = Column {
        check: Some(Check::Range { min: Some(-10), max: Some(20) }),
        ..column("born", Storage::Date)
    };
    let odd = part(column("odd\"name_search", Storage::Text), 3, Part::Search);
    let mut doctor = table(1, "doctors", vec![born, odd]);
    doctor.indexes = vec![index("ix_q", &["org", "id", "odd\"name_search"], None)];
    let mut room = table(2, "rooms", vec![column("open_for", Storage::Uuid)]);
    room.foreign_keys = vec![key("open_for", 0, OnDelete::Cascade)];
    Schema { tables: vec![visit, doctor, room] }
}

/// The part of a file before the system tables.
fn own(text: &str) -> &str {
    let text = text.split("\n-- Mainstay's own").next().unwrap_or_default();
    text.split("\n-- which architecture").next().unwrap_or_default()
}

#[test]
fn sqlite_clears_references_by_trigger_and_quotes_every_name() {
    expect![[r#"
        PRAGMA foreign_keys = ON;

        CREATE TABLE "care_doctors" (
          "org" TEXT NOT NULL,
          "id" BLOB NOT NULL CHECK (length("id") = 16),
          "row_version" INTEGER NOT NULL,
          "born" INTEGER NOT NULL CHECK ("born" BETWEEN -10 AND 20),
          "odd""name_search" TEXT,
          PRIMARY KEY ("org", "id")
        ) STRICT;

        -- a query of two lines
        CREATE INDEX "ix_q" ON "care_doctors" ("org", "id", "odd""name_search");

        CREATE TABLE "care_visits" (
          "org" TEXT NOT NULL,
          "id" BLOB NOT NULL CHECK (length("id") = 16),
          "row_version" INTEGER NOT NULL,
          "doctor" BLOB CHECK (length("doctor") = 16),
          "room" BLOB NOT NULL CHECK (length("room") = 16),
          "during_start" INTEGER,
          "during_end" INTEGER,
          "state" TEXT,
          "open" INTEGER NOT NULL CHECK ("open" IN (0, 1)),
          PRIMARY KEY ("org", "id"),
          FOREIGN KEY ("org", "doctor") REFERENCES "care_doctors" ("org", "id") ON DELETE NO ACTION,
          FOREIGN KEY ("org", "room") REFERENCES "care_rooms" ("org", "id") ON DELETE RESTRICT,
          CHECK (("during_start" IS NULL) = ("during_end" IS NULL)),
          CHECK ("during_start" < "during_end")
        ) STRICT;

        -- a query of two lines
        CREATE UNIQUE INDEX "ux_room" ON "care_visits" ("org", "room") WHERE "state" IS NOT 'it''s over' AND "open" = 1 AND "doctor" IS NOT NULL;

        -- a query of two lines
        CREATE INDEX "ix_free" ON "care_visits" ("org", "doctor", "during_start");
        -- rows of equal "org", "doctor" never overlap from "during_start" to "during_end": the one writer looks before it writes

        CREATE TABLE "care_rooms" (
          "org" TEXT NOT NULL,
          "id" BLOB NOT NULL CHECK (length("id") = 16),
          "row_version" INTEGER NOT NULL,
          "open_for" BLOB NOT NULL CHECK (length("open_for") = 16),
          PRIMARY KEY ("org", "id"),
          FOREIGN KEY ("org", "open_for") REFERENCES "care_visits" ("org", "id") ON DELETE CASCADE
        ) STRICT;

        -- a reference is cleared where its row goes
        CREATE TRIGGER "clear_care_visits_doctor" BEFORE DELETE ON "care_doctors" BEGIN
          UPDATE "care_visits" SET "doctor" = NULL, "row_version" = "row_version" + 1 WHERE "org" = OLD."org" AND "doctor" = OLD."id";
        END;
    "#]].assert_eq(own(&write_sqlite(&schema(), &|_| true)));
}

#[test]
fn postgresql_adds_the_keys_of_a_circle_later_and_holds_tenants_apart_by_policy() {
    expect![[r#"
        -- equality beside spans in one exclusion constraint
        CREATE EXTENSION IF NOT EXISTS btree_gist;
        -- words within the searched columns
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE SCHEMA "care";

        CREATE TABLE "care"."doctors" (
          "org" text COLLATE "C" NOT NULL,
          "id" uuid NOT NULL,
          "row_version" bigint NOT NULL,
          "born" date NOT NULL CHECK ("born" >= date '1970-01-01' + -10 AND "born" <= date '1970-01-01' + 20),
          "odd""name_search" text COLLATE "C",
          PRIMARY KEY ("org", "id")
        );
        ALTER TABLE "care"."doctors" ENABLE ROW LEVEL SECURITY;
        ALTER TABLE "care"."doctors" FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON "care"."doctors"
          USING ("org" = current_setting('mainstay.tenant', true))
          WITH CHECK ("org" = current_setting('mainstay.tenant', true));

        -- a query of two lines
        CREATE INDEX "ix_q" ON "care"."doctors" USING gin ("odd""name_search" gin_trgm_ops);

        CREATE TABLE "care"."visits" (
          "org" text COLLATE "C" NOT NULL,
          "id" uuid NOT NULL,
          "row_version" bigint NOT NULL,
          "doctor" uuid,
          "room" uuid NOT NULL,
          "during_start" timestamptz,
          "during_end" timestamptz,
          "state" text COLLATE "C",
          "open" boolean NOT NULL,
          PRIMARY KEY ("org", "id"),
          FOREIGN KEY ("org", "doctor") REFERENCES "care"."doctors" ("org", "id") ON DELETE SET NULL ("doctor"),
          CHECK (("during_start" IS NULL) = ("during_end" IS NULL)),
          CHECK ("during_start" < "during_end"),
          EXCLUDE USING gist ("org" WITH =, "doctor" WITH =, tstzrange("during_start", "during_end", '[)') WITH &&) WHERE ("during_start" IS NOT NULL)
        );
        ALTER TABLE "care"."visits" ENABLE ROW LEVEL SECURITY;
        ALTER TABLE "care"."visits" FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON "care"."visits"
          USING ("org" = current_setting('mainstay.tenant', true))
          WITH CHECK ("org" = current_setting('mainstay.tenant', true));

        -- a query of two lines
        CREATE UNIQUE INDEX "ux_room" ON "care"."visits" ("org", "room") WHERE "state" IS DISTINCT FROM 'it''s over' AND "open" = true AND "doctor" IS NOT NULL;

        CREATE TABLE "care"."rooms" (
          "org" text COLLATE "C" NOT NULL,
          "id" uuid NOT NULL,
          "row_version" bigint NOT NULL,
          "open_for" uuid NOT NULL,
          PRIMARY KEY ("org", "id"),
          FOREIGN KEY ("org", "open_for") REFERENCES "care"."visits" ("org", "id") ON DELETE CASCADE
        );
        ALTER TABLE "care"."rooms" ENABLE ROW LEVEL SECURITY;
        ALTER TABLE "care"."rooms" FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON "care"."rooms"
          USING ("org" = current_setting('mainstay.tenant', true))
          WITH CHECK ("org" = current_setting('mainstay.tenant', true));

        ALTER TABLE "care"."visits" ADD FOREIGN KEY ("org", "room") REFERENCES "care"."rooms" ("org", "id") ON DELETE RESTRICT;
    "#]].assert_eq(own(&write_postgresql(&schema(), &|_| true)));
}

#[test]
fn a_database_holds_the_tables_it_is_asked_to() {
    let statements = sqlite_statements(&schema(), &|table| table.name == "doctors");
    assert_eq!(statements.len(), 2, "a table and its index");
    assert!(statements[0].starts_with("CREATE TABLE \"care_doctors\""));
}

#[test]
fn both_files_end_in_the_system_tables() {
    let files = [
        (write_sqlite(&schema(), &|_| true), "\"mainstay_"),
        (write_postgresql(&schema(), &|_| true), "\"mainstay\".\""),
    ];
    for (text, prefix) in files {
        for name in ["meta", "idempotency", "outbox"] {
            let table = format!("CREATE TABLE IF NOT EXISTS {prefix}{name}\"");
            assert!(text.contains(&table), "{table}");
        }
    }
}

#[test]
fn a_place_of_a_tenant_names_its_tables_itself_and_is_held_by_what_it_refers_to() {
    let name = |table: &Table| match table.name == "doctors" {
        true => postgresql_name(table),
        false => format!("\"own\".\"{}\"", table.name),
    };
    let holds = |table: &Table| table.name != "doctors";
    let place = Place { holds: &holds, name: &name, reaches_out: true };
    let statements = postgresql_statements(&schema(), place);
    let made = |text: &&String| text.starts_with("CREATE SCHEMA");
    assert_eq!(statements.iter().filter(made).count(), 0, "schemas of contexts are not its own");
    let key = statements.iter().find(|text| text.contains("\"care\".\"doctors\""));
    let key = key.expect("a key reaches out");
    assert!(key.starts_with("ALTER TABLE \"own\".\"visits\" ADD FOREIGN KEY"), "{key}");
    assert!(key.ends_with("ON DELETE RESTRICT"), "{key}");
    let apart = postgresql_statements(&schema(), Place { reaches_out: false, ..place });
    assert!(!apart.iter().any(|text| text.contains("doctors\"")), "no key leaves a database");
}
