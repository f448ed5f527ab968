//! Steps that come as text: carried out once, taken up again where they were broken off, noted.

use super::*;
use crate::adapters::sqlite::{OpenError, SqliteMigrations, SqliteStore};
use crate::fixture::store::{config, domain, schema};
use crate::ports::migrations::{Base, Migrations};
use expect_test::expect;
use ir::domain::Domain;
use ir::migration::{Class, Phase, Query, Remembered, Run, ScriptStep};
use ir::schema::{Index, Schema};

type Changed = (crate::adapters::sqlite::SqliteConfig, Arc<Domain>, Arc<Schema>);

fn changed(place: &Place, layout: Layout, change: impl FnOnce(&mut Schema)) -> Changed {
    let domain = domain(layout);
    let mut schema = schema(&domain, layout);
    change(&mut schema);
    (config(place.path(), &domain, &schema, layout), Arc::new(domain), Arc::new(schema))
}

fn reopen((config, domain, schema): Changed) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(config, domain, schema)
}

fn migrations((config, domain, schema): Changed) -> SqliteMigrations {
    SqliteMigrations::open(config, domain, schema).expect("the schema fits")
}

/// A place with a thing in it.
fn filled(layout: Layout) -> Place {
    let place = Place::new();
    let store = sqlite(place.path(), layout);
    let of = if layout == Layout::NoTenants { None } else { tenant("acme") };
    insert(&store, &of, thing_of(1, "Old shoes")).expect("it commits");
    place
}

fn more_indexes(schema: &mut Schema) {
    schema.tables[THING.index()].indexes.push(Index {
        name: "ix_more".to_owned(),
        columns: vec![("count".to_owned(), false)],
        unique: None,
        only: Vec::new(),
        needed_by: Vec::new(),
    });
}

fn step(run: Vec<Run>, undo: Option<&str>) -> ScriptStep {
    ScriptStep {
        name: "a step".to_owned(),
        phase: Phase::Expand,
        class: Class::Safe,
        reason: String::new(),
        locks: String::new(),
        proofs: Vec::new(),
        run,
        undo: undo.map(|text| vec![text.to_owned()]),
        held: Remembered::default(),
        destroys: None,
    }
}

fn count(store: &SqliteMigrations, base: &Base, of: &str) -> u64 {
    let (table, fault, instead) = (String::new(), String::new(), String::new());
    let (count, examples) = (format!("SELECT count(*) FROM {of}"), "SELECT 'x'".to_owned());
    let query = Query { table, count, examples, fault, instead, early: true };
    store.ask(base, &query).expect("it answers").rows
}

#[test]
fn the_same_model_changes_nothing() {
    for layout in [Layout::NoTenants, Layout::Row, Layout::File] {
        let place = filled(layout);
        drop(reopen(changed(&place, layout, |_| {})).expect("it opens"));
        let store = migrations(changed(&place, layout, |_| {}));
        for base in store.bases().expect("files") {
            let found = store.read(&base).expect("it reads");
            assert!(found.serves && found.remembered.is_some(), "{base:?}");
        }
    }
}

#[test]
fn the_data_of_another_model_is_refused_with_what_to_do_until_it_is_told_to_serve() {
    for layout in [Layout::NoTenants, Layout::File] {
        let place = filled(layout);
        let error = reopen(changed(&place, layout, more_indexes)).err().expect("it is refused");
        let text = error.to_string();
        let (_, rest) = text.split_once(".db`").expect("a file is named");
        expect![[" was written for another model: `mainstay migrate plan` says what differs, `mainstay migrate apply` goes the way"]]
            .assert_eq(rest);
        let store = migrations(changed(&place, layout, more_indexes));
        for base in store.bases().expect("files") {
            assert!(!store.read(&base).expect("it reads").serves);
            store.serve(&base, false).expect("it is noted");
        }
        drop(store);
        drop(reopen(changed(&place, layout, more_indexes)).expect("it serves now"));
    }
}

#[test]
fn a_step_goes_on_where_it_was_broken_off_and_is_noted_once() {
    let place = filled(Layout::NoTenants);
    let store = migrations(changed(&place, Layout::NoTenants, more_indexes));
    let base = store.bases().expect("files").remove(0);
    let chunks = Run::Chunks {
        end: "SELECT 30".to_owned(),
        rows: "SELECT 30".to_owned(),
        // The third range fails until somebody makes the table.
        statement: "INSERT INTO done SELECT :from, :to WHERE :from < 20 OR EXISTS (SELECT 1 FROM \
                    done_more)"
            .to_owned(),
        step: 10,
    };
    let make = |name: &str| Run::Together(vec![format!("CREATE TABLE {name} (a, b)")]);
    let first = step(vec![make("done"), make("done_more")], Some("DROP TABLE done"));
    store.apply(&base, &first, &|_, _| {}).expect("two tables");
    let second =
        step(vec![make("begun"), chunks.clone(), Run::Together(vec!["boom".to_owned()])], None);
    assert!(store.apply(&base, &second, &|_, _| {}).is_err(), "the last part is no SQL");
    let found = store.read(&base).expect("it reads");
    assert_eq!((found.underway.as_deref(), found.next), (Some("a step"), 2));
    assert!(store.apply(&base, &second, &|_, _| {}).is_err(), "nor is it the second time");
    assert_eq!(count(&store, &base, "done"), 2, "each range ran once");
    let whole = step(vec![make("other"), chunks], Some("DROP TABLE other"));
    store.apply(&base, &whole, &|_, _| {}).expect("another step begins anew");
    let found = store.read(&base).expect("it reads");
    assert_eq!((found.underway, found.next), (None, 3));
}

#[test]
fn the_last_step_is_taken_back_and_a_changed_journal_is_told() {
    let place = filled(Layout::NoTenants);
    let store = migrations(changed(&place, Layout::NoTenants, more_indexes));
    let base = store.bases().expect("files").remove(0);
    assert_eq!(store.undo(&base), Ok(None), "there is nothing to take back");
    let make = vec![Run::Together(vec!["CREATE TABLE made (a)".to_owned()])];
    store.apply(&base, &step(make, Some("DROP TABLE made")), &|_, _| {}).expect("it runs");
    let tamper = step(
        vec![Run::Together(vec!["UPDATE mainstay_migrations SET text = 'x'".to_owned()])],
        None,
    );
    store.apply(&base, &tamper, &|_, _| {}).expect("it runs");
    assert_eq!(store.read(&base).expect("it reads").tampered, ["a step"]);
    let refused = store.undo(&base).expect_err("nothing is known to take it back");
    assert!(refused.contains("nothing takes `a step` back"), "{refused}");
}
