//! A server that has no file descriptors left.

use crate::harness::{Folder, Server};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;

/// Lets a running server open so many more files. The limit is one of their numbers.
fn leave(server: &Server, more: usize) {
    let process = server.process();
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).expect("a process");
    let open: BTreeSet<u64> =
        open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    let current = (0..).filter(|number| !open.contains(number)).nth(more);
    let process = Pid::from_raw(i32::try_from(process).expect("an id")).expect("not zero");
    let limit = Rlimit { current, maximum: current };
    prlimit(Some(process), Resource::Nofile, limit).expect("a limit can be lowered");
}

#[test]
fn probes_are_answered_where_no_file_descriptor_is_left() {
    let folder = Folder::new();
    let server = Server::start("examples/shop", &folder.0.join("data"), &["--threads", "1"]);
    // What reads the store has opened it by then.
    assert_eq!(server.get("/readyz").send().status, 200);
    leave(&server, 2);
    let idle = |_| {
        let mut socket = TcpStream::connect(server.address).expect("the system lets it in");
        socket.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is open");
        socket
    };
    let kept: Vec<TcpStream> = (0..20).map(idle).collect();
    for _ in 0..3 {
        assert_eq!(server.get("/livez").send().status, 200);
        let refused = server.get("/v1/products").send();
        assert_eq!(refused.problem(503), "unavailable");
    }
    let told = server.log().matches("connections could not be accepted").count();
    assert_eq!(told, 1, "{}", server.log());
    drop(kept);
}
