//! What is read while transactions are open, and what another process is told.

use super::*;
use crate::ports::events::Logged;
use crate::ports::store::{About, OutboxRow};
use std::time::Duration;
use tokio::runtime::Runtime;

const WAIT_MAX: Duration = Duration::from_secs(30);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn publish(store: &PostgresStore, id: u128) {
    let event = OutboxRow {
        id,
        event: "thing.changed".to_owned(),
        version: 1,
        about: About::Row(THING),
        row: id,
        time: 0,
        data: "{}".to_owned(),
        trace: None,
    };
    let set = WriteSet { outbox: vec![event], ..WriteSet::default() };
    store.commit(set, &Bindings::default()).await.expect("it is written");
}

/// The next events after a position, whenever they come.
async fn next(store: &PostgresStore, position: i64) -> Vec<Logged> {
    let log = store.eventing().expect("it has events");
    let mut appended = log.appended();
    loop {
        appended.mark_unchanged();
        let events = log.after(&None, position, 9, usize::MAX).await.expect("it reads");
        if !events.is_empty() {
            return events;
        }
        let changed = tokio::time::timeout(WAIT_MAX, appended.changed()).await;
        changed.expect("it is told in time").expect("the store is there");
    }
}

fn ids(events: &[Logged]) -> Vec<u128> {
    events.iter().map(|event| event.id).collect()
}

#[test]
fn an_event_whose_transaction_ends_late_is_read_then_and_never_skipped() {
    let database = database!();
    let store = database.open(Layout::NoTenants);
    runtime().block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.expect("reached");
        tokio::spawn(connection);
        let text = "BEGIN; INSERT INTO mainstay.outbox (id, event, resource, row_id, time, data) \
                    VALUES ('00000000-0000-0000-0000-000000000001', 'thing.changed', 'lab.Thing', \
                    '00000000-0000-0000-0000-000000000001', now(), '{}')";
        client.batch_execute(text).await.expect("it is written");
        publish(&store, 2).await;
        publish(&store, 3).await;
        let read = next(&store, 0).await;
        assert_eq!(ids(&read), [2, 3], "nothing waits for it");
        client.batch_execute("COMMIT").await.expect("it is there");
        let late = next(&store, read[1].position).await;
        assert_eq!(ids(&late), [1], "it comes behind what was read");
        publish(&store, 4).await;
        assert_eq!(ids(&next(&store, late[0].position).await), [4]);
    });
}

#[test]
fn another_process_is_told_of_what_is_numbered() {
    let database = database!();
    let (one, other) = (database.open(Layout::NoTenants), database.open(Layout::NoTenants));
    runtime().block_on(async {
        let log = other.eventing().expect("it has events");
        let mut appended = log.appended();
        // Once it listens it says so.
        tokio::time::timeout(WAIT_MAX, appended.changed()).await.expect("in time").expect("told");
        appended.mark_unchanged();
        publish(&one, 1).await;
        assert_eq!(ids(&next(&one, 0).await), [1]);
        tokio::time::timeout(WAIT_MAX, appended.changed()).await.expect("in time").expect("told");
        assert_eq!(ids(&log.after(&None, 0, 9, 9).await.expect("it reads")), [1]);
    });
}

#[test]
fn what_nobody_numbered_is_found_by_a_look() {
    let database = database!();
    let (one, other) = (database.open(Layout::NoTenants), database.open(Layout::NoTenants));
    runtime().block_on(async {
        assert_eq!(
            other.eventing().expect("it has events").after(&None, 0, 9, 9).await,
            Ok(Vec::new())
        );
        // It dies before anybody reads.
        publish(&one, 1).await;
        assert_eq!(ids(&next(&other, 0).await), [1]);
    });
}

#[test]
fn an_older_database_gets_what_events_need() {
    let database = database!();
    drop(database.open(Layout::NoTenants));
    database.run(&[
        "DROP FUNCTION mainstay.outbox_count(bigint)",
        "DROP SEQUENCE mainstay.outbox_number",
        "ALTER TABLE mainstay.outbox DROP COLUMN number",
        "DROP TABLE mainstay.consumers, mainstay.inbox, mainstay.projections, mainstay.deliveries",
        "UPDATE mainstay.meta SET value = '2:older' WHERE name = 'format'",
        "INSERT INTO mainstay.outbox (id, event, resource, row_id, time, data) VALUES \
         ('00000000-0000-0000-0000-000000000001', 'thing.changed', 'lab.Thing', \
         '00000000-0000-0000-0000-000000000001', now(), '{}')",
    ]);
    let store = database.open(Layout::NoTenants);
    runtime().block_on(async {
        publish(&store, 2).await;
        assert_eq!(ids(&next(&store, 0).await), [1, 2]);
    });
}
