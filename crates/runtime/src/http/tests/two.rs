//! HTTP/2 without TLS, frame by frame, for a library would be too polite.
use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// `GET path` without Huffman coding and without the dynamic table.
fn headers(stream: u32, path: &str) -> Vec<u8> {
    headers_of(stream, "GET", path, None)
}

/// The same of GET or POST; with the length of a body that is to follow.
pub(super) fn headers_of(stream: u32, method: &str, path: &str, length: Option<&str>) -> Vec<u8> {
    // :method, :scheme http from the static table; :authority and :path literally.
    let method = if method == "GET" { 0x82 } else { 0x83 };
    let mut block = vec![method, 0x86, 0x41, 0x01, b'a', 0x44, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path.as_bytes());
    if let Some(length) = length {
        // content-length is the 28th of the static table.
        block.extend([0x0f, 28 - 15, u8::try_from(length.len()).unwrap()]);
        block.extend_from_slice(length.as_bytes());
    }
    frame(1, if length.is_some() { 0x4 } else { 0x5 }, stream, &block)
}

/// Some of a body.
pub(super) fn data(stream: u32, bytes: &[u8]) -> Vec<u8> {
    frame(0, 0, stream, bytes)
}

pub(super) fn open(server: &Server, settings: &[u8]) -> TcpStream {
    let mut socket = connect(server);
    socket.write_all(PREFACE).unwrap();
    socket.write_all(&frame(4, 0, 0, settings)).unwrap();
    socket
}

/// The frames until the end of the connection, or until `enough`.
pub(super) fn frames(
    socket: &mut TcpStream,
    enough: impl Fn(&(u8, u32, Vec<u8>)) -> bool,
) -> Vec<(u8, u32, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let mut head = [0; 9];
        if socket.read_exact(&mut head).is_err() {
            return all;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length];
        if socket.read_exact(&mut payload).is_err() {
            return all;
        }
        all.push((head[3], stream, payload));
        if enough(all.last().unwrap()) {
            return all;
        }
    }
}

fn goaway(all: &[(u8, u32, Vec<u8>)]) -> bool {
    all.iter().any(|(kind, _, _)| *kind == 7)
}

