//! Limits of the edge: sizes, slow callers, streams and connections.

use super::*;

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n")
}

#[test]
fn what_is_too_large_is_said_to_be() {
    let server = start(config());
    let long = "x".repeat(300);
    let huge = "x".repeat(40_000);
    let many: String = (0..30).map(|at| format!("h{at}: 1\r\n")).collect();
    for (text, wanted) in [
        (get(&format!("/{long}"), ""), "414 uri-too-long"),
        (get(&format!("/{huge}"), ""), "414 uri-too-long"),
        (format!("GET /{huge}"), "414 uri-too-long"),
        (get("/", &format!("x: {huge}\r\n")), "431 headers-too-large"),
        (get("/", &many), "431 headers-too-large"),
        (format!("GET / HTTP/1.1\r\nx: {huge}"), "431 headers-too-large"),
        (get("/", "Content-Length: 4097\r\n"), "413 body-too-large"),
        (
            get("/", "Transfer-Encoding: chunked\r\n") + &format!("1388\r\n{}", "y".repeat(5000)),
            "413 body-too-large",
        ),
    ] {
        let answer = talk(&server, &text);
        let said = problem(&answer);
        assert!(said.starts_with(wanted), "{wanted}: {said}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    let fits = get("/", "Content-Length: 4096\r\n") + &"z".repeat(4096);
    assert!(talk(&server, &fits).starts_with("HTTP/1.1 200"));
}

#[test]
fn slow_heads_and_bodies_end_in_time() {
    let server = start(short());
    let began = Instant::now();
    let answer = talk(&server, "GET / HTTP/1.1\r\nHost:");
    assert!(problem(&answer).starts_with("408 request-timeout"), "{answer}");
    assert_eq!(talk(&server, ""), "", "who says nothing is told nothing");
    let text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
    let answer = talk(&server, text);
    assert!(problem(&answer).starts_with("408 request-timeout"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

#[test]
fn a_head_that_trickles_for_ever_ends_in_time() {
    let server = start(short());
    let mut socket = connect(&server);
    let began = Instant::now();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").unwrap();
    while socket.write_all(b"x: y\r\n").is_ok() {
        std::thread::sleep(Duration::from_millis(40));
        if began.elapsed() > Duration::from_millis(1200) {
            break;
        }
    }
    assert!(problem(&read_all(&mut socket)).starts_with("408"));
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let server = start(short());
    let mut socket = connect(&server);
    let began = Instant::now();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let answer = read_all(&mut socket);
    assert!(answer.starts_with("HTTP/1.1 200"));
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(900), "kept alive for {waited:?}");
    assert!(waited < Duration::from_secs(25), "kept alive for {waited:?}");
}

#[test]
fn a_reader_that_takes_nothing_is_cut() {
    let server = start(short());
    let mut socket = connect(&server);
    socket.write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    std::thread::sleep(Duration::from_millis(1600));
    let mut total = 0;
    let mut buf = vec![0; 1 << 20];
    while let Ok(bytes) = socket.read(&mut buf) {
        total += bytes;
        if bytes == 0 {
            break;
        }
        assert!(Instant::now() < end);
    }
    assert!(total < 16 << 20, "the whole body came: {total}");
}

#[test]
fn a_reader_that_goes_on_gets_everything() {
    let server = start(config());
    let mut socket = connect(&server);
    socket.write_all(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut total = 0;
    let mut buf = vec![0; 1 << 20];
    loop {
        let bytes = socket.read(&mut buf).unwrap();
        if bytes == 0 {
            break;
        }
        total += bytes;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(total > 16 << 20, "{total}");
}

#[test]
fn the_deadline_of_the_client_counts_under_the_cap() {
    let server = start(config());
    let began = Instant::now();
    let answer = talk(&server, &get("/hangs", "X-Request-Timeout: 0.1\r\n"));
    assert!(problem(&answer).starts_with("504 deadline-exceeded"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let capped = start(short());
    let began = Instant::now();
    let answer = talk(&capped, &get("/hangs", "X-Request-Timeout: 1000\r\n"));
    assert!(problem(&answer).starts_with("504 deadline-exceeded"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(talk(&server, &get("/", "X-Request-Timeout: 20000ms\r\n")).starts_with("HTTP/1.1 200"));
    let began = Instant::now();
    let both = "X-Request-Timeout: 25\r\nX-Envoy-Expected-Rq-Timeout-Ms: 100\r\n";
    assert!(problem(&talk(&server, &get("/hangs", both))).starts_with("504"));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for wrong in ["soon", "-1", "0", "1e3", "inf", ""] {
        let answer = talk(&server, &get("/", &format!("X-Request-Timeout: {wrong}\r\n")));
        assert!(problem(&answer).starts_with("400 invalid-parameter"), "{wrong}: {answer}");
    }
}

#[test]
fn a_panic_is_an_answer_and_the_server_goes_on() {
    let server = start(config());
    let answer = talk(&server, &get("/panics", ""));
    assert_eq!(problem(&answer), "500 internal: -");
    assert!(talk(&server, &get("/", "")).starts_with("HTTP/1.1 200"));
}

#[test]
fn connections_over_the_limit_are_told() {
    let mut config = config();
    config.limits.connections_max = 2;
    let server = start(config);
    let mut kept = [connect(&server), connect(&server)];
    for socket in &mut kept {
        socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut buf = [0; 512];
        assert!(socket.read(&mut buf).unwrap() > 0);
    }
    let answer = read_all(&mut connect(&server));
    assert!(problem(&answer).starts_with("503 unavailable"), "{answer}");
    drop(kept);
    let end = Instant::now() + Duration::from_secs(30);
    while !talk(&server, &get("/", "")).starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < end);
    }
}

#[test]
fn probes_are_answered_also_where_no_connection_is_left() {
    let mut config = config();
    config.limits.connections_max = 1;
    let server = start(config);
    let mut kept = connect(&server);
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(kept.read(&mut [0; 512]).unwrap() > 0);
    let answer = talk(&server, &get("/livez", ""));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    assert_eq!(problem(&talk(&server, &get("/readyz", ""))), "503 unavailable: not ready");
    assert!(problem(&talk(&server, &get("/", ""))).contains("more connections are open"));
}

#[test]
fn requests_over_the_limit_are_told() {
    let mut config = config();
    config.limits.requests_max = 1;
    let server = start(config);
    let mut first = connect(&server);
    first.write_all(get("/hangs", "X-Request-Timeout: 4\r\n").as_bytes()).unwrap();
    until_active(&server, 1);
    let answer = talk(&server, &get("/", ""));
    assert!(problem(&answer).starts_with("503 unavailable"), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    assert!(talk(&server, &get("/livez", "")).starts_with("HTTP/1.1 200"), "probes are exempt");
    assert!(read_all(&mut first).starts_with("HTTP/1.1 504"));
}

#[test]
fn a_drain_lets_the_running_request_finish_and_refuses_new_connections() {
    let mut config = config();
    config.drain.wait = Duration::from_secs(3);
    let server = start(config);
    let mut idle = connect(&server);
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut buf = [0; 2048];
    assert!(idle.read(&mut buf).unwrap() > 0);
    let mut running = connect(&server);
    running.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    server.stopper().drain();
    std::thread::sleep(Duration::from_millis(50));
    // While it waits it still serves, says so, and is not ready.
    let answer = talk(&server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    assert!(problem(&talk(&server, &get("/readyz", ""))).starts_with("503"));
    assert!(talk(&server, &get("/livez", "")).starts_with("HTTP/1.1 200"));
    assert!(read_all(&mut running).contains("GET /slow"));
    assert_eq!(idle.read(&mut buf).unwrap(), 0, "an idle connection is closed");
    let address = server.address();
    assert_eq!(server.wait(), 0, "nothing was cut");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_drain_cuts_what_does_not_end_within_the_grace() {
    let mut config = config();
    config.drain.grace = Duration::from_millis(200);
    let server = start(config);
    let mut running = connect(&server);
    running.write_all(b"GET /hangs HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until_active(&server, 1);
    server.stopper().drain();
    let began = Instant::now();
    assert_eq!(server.wait(), 1);
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(read_all(&mut running), "");
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = start(config());
    let mut running = connect(&server);
    running.write_all(b"GET /hangs HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until_active(&server, 1);
    let began = Instant::now();
    server.stopper().drain();
    server.stopper().drain();
    assert_eq!(server.wait(), 1);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn requests_on_many_connections_survive_a_drain_that_waits() {
    let mut config = config();
    config.workers = 2;
    config.drain.wait = Duration::from_millis(500);
    let server = start(config);
    let address = server.address();
    let clients: Vec<_> =
        (0..8).map(|_| std::thread::spawn(move || ask_until_told_to_go(address))).collect();
    std::thread::sleep(Duration::from_millis(200));
    server.stopper().drain();
    let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert!(answered > 8, "{answered}");
    assert_eq!(server.wait(), 0);
}

#[test]
fn who_comes_while_the_server_ends_is_answered_or_finds_nobody() {
    for wait in [0, 300] {
        let mut config = config();
        config.workers = 2;
        config.drain.wait = Duration::from_millis(wait);
        let server = start(config);
        let address = server.address();
        let clients: Vec<_> = (0..8)
            .map(|_| std::thread::spawn(move || ask_until_nobody_is_there(address)))
            .collect();
        std::thread::sleep(Duration::from_millis(200));
        server.stopper().drain();
        let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(answered > 8, "{answered}");
        assert_eq!(server.wait(), 0);
    }
}

/// Asks again and again, on a new connection where the server said that it closes the old one,
/// until there is no server. An answer that does not come is a failure.
fn ask_until_nobody_is_there(address: std::net::SocketAddr) -> usize {
    let mut answered = 0;
    while TcpStream::connect(address).is_ok_and(|socket| {
        answered += ask_on(socket);
        true
    }) {}
    answered
}

#[test]
fn a_connection_without_a_request_may_ask_once_more_while_the_server_ends() {
    let server = start(config());
    let (mut fresh, mut idle) = (connect(&server), connect(&server));
    let mut buf = [0; 2048];
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(idle.read(&mut buf).unwrap() > 0);
    server.stopper().drain();
    std::thread::sleep(Duration::from_millis(50));
    for socket in [&mut fresh, &mut idle] {
        socket.write_all(b"GET /late HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let answer = read_all(socket);
        assert!(answer.contains("GET /late") && answer.contains("connection: close"), "{answer}");
    }
    assert_eq!(server.wait(), 0);
}

/// Asks again and again on one connection, as a balancer does, and counts the answers. An answer
/// that does not come is a failure until the server has said that it closes.
fn ask_until_told_to_go(address: std::net::SocketAddr) -> usize {
    ask_on(TcpStream::connect(address).unwrap())
}

fn ask_on(mut socket: TcpStream) -> usize {
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    for count in 1.. {
        socket.write_all(b"GET /n HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut part = [0; 2048];
        while !answer.ends_with(b"body=\"\"") {
            let bytes = socket.read(&mut part).unwrap();
            assert!(bytes > 0, "closed without notice after {count} answers");
            answer.extend_from_slice(&part[..bytes]);
        }
        if String::from_utf8_lossy(&answer).contains("connection: close") {
            return count;
        }
    }
    0
}

#[test]
fn two_servers_cannot_share_an_address_unnoticed() {
    let first = start(config());
    let second = ServerConfig { listen: first.address(), ..config() };
    let error = bind(second).err().unwrap().to_string();
    assert!(error.starts_with(&format!("cannot listen on {}", first.address())), "{error}");
}
