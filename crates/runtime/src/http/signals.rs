//! Signals of the operating system: SIGTERM and SIGINT drain, SIGHUP reads the certificate again.

use super::server::Stopper;
use super::tls::Tls;
use std::sync::Arc;

/// Heeds signals for ever.
#[cfg(unix)]
pub(super) async fn heed(stopper: Stopper, tls: Option<Arc<Tls>>) {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
        tracing::error!("signals cannot be heard: the server ends without a drain");
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => stopper.drain(),
            _ = interrupt.recv() => stopper.drain(),
            _ = hangup.recv() => if let Some(tls) = &tls {
                tls.reload_and_tell();
            },
        }
    }
}

/// Heeds Ctrl-C for ever.
#[cfg(not(unix))]
pub(super) async fn heed(stopper: Stopper, _: Option<Arc<Tls>>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        stopper.drain();
    }
}
