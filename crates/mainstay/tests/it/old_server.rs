//! A PostgreSQL that is too old is told as that, with the version that is needed.

use crate::harness::{Folder, run};
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};

const MODEL: &str = "
system: late
actors: { user: oidc }
contexts:
  desk:
    resources:
      Note: { fields: { text: string max 40 }, allow: { read: user, write: user } }
";

/// Types of columns, as the protocol numbers them.
const BOOL: u32 = 16;
const INT4: u32 = 23;
const TEXT: u32 = 25;

/// A message of the server: its letter, its length, its body.
fn message(letter: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short one");
    [&[letter], &length.to_be_bytes()[..], body].concat()
}

/// What the server of that version says of itself, column by column.
fn facts() -> Vec<(u32, Vec<u8>)> {
    let text = |text: &str| (TEXT, text.as_bytes().to_vec());
    let flag = |flag: bool| (BOOL, vec![u8::from(flag)]);
    let number = (INT4, 110_022_i32.to_be_bytes().to_vec());
    let (version, encoding) = (text("11.22"), text("UTF8"));
    let flags = [false, false, false, false, true].map(flag);
    let names = [text("late"), text("postgres")];
    [number, version, encoding].into_iter().chain(flags).chain(names).collect()
}

fn described() -> Vec<u8> {
    let facts = facts();
    let mut body = u16::try_from(facts.len()).expect("few").to_be_bytes().to_vec();
    for (kind, _) in facts {
        body.extend([b'c', 0, 0, 0, 0, 0, 0, 0]);
        body.extend(kind.to_be_bytes());
        body.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    }
    body
}

fn row() -> Vec<u8> {
    let facts = facts();
    let mut body = u16::try_from(facts.len()).expect("few").to_be_bytes().to_vec();
    for (_, value) in facts {
        body.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
        body.extend(value);
    }
    body
}

/// Speaks the beginning of the protocol, and answers each query with the same row.
fn speak(mut stream: TcpStream) -> Result<()> {
    let take = |stream: &mut TcpStream, letter: bool| -> Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        stream.read_exact(&mut head[usize::from(!letter)..])?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; (length as usize).saturating_sub(4)];
        stream.read_exact(&mut body)?;
        Ok((head[0], body))
    };
    // The first question may be whether there is TLS.
    while take(&mut stream, false)?.1.starts_with(&80_877_103_u32.to_be_bytes()) {
        stream.write_all(b"N")?;
    }
    let ready = message(b'Z', b"I");
    stream.write_all(&[message(b'R', &[0; 4]), ready.clone()].concat())?;
    loop {
        let answer = match take(&mut stream, true)?.0 {
            b'P' => message(b'1', &[]),
            b'D' => [message(b't', &[0; 2]), message(b'T', &described())].concat(),
            b'B' => message(b'2', &[]),
            b'E' => [message(b'D', &row()), message(b'C', b"SELECT 1\0")].concat(),
            b'C' => message(b'3', &[]),
            b'S' => ready.clone(),
            _ => return Ok(()),
        };
        stream.write_all(&answer)?;
    }
}

#[test]
fn a_postgresql_that_is_too_old_is_told_with_the_version_that_is_needed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who has heard enough goes away.
            std::thread::spawn(move || speak(stream).ok());
        }
    });
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let data = folder.0.join("data");
    let data = data.to_str().expect("a plain name");
    let url = format!("postgres://postgres:secret-word@127.0.0.1:{port}/late");
    let up = ["up", folder.path(), "--listen", "127.0.0.1:0", "--data", data, "--database", &url];
    let ran = run(&up);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let told = "is PostgreSQL 11.22: version 15 or later is needed";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("127.0.0.1:{port}/late")), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret-word"), "{}", ran.stderr);
}
