//! Where the server is and how it is spoken to.

use super::error::OpenError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Seconds that a connection may take to be made.
const CONNECT_SECONDS_MAX: u64 = 5;
/// Seconds that what was sent may stay unanswered on the wire.
const SILENCE_SECONDS_MAX: u64 = 30;

/// A server's address, with what proves both sides to each other.
#[derive(Clone)]
pub struct Address {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: MakeRustlsConnect,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Address {
    /// Reads `postgres://user:password@host:port/name?sslmode=verify-full&sslrootcert=FILE`.
    ///
    /// # Errors
    /// [`OpenError::Address`], without the password.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        let fault = |fault: &str| OpenError::Address(fault.to_owned());
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(fault("the database's address does not begin with `postgres://`"));
        }
        let (mode, root, rest) = without_tls(url);
        // What the driver says of a fault may hold a part of the address.
        let mut config: tokio_postgres::Config =
            rest.parse().map_err(|_| fault("the database's address can't be read"))?;
        if config.get_hosts().is_empty() {
            return Err(fault("the database's address names no host"));
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(fault("the database's address names no database"));
        }
        let (mode, verifies) = match mode.as_deref().unwrap_or("prefer") {
            "disable" => (SslMode::Disable, false),
            "prefer" => (SslMode::Prefer, false),
            "require" => (SslMode::Require, false),
            "verify-full" => (SslMode::Require, true),
            _ => {
                return Err(fault(
                    "`sslmode` is one of `disable`, `prefer`, `require`, `verify-full`",
                ));
            }
        };
        let tls = match verifies {
            true => verified(root.as_deref().ok_or_else(|| {
                fault("`sslmode=verify-full` needs `sslrootcert=FILE` (PEM), the roots to trust")
            })?)?,
            false => unverified()?,
        };
        config
            .ssl_mode(mode)
            .application_name("mainstay")
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .tcp_user_timeout(Duration::from_secs(SILENCE_SECONDS_MAX))
            .keepalives_idle(Duration::from_secs(SILENCE_SECONDS_MAX));
        Ok(Self { config, tls: MakeRustlsConnect::new(tls) })
    }

    /// The same server, another database.
    pub(super) fn database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other
    }

    /// The same, by another name of this program in the server's own lists.
    pub(super) fn called(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.application_name(name);
        other
    }

    /// Name of the database.
    pub fn name(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    /// For people: without the password.
    pub fn shown(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let user = self.config.get_user().map_or(String::new(), |user| format!("{user}@"));
        format!("`postgres://{user}{host}:{port}/{}`", self.name())
    }
}

/// `sslmode`, `sslrootcert` and the address without them: the driver knows less of both.
fn without_tls(url: &str) -> (Option<String>, Option<String>, String) {
    let Some((place, query)) = url.split_once('?') else { return (None, None, url.to_owned()) };
    let (mut mode, mut root, mut rest) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => root = Some(value.replace("%2F", "/")),
            Some(_) | None => rest.push(pair),
        }
    }
    let rest = match rest.is_empty() {
        true => place.to_owned(),
        false => format!("{place}?{}", rest.join("&")),
    };
    (mode, root, rest)
}

fn builder() -> Result<(Arc<CryptoProvider>, ClientBuilder), OpenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Address(error.to_string()))?;
    Ok((provider, builder))
}

type ClientBuilder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn verified(root: &str) -> Result<ClientConfig, OpenError> {
    let fault = |why: String| OpenError::Address(format!("`sslrootcert` `{root}` {why}"));
    let mut store = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(root)
        .map_err(|error| fault(format!("can't be read ({error})")))?;
    for one in found {
        let one = one.map_err(|error| fault(format!("is not PEM ({error})")))?;
        store.add(one).map_err(|error| fault(format!("holds no certificate ({error})")))?;
    }
    if store.is_empty() {
        return Err(fault("holds no certificate".to_owned()));
    }
    Ok(builder()?.1.with_root_certificates(store).with_no_client_auth())
}

/// As everywhere with PostgreSQL, `require` asks for secrecy, not for proof.
fn unverified() -> Result<ClientConfig, OpenError> {
    let (provider, builder) = builder()?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        .with_no_client_auth())
}

/// Takes any certificate.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(url: &str) -> String {
        Address::parse(url).expect_err("it is no address").to_string()
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = Address::parse("postgres://me:secret@db.example:5433/shop?sslmode=require");
        let address = address.expect("it is one");
        assert_eq!(address.shown(), "`postgres://me@db.example:5433/shop`");
        assert_eq!(address.name(), "shop");
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert!(!format!("{address:?}").contains("secret"));
    }

    #[test]
    fn a_fault_of_an_address_never_tells_the_password() {
        for url in [
            "mysql://me:secret@h/n",
            "postgres://me:secret@h:x/n",
            "postgres://me:secret@h/n?sslmode=sometimes",
            "postgres://me:secret@h/n?sslmode=verify-full",
            "postgres://me:secret@h/n?sslmode=verify-full&sslrootcert=/nowhere",
            "postgres://me:secret@h",
            "postgres://me:secret@h/n?unknown=secret",
        ] {
            assert!(!fault(url).contains("secret"), "{}", fault(url));
            assert!(fault(url).contains("postgres://user:password@host"), "{}", fault(url));
        }
    }
}
