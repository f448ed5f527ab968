//! A server that has no file descriptors left.

use crate::harness::{Answer, Folder, Server, until};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Ends a running server's descriptors with the last that is open; how many below it are free.
fn limit(server: &Server) -> usize {
    let process = server.process();
    let open = || {
        let open = std::fs::read_dir(format!("/proc/{process}/fd")).expect("a process");
        let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        open.filter_map(|entry| number(entry.ok()?)).collect::<BTreeSet<u64>>()
    };
    // What begins a server and ends a connection lets go of some for a while yet.
    let mut now = open();
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let earlier = std::mem::replace(&mut now, open());
        if earlier == now {
            break;
        }
    }
    let last = *now.last().expect("files are open");
    let current = Some(last + 1);
    let process = Pid::from_raw(i32::try_from(process).expect("an id")).expect("not zero");
    let limit = Rlimit { current, maximum: current };
    prlimit(Some(process), Resource::Nofile, limit).expect("a limit can be lowered");
    (0..last).filter(|number| !now.contains(number)).count()
}

/// What is answered on the one descriptor that is left. A request whose first line comes later than
/// a tenth of a second after its connection is refused unread, or cut: this may be held up so long.
fn asked_in_time(server: &Server, path: &str, status: u16) -> Answer {
    let mut tries = (0..20).filter_map(|_| server.get(path).try_send().ok());
    tries.find(|answer| answer.status == status).expect("it is answered")
}

#[test]
fn probes_are_answered_where_no_file_descriptor_is_left() {
    let folder = Folder::new();
    let server = Server::start("examples/shop", &folder.0.join("data"), &["--threads", "1"]);
    // What reads the store has opened it by then.
    assert_eq!(server.get("/readyz").send().status, 200);
    let free = limit(&server);
    let idle = |_| {
        let mut socket = TcpStream::connect(server.address).expect("the system lets it in");
        socket.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is open");
        socket
    };
    let kept: Vec<TcpStream> = (0..free + 3).map(idle).collect();
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(asked_in_time(&server, "/livez", 200).status, 200);
        let refused = asked_in_time(&server, "/v1/products", 503);
        assert_eq!(refused.problem(503), "unavailable");
    }
    let told = || server.log().matches("connections could not be accepted").count();
    until(|| server.log(), || told() > 0);
    // Once in ten seconds, and this may take longer.
    let most = 1 + usize::try_from(began.elapsed().as_secs() / 10).expect("a small number");
    assert!(told() <= most, "{}", server.log());
    drop(kept);
}
