//! Servers as processes: started, waited for, looked at through `/proc`, ended.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Linux counts the time of a process in hundredths of a second.
const TICK_MICROS: u64 = 10_000;
/// How long a server may take to start: under valgrind, with a large model, that is minutes.
const START_MAX: Duration = Duration::from_secs(900);

/// A server that is ended when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From its start to its first answer.
    pub(crate) started: Duration,
}

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Everything that is mapped and in memory, files too.
    pub(crate) resident_kib: u64,
    /// What is its own.
    pub(crate) anonymous_kib: u64,
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|why| why.to_string())?;
    listener.local_addr().map_err(|why| why.to_string())
}

impl Server {
    /// Starts a server that was told to listen there and waits until it answers.
    pub(crate) fn start(
        mut command: Command,
        address: SocketAddr,
        log: &Path,
    ) -> Result<Self, String> {
        let log_file = File::create(log).map_err(|why| why.to_string())?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
        let begin = Instant::now();
        let child = command.spawn().map_err(|why| format!("{command:?}: {why}"))?;
        let mut server = Self { child, address, started: Duration::ZERO };
        while server.ask("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").is_err() {
            let ended = server.child.try_wait().ok().flatten();
            if ended.is_some() || begin.elapsed() > START_MAX {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                return Err(format!("{command:?} did not start: {ended:?}\n{said}"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        server.started = begin.elapsed();
        Ok(server)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, request: &str) -> Result<Reply, String> {
        ask(self.address, request)
    }

    /// Asks it to end and waits.
    pub(crate) fn end(mut self) -> Result<(), String> {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        asked.map_err(|why| why.to_string())?;
        self.child.wait().map(|_| ()).map_err(|why| why.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: String,
}

impl Reply {
    /// A header by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }
}

fn ask(address: SocketAddr, request: &str) -> Result<Reply, String> {
    let failed = |why: std::io::Error| why.to_string();
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(failed)?;
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut bytes = Vec::new();
    let mut piece = [0; 65_536];
    loop {
        let read = stream.read(&mut piece).map_err(failed)?;
        if read == 0 {
            return Err(format!("the answer ends early: {}", String::from_utf8_lossy(&bytes)));
        }
        bytes.extend_from_slice(&piece[..read]);
        if let Some(reply) = whole(&bytes) {
            return Ok(reply);
        }
    }
}

fn whole(bytes: &[u8]) -> Option<Reply> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let pairs = lines.filter_map(|line| line.split_once(':'));
    let headers: Vec<(String, String)> =
        pairs.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    let reply = Reply { status, headers, body: body.to_owned() };
    let length: usize = reply.header("content-length").unwrap_or("0").parse().ok()?;
    (body.len() >= length).then_some(reply)
}

/// Microseconds of CPU that a process has used; 0 where it is gone.
pub(crate) fn cpu_micros(pid: u32) -> u64 {
    // utime and stime.
    fields(pid).map_or(0, |fields| (number(&fields, 11) + number(&fields, 12)) * TICK_MICROS)
}

/// Microseconds of CPU that ended children of this process have used.
pub(crate) fn children_cpu_micros() -> u64 {
    let own = fields(std::process::id());
    own.map_or(0, |fields| (number(&fields, 13) + number(&fields, 14)) * TICK_MICROS)
}

/// Microseconds of CPU of a process and everything that it started.
pub(crate) fn family_cpu_micros(parent: u32) -> u64 {
    let children = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = children.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mine =
        pids.filter(|pid| fields(*pid).is_some_and(|of| number(&of, 1) == u64::from(parent)));
    mine.map(cpu_micros).sum::<u64>() + cpu_micros(parent)
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    u32::try_from(number(&fields(pid)?, 1)).ok()
}

/// What `/proc/PID/stat` says after the name of the program.
fn fields(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

fn number(fields: &[String], at: usize) -> u64 {
    fields.get(at).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// The memory of a process.
pub(crate) fn memory(pid: u32) -> Memory {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().ok())
    };
    Memory {
        resident_kib: value("VmRSS").unwrap_or(0),
        anonymous_kib: value("RssAnon").unwrap_or(0),
    }
}

/// Mainstay's binary: the one that was named, or the one beside this program.
pub(crate) fn mainstay(named: Option<&Path>) -> Result<PathBuf, String> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join("mainstay"));
    let path = named.map(Path::to_owned).or_else(beside).unwrap_or_default();
    match path.is_file() {
        true => path.canonicalize().map_err(|why| why.to_string()),
        false => Err(format!(
            "there is no {}: build it (`cargo build --release`) or name it by `--mainstay`",
            path.display()
        )),
    }
}

/// The workspace's directory.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A directory that is removed with all that is in it.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    /// Makes it.
    pub(crate) fn new(within: Option<&Path>) -> Result<Self, String> {
        let within = within.map_or_else(std::env::temp_dir, Path::to_owned);
        let path = within.join(format!("backend-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is told by the directory itself.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}
