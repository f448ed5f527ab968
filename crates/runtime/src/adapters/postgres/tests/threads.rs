//! Connections belong to the threads that serve: no answer wakes another thread.

use super::*;
use crate::worker;
use tokio::runtime::Runtime;

/// Runs something on a thread that serves as that number.
fn serving<T: Send>(index: usize, run: impl FnOnce(&Runtime) -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            worker::serves(index);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            run(&runtime.expect("a runtime"))
        });
        thread.join().expect("it does not panic")
    })
}

#[test]
fn a_thread_that_serves_opens_what_it_reads_by_before_it_is_asked() {
    let database = database!();
    let store = database.open(Layout::Row);
    let readers = &store.places.home.readers;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = database.config(Layout::Row).limits.read_connections_max / cores;
    let (before, acme) = (readers.opened(), tenant("acme"));
    serving(0, |runtime| {
        runtime.block_on(store.warm());
        assert_eq!(readers.opened(), before + share.max(1));
        for id in 0..20 {
            let (ids, bindings) = ([id], Bindings::default());
            let read = store.get(&acme, THING, &ids, &[], &bindings);
            runtime.block_on(read).expect("it reads");
        }
        assert_eq!(readers.opened(), before + share.max(1), "to read needs no other");
    });
}

#[test]
fn a_thread_that_serves_writes_over_a_connection_of_its_own() {
    let database = database!();
    let store = database.open(Layout::Row);
    let pool = &store.places.home.writers;
    // One that a thread of the store drives, as one that looks after it leaves it.
    let threads = store.threads.as_ref().expect("it is open");
    let Ok(lease) = threads.wait(pool.lease(None)) else { panic!("no connection") };
    assert!(!lease.is_here());
    lease.ended();
    serving(0, |runtime| {
        for _ in 0..2 {
            let Ok(lease) = runtime.block_on(pool.lease(None)) else { panic!("no connection") };
            assert!(lease.is_here(), "another thread drives it");
            lease.ended();
        }
    });
}
