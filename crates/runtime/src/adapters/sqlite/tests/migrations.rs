//! From one model to the next: what adds is carried out, the rest is refused by name.

use super::*;
use crate::adapters::sqlite::{OpenError, SqliteStore};
use crate::fixture::store::{config, domain, schema};
use expect_test::{Expect, expect};
use ir::domain::{Domain, Field};
use ir::schema::{Check, Column, Index, Part, Schema, Storage};

fn reopen(
    place: &Place,
    layout: Layout,
    change: impl FnOnce(&mut Domain, &mut Schema),
) -> Result<SqliteStore, OpenError> {
    let mut domain = domain(layout);
    let mut schema = schema(&domain, layout);
    change(&mut domain, &mut schema);
    let config = config(place.path(), &domain, &schema, layout);
    SqliteStore::open(config, Arc::new(domain), Arc::new(schema))
}

/// A place with a thing in it.
fn filled(layout: Layout) -> Place {
    let place = Place::new();
    let store = sqlite(place.path(), layout);
    let of = if layout == Layout::NoTenants { None } else { tenant("acme") };
    insert(&store, &of, thing_of(1, "Old shoes")).expect("it commits");
    place
}

fn column<'s>(schema: &'s mut Schema, name: &str) -> &'s mut Column {
    let columns = &mut schema.tables[THING.index()].columns;
    columns.iter_mut().find(|column| column.name == name).expect("it is there")
}

/// A new whole number in things.
fn add(domain: &mut Domain, schema: &mut Schema, name: &str, nullable: bool) {
    let fields = &mut domain.resources[THING.index()].fields;
    let id = FieldId::of(fields.len());
    let field = fields[thing::COUNT.index()].clone();
    fields.push(Field { name: name.to_owned(), optional: nullable, ..field });
    let (storage, field) = (Storage::Int, Some((id, Part::Whole)));
    let column = Column { name: name.to_owned(), storage, nullable, field, check: None };
    schema.tables[THING.index()].columns.push(column);
}

fn refused(change: impl FnOnce(&mut Domain, &mut Schema), expected: Expect) {
    let place = filled(Layout::NoTenants);
    let error = reopen(&place, Layout::NoTenants, change).err().expect("it is refused");
    let text = error.to_string().replace(&place.path().display().to_string(), "DATA");
    expected.assert_eq(&text);
    // Nothing was changed: the old model still runs.
    assert_eq!(names(&sqlite(place.path(), Layout::NoTenants), &None), ["Old shoes"]);
}

#[test]
fn the_same_model_changes_nothing() {
    for layout in [Layout::NoTenants, Layout::Row, Layout::File] {
        let place = filled(layout);
        drop(reopen(&place, layout, |_, _| {}).expect("it opens"));
    }
}

#[test]
fn new_optional_fields_search_tables_and_indexes_are_added() {
    for layout in [Layout::NoTenants, Layout::Row, Layout::File] {
        let place = filled(layout);
        let store = reopen(&place, layout, |domain, schema| {
            add(domain, schema, "extra_count", true);
            let at = domain.resources[THING.index()].fields.len() - 1;
            let table = &mut schema.tables[THING.index()];
            table.indexes.push(Index {
                name: "ix_extra".to_owned(),
                columns: vec![("extra_count".to_owned(), true)],
                unique: None,
                only: Vec::new(),
                needed_by: Vec::new(),
            });
            domain.resources[THING.index()].fields[thing::LABEL.index()].search = true;
            let (storage, field) = (Storage::Text, Some((thing::LABEL, Part::Search)));
            let name = "label_search".to_owned();
            table.columns.push(Column { name, storage, nullable: true, field, check: None });
            assert_eq!(at, thing::COUNT_OF);
        });
        let store = store.expect("it only adds");
        let of = if layout == Layout::NoTenants { None } else { tenant("acme") };
        let search = crate::search::words("old");
        let query = ListQuery { search, children: &[thing::PARTS], ..all(10) };
        let found = wait(store.list(&of, &query, &Bindings::default())).expect("it lists");
        assert_eq!(found.len(), 1, "the row is there, and found as before");
        assert_eq!(found[0].values.len(), thing::COUNT_OF + 1);
        let more = Write::Insert {
            resource: THING,
            record: Record {
                values: thing_of(2, "New").values.iter().cloned().chain([Value::Int(5)]).collect(),
                children: vec![(thing::PARTS, vec![part()])],
                ..thing_of(2, "New")
            },
        };
        let set = WriteSet { tenant: of.clone(), writes: vec![more], ..WriteSet::default() };
        assert_eq!(wait(store.commit(set, &Bindings::default())), Ok(()), "children still link");
        drop(store);
        // A file of the first model again, after the second: what it lacks is named.
        assert!(matches!(reopen(&place, layout, |_, _| {}), Err(OpenError::Schema { .. })));
    }
}

