//! Somebody outside who is called over HTTP: remembers what came, and answers as a test says.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    /// `POST`
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// By name in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// With a body that says nothing, and whatever else a status may need.
    Status(u16),
    /// With JSON.
    Json(u16, Value),
    /// Nothing, for as long as the test runs.
    Hang,
}

/// A receiver on a port of its own.
pub(crate) struct Receiver {
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    /// Answers the request of a number, from 1 on.
    pub(crate) fn start(reply: impl Fn(&Got, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (kept, reply) = (Arc::clone(&got), Arc::new(reply));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, reply) = (Arc::clone(&kept), Arc::clone(&reply));
                std::thread::spawn(move || take(stream, &kept, &*reply));
            }
        });
        Self { base, got }
    }

    pub(crate) fn good() -> Self {
        Self::start(|_, _| Reply::Status(204))
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().expect("whole").clone()
    }

    /// What came when there are so many.
    #[track_caller]
    pub(crate) fn await_count(&self, count: usize) -> Vec<Got> {
        crate::harness::until(|| format!("{:?}", self.got()), || self.got().len() >= count);
        self.got()
    }
}

fn take(stream: TcpStream, kept: &Mutex<Vec<Got>>, reply: &dyn Fn(&Got, usize) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut line = String::new();
    reader.read_line(&mut line).unwrap_or_default();
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap_or_default();
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None if line == "\r\n" => break,
            // It was cut: whoever sent it is gone.
            None => return,
        };
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let got = Got { method, path, headers, body };
    let number = {
        let mut kept = kept.lock().expect("whole");
        kept.push(got.clone());
        kept.len()
    };
    let (status, body) = match reply(&got, number) {
        Reply::Hang => return std::thread::sleep(Duration::from_secs(600)),
        Reply::Json(status, json) => (status, json.to_string()),
        Reply::Status(204) => (204, String::new()),
        Reply::Status(status) => (status, "what".to_owned()),
    };
    let length = match status {
        204 => String::new(),
        _ => format!("content-length: {}\r\n", body.len()),
    };
    let head = format!(
        "HTTP/1.1 {status} So\r\nlocation: http://127.0.0.1:1/\r\n{length}connection: close\r\n\r\n"
    );
    let mut stream = stream;
    let _gone = stream.write_all(format!("{head}{body}").as_bytes());
}
