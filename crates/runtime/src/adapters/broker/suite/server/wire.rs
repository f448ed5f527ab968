//! A wire to a server, which can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

type Streams = Arc<Mutex<Vec<TcpStream>>>;

/// A port whose connections lead to a server.
pub(super) struct Wire {
    host: String,
    open: Streams,
}

impl Wire {
    pub(super) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let open = Streams::default();
        let (server, streams) = (server.to_owned(), Arc::clone(&open));
        std::thread::spawn(move || {
            for here in listener.incoming().flatten() {
                let Ok(there) = TcpStream::connect(&server) else { continue };
                join(&streams, &here, &there);
                join(&streams, &there, &here);
            }
        });
        Self { host, open }
    }

    pub(super) fn host(&self) -> String {
        self.host.clone()
    }

    /// Ends every connection; others may be made.
    pub(super) fn cut(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            // Whichever side was first.
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Carries what comes from the one to the other, until either ends.
fn join(open: &Streams, from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) =
        (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
    to.set_nodelay(true).expect("a socket");
    let kept = from.try_clone().expect("a socket");
    open.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
    std::thread::spawn(move || {
        let _ended = std::io::copy(&mut from, &mut to);
        let _gone = to.shutdown(Shutdown::Both);
    });
}

/// Makes a bucket at an emulator; one that is there stays.
pub(super) fn make_bucket(server: &str, bucket: &str) {
    let mut stream = TcpStream::connect(server).expect("it listens");
    // Emulators look at the scope alone, to know which service is meant.
    let scope = "AWS4-HMAC-SHA256 Credential=id/20260101/us-east-1/s3/aws4_request";
    let request = format!(
        "PUT /{bucket} HTTP/1.1\r\nHost: {server}\r\nAuthorization: {scope}\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200") || answer.contains("BucketAlready"), "{answer}");
}
