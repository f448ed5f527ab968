//! Bodies that come slowly, never, or all at once: what they are in the way of, and what not.

use super::two::{data, frames, headers_of, open};
use super::*;
use crate::problem::{Problem, kinds};

/// Tells who may send a body at all; what it lets in is answered by [`echo`].
struct Door;

impl Service for Door {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        echo(request)
    }

    fn turn_away<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Option<Response>> {
        let answer = match request.path() {
            "/closed" => Some(Problem::new(kinds::UNAUTHENTICATED).into()),
            _ => None,
        };
        futures::future::ready(answer).boxed()
    }
}

fn slow(config: &mut ServerConfig) {
    // Longer than a test: who waits for a stalled body waits for ever.
    config.limits.body_timeout = Duration::from_secs(60);
    config.limits.request_timeout = Duration::from_secs(60);
    config.limits.header_timeout = Duration::from_secs(60);
}

fn start_door(config: ServerConfig) -> Server {
    serve(bind(config).unwrap(), Arc::new(Door), Surroundings::default()).unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n\
         {body}"
    )
}

/// A connection whose streams announce bodies of which so much comes, and no more.
fn stalled(server: &Server, streams: u32, sent: usize) -> TcpStream {
    let mut socket = open(server, &[]);
    for at in 0..streams {
        socket.write_all(&headers_of(at * 2 + 1, "POST", "/x", Some("4096"))).unwrap();
        if sent > 0 {
            socket.write_all(&data(at * 2 + 1, &vec![b' '; sent])).unwrap();
        }
    }
    socket
}

fn metric(server: &Server, name: &str) -> usize {
    let text = talk(server, &get("/metrics"));
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// Waits until a metric is what is wanted.
fn settles(server: &Server, name: &str, wanted: impl Fn(usize) -> bool) -> usize {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let value = metric(server, name);
        if wanted(value) {
            return value;
        }
        assert!(Instant::now() < end, "{name} is {value}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn serves(server: &Server) {
    for path in ["/", "/livez"] {
        let answer = talk(server, &get(path));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[test]
fn bodies_that_never_come_are_in_the_way_of_nobody_at_work() {
    let mut config = config();
    slow(&mut config);
    config.limits.requests_max = 2;
    let server = start_door(config);
    let kept: Vec<_> = (0..3).map(|_| stalled(&server, 10, 0)).collect();
    settles(&server, "http_server_bodies_reading", |reading| reading == 30);
    serves(&server);
    let answer = talk(&server, &post("/", "abc"));
    assert!(answer.contains("body=\"abc\""), "{answer}");
    drop(kept);
    settles(&server, "http_server_bodies_reading", |reading| reading == 0);
}

#[test]
fn bodies_of_one_connection_wait_for_each_other_and_not_others_for_them() {
    let mut config = config();
    slow(&mut config);
    (config.limits.bodies_max, config.limits.bodies_per_connection_max) = (2, 1);
    let server = start_door(config);
    let _first = stalled(&server, 20, 0);
    settles(&server, "http_server_bodies_reading", |reading| reading == 1);
    assert!(talk(&server, &post("/", "abc")).contains("body=\"abc\""));
    let _second = stalled(&server, 20, 0);
    settles(&server, "http_server_bodies_reading", |reading| reading == 2);
    let answer = talk(&server, &post("/", "abc"));
    assert!(problem(&answer).starts_with("503 unavailable"), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    serves(&server);
}

#[test]
fn all_bodies_together_hold_no_more_bytes_than_they_may() {
    let mut config = config();
    slow(&mut config);
    config.limits.bodies_bytes_max = 40 << 10;
    let server = start_door(config);
    let mut kept: Vec<_> = (0..3).map(|_| stalled(&server, 10, 4000)).collect();
    let held = settles(&server, "http_server_bodies_bytes", |bytes| bytes > 32 << 10);
    assert!(held <= 40 << 10, "{held} bytes");
    serves(&server);
    let last = kept.last_mut().unwrap();
    let all = frames(last, |(kind, _, _)| *kind == 0);
    let text = String::from_utf8_lossy(&all.last().unwrap().2).into_owned();
    assert!(text.contains("urn:problem:unavailable"), "{text}");
    drop(kept);
    settles(&server, "http_server_bodies_bytes", |bytes| bytes == 0);
    assert!(talk(&server, &post("/", &"x".repeat(4096))).contains("body=\"xxx"));
}

#[test]
fn a_body_is_held_until_its_request_is_answered() {
    let server = start_door(config());
    let mut running = connect(&server);
    running.write_all(post("/slow", &"x".repeat(1000)).as_bytes()).unwrap();
    settles(&server, "http_server_bodies_bytes", |bytes| bytes >= 1000);
    assert!(read_all(&mut running).contains("body=\"xxx"));
    settles(&server, "http_server_bodies_bytes", |bytes| bytes == 0);
}

#[test]
fn what_the_head_decides_is_answered_before_the_body() {
    let mut config = config();
    slow(&mut config);
    let server = start_door(config);
    let head = "POST /closed HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n";
    let began = Instant::now();
    for more in ["\r\n", "Expect: 100-continue\r\n\r\n"] {
        let answer = talk(&server, &format!("{head}{more}"));
        assert!(problem(&answer).starts_with("401 unauthenticated"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    let mut two = stalled(&server, 0, 0);
    two.write_all(&headers_of(1, "POST", "/closed", Some("1000"))).unwrap();
    let all = frames(&mut two, |(kind, _, _)| *kind == 0);
    let text = String::from_utf8_lossy(&all.last().unwrap().2).into_owned();
    assert!(text.contains("urn:problem:unauthenticated"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn a_connection_outlives_a_body_that_nobody_wanted() {
    let server = start_door(config());
    let unwanted = "POST /closed HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n".to_owned();
    let mut socket = connect(&server);
    socket.write_all((unwanted + &"x".repeat(1000) + &get("/after")).as_bytes()).unwrap();
    let answers = read_all(&mut socket);
    assert!(answers.starts_with("HTTP/1.1 401") && answers.contains("GET /after"), "{answers}");
}

#[test]
fn a_limit_of_all_bodies_under_that_of_one_is_refused() {
    let mut config = config();
    config.limits.bodies_bytes_max = 4095;
    let refused = bind(config).err().unwrap().to_string();
    assert_eq!(refused, "all bodies together may hold 4095 bytes, one alone 4096");
}