fn part() -> Record {
    let mut values = vec![Value::Null; 4];
    values[0] = Value::text("kind");
    Record { version: 0, ..record(77, values) }
}

#[test]
fn a_wider_constraint_is_taken_over_and_a_broken_one_is_refused() {
    let place = filled(Layout::NoTenants);
    let one_of = |values: &[&str]| {
        Some(Check::OneOf(values.iter().map(|value| (*value).to_owned()).collect()))
    };
    let store = reopen(&place, Layout::NoTenants, |_, schema| {
        column(schema, "name").check = one_of(&["Old shoes", "other"]);
    });
    drop(store.expect("every row keeps it"));
    let store = reopen(&place, Layout::NoTenants, |_, schema| {
        column(schema, "name").check = one_of(&["Old shoes", "other", "third"]);
    });
    drop(store.expect("every row keeps it"));
    refused(
        |_, schema| column(schema, "name").check = one_of(&["other"]),
        expect![[r#"
            the data in `DATA/everything.db` belongs to another model
              rows of `lab_things` break a constraint of the model (CHECK constraint failed: name)
            in development move the data directory away to begin anew;
            else run the model that the data was written for"#]],
    );
}

#[test]
fn a_table_that_is_in_no_model_goes_only_while_it_is_empty() {
    let place = filled(Layout::NoTenants);
    let without_slots = |domain: &mut Domain, schema: &mut Schema| {
        domain.resources[3].name = "Other".to_owned();
        schema.tables[3].name = "others".to_owned();
        schema.tables[3].indexes.clear();
    };
    drop(reopen(&place, Layout::NoTenants, without_slots).expect("no slot is lost"));
    refused(
        |_, schema| {
            schema.tables[THING.index()].name = "renamed".to_owned();
        },
        expect![[r#"
            the data in `DATA/everything.db` belongs to another model
              table `lab_things` has rows and is in no model
            in development move the data directory away to begin anew;
            else run the model that the data was written for"#]],
    );
}

#[test]
fn what_would_lose_or_invent_data_is_refused_by_name() {
    refused(
        |domain, schema| add(domain, schema, "must", false),
        expect![[r#"
            the data in `DATA/everything.db` belongs to another model
              column `lab_things.must` is new and must have a value: make it `optional`
            in development move the data directory away to begin anew;
            else run the model that the data was written for"#]],
    );
    refused(
        |domain, schema| {
            let fields = &mut domain.resources[THING.index()].fields;
            fields.truncate(thing::LABEL.index());
            domain.resources[THING.index()].uniques.remove(1);
            let table = &mut schema.tables[THING.index()];
            table.columns.retain(|column| column.name != "label");
            table.indexes.retain(|index| index.unique != Some(1));
            column(schema, "count").storage = Storage::Text;
            add(domain, schema, "label2", true);
        },
        expect![[r#"
            the data in `DATA/everything.db` belongs to another model
              column `lab_things.count` was "int" and is "text"
              column `lab_things.label` is in no model
            in development move the data directory away to begin anew;
            else run the model that the data was written for"#]],
    );
    refused(
        |_, schema| {
            schema.tables[THING.index()].primary_key = vec!["code".to_owned()];
        },
        expect![[r#"
            the data in `DATA/everything.db` belongs to another model
              table `lab_things` has another primary key (its tenancy?)
            in development move the data directory away to begin anew;
            else run the model that the data was written for"#]],
    );
}

#[test]
fn a_new_unique_key_is_refused_where_rows_collide() {
    let place = filled(Layout::NoTenants);
    let store = sqlite(place.path(), Layout::NoTenants);
    insert(&store, &None, thing_of(2, "Old shoes")).expect("it commits");
    drop(store);
    let unique = |_: &mut Domain, schema: &mut Schema| {
        schema.tables[THING.index()].indexes.push(Index {
            name: "ux_name".to_owned(),
            columns: vec![("name".to_owned(), false)],
            unique: Some(0),
            only: Vec::new(),
            needed_by: Vec::new(),
        });
    };
    let error = reopen(&place, Layout::NoTenants, unique).err().expect("they collide");
    let text = error.to_string().replace(&place.path().display().to_string(), "DATA");
    let text = text.replace(" (", "\n    (");
    expect![[r#"
        the data in `DATA/everything.db` belongs to another model
          rows of `lab_things` break `ux_name` of the model
            (UNIQUE constraint failed: lab_things.name)
        in development move the data directory away to begin anew;
        else run the model that the data was written for"#]]
    .assert_eq(&text);
}
