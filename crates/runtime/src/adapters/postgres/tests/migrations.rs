//! Steps that come as text: carried out once beside others, taken up again where they were broken
//! off, noted, and blind to no tenant.

use super::*;
use crate::adapters::postgres::{Address, OpenError, PostgresMigrations};
use crate::ports::migrations::{Base, Migrations};
use ir::domain::Domain;
use ir::migration::{Class, Phase, Query, Remembered, Run, ScriptStep};
use ir::schema::{Index, Schema};

type Changed = (PostgresConfig, Arc<Domain>, Arc<Schema>);

/// The database for a model with one more index.
fn changed(database: &Database, layout: Layout) -> Changed {
    let (domain, schema) = Database::model(layout);
    let mut schema = (*schema).clone();
    schema.tables[THING.index()].indexes.push(Index {
        name: "ix_more".to_owned(),
        columns: vec![("count".to_owned(), false)],
        unique: None,
        only: Vec::new(),
        needed_by: Vec::new(),
    });
    (database.config(layout), domain, Arc::new(schema))
}

fn migrations((config, domain, schema): Changed) -> PostgresMigrations {
    PostgresMigrations::open(config, domain, schema).expect("the server answers")
}

fn same(database: &Database, layout: Layout) -> Changed {
    let (domain, schema) = Database::model(layout);
    (database.config(layout), domain, schema)
}

/// A database with a thing of two tenants.
fn filled(layout: Layout) -> Option<Database> {
    let database = Database::new()?;
    let store = database.open(layout);
    for (id, of) in [(1, "acme"), (2, "globex")] {
        wait(insert(&store, &tenant(of), thing_of(id, "a"))).expect("it commits");
    }
    Some(database)
}

