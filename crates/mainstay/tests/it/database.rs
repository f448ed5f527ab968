//! Databases on a real server, for scenarios that run on PostgreSQL too.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Where the server of the tests is.
const SERVER: &str = "postgres://postgres@127.0.0.1:5432";

thread_local! {
    /// Where this thread's backends keep their data: a database for each data directory.
    static DATABASES: RefCell<Option<BTreeMap<PathBuf, Database>>> = const { RefCell::new(None) };
}

/// A database that goes when it is dropped, with those of its tenants.
pub(crate) struct Database(String);

fn server() -> String {
    std::env::var("MAINSTAY_TEST_POSTGRES").unwrap_or_else(|_| SERVER.to_owned())
}

/// Runs a statement; the cells of its rows.
pub(crate) fn query(url: &str, statement: &str) -> Result<Vec<Vec<String>>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|cause| cause.to_string())?.block_on(async {
        let told = |cause: tokio_postgres::Error| format!("{cause:?}");
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(told)?;
        tokio::spawn(connection);
        let messages = client.simple_query(statement).await.map_err(told)?;
        let cells = |message: SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => {
                let cell = |at| row.get(at).unwrap_or_default().to_owned();
                Some((0..row.len()).map(cell).collect())
            }
            _ => None,
        };
        Ok(messages.into_iter().filter_map(cells).collect())
    })
}

/// Waits until no backend has a connection to a database or to those of its tenants: the server
/// takes a moment to see that a process has ended.
#[track_caller]
pub(crate) fn until_left(url: &str) {
    let name = url.rsplit('/').next().unwrap_or_default();
    let text = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'mainstay%' AND \
         (datname = '{name}' OR datname LIKE '{name}\\_%')"
    );
    let left = || query(url, &text).is_ok_and(|found| found == [["0"]]);
    crate::harness::until(|| "connections of a process that has ended stay", left);
}

impl Database {
    /// A new, empty one; none where there is no server, which is told (and a failure with `CI`).
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainstay_it_{}_{number}", std::process::id());
        let top = format!("{}/postgres", server());
        // A process of the same number may have been killed before its databases went.
        let _left = query(&top, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        let text = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        match query(&top, &text) {
            Ok(_) => Some(Self(name)),
            Err(why) => {
                let told = format!("no PostgreSQL at {} for the tests: {why}", server());
                assert!(std::env::var_os("CI").is_none(), "{told}");
                let text = format!("\n**** SKIPPED: {told} ****\n");
                std::io::stderr().write_all(text.as_bytes()).expect("stderr takes it");
                None
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/{}", server(), self.0)
    }

    pub(crate) fn query(&self, statement: &str) -> Vec<Vec<String>> {
        query(&self.url(), statement).expect("the statement runs")
    }

    /// Waits until no backend has a connection to it or to those of its tenants.
    #[track_caller]
    pub(crate) fn until_left(&self) {
        until_left(&self.url());
    }

    /// Begins a transaction with a statement, and keeps it open until what is given is dropped.
    #[track_caller]
    pub(crate) fn hold(&self, statement: &str) -> Held {
        let (url, statement) = (self.url(), statement.to_owned());
        let ((holds, held), (go, gone)) = (channel(), channel());
        let thread = std::thread::spawn(move || keep(&url, &statement, &holds, &gone));
        held.recv().expect("a thread that says so").expect("the statement runs");
        Held { go: Some(go), thread: Some(thread) }
    }
}

/// A transaction that is open; it is rolled back when this is dropped.
pub(crate) struct Held {
    go: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.go.take());
        // It fails where its connection was ended, and has let go then too.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

fn keep(url: &str, statement: &str, holds: &Sender<Result<(), String>>, gone: &Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let told = |cause: tokio_postgres::Error| format!("{cause:?}");
        let begun = async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(told)?;
            tokio::spawn(connection);
            client.batch_execute(&format!("BEGIN; {statement}")).await.map_err(told)?;
            Ok(client)
        };
        let client = begun.await;
        let _heard = holds.send(client.as_ref().map(|_| ()).map_err(Clone::clone));
        let Ok(client) = client else { return };
        // Nothing of the connection has to be done meanwhile.
        let _dropped = gone.recv();
        let _over = client.batch_execute("ROLLBACK").await;
    });
}

impl Drop for Database {
    fn drop(&mut self) {
        let top = format!("{}/postgres", server());
        let all = query(&top, "SELECT datname FROM pg_database").unwrap_or_default();
        let tenants = format!("{}_", self.0);
        let own = |name: &String| *name == self.0 || name.starts_with(&tenants);
        for name in all.into_iter().flatten().filter(own) {
            // One that stays behind hurts nobody.
            let _left = query(&top, &format!("DROP DATABASE \"{name}\" WITH (FORCE)"));
        }
    }
}

/// Runs a scenario whose backends keep their rows on PostgreSQL.
pub(crate) fn on_postgresql(scenario: impl FnOnce()) {
    // Looked for once, so that a scenario is skipped as a whole.
    let Some(first) = Database::new() else { return };
    drop(first);
    DATABASES.with(|all| all.replace(Some(BTreeMap::new())));
    scenario();
    DATABASES.with(|all| all.replace(None));
}

/// The address of this thread's database for a data directory; none where it is to be SQLite.
pub(crate) fn url_for(data: &Path) -> Option<String> {
    DATABASES.with(|all| {
        let mut all = all.borrow_mut();
        let all = all.as_mut()?;
        if !all.contains_key(data) {
            all.insert(data.to_owned(), Database::new().expect("there was a server before"));
        }
        all.get(data).map(Database::url)
    })
}
