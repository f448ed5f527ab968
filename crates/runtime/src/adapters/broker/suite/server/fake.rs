//! Kafka's protocol, spoken by this process.

use krafka::testing::FakeBroker;
use std::sync::{Arc, OnceLock};
use tokio::runtime::Runtime;

/// The broker's number.
const NODE: i32 = 0;

/// A broker, on threads of its own: it goes on where a test blocks.
#[derive(Clone)]
pub(super) struct Fake(Arc<Inner>);

struct Inner {
    broker: FakeBroker,
    /// Until it ends.
    runtime: Option<Runtime>,
}

impl Fake {
    /// One for a test, or that of all.
    pub(super) fn start(alone: bool) -> Self {
        static SHARED: OnceLock<Fake> = OnceLock::new();
        if alone { Self::new() } else { SHARED.get_or_init(Self::new).clone() }
    }

    fn new() -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let broker = runtime.block_on(FakeBroker::start()).expect("a port");
        Self(Arc::new(Inner { broker, runtime: Some(runtime) }))
    }

    pub(super) fn broker(&self) -> &FakeBroker {
        &self.0.broker
    }

    pub(super) fn host(&self) -> String {
        self.0.broker.bootstrap_servers()
    }

    /// Ends every connection, and takes others again.
    pub(super) fn restart(&self) {
        self.0.broker.crash(NODE);
        self.0.broker.restart(NODE);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // It may be dropped by a test that runs on another one, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
