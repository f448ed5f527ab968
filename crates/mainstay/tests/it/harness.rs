//! The real binary on a free port with data of its own, and a small client that hides nothing.
//!
//! Every wait has a cap, and a server that was started is killed by its own handle.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long anything may be waited for: long for a slow machine that does much else. What works
/// never waits so long.
pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// Waits until something holds, [`WAIT`] at most; what is told where it does not.
#[track_caller]
pub(crate) fn until<T: std::fmt::Display>(told: impl Fn() -> T, holds: impl Fn() -> bool) {
    let end = Instant::now() + WAIT;
    while !holds() {
        assert!(Instant::now() < end, "it never held: {}", told());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The binary under test, at the top of the tree, with nothing of the outer environment that
/// would change what it does.
pub(crate) fn mainstay(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
    command.args(arguments).current_dir(crate::house::top()).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MAINSTAY_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// What a verb printed and ended with.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// Runs a verb to its end.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> Ran {
    let output = mainstay(arguments).output().expect("the binary runs");
    Ran {
        stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("output is UTF-8"),
        code: output.status.code().unwrap_or(-1),
    }
}

/// A directory that goes with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainstay-it-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // A process of the same number may have been killed before its folders went.
        let _left = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("the temporary directory is writable");
        Self(folder)
    }

    /// A file in it.
    pub(crate) fn with(self, path: &str, text: &str) -> Self {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().expect("inside")).expect("writable");
        std::fs::write(path, text).expect("writable");
        self
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("the temporary directory has a plain name")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running backend.
pub(crate) struct Server {
    child: Child,
    model: String,
    data: PathBuf,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts `up MODEL` on a free port with its data in `data`.
    #[track_caller]
    pub(crate) fn start(model: &str, data: &Path, more: &[&str]) -> Self {
        let data_path = data.to_str().expect("a plain name");
        let mut arguments = vec!["up", model, "--listen", "127.0.0.1:0", "--data", data_path];
        arguments.extend(more);
        let mut command = mainstay(&arguments);
        if let Some(url) = crate::database::url_for(data) {
            command.env("MAINSTAY_DATABASE_URL", url);
        }
        if let Some(url) = crate::brokers::url_for(data) {
            command.env("MAINSTAY_BROKER_URL", url);
        }
        let log = std::fs::File::create(data.with_extension("log")).expect("writable");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("piped");
        let printed: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = Arc::clone(&printed);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                lines.lock().expect("nobody panics with it").push(line);
            }
        });
        let mut server = Self {
            child,
            model: model.to_owned(),
            data: data.to_owned(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            printed,
        };
        server.await_address();
        server
    }

    /// The example with its seeds.
    #[track_caller]
    pub(crate) fn example(name: &str, folder: &Folder) -> Self {
        Self::start(&format!("examples/{name}"), &folder.0.join("data"), &["--seed"])
    }

    #[track_caller]
    fn await_address(&mut self) {
        let until = Instant::now() + WAIT;
        loop {
            let address = self.printed().iter().find_map(|line| {
                let url = line.strip_prefix("listening on ")?;
                url.split_once("://")?.1.parse().ok()
            });
            if let Some(address) = address {
                self.address = address;
                return;
            }
            let ended = self.child.try_wait().expect("a child can be waited for").is_some();
            assert!(!ended && Instant::now() < until, "the server did not serve: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The lines that it printed so far.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.printed.lock().expect("nobody panics with it").clone()
    }

    /// Waits until it has logged something: lines are gathered before they are written.
    #[track_caller]
    pub(crate) fn logs(&self, what: &str) {
        until(|| format!("`{what}` in {}", self.log()), || self.log().contains(what));
    }

    /// Everything that it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }

    /// A token of its development key.
    #[track_caller]
    pub(crate) fn token(&self, actor: &str, more: &[&str]) -> String {
        let data = self.data.to_str().expect("a plain name");
        let mut arguments = vec!["token", &self.model, "--data", data, "--actor", actor];
        arguments.extend(more);
        let ran = run(&arguments);
        assert_eq!(ran.code, 0, "no token: {}", ran.stderr);
        ran.stdout.trim().to_owned()
    }

    /// A request to it.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request {
            address: self.address,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Request {
        self.request("POST", path).json(&body)
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Request {
        self.request("PATCH", path)
            .json(&body)
            .header("content-type", "application/merge-patch+json")
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits for it.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> i32 {
        let process = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &process]).status().expect("kill runs");
        assert!(asked.success());
        let until = Instant::now() + WAIT;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server did not end within {WAIT:?}: {}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A request that is being put together.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// Sets a header, in the place of one of the same name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes("application/json", body.to_string().into_bytes())
    }

    pub(crate) fn bytes(mut self, media_type: &str, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self.header("content-type", media_type)
    }

    /// Sends it and reads the whole answer.
    #[track_caller]
    pub(crate) fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        self.try_send().unwrap_or_else(|cause| panic!("{what}: {cause}"))
    }

    /// Sends it; a connection that is refused or cut is an error.
    pub(crate) fn try_send(self) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.address, WAIT)?;
        stream.set_read_timeout(Some(WAIT))?;
        stream.set_write_timeout(Some(WAIT))?;
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = self.body.unwrap_or_default();
        if !body.is_empty() || !["GET", "HEAD"].contains(&self.method.as_str()) {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("connection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)?;
        Answer::read(BufReader::new(stream), self.method == "HEAD")
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn read(mut stream: BufReader<TcpStream>, bare: bool) -> std::io::Result<Self> {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let cut = || std::io::Error::other("the answer was cut");
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(cut)?;
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = Vec::new();
        let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
        if chunked && !bare {
            read_chunks(&mut stream, &mut body)?;
        } else if !bare {
            stream.read_to_end(&mut body)?;
            let length = headers.get("content-length").and_then(|length| length.parse().ok());
            if length.is_some_and(|length: usize| length != body.len()) {
                return Err(cut());
            }
        }
        Ok(Self { status, headers, body })
    }

    /// A header, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|fault| panic!("{fault}: {} {}", self.status, self.text()))
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The last segment of a problem's type; it must be one of this status, with a trace.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["trace_id"].as_str().map(str::len), Some(32), "{problem}");
        let kind = problem["type"].as_str().unwrap_or_default();
        kind.rsplit(['/', '#', ':']).next().unwrap_or_default().to_owned()
    }
}

fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk)?;
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return Ok(());
        }
    }
}
