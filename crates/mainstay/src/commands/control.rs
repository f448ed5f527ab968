//! What is said to a backend that runs on a data directory, over a socket in it that only its owner
//! may use: a line of JSON that asks, and lines that answer until it is done. What asks may go away
//! at any time; what it asked for is given up then, where that is still possible.

use super::moving::{Moved, Waited};
use crate::failure::Failure;
use runtime::adapters::sqlite::CONTROL;
use runtime::transfer::{Counted, Sum};
use serde_json::{Value, json};
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a line at most: of what is asked, and of an answer, which names every table.
pub(super) const REQUEST_BYTES_MAX: u64 = 16 << 10;
pub(super) const ANSWER_BYTES_MAX: u64 = 4 << 20;
/// Bytes of a path that a socket may have on every system.
const PATH_BYTES_MAX: usize = 100;

/// What is asked: data is to go elsewhere while it is served.
#[derive(Clone)]
pub(super) struct Request {
    /// The address, with its password: never to be told.
    pub(super) to: String,
    /// What is there goes first.
    pub(super) force: bool,
    /// The hash of the model that it is asked with.
    pub(super) model: String,
}

impl Request {
    pub(super) fn line(&self) -> String {
        let Self { to, force, model } = self;
        format!("{}\n", json!({ "move": { "to": to, "force": force, "model": model } }))
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let asked: Value = serde_json::from_str(line).ok()?;
        let asked = asked.get("move")?;
        Some(Self {
            to: asked["to"].as_str()?.to_owned(),
            force: asked["force"].as_bool()?,
            model: asked["model"].as_str()?.to_owned(),
        })
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many rows were copied.
    Copied(u64),
    /// So many rows were read again where they were written.
    Proven(u64),
    /// A round of that number took that many rows which had changed.
    Round(u64, u64),
    /// Requests would have waited for too long, so that many rounds more are made.
    Again(u64),
}

/// What is answered, a line each.
#[derive(Debug)]
pub(super) enum Told {
    Step(Step),
    Moved(Moved),
    Failed(Failure),
}

impl Told {
    pub(super) fn line(&self) -> String {
        let told = match self {
            Self::Step(Step::Copied(rows)) => json!({ "copied": rows }),
            Self::Step(Step::Proven(rows)) => json!({ "proven": rows }),
            Self::Step(Step::Round(number, rows)) => json!({ "round": number, "rows": rows }),
            Self::Step(Step::Again(number)) => json!({ "again": number }),
            Self::Moved(Moved { from, to, proof, waited, .. }) => {
                let table = |one: &Counted| json!([one.table, one.sum.rows, one.sum.hex()]);
                let tables: Vec<Value> = proof.iter().map(table).collect();
                let waited = waited.as_ref().map(|waited| {
                    json!({ "ms": waited.took.as_millis() as u64, "rounds": waited.rounds })
                });
                json!({ "from": from, "to": to, "tables": tables, "waited": waited })
            }
            Self::Failed(Failure { message, causes, hint, .. }) => {
                json!({ "failed": message, "causes": causes, "hint": hint })
            }
        };
        format!("{told}\n")
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let told: Value = serde_json::from_str(line).ok()?;
        let number = |name: &str| told[name].as_u64();
        if let Some(rows) = number("copied") {
            return Some(Self::Step(Step::Copied(rows)));
        }
        if let Some(rows) = number("proven") {
            return Some(Self::Step(Step::Proven(rows)));
        }
        if let Some(round) = number("round") {
            return Some(Self::Step(Step::Round(round, number("rows")?)));
        }
        if let Some(round) = number("again") {
            return Some(Self::Step(Step::Again(round)));
        }
        if let Some(message) = told["failed"].as_str() {
            let causes = told["causes"].as_array()?.iter().filter_map(Value::as_str);
            let failure =
                causes.fold(Failure::new(message), |failure, cause| failure.caused_by(cause));
            return Some(Self::Failed(match told["hint"].as_str() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }));
        }
        let table = |one: &Value| {
            let sum = Sum::of_hex(one[1].as_u64()?, one[2].as_str()?)?;
            Some(Counted { table: one[0].as_str()?.to_owned(), sum })
        };
        let waited = told["waited"].as_object().and_then(|waited| {
            let took = Duration::from_millis(waited.get("ms")?.as_u64()?);
            Some(Waited { took, rounds: waited.get("rounds")?.as_u64()? })
        });
        Some(Self::Moved(Moved {
            from: told["from"].as_str()?.to_owned(),
            to: told["to"].as_str()?.to_owned(),
            proof: told["tables"].as_array()?.iter().map(table).collect::<Option<_>>()?,
            left_out: Vec::new(),
            waited,
        }))
    }
}

/// Connects to the backend that runs on a directory; none where none listens.
pub(super) fn connect(data: &Path) -> Option<UnixStream> {
    near(data, |path| UnixStream::connect(path)).ok()
}

/// Listens in a directory that is locked; what a kill left there goes.
pub(super) fn listen(data: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = data.join(CONTROL);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = near(data, |path| UnixListener::bind(path))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Names the socket of a directory: by its path, or where that is too long for an address, by way
/// of the open directory.
fn near<T>(data: &Path, run: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    use std::os::fd::AsRawFd as _;
    let path = data.join(CONTROL);
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return run(&path);
    }
    let directory = std::fs::File::open(data)?;
    let open = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    run(&open.join(CONTROL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_any_depth_has_a_socket_that_replaces_what_a_kill_left() {
        let top = std::env::temp_dir().join(format!("mainstay-control-{}", std::process::id()));
        for data in [top.clone(), top.join("d".repeat(120)).join("e".repeat(120))] {
            std::fs::create_dir_all(&data).expect("writable");
            assert!(connect(&data).is_none(), "nobody listens");
            let first = listen(&data).expect("it listens");
            drop(first);
            assert!(connect(&data).is_none(), "a socket that a kill left");
            let listener = listen(&data).expect("it listens again");
            let _stream = connect(&data).expect("it is heard");
            listener.accept().expect("it hears");
        }
        std::fs::remove_dir_all(&top).expect("it goes");
    }

    #[test]
    fn what_is_told_is_read_as_it_was() {
        let sum = Sum::of_hex(3, &"0f".repeat(32)).expect("a sum");
        let moved = Moved {
            from: "data".to_owned(),
            to: "postgres://h/d".to_owned(),
            proof: vec![Counted { table: "a_b".to_owned(), sum }],
            left_out: Vec::new(),
            waited: Some(Waited { took: Duration::from_millis(7), rounds: 4 }),
        };
        let failure = Failure::new("no").caused_by("one").caused_by("two").hint("do");
        let all = [
            Told::Step(Step::Copied(1)),
            Told::Step(Step::Proven(2)),
            Told::Step(Step::Round(3, 4)),
            Told::Step(Step::Again(5)),
            Told::Moved(moved),
            Told::Failed(failure),
        ];
        for told in all {
            let line = told.line();
            let again = Told::read(&line).expect("it is read");
            assert_eq!(format!("{told:?}"), format!("{again:?}"));
            assert_eq!(line.matches('\n').count(), 1, "one line: {line}");
        }
        assert!(Told::read("{}").is_none() && Request::read("[]").is_none());
        assert!(Sum::of_hex(1, "0f").is_none());
    }
}