#[test]
fn http_2_is_spoken_without_asking() {
    let server = start(config());
    let mut socket = open(&server, &[]);
    socket.write_all(&headers(1, "/two")).unwrap();
    let all = frames(&mut socket, |(kind, stream, _)| *kind == 0 && *stream == 1);
    let text = String::from_utf8_lossy(&all.last().unwrap().2).into_owned();
    assert!(text.contains(r#"GET /two None host=Some("a")"#), "{text}");
}

#[test]
fn a_rapid_reset_ends_in_goaway() {
    let mut config = config();
    config.limits.abandoned_max = 50;
    let server = start(config);
    let mut socket = open(&server, &[]);
    for at in 0..2000u32 {
        let stream = at * 2 + 1;
        let mut both = headers(stream, "/hangs");
        both.extend(frame(3, 0, stream, &8u32.to_be_bytes()));
        if socket.write_all(&both).is_err() {
            break;
        }
    }
    let all = frames(&mut socket, |(kind, _, _)| *kind == 7);
    assert!(goaway(&all), "{} frames", all.len());
    assert!(
        talk(&server, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").contains("200 OK")
    );
}

#[test]
fn streams_that_are_opened_and_abandoned_one_by_one_end_in_goaway() {
    let mut config = config();
    config.limits.abandoned_max = 20;
    let server = start(config);
    let mut socket = open(&server, &[]);
    for at in 0..200u32 {
        let stream = at * 2 + 1;
        if socket.write_all(&headers(stream, "/hangs")).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(3));
        if socket.write_all(&frame(3, 0, stream, &8u32.to_be_bytes())).is_err() {
            break;
        }
    }
    let all = frames(&mut socket, |(kind, _, _)| *kind == 7);
    assert!(goaway(&all), "{} frames", all.len());
}

#[test]
fn streams_that_the_server_must_reset_end_in_goaway() {
    let server = start(config());
    let mut socket = open(&server, &[]);
    for at in 0..200u32 {
        let stream = at * 2 + 1;
        let mut both = headers(stream, "/hangs");
        // A window update of zero is a fault of the stream (RFC 9113, section 6.9).
        both.extend(frame(8, 0, stream, &0u32.to_be_bytes()));
        if socket.write_all(&both).is_err() {
            break;
        }
    }
    let all = frames(&mut socket, |(kind, _, _)| *kind == 7);
    assert!(goaway(&all), "{} frames", all.len());
}

#[test]
fn a_body_that_stalls_on_a_stream_is_told() {
    let server = start(short());
    let mut socket = open(&server, &[]);
    // HEADERS without END_STREAM: a body is announced and never comes.
    socket.write_all(&headers_of(1, "POST", "/two", Some("10"))).unwrap();
    let all = frames(&mut socket, |(kind, stream, _)| *kind == 0 && *stream == 1);
    let text = String::from_utf8_lossy(&all.last().unwrap().2).into_owned();
    assert!(text.contains("urn:problem:request-timeout"), "{text}");
}

#[test]
fn a_host_beside_another_authority_is_refused() {
    let server = start(config());
    let mut socket = open(&server, &[]);
    let mut block = vec![0x82, 0x86, 0x84, 0x41, 0x01, b'a', 0x00, 0x04];
    block.extend(b"host\x01b");
    socket.write_all(&frame(1, 0x5, 1, &block)).unwrap();
    let all = frames(&mut socket, |(kind, stream, _)| *kind == 0 && *stream == 1);
    let text = String::from_utf8_lossy(&all.last().unwrap().2).into_owned();
    assert!(text.contains("urn:problem:malformed-request"), "{text}");
}

#[test]
fn a_flood_of_continuation_frames_ends_the_connection() {
    let server = start(config());
    let mut socket = open(&server, &[]);
    socket.write_all(&frame(1, 0x1, 1, &[0x82, 0x86])).unwrap();
    let mut sent = 0;
    // A literal header without indexing: `x: y…`, over and over, never ending the headers.
    let mut block = vec![0x00, 0x01, b'x', 0x7f, 0x00];
    block.extend([b'y'; 127]);
    while sent < 64 << 20 {
        let bytes = frame(9, 0, 1, &block.repeat(100));
        sent += bytes.len();
        if socket.write_all(&bytes).is_err() {
            break;
        }
    }
    assert!(sent < 64 << 20, "the server took it all");
}

#[test]
fn a_large_header_is_a_problem_on_http_2_too() {
    let server = start(config());
    let mut socket = open(&server, &[]);
    let mut block = vec![0x82, 0x86, 0x41, 0x01, b'a', 0x84];
    for _ in 0..18 {
        block.extend([0x00, 0x01, b'x', 0x7f, 0x00]);
        block.extend([b'y'; 127]);
    }
    socket.write_all(&frame(1, 0x5, 1, &block)).unwrap();
    let all = frames(&mut socket, |(kind, stream, _)| *kind == 0 && *stream == 1);
    let text = String::from_utf8_lossy(&all.last().unwrap().2).into_owned();
    assert!(text.contains("urn:problem:headers-too-large"), "{text}");
}

#[test]
fn a_client_that_opens_no_window_is_cut() {
    let server = start(short());
    // SETTINGS_INITIAL_WINDOW_SIZE = 0: nothing may be sent.
    let mut socket = open(&server, &[0, 4, 0, 0, 0, 0]);
    socket.write_all(&headers(1, "/two")).unwrap();
    let began = Instant::now();
    let all = frames(&mut socket, |_| false);
    assert!(!all.iter().any(|(kind, _, _)| *kind == 0), "no data can have come");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

#[test]
fn a_client_that_asks_nothing_is_cut() {
    let server = start(short());
    let mut socket = open(&server, &[]);
    let began = Instant::now();
    frames(&mut socket, |_| false);
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

#[test]
fn a_drain_says_goaway_and_finishes_the_stream() {
    let server = start(config());
    let mut socket = open(&server, &[]);
    socket.write_all(&headers(1, "/slow")).unwrap();
    until_active(&server, 1);
    server.stopper().drain();
    // The server pings to learn that its GOAWAY arrived.
    let mut all = Vec::new();
    loop {
        let some = frames(&mut socket, |(kind, _, _)| *kind == 6);
        let Some((6, _, payload)) = some.last().cloned() else {
            all.extend(some);
            break;
        };
        all.extend(some);
        socket.write_all(&frame(6, 1, 0, &payload)).unwrap();
    }
    assert!(goaway(&all));
    let data: Vec<u8> =
        all.iter().filter(|(kind, _, _)| *kind == 0).flat_map(|f| f.2.clone()).collect();
    assert!(String::from_utf8_lossy(&data).contains("GET /slow"));
    assert_eq!(server.wait(), 0);
}
