//! TLS 1.2 and 1.3 with the certificate of two PEM files, read again when they change.

use super::config::TlsFiles;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A certificate that can be replaced while connections are made.
pub struct Tls {
    files: TlsFiles,
    present: ArcSwap<ServerConfig>,
    seen: Mutex<Option<Stamp>>,
}

type Stamp = [(SystemTime, u64); 2];

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A sentence for people: which file, what is wrong with it.
    pub fn open(files: TlsFiles) -> Result<Self, String> {
        let seen = stamp(&files);
        let present = ArcSwap::from_pointee(read(&files)?);
        Ok(Self { files, present, seen: Mutex::new(seen) })
    }

    /// What new connections are made with.
    pub fn present(&self) -> Arc<ServerConfig> {
        self.present.load_full()
    }

    /// Reads the files again. The old certificate stays where they are not sound.
    ///
    /// # Errors
    /// As [`Tls::open`].
    pub fn reload(&self) -> Result<(), String> {
        let seen = stamp(&self.files);
        // Noted before the outcome is known: a broken file is reported once, not at every look.
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        self.present.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    /// True where the files differ from those that were read last.
    pub fn changed(&self) -> bool {
        let now = stamp(&self.files);
        now.is_some() && now != *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the files from time to time, for ever.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.files.check_every).await;
            if self.changed() {
                self.reload_and_tell();
            }
        }
    }

    /// Reads the files again and logs the outcome.
    pub(super) fn reload_and_tell(&self) {
        match self.reload() {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(error) => tracing::error!("the old certificate stays: {error}"),
        }
    }
}

fn stamp(files: &TlsFiles) -> Option<Stamp> {
    let of = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    Some([of(&files.cert)?, of(&files.key)?])
}

fn read(files: &TlsFiles) -> Result<ServerConfig, String> {
    let (cert, key) = (files.cert.display(), files.key.display());
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("cannot read the certificate `{cert}`: {error}"))?;
    if chain.is_empty() {
        return Err(format!("the file `{cert}` holds no certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| format!("cannot read the private key `{key}`: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set up TLS: {error}"))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| format!("`{cert}` and `{key}` do not go together: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