fn step(name: &str, run: Vec<Run>, undo: Option<&str>) -> ScriptStep {
    ScriptStep {
        name: name.to_owned(),
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

fn together(text: &str) -> Run {
    Run::Together(vec![text.to_owned()])
}

fn query(from: &str) -> Query {
    let (table, fault, instead) = (String::new(), String::new(), String::new());
    let (count, examples) =
        (format!("SELECT count(*) FROM {from}"), format!("SELECT \"id\"::text FROM {from}"));
    Query { table, count, examples, fault, instead, early: true }
}

fn home(store: &PostgresMigrations) -> Base {
    store.bases().expect("bases").pop().expect("the database itself")
}

#[test]
fn a_database_is_for_its_model_until_it_is_told_to_serve_another_beside_it() {
    for layout in [Layout::Row, Layout::Schema, Layout::File] {
        let Some(database) = filled(layout) else { return };
        let (config, domain, schema) = changed(&database, layout);
        let open = || {
            let (config, domain, schema) = (config.clone(), domain.clone(), schema.clone());
            PostgresStore::open(config, domain, schema)
        };
        let error = open().err().expect("it is refused");
        assert!(matches!(error, OpenError::Model { .. }), "{error}");
        let store = migrations(changed(&database, layout));
        let refused = store.serve(&home(&store), true).expect_err("nobody holds the lock");
        assert!(refused.contains("lock"), "{refused}");
        store.hold().expect("nobody else does");
        for base in store.bases().expect("bases") {
            let found = store.read(&base).expect("it reads");
            assert!(!found.serves && found.remembered.is_some(), "{base:?}");
            let tables = found.structure.contains_key("lab_things");
            assert_eq!(tables, layout == Layout::Row || base.tenant.is_some(), "{base:?}");
            store.serve(&base, true).expect("it is noted");
            assert!(store.read(&base).expect("it reads").window, "{base:?}");
        }
        let former = database.open(layout);
        assert_eq!(store.others(), Ok(Vec::new()), "this process is not another");
        let newer = open().expect("it serves now");
        for store in [&former, &newer] {
            assert_eq!(wait(names(store, &tenant("acme"))), ["a"]);
        }
        let place = wait(insert(&former, &tenant("new"), thing_of(3, "a")));
        assert_eq!(place.is_ok(), layout == Layout::Row, "a former model makes no place");
        drop(former);
        for base in store.bases().expect("bases") {
            store.serve(&base, false).expect("it is noted");
        }
        let (config, domain, schema) = same(&database, layout);
        assert!(PostgresStore::open(config, domain, schema).is_err(), "the former one is over");
    }
}

#[test]
fn processes_of_another_model_are_told_by_the_names_of_their_connections() {
    let Some(database) = filled(Layout::Row) else { return };
    let store = migrations(changed(&database, Layout::Row));
    let url = database.url();
    let other = std::thread::spawn(move || {
        let named = "SET application_name = 'mainstay 0123456789ab 89abcdef everything'";
        crate::fixture::postgres::run(&url, &[named, "SELECT pg_sleep(60)"]).map(drop)
    });
    until(|| store.others().is_ok_and(|told| !told.is_empty()));
    let told = store.others().expect("they are told");
    assert!(told[0].contains("process 89abcdef with model 0123456789ab"), "{told:?}");
    wake(&database);
    assert!(other.join().expect("no panic").is_err(), "it would have slept on");
    until(|| store.others() == Ok(Vec::new()));
}

#[test]
fn one_at_a_time_changes_tables_and_the_other_is_named() {
    let Some(database) = filled(Layout::Row) else { return };
    let one = migrations(changed(&database, Layout::Row));
    let (mut config, domain, schema) = changed(&database, Layout::Row);
    config.limits.migration_wait_ms_max = 300;
    let two = migrations((config, domain, schema));
    one.hold().expect("nobody else does");
    let refused = two.hold().expect_err("the other does");
    let marks = || {
        database.run(&["SELECT pid FROM pg_locks WHERE classid = 1835101802 AND database = \
                        (SELECT oid FROM pg_database WHERE datname = current_database())"])
    };
    two.read(&home(&two)).expect("it reads");
    assert_eq!(marks().len(), 0, "who only looks is never taken for one that changes");
    one.read(&home(&one)).expect("it reads");
    assert_eq!(marks().len(), 1, "what changes tables can be told from the rest");
    let own = format!("mainstay migrate, process {}", std::process::id());
    assert!(refused.contains(&own) && refused.contains("of the server"), "{refused}");
    drop(one);
    // The server takes a moment to see that its connection has ended.
    until(|| two.hold().is_ok());
}

#[test]
fn a_step_goes_on_where_it_was_broken_off_and_is_noted_once() {
    let Some(database) = filled(Layout::Row) else { return };
    let store = migrations(changed(&database, Layout::Row));
    store.hold().expect("nobody else does");
    let base = home(&store);
    let chunks = Run::Chunks {
        end: "SELECT 30::bigint".to_owned(),
        rows: "SELECT 3::bigint".to_owned(),
        statement: "INSERT INTO lab.done VALUES (:from, :to)".to_owned(),
        step: 10,
    };
    let make = |name: &str| together(&format!("CREATE TABLE lab.{name} (a int, b int)"));
    let grant = together("GRANT ALL ON lab.done TO PUBLIC");
    let first = step("first", vec![make("done"), grant], Some("DROP TABLE lab.done"));
    store.apply(&base, &first, &|_, _| {}).expect("a table");
    let boom = together("SELECT 1/0");
    let second = step("second", vec![make("begun"), chunks.clone(), boom], None);
    assert!(store.apply(&base, &second, &|_, _| {}).is_err(), "the last part fails");
    let found = store.read(&base).expect("it reads");
    assert_eq!((found.underway.as_deref(), found.next), (Some("second"), 2));
    assert!(store.apply(&base, &second, &|_, _| {}).is_err(), "nor does it the second time");
    let done =
        || store.ask(&base, &Query { examples: "SELECT 'x'".to_owned(), ..query("lab.done") });
    assert_eq!(done().expect("it answers").rows, 3, "each range ran once");
    let refused = store.undo(&base).expect("the first is taken back");
    assert_eq!(refused.as_deref(), Some("first"));
    assert!(done().is_err(), "its table is gone");
    let found = store.read(&base).expect("it reads");
    assert_eq!(found.next, 1);
    database
        .run(&["INSERT INTO mainstay.migrations VALUES ('everything', 1, 'x', '', 'y', NULL, \
                    '', '', 0)"]);
    assert_eq!(store.read(&base).expect("it reads").tampered, ["x"]);
    let refused = store.undo(&base).expect_err("nothing is known to take it back");
    assert!(refused.contains("nothing takes `x` back"), "{refused}");
}

/// Makes an index of things, or makes it anew.
fn index(columns: &str) -> ScriptStep {
    let all = ["DROP INDEX CONCURRENTLY IF EXISTS lab.ux_new".to_owned()];
    let create = format!("CREATE UNIQUE INDEX CONCURRENTLY ux_new ON lab.things ({columns})");
    step("index", vec![Run::Alone(all.into_iter().chain([create]).collect())], None)
}

/// Whether that index is valid; nothing where there is none.
fn valid(database: &Database) -> Vec<Vec<Option<String>>> {
    database.run(&["SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('lab.ux_new')"])
}

#[test]
fn an_index_that_was_not_finished_is_dropped_and_made_again() {
    let Some(database) = filled(Layout::Row) else { return };
    let store = migrations(changed(&database, Layout::Row));
    store.hold().expect("nobody else does");
    let base = home(&store);
    let refused = store.apply(&base, &index("name"), &|_, _| {}).expect_err("both are called `a`");
    assert!(refused.contains("ux_new") && !refused.contains("(name)"), "{refused}");
    assert!(valid(&database).is_empty(), "nothing is left of it");
    // What a kill leaves.
    let _broken = crate::fixture::postgres::run(
        &database.url(),
        &["CREATE UNIQUE INDEX CONCURRENTLY ux_new ON lab.things (name)"],
    );
    assert_eq!(valid(&database), [[Some("f".to_owned())]]);
    store.apply(&base, &index("id"), &|_, _| {}).expect("it is made");
    assert_eq!(valid(&database), [[Some("t".to_owned())]]);
}

#[test]
fn an_index_that_is_still_made_for_a_migration_without_its_lock_is_ended_and_made_again() {
    for layout in [Layout::Row, Layout::File] {
        let Some(database) = filled(layout) else { return };
        let (first, second) =
            (migrations(changed(&database, layout)), migrations(changed(&database, layout)));
        first.hold().expect("nobody else does");
        let base = first.bases().expect("bases").swap_remove(0);
        let url = match &base.tenant {
            Some(tenant) => format!("{}_{tenant}", database.url()),
            None => database.url(),
        };
        let run = |text: &str| crate::fixture::postgres::run(&url, &[text]);
        let busy = std::thread::spawn({
            let url = url.clone();
            let hold = "BEGIN; UPDATE lab.things SET name = 'b'; SELECT pg_sleep(60)";
            move || crate::fixture::postgres::run(&url, &[hold]).map(drop)
        });
        let sleeps = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = \
                      current_database()";
        until(|| run(sleeps).is_ok_and(|found| !found.is_empty()));
        std::thread::scope(|scope| {
            let orphan = scope.spawn(|| first.apply(&base, &index("id"), &|_, _| {}));
            let begun = "SELECT 1 FROM pg_index WHERE NOT indisvalid";
            until(|| run(begun).is_ok_and(|found| !found.is_empty()));
            database.run(&["SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = \
                            1835101801 AND database = (SELECT oid FROM pg_database WHERE datname \
                            = current_database())"]);
            second.hold().expect("nobody else does");
            let ended = orphan.join().expect("no panic").expect_err("it waits for the other");
            assert!(ended.contains(&base.shown), "{ended}");
        });
        run(&sleeps.replace("pid", "pg_terminate_backend(pid)")).expect("they may be woken");
        assert!(busy.join().expect("no panic").is_err(), "it would have slept on");
        assert_eq!(run("SELECT 1 FROM pg_index WHERE NOT indisvalid").map(|all| all.len()), Ok(1));
        second.apply(&base, &index("id"), &|_, _| {}).expect("it is made");
        let found =
            run("SELECT indisvalid FROM pg_index WHERE indexrelid = 'lab.ux_new'::regclass");
        assert_eq!(found, Ok(vec![vec![Some("t".to_owned())]]));
        let refused = first.apply(&base, &index("id"), &|_, _| {}).expect_err("it has no lock");
        assert!(refused.contains("lock of migrations is gone"), "{refused}");
    }
}

#[test]
fn what_a_migration_left_running_is_named_where_it_may_not_be_ended() {
    let Some(database) = Database::new() else { return };
    let address = as_owner(&database);
    let (mut config, domain, schema) = same(&database, Layout::Row);
    config.address = address;
    config.limits.migration_orphan_wait_ms_max = 300;
    let store = migrations((config, domain, schema));
    let url = database.url();
    let orphan = std::thread::spawn(move || {
        let named = "SET application_name = 'mainstay migrate, process 7'";
        let marked = "SELECT pg_advisory_lock_shared(1835101802, hashtext('everything'))";
        crate::fixture::postgres::run(&url, &[named, marked, "SELECT pg_sleep(60)"]).map(drop)
    });
    let marked = "SELECT 1 FROM pg_locks WHERE classid = 1835101802 AND database = (SELECT oid \
                  FROM pg_database WHERE datname = current_database())";
    until(|| !database.run(&[marked]).is_empty());
    let refused = store.hold().expect_err("a superuser's goes on");
    for told in [
        "still changes tables: process ",
        "(mainstay migrate, process 7, user postgres",
        "this user may not end it",
        "for 300 ms",
        "`SELECT pg_terminate_backend(",
        "it goes on where it was",
    ] {
        assert!(refused.contains(told), "{refused}");
    }
    wake(&database);
    assert!(orphan.join().expect("no panic").is_err(), "it would have slept on");
    until(|| store.hold().is_ok());
    drop(store);
    disown(database);
}

#[test]
fn a_table_that_others_hold_is_waited_for_without_standing_in_their_way() {
    let Some(database) = filled(Layout::Row) else { return };
    let store = migrations(changed(&database, Layout::Row));
    store.hold().expect("nobody else does");
    let (base, url) = (home(&store), database.url());
    let reader = std::thread::spawn(move || {
        let hold = "BEGIN; LOCK TABLE lab.things IN ACCESS SHARE MODE; SELECT pg_sleep(5); COMMIT";
        crate::fixture::postgres::run(&url, &[hold]).map(drop)
    });
    let held = "SELECT 1 FROM pg_locks WHERE mode = 'AccessShareLock' AND granted AND relation = \
                'lab.things'::regclass";
    until(|| !database.run(&[held]).is_empty());
    let url = database.url();
    let others = std::thread::spawn(move || {
        let read = "SET statement_timeout = '2500ms'; SELECT count(*) FROM lab.things";
        let reads = |_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            crate::fixture::postgres::run(&url, &[read]).map(drop)
        };
        (0..20).map(reads).collect::<Result<Vec<()>, _>>()
    });
    let add = step("add", vec![together("ALTER TABLE lab.things ADD COLUMN more int")], None);
    store.apply(&base, &add, &|_, _| {}).expect("it gets its moment");
    assert_eq!(others.join().expect("no panic").map(drop), Ok(()), "nobody waited long");
    assert_eq!(reader.join().expect("no panic"), Ok(()));
}

/// As whom tables are used where the login is not above row-level security.
fn as_owner(database: &Database) -> Address {
    let (name, url) = (database.name(), database.url());
    database.administer(&[
        &format!("CREATE ROLE {name}_owner LOGIN"),
        &format!("GRANT ALL ON DATABASE {name} TO {name}_owner"),
    ]);
    database.run(&["CREATE EXTENSION IF NOT EXISTS btree_gist"]);
    let url = url.replacen("postgres@", &format!("{name}_owner@"), 1);
    Address::parse(&url).expect("an address")
}

/// Takes that owner back.
fn disown(database: Database) {
    let (name, top) = (database.name().to_owned(), database.url());
    drop(database);
    let end = format!("DROP OWNED BY {name}_owner; DROP ROLE {name}_owner");
    // A role that stays behind hurts nobody.
    let _gone = crate::fixture::postgres::run(&top, &[&end]);
}

#[test]
fn proofs_and_fills_see_every_tenant_under_forced_security_and_open_no_eyes_but_their_own() {
    let Some(database) = Database::new() else { return };
    let address = as_owner(&database);
    let (mut config, domain, schema) = same(&database, Layout::Row);
    config.address = address.clone();
    let serving = PostgresStore::open(config, domain, schema).expect("it opens");
    for (id, of) in [(1, "acme"), (2, "globex")] {
        wait(insert(&serving, &tenant(of), thing_of(id, "a"))).expect("it commits");
    }
    let (mut config, domain, schema) = changed(&database, Layout::Row);
    config.address = address;
    let store = migrations((config, domain, schema));
    let base = home(&store);
    let all = store.ask(&base, &query("lab.things WHERE name = 'a'")).expect("it answers");
    assert_eq!((all.rows, all.examples.len()), (2, 2), "rows of both tenants");
    store.hold().expect("nobody else does");
    let fill = Run::Chunks {
        end: "SELECT 1::bigint".to_owned(),
        rows: "SELECT 2::bigint".to_owned(),
        statement: "UPDATE lab.things SET name = 'b'".to_owned(),
        step: 1,
    };
    store.apply(&base, &step("fill", vec![fill], None), &|_, _| {}).expect("it runs");
    let policies = || {
        database.run(&["SELECT count(*) FROM pg_policies WHERE policyname LIKE \
                                      'mainstay\\_sees\\_%'"])
    };
    assert_ne!(policies(), [[Some("0".to_owned())]], "its eyes are open");
    let own = database.url().replacen("postgres@", &format!("{}_owner@", database.name()), 1);
    let seen = crate::fixture::postgres::run(
        &own,
        &[
            "SELECT count(*) FROM lab.things",
            "SELECT set_config('mainstay.migration', 'on', false)",
            "SELECT count(*) FROM lab.things",
        ],
    );
    let seen: Vec<_> = seen.expect("it reads").into_iter().flatten().flatten().collect();
    assert_eq!(seen, ["0", "on", "0"], "others of the same login see nothing more");
    for of in ["acme", "globex"] {
        assert_eq!(wait(names(&serving, &tenant(of))), ["b"]);
    }
    drop(store);
    assert_eq!(policies(), [[Some("0".to_owned())]], "nothing stays");
    drop(serving);
    disown(database);
}
