//! A move of data that a backend serves: that one does it, and is asked to.

use super::Moved;
use crate::arguments::transfer::Move;
use crate::commands::control::{ANSWER_BYTES_MAX, Request, Step, Told};
use crate::failure::{Failure, Outcome};
use crate::pipeline::Designed;
use runtime::adapters::sqlite;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Asks the backend that serves a directory to move its data, and tells how far it is.
pub(super) fn moving(
    arguments: &Move,
    designed: &Designed,
    data: &Path,
    mut stream: UnixStream,
    tell: &dyn Fn(Step),
) -> Outcome<Moved> {
    if arguments.from_tenancy.is_some() {
        return Err(Failure::new(
            "a backend serves the data, and keeps how tenants are kept apart",
        )
        .hint("leave `--from-tenancy` out, or stop `mainstay up` first"));
    }
    let plan = runtime::plan::plan(&designed.architecture);
    let (to, model) = (arguments.to.clone(), plan.fingerprint().to_owned());
    let request = Request { to, force: arguments.force, model };
    stream.write_all(request.line().as_bytes()).map_err(|_| lost(data))?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        let read = (&mut lines).take(ANSWER_BYTES_MAX).read_line(&mut line);
        if !matches!(read, Ok(1..)) {
            return Err(lost(data));
        }
        match Told::read(&line) {
            Some(Told::Step(step)) => tell(step),
            Some(Told::Moved(moved)) => return Ok(moved),
            Some(Told::Failed(failure)) => return Err(failure),
            None => {
                return Err(Failure::new("the backend answers what is not understood")
                    .hint("use the `mainstay` that serves the data"));
            }
        }
    }
}

/// The backend ended, or it was killed.
fn lost(data: &Path) -> Failure {
    let failure = Failure::new("the backend that serves the data went away");
    match sqlite::moved(data) {
        Some(to) => failure.caused_by(format!("the data was moved to {to} before")).hint(
            "start `mainstay up` with `--database` (MAINSTAY_DATABASE_URL) and the same `--data`",
        ),
        None => failure
            .caused_by("the data is where it was, and all of it")
            .hint("start `mainstay up` again; its log may say why it ended"),
    }
}
