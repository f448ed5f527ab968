//! One database with its connections, and the threads that drive them.

use super::error::{OpenError, refused};
use super::link::Server;
use super::pool::Pool;
use super::readers::Readers;
use super::{Address, PostgresLimits, schema};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads at most: a connection needs little of one.
const THREADS_MAX: usize = 4;
/// How long between two attempts to reach a server while opening.
const PATIENCE_STEP: Duration = Duration::from_millis(200);

/// The threads of a store.
pub(super) struct Threads(Runtime);

impl Threads {
    pub(super) fn start() -> Result<Self, OpenError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.min(THREADS_MAX))
            .thread_name("mainstay-postgres")
            .enable_all()
            .build();
        runtime.map(Self).map_err(OpenError::Thread)
    }

    pub(super) fn handle(&self) -> Handle {
        self.0.handle().clone()
    }

    /// Runs something to its end; not within a runtime.
    pub(super) fn wait<T>(&self, run: impl Future<Output = T>) -> T {
        self.0.block_on(run)
    }

    /// Without waiting: whoever is last to let go may be within a runtime.
    pub(super) fn stop(self) {
        self.0.shutdown_background();
    }
}

/// One database with its connections.
pub(super) struct Base {
    pub(super) server: Server,
    pub(super) readers: Readers,
    pub(super) writers: Arc<Pool>,
    /// A commit waits for other servers, and may be cut off in that wait.
    pub(super) waits_for_standbys: bool,
    /// It has what exclusion constraints over spans need.
    pub(super) excludes_spans: bool,
    /// It has what indexes over words within a text need.
    pub(super) indexes_words: bool,
}

impl Base {
    /// Looks at the server; waits for one that does not answer yet.
    pub(super) async fn open(
        address: Address,
        runtime: Handle,
        ddl: &[String],
        limits: &PostgresLimits,
    ) -> Result<Self, OpenError> {
        let mut server = Server { address, role: None, runtime };
        let mut patience = Duration::from_millis(limits.patience_ms_max);
        let facts = loop {
            match schema::look(&server, ddl).await {
                Err(error) if error.may_pass() && !patience.is_zero() => {
                    tokio::time::sleep(PATIENCE_STEP).await;
                    patience = patience.saturating_sub(PATIENCE_STEP);
                }
                looked => break looked?,
            }
        };
        server.role = facts.role;
        let writers = Pool::new(
            server.clone(),
            limits.write_connections_max,
            limits.write_waiting_max,
            Duration::from_millis(limits.write_wait_ms_max),
        );
        Ok(Self {
            readers: Readers::new(server.clone(), limits.read_connections_max).patient(),
            writers: Arc::new(writers),
            waits_for_standbys: facts.waits_for_standbys,
            excludes_spans: facts.excludes_spans,
            indexes_words: facts.indexes_words,
            server,
        })
    }

    /// Makes or finds the tables of a place in this database.
    pub(super) async fn bring_up(&self, wanted: &schema::Wanted) -> Result<(), OpenError> {
        let shown = self.server.address.shown();
        let link = self.server.connect().await.map_err(|error| refused(&shown, &error))?;
        schema::bring_up(&link, &shown, wanted).await
    }
}
