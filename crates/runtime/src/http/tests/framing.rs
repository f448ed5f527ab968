//! Framing over raw sockets: what is ambiguous is refused, and the connection closed.

use super::*;

#[test]
fn a_request_is_answered_and_the_connection_goes_on() {
    let server = start(config());
    let answer = talk(
        &server,
        "GET /a?b=c HTTP/1.1\r\nHost: acme.shop.example:80\r\n\r\n\
         POST /d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
         POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: v\r\n\r\n\
         GET /f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    let bodies: Vec<&str> =
        answer.lines().filter(|line| line.contains("host=")).map(|line| line.trim()).collect();
    let joined = bodies.join("\n");
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 4, "{answer}");
    for part in [
        r#"GET /a Some("b=c") host=Some("acme.shop.example") client=127.0.0.1 secure=false body="""#,
        r#"body="hello""#,
        r#"POST /e None host=Some("a") client=127.0.0.1 secure=false body="abcde""#,
        "GET /f",
    ] {
        assert!(joined.contains(part), "{part} in {joined}");
    }
}

#[test]
fn length_and_transfer_encoding_together_are_refused_and_the_connection_ends() {
    let server = start(config());
    for fields in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding : chunked",
        "Content-Length: +5",
        "X: y\r\n folded",
        "X: a\nY: b",
        "X: a\rb",
    ] {
        let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        let text = format!("POST /first HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{smuggled}");
        let answer = talk(&server, &text);
        assert!(problem(&answer).starts_with("400 malformed-request"), "{fields:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{fields:?}: {answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

#[test]
fn a_head_whose_lines_end_in_lf_alone_is_refused_without_a_wait() {
    let server = start(config());
    for text in ["GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n", "\n"] {
        let begun = Instant::now();
        let answer = talk(&server, text);
        assert!(problem(&answer).starts_with("400 malformed-request"), "{text:?}: {answer}");
        assert!(begun.elapsed() < limits().header_timeout, "{text:?}");
    }
}

#[test]
fn what_the_parser_refuses_is_a_problem_too() {
    let server = start(config());
    for text in [
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nB@d: x\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        "nonsense\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    ] {
        let closing = text.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        let answer = talk(&server, &closing);
        assert!(problem(&answer).starts_with("400 malformed-request"), "{text:?}: {answer}");
    }
}

#[test]
fn a_refusal_behind_an_answered_request_does_not_touch_its_answer() {
    let server = start(config());
    let answer =
        talk(&server, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n");
    let second = answer.find("HTTP/1.1 400").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer[..second].contains("GET /slow"), "{answer}");
    assert!(problem(&answer[second..]).starts_with("400 malformed-request"));
}

#[test]
fn a_broken_chunk_is_a_problem() {
    let server = start(config());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in ["x\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "ffffffffffffffff\r\n"] {
        let answer = talk(&server, &format!("{head}{body}"));
        let said = problem(&answer);
        assert!(said.starts_with("400 malformed-request"), "{body:?}: {said}");
    }
}

#[test]
fn a_head_in_single_bytes_is_read() {
    let server = start(config());
    let mut socket = connect(&server);
    for byte in
        b"\r\nPOST /slowly HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    {
        socket.write_all(&[*byte]).unwrap();
        // Each byte is read by itself: an empty line too may come in halves.
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let answer = read_all(&mut socket);
    assert!(answer.contains("POST /slowly") && answer.contains("body=\"ok\""), "{answer}");
}

#[test]
fn expect_continue_is_asked_for_the_body_or_told_that_it_is_too_large() {
    let server = start(config());
    let mut socket = connect(&server);
    let head = "POST /d HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n";
    socket.write_all(format!("{head}Content-Length: 2\r\n\r\n").as_bytes()).unwrap();
    let mut first = [0; 25];
    socket.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"ok").unwrap();
    assert!(read_all(&mut socket).contains("body=\"ok\""));
    let answer = talk(&server, &format!("{head}Content-Length: 9999\r\n\r\n"));
    assert!(problem(&answer).starts_with("413 body-too-large"), "{answer}");
}

#[test]
fn head_and_options_have_no_body() {
    let server = start(config());
    let get = talk(&server, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let head = talk(&server, "HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let length = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("content-length"))?;
        line.split(' ').nth(1)?.parse::<usize>().ok()
    };
    let (one, other) = (length(&get).unwrap(), length(&head).unwrap());
    // The echo names the method, which is one letter longer.
    assert_eq!(one + 1, other, "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let answer = talk(&server, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert!(answer.contains("allow: GET, HEAD"), "{answer}");
    let answer = talk(&server, "GET * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(problem(&answer).starts_with("400 malformed-request"), "{answer}");
}

#[test]
fn no_tunnel_is_opened_and_nothing_is_traced() {
    let server = start(config());
    let answer = talk(&server, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n");
    assert!(problem(&answer).starts_with("501 not-implemented"), "{answer}");
    let answer = talk(&server, "TRACE /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(problem(&answer).starts_with("405 method-not-allowed"), "{answer}");
    assert!(answer.contains("allow: GET, HEAD"), "{answer}");
}

#[test]
fn a_stream_is_sent_in_chunks() {
    let server = start(config());
    let answer = talk(&server, "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
    assert!(answer.ends_with("4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"), "{answer}");
}
