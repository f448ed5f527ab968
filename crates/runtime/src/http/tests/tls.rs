//! TLS over real sockets: protocols, certificates, their change while it serves.

use super::*;
use crate::http::config::TlsFiles;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::path::{Path, PathBuf};

/// A directory that goes away.
struct Temp(PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mainstay-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes a certificate for `localhost` that signs itself; its PEM.
fn certify(directory: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.pem()
}

fn secure(directory: &Path) -> ServerConfig {
    let tls = TlsFiles {
        cert: directory.join("cert.pem"),
        key: directory.join("key.pem"),
        check_every: Duration::from_millis(30),
    };
    ServerConfig { tls: Some(tls), ..config() }
}

fn client(server: &Server, pem: &str, alpn: &[&[u8]]) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(session, connect(server))
}

/// The answer, or why there is none.
fn ask(server: &Server, pem: &str) -> Result<String, String> {
    let mut stream = client(server, pem, &[b"http/1.1"]);
    let request = b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).map_err(|error| error.to_string())?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

#[test]
fn requests_come_over_tls_and_a_new_certificate_is_taken_without_a_restart() {
    let temp = Temp::new("tls");
    let first = certify(&temp.0);
    let server = start(secure(&temp.0));
    assert!(server.url().starts_with("https://127.0.0.1:"));
    let answer = ask(&server, &first).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("secure=true"), "{answer}");
    // What is not sound is not taken.
    std::fs::write(temp.0.join("cert.pem"), "nonsense, of another length").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(ask(&server, &first).is_ok());
    let second = certify(&temp.0);
    let end = Instant::now() + Duration::from_secs(30);
    while ask(&server, &second).is_err() {
        assert!(Instant::now() < end, "the new certificate was not taken");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(ask(&server, &first).unwrap_err().contains("certificate"));
}

#[test]
fn http_2_is_agreed_on_by_alpn() {
    let temp = Temp::new("alpn");
    let pem = certify(&temp.0);
    let server = start(secure(&temp.0));
    let mut stream = client(&server, &pem, &[b"h2", b"http/1.1"]);
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(head[3], 4, "the server begins with its settings");
}

#[test]
fn a_handshake_that_does_not_come_is_cut() {
    let temp = Temp::new("handshake");
    certify(&temp.0);
    let server = start(ServerConfig { limits: short().limits, ..secure(&temp.0) });
    let began = Instant::now();
    assert_eq!(talk(&server, ""), "");
    let answer = talk(&server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(!answer.contains("HTTP/1.1"), "plain HTTP is not spoken here: {answer:?}");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

#[test]
fn files_that_are_no_certificate_and_key_are_refused() {
    let temp = Temp::new("files");
    let error = |text: &str| {
        let error = bind(secure(&temp.0)).err().unwrap().to_string();
        assert!(error.starts_with(text), "{error}");
    };
    error("cannot read the certificate `");
    certify(&temp.0);
    let kept = std::fs::read(temp.0.join("cert.pem")).unwrap();
    certify(&temp.0);
    std::fs::write(temp.0.join("cert.pem"), kept).unwrap();
    error(&format!("`{}` and `", temp.0.join("cert.pem").display()));
    std::fs::write(temp.0.join("cert.pem"), "").unwrap();
    error("the file `");
    certify(&temp.0);
    std::fs::write(temp.0.join("key.pem"), "").unwrap();
    error("cannot read the private key `");
}
