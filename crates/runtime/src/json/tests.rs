//! What is taken, what is refused, and that both ways agree with a second reader.

use super::literal::{exact, is_url, read_uuid};
use super::read::parse;
use super::{Json, time, write};
use expect_test::expect;
use ir::value::{Currency, Value};

fn rewritten(text: &str) -> String {
    match parse(text.as_bytes()) {
        Ok(json) => {
            let mut out = Vec::new();
            json.write(&mut out);
            String::from_utf8(out).unwrap()
        }
        Err(malformed) => format!("byte {}: {}", malformed.at, malformed.reason),
    }
}

#[test]
fn what_is_well_formed_is_kept_to_the_digit() {
    let cases = [
        r#" {"a" : [1, 2.50, -0, 1E5, 12345678901234567890123] , "b":null} "#,
        r#""tab\t quote\" solidus\/ \u00e9 \ud83d\ude00 é""#,
        r#"{"":true,"nested":{"x":[[],{}]}}"#,
    ];
    let lines: Vec<String> = cases.into_iter().map(rewritten).collect();
    expect![[r#"
        {"a":[1,2.50,-0,1E5,12345678901234567890123],"b":null}
        "tab\t quote\" solidus/ é 😀 é"
        {"":true,"nested":{"x":[[],{}]}}"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn what_is_not_is_refused_at_its_byte() {
    let cases = [
        "",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "nul",
        "01",
        "1.",
        "+1",
        "1e400",
        "-",
        "\"a",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"a\nb\"",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "1 2",
        "{a:1}",
        "\u{feff}1",
        "NaN",
        "'a'",
    ];
    let lines: Vec<String> = cases.into_iter().map(rewritten).collect();
    expect![[r#"
        byte 0: the text ends where a value was expected
        byte 1: a member name in quotes was expected
        byte 3: a value was expected
        byte 7: a member name in quotes was expected
        byte 0: a value was expected
        byte 1: more text after the end of the value
        byte 2: a digit was expected
        byte 0: a value was expected
        byte 0: a number out of range
        byte 1: a digit was expected
        byte 2: the text ends inside a string
        byte 2: an unknown escape
        byte 7: a lone surrogate
        byte 13: a lone surrogate
        byte 7: a lone surrogate
        byte 2: a control character in a text
        byte 7: the member `a` stands twice
        byte 7: the member `a` stands twice
        byte 2: more text after the end of the value
        byte 1: a member name in quotes was expected
        byte 0: a value was expected
        byte 0: a value was expected
        byte 0: a value was expected"#]]
    .assert_eq(&lines.join("\n"));
    assert_eq!(parse(b"\"\xff\"").unwrap_err().reason, "not UTF-8");
    let deep = "[".repeat(65) + &"]".repeat(65);
    assert_eq!(parse(deep.as_bytes()).unwrap_err().reason, "nested deeper than 64");
    assert!(parse(&deep.as_bytes()[1..129]).is_ok());
}

#[test]
fn a_repeated_member_is_found_among_many() {
    let mut members: Vec<String> = (0..5_000).map(|n| format!("\"m{n}\":{n}")).collect();
    assert!(parse(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
    members.push("\"m3\":0".to_owned());
    let text = format!("{{{}}}", members.join(","));
    assert_eq!(parse(text.as_bytes()).unwrap_err().reason, "the member `m3` stands twice");
}

#[test]
fn both_readers_agree_on_mutilated_texts() {
    let whole = r#"{"a":[1,-2.5e3,true,false,null,"x\u00e9\n"],"b":{"c":"d","e":0.1}}"#;
    let mut taken = 0;
    for at in 0..whole.len() {
        for byte in [b'"', b'{', b'}', b'[', b',', b':', b'0', b'\\', b'e', b' ', b'.', b'-'] {
            let mut text = whole.as_bytes().to_vec();
            text[at] = byte;
            let theirs = serde_json::from_slice::<serde_json::Value>(&text).is_ok();
            let ours = parse(&text).map_err(|fault| fault.reason);
            let repeated = ours.as_ref().is_err_and(|reason| reason.ends_with("stands twice"));
            assert!(
                ours.is_ok() == theirs || repeated,
                "{} {ours:?}",
                String::from_utf8_lossy(&text)
            );
            taken += usize::from(theirs);
        }
    }
    assert!(taken > 50, "the test must take some: {taken}");
}

#[test]
fn a_merge_patch_does_what_the_rfc_shows() {
    let cases = [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"["a","b"]"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ];
    for (target, patch, wanted) in cases {
        let mut target = parse(target.as_bytes()).unwrap();
        target.merge(parse(patch.as_bytes()).unwrap());
        assert_eq!(target, parse(wanted.as_bytes()).unwrap());
    }
}

#[test]
fn numbers_are_exact_or_not_at_all() {
    let cases = [
        ("12.50", 2, Some(1250)),
        ("12.5", 4, Some(125_000)),
        ("12.505", 2, None),
        ("12.500", 2, Some(1250)),
        ("1e2", 0, Some(100)),
        ("1.0", 0, Some(1)),
        ("1e-1", 0, None),
        ("10e-1", 0, Some(1)),
        ("-0", 2, Some(0)),
        ("9223372036854775807", 0, Some(i64::MAX)),
        ("9223372036854775808", 0, None),
        ("-9223372036854775808", 0, Some(i64::MIN)),
        ("1e400", 0, None),
        ("0e99999", 0, Some(0)),
        ("", 0, None),
        ("01", 0, None),
        (".5", 2, None),
        ("5.", 2, None),
        ("1_000", 0, None),
    ];
    for (text, scale, wanted) in cases {
        assert_eq!(exact(text, scale), wanted, "{text}");
    }
}

#[test]
fn days_are_those_of_another_calendar() {
    for days in (-719_162..2_932_896).step_by(97) {
        let mut text = Vec::new();
        time::write_date(&mut text, days);
        let text = String::from_utf8(text).unwrap();
        let theirs: jiff::civil::Date = text.parse().unwrap();
        let epoch = jiff::civil::date(1970, 1, 1);
        let between = theirs.since((jiff::Unit::Day, epoch)).unwrap().get_days();
        assert_eq!(between, days, "{text}");
        assert_eq!(time::read_date(&text), Some(days));
    }
}

#[test]
fn times_are_read_in_their_forms_and_written_in_one() {
    let timestamp = |text: &str| match time::read_timestamp(text) {
        Some(micros) => {
            let mut out = Vec::new();
            time::write_timestamp(&mut out, micros);
            String::from_utf8(out).unwrap()
        }
        None => "refused".to_owned(),
    };
    let duration = |text: &str| match time::read_duration(text) {
        Some(micros) => {
            let mut out = Vec::new();
            time::write_duration(&mut out, micros);
            String::from_utf8(out).unwrap()
        }
        None => "refused".to_owned(),
    };
    let stamps = [
        "2026-11-22T12:30:00Z",
        "2026-11-22t12:30:00.5z",
        "2026-11-22T12:30:00+02:00",
        "2026-01-01T00:30:00+01:00",
        "2016-12-31T23:59:60Z",
        "2026-11-22T12:30:00.1234567Z",
        "2026-11-22T12:30Z",
        "2026-11-22 12:30:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T12:30:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59Z",
        "é026-11-22T12:30:00Z",
    ];
    let durations = [
        "PT30M",
        "P1D",
        "P1W",
        "PT90M",
        "P1DT2H3M4.5S",
        "-PT0.25S",
        "PT0S",
        "P",
        "PT",
        "P1DT",
        "P1Y",
        "PT1.5H",
        "PT1M1H",
        "30M",
        "PT999999S",
        "PT1000000S",
        "PT0.1234567S",
    ];
    let mut lines: Vec<String> = Vec::new();
    lines.extend(stamps.iter().map(|text| format!("{text} {}", timestamp(text))));
    lines.extend(durations.iter().map(|text| format!("{text} {}", duration(text))));
    expect![[r#"
        2026-11-22T12:30:00Z 2026-11-22T12:30:00Z
        2026-11-22t12:30:00.5z 2026-11-22T12:30:00.500000Z
        2026-11-22T12:30:00+02:00 2026-11-22T10:30:00Z
        2026-01-01T00:30:00+01:00 2025-12-31T23:30:00Z
        2016-12-31T23:59:60Z 2017-01-01T00:00:00Z
        2026-11-22T12:30:00.1234567Z 2026-11-22T12:30:00.123456Z
        2026-11-22T12:30Z refused
        2026-11-22 12:30:00Z refused
        2026-02-29T00:00:00Z refused
        2026-11-22T24:00:00Z refused
        2026-11-22T12:30:00 refused
        0000-01-01T00:00:00Z refused
        0001-01-01T00:00:00+00:01 refused
        9999-12-31T23:59:59Z 9999-12-31T23:59:59Z
        é026-11-22T12:30:00Z refused
        PT30M PT30M
        P1D P1D
        P1W P7D
        PT90M PT1H30M
        P1DT2H3M4.5S P1DT2H3M4.5S
        -PT0.25S -PT0.25S
        PT0S PT0S
        P refused
        PT refused
        P1DT refused
        P1Y refused
        PT1.5H refused
        PT1M1H refused
        30M refused
        PT999999S P11DT13H46M39S
        PT1000000S refused
        PT0.1234567S refused"#]]
    .assert_eq(&lines.join("\n"));
    assert_eq!(time::read_time("12:30"), Some(45_000_000_000));
    assert_eq!(time::read_time("12:30:15.25"), Some(45_015_250_000));
    assert_eq!(time::read_time("12:3"), None);
    assert_eq!(time::read_time("12:30:60"), None);
    assert_eq!(time::read_time("12:30:00.1234567"), None);
}

#[test]
fn values_have_one_form_on_the_wire() {
    let euro = Currency(*b"EUR");
    let values = [
        Value::Money { units: 125_000, currency: euro },
        Value::Money { units: 125_050, currency: euro },
        Value::Money { units: -5, currency: euro },
        Value::Money { units: 1_200_000, currency: Currency(*b"JPY") },
        Value::Decimal { units: -1250, scale: 2 },
        Value::Decimal { units: 7, scale: 3 },
        Value::Int(i64::MIN),
        Value::Date(20_779),
        Value::Time(45_015_250_000),
        Value::Uuid(0x0190_a5c4_0000_7000_8000_0000_0000_0001),
        Value::Timespan { start: 0, end: 60_000_000 },
        Value::text("a\u{1}\"\\\u{1f}é"),
        Value::List(vec![Value::Int(1), Value::Null]),
    ];
    let mut out = Vec::new();
    for value in &values {
        write::value(&mut out, value);
        out.push(b'\n');
    }
    let out = String::from_utf8(out).unwrap();
    for line in out.lines() {
        parse(line.as_bytes()).unwrap();
    }
    expect![[r#"
        {"amount":"12.50","currency":"EUR"}
        {"amount":"12.505","currency":"EUR"}
        {"amount":"-0.0005","currency":"EUR"}
        {"amount":"120","currency":"JPY"}
        "-12.50"
        "0.007"
        -9223372036854775808
        "2026-11-22"
        "12:30:15.250000"
        "0190a5c4-0000-7000-8000-000000000001"
        {"start":"1970-01-01T00:00:00Z","end":"1970-01-01T00:01:00Z"}
        "a\u0001\"\\\u001fé"
        [1,null]
    "#]]
    .assert_eq(&out);
    assert_eq!(read_uuid("0190A5C4-0000-7000-8000-000000000001"), values[9].as_uuid());
    assert_eq!(read_uuid("0190a5c4000070008000000000000001"), None);
    assert!(matches!(parse(b"[]"), Ok(Json::Array(_))));
}

#[test]
fn an_address_names_a_sound_host() {
    for fine in [
        "https://example.com",
        "http://a",
        "http://user:word@a.example:8080/path/[x]?q=[#f",
        "http://[2001:db8::1]:443/",
        "http://a:/",
        "http://a:65535?",
    ] {
        assert!(is_url(fine), "{fine}");
    }
    for broken in [
        "http://",
        "HTTP://a",
        "ftp://a",
        "http://:80",
        "http://u@",
        "http://u@v@a",
        "http://[",
        "http://[]",
        "http://[::1",
        "http://[::g]",
        "http://[::ffff:1.2.3.4]",
        "http://[::1]x",
        "http://a[b",
        "http://u[@a",
        "http://a:65536",
        "http://a:+1",
        "http://a:000080",
        "http://a b",
        "http://a/\\",
        "http://é",
        "http://a/\0",
    ] {
        assert!(!is_url(broken), "{broken}");
    }
}
