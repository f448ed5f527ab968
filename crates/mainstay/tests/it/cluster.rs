//! PostgreSQL servers that tests make, misuse and end: each with a directory and port of its own.

use crate::database::query;
use crate::harness::{Folder, WAIT};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Servers in one folder, by the names of their directories in it; they end with the test.
pub(crate) struct Cluster {
    programs: PathBuf,
    pub(crate) folder: Folder,
}

/// The server's own programs, where they are.
fn programs() -> Option<PathBuf> {
    let all = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = all.map(|entry| entry.path().join("bin")).collect();
    places.sort();
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.and_then(|told| String::from_utf8(told.stdout).ok());
    places.extend(told.map(|text| PathBuf::from(text.trim())));
    let whole = |place: &PathBuf| {
        ["initdb", "pg_ctl", "pg_basebackup"].iter().all(|name| place.join(name).is_file())
    };
    places.into_iter().rev().find(whole)
}

/// Ports from here on, so many, are below those that systems give to whoever asks for any: one that
/// is free now is not given away before its server starts, nor while that is stopped.
const PORTS: (u16, u16) = (20_000, 12_000);

/// A port that nobody has, another each time.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run beside this one begin elsewhere.
    let first = std::process::id().wrapping_mul(211) % u32::from(PORTS.1);
    for _ in 0..PORTS.1 {
        let next = first + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.0 + u16::try_from(next % u32::from(PORTS.1)).expect("a small number");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free from {} on", PORTS.0);
}

/// The address of a server, as its superuser.
pub(crate) fn url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

impl Cluster {
    /// None where no server can be made, which is told (and a failure with `CI`).
    pub(crate) fn new() -> Option<Self> {
        let Some(programs) = programs() else {
            return skipped("the programs of PostgreSQL are not installed");
        };
        let folder = Folder::new();
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(&folder.0, open).expect("it is ours");
        Some(Self { programs, folder })
    }

    /// The path of something in the folder.
    pub(crate) fn at(&self, name: &str) -> String {
        self.folder.0.join(name).display().to_string()
    }

    /// Makes the directory of a server, whom everybody on this machine may use as anybody.
    pub(crate) fn init(&self, name: &str) -> Result<(), String> {
        let data = self.at(name);
        let new = ["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"];
        self.run("initdb", &new)
    }

    /// Runs a program as somebody whom the server takes: it refuses root.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let program = self.programs.join(program);
        let root = Path::new("/root").metadata().is_ok() && rustix::process::geteuid().is_root();
        let mut command = match root {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(&program);
                command
            }
            false => Command::new(&program),
        };
        // What a server inherits it keeps open: nothing that somebody waits for.
        let log = self.folder.0.join("programs.log");
        let told = std::fs::File::create(&log).map_err(|cause| cause.to_string())?;
        let more = told.try_clone().map_err(|cause| cause.to_string())?;
        command.args(arguments).current_dir(&self.folder.0).stdin(Stdio::null());
        let done = command.stdout(told).stderr(more).status();
        match done.map_err(|cause| format!("{}: {cause}", program.display()))?.success() {
            true => Ok(()),
            false => Err(format!(
                "{}: {}",
                program.display(),
                std::fs::read_to_string(log).unwrap_or_default()
            )),
        }
    }

    /// Starts a server with settings of its own: `-c name=value …`.
    pub(crate) fn start(&self, name: &str, port: u16, settings: &str) -> Result<(), String> {
        let (data, log) = (self.at(name), self.at(&format!("{name}.log")));
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off \
             {settings}"
        );
        self.run("pg_ctl", &["-D", &data, "-w", "-l", &log, "-o", &options, "start"])
    }

    /// Ends one, `fast` or `immediate`: as told or as by a crash.
    pub(crate) fn stop(&self, name: &str, how: &str) -> Result<(), String> {
        self.run("pg_ctl", &["-D", &self.at(name), "-m", how, "-w", "stop"])
    }

    /// Makes the one at a port read its settings again, and waits until it has: whoever connects
    /// from then on finds the new ones.
    pub(crate) fn reload(&self, name: &str, port: u16) -> Result<(), String> {
        let read = || query(&url(port), "SELECT pg_conf_load_time()");
        let before = read()?;
        self.run("pg_ctl", &["-D", &self.at(name), "reload"])?;
        let end = Instant::now() + WAIT;
        while read()? == before {
            if Instant::now() > end {
                return Err("it did not read its settings".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let all = std::fs::read_dir(&self.folder.0).into_iter().flatten().flatten();
        for entry in all.filter(|entry| entry.path().join("postmaster.pid").exists()) {
            // One that ended by itself can't be ended.
            let _gone = self.stop(&entry.file_name().to_string_lossy(), "immediate");
        }
    }
}

/// Says that a test was left out, which is a failure with `CI`.
pub(crate) fn skipped<T>(why: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("\n**** SKIPPED: {why} ****\n");
    None
}
