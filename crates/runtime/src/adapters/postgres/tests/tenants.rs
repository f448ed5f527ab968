//! Tenants who share tables are held apart twice, each by itself; places are made while it runs.

use super::*;
use crate::fixture::postgres::run;
use crate::ports::conformance::{Bench, tenants};

fn as_rows(database: &Database, tenant: &str, statement: &str) -> Result<Vec<String>, String> {
    let set = format!("SELECT set_config('mainstay.tenant', '{tenant}', false)");
    let rows = run(&database.url(), &["SET ROLE mainstay_rows", &set, statement])?;
    Ok(rows.into_iter().skip(1).flatten().flatten().collect())
}

#[test]
fn row_level_security_holds_where_a_statement_forgets_the_tenant() {
    let database = database!();
    let store = database.open(Layout::Row);
    for name in ["acme", "evil"] {
        wait(insert(&store, &tenant(name), thing_of(1, name))).expect("it commits");
    }
    let every = "SELECT name FROM lab.things ORDER BY name";
    assert_eq!(as_rows(&database, "acme", every), Ok(vec!["acme".to_owned()]));
    assert_eq!(as_rows(&database, "", every), Ok(Vec::new()), "nobody's rows are nobody's");
    let taken = "UPDATE lab.things SET name = 'taken' RETURNING org";
    assert_eq!(as_rows(&database, "acme", taken), Ok(vec!["acme".to_owned()]));
    assert_eq!(as_rows(&database, "evil", every), Ok(vec!["evil".to_owned()]));
    let given = as_rows(&database, "acme", "UPDATE lab.things SET org = 'evil'");
    assert!(given.is_err_and(|why| why.contains("row-level security")), "nor given away");
    let owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'lab'";
    assert_eq!(
        database.run(&[owners]),
        [[Some("mainstay_rows".to_owned())]],
        "a login above row-level security stands back"
    );
}

/// A database whose own wall is down.
struct WithoutWall(Postgres);

impl Opens for WithoutWall {
    fn layout(&self) -> Layout {
        Layout::Row
    }

    fn open(&self) -> Arc<dyn Store> {
        let store = self.0.open();
        for table in ["areas", "things", "parts", "slots"] {
            let down = format!(
                "ALTER TABLE lab.{table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
            );
            self.0.0.run(&[&down]);
        }
        store
    }
}

#[test]
fn the_condition_of_a_statement_holds_where_row_level_security_is_off() {
    let bench = Bench::new(Box::new(WithoutWall(Postgres(database!(), Layout::Row))));
    tenants::tenants_never_meet(&bench);
    tenants::shared_rows_are_seen_by_every_tenant(&bench);
}

#[test]
fn tenants_on_one_connection_see_their_own_rows_each_time() {
    let database = database!();
    let (domain, schema) = Database::model(Layout::Row);
    let mut config = database.config(Layout::Row);
    config.limits.read_connections_max = 1;
    let store = crate::adapters::postgres::PostgresStore::open(config, domain, schema);
    let store = Arc::new(store.expect("it opens"));
    let tenants = ["one", "two", "three", "four"];
    for name in tenants {
        wait(insert(&*store, &tenant(name), thing_of(1, name))).expect("it commits");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build();
    let runtime = runtime.expect("a runtime");
    let reads = (0..800).map(|at| {
        let (store, name) = (Arc::clone(&store), tenants[at % tenants.len()]);
        runtime.spawn(async move { (name, names(&*store, &tenant(name)).await) })
    });
    for read in reads.collect::<Vec<_>>() {
        let (name, found) = runtime.block_on(read).expect("no panic");
        assert_eq!(found, [name]);
    }
}

#[test]
fn two_processes_make_the_same_places_at_once() {
    for layout in [Layout::Row, Layout::Schema, Layout::File] {
        let database = database!();
        let open = || std::thread::scope(|_| database.open(layout));
        let (one, two) = std::thread::scope(|scope| {
            let (one, two) = (scope.spawn(open), scope.spawn(open));
            (one.join().expect("it opens"), two.join().expect("it opens"))
        });
        std::thread::scope(|scope| {
            for (store, id) in [(&one, 1), (&two, 2)] {
                scope.spawn(move || {
                    let done = wait(insert(store, &tenant("new"), thing_of(id, "row")));
                    done.expect("the tenant has a place");
                });
            }
        });
        assert_eq!(wait(names(&one, &tenant("new"))), ["row", "row"], "{layout:?}");
        assert_eq!(wait(names(&two, &tenant("other"))), Vec::<String>::new(), "{layout:?}");
    }
}

#[test]
fn more_tenants_than_databases_are_held_open_are_served() {
    let database = database!();
    let (domain, schema) = Database::model(Layout::File);
    let mut config = database.config(Layout::File);
    config.limits.tenant_databases_max = 1;
    let store = crate::adapters::postgres::PostgresStore::open(config, domain, schema);
    let store = store.expect("it opens");
    for _ in 0..2 {
        for (id, name) in [(1, "one"), (2, "two"), (3, "three")] {
            // The second time it is there already.
            let _done = wait(insert(&store, &tenant(name), thing_of(id, name)));
            assert_eq!(wait(names(&store, &tenant(name))), [name]);
        }
    }
}

#[test]
fn tenants_of_long_and_alike_names_have_places_of_their_own() {
    for layout in [Layout::Schema, Layout::File] {
        let database = database!();
        let store = database.open(layout);
        let long = |last: &str| tenant(&format!("{}{last}", "a".repeat(62)));
        for last in ["1", "2"] {
            wait(insert(&store, &long(last), thing_of(1, last))).expect("it commits");
        }
        for last in ["1", "2"] {
            assert_eq!(wait(names(&store, &long(last))), [last]);
        }
    }
}
