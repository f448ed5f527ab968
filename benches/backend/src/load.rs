//! The load: `wrk` with a script, connections that each wait for their answer.

use crate::process::{Scratch, children_cpu_micros};
use std::net::SocketAddr;
use std::process::Command;

/// Threads of the load.
const THREADS: u32 = 1;

/// What the load saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Answers.
    pub(crate) requests: u64,
    /// Microseconds.
    pub(crate) micros: u64,
    /// Answers from 400 on.
    pub(crate) refused: u64,
    /// Connections that failed.
    pub(crate) broken: u64,
    /// Microseconds of half of the answers.
    pub(crate) p50: u64,
    /// Microseconds of 99 of 100 answers.
    pub(crate) p99: u64,
    /// Microseconds of CPU that the load used.
    pub(crate) cpu: u64,
}

/// True where `wrk` is there.
pub(crate) fn is_there() -> bool {
    Command::new("wrk").arg("-v").output().is_ok()
}

/// Runs requests against a server for some seconds.
pub(crate) fn run(
    scratch: &Scratch,
    to: SocketAddr,
    requests: &str,
    seconds: u32,
    connections: u32,
    unique: &str,
) -> Result<Seen, String> {
    let script = scratch.0.join("load.lua");
    let file = scratch.0.join("requests");
    let put = std::fs::write(&script, include_str!("load.lua"))
        .and_then(|()| std::fs::write(&file, requests));
    put.map_err(|why| why.to_string())?;
    let before = children_cpu_micros();
    let output = Command::new("wrk")
        .args([format!("-t{THREADS}"), format!("-c{connections}"), format!("-d{seconds}s")])
        .arg("-s")
        .arg(&script)
        .arg(format!("http://{to}/"))
        .arg("--")
        .arg(&file)
        .args([THREADS.to_string().as_str(), unique])
        .output()
        .map_err(|why| format!("wrk: {why}"))?;
    let cpu = children_cpu_micros() - before;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers = said.lines().find_map(|line| line.strip_prefix("RESULT "));
    let numbers: Vec<u64> =
        numbers.unwrap_or_default().split(' ').filter_map(|number| number.parse().ok()).collect();
    let [requests, micros, refused, broken, p50, p99] = numbers[..] else {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("wrk said nothing of use: {said}{why}"));
    };
    Ok(Seen { requests, micros, refused, broken, p50, p99, cpu })
}
