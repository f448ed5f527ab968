//! `mainstay move`: the data goes to another store, or to where tenants are kept apart otherwise.

#[cfg(unix)]
use super::control;
use super::home;
use super::place::{self, Opened, Use};
use crate::arguments::transfer::{Apart, Move};
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use ir::model::Isolation;
use runtime::identity::development;
use runtime::ports::transfer::Scope;
use runtime::transfer::{Counted, Tell, copy};
use std::path::Path;
use std::time::Duration;

#[cfg(unix)]
mod served;

/// Data that is elsewhere now.
#[derive(Debug, Clone)]
pub(crate) struct Moved {
    /// Where it was.
    pub(crate) from: String,
    /// Where it is.
    pub(crate) to: String,
    /// The rows by table, equal on both sides.
    pub(crate) proof: Vec<Counted>,
    /// Tables that were left out.
    pub(crate) left_out: Vec<String>,
    /// What requests had of it, where it was served meanwhile.
    pub(crate) waited: Option<Waited>,
}

/// A move while the data was served.
#[derive(Debug, Clone)]
pub(crate) struct Waited {
    /// How long requests waited.
    pub(crate) took: Duration,
    /// Rounds of changes that were followed, the last of them meanwhile.
    pub(crate) rounds: u64,
}

/// Told while data moves.
pub(crate) struct Tells<'a> {
    /// How many rows have travelled.
    pub(crate) rows: Tell<'a>,
    /// How far a backend is that goes on serving.
    #[cfg(unix)]
    pub(crate) step: &'a dyn Fn(super::control::Step),
}

/// Moves the data of a model; where a backend serves it, that one does.
pub(crate) fn moving(arguments: &Move, tell: &Tells<'_>) -> Outcome<Moved> {
    let (path, env) = (&arguments.model.path, arguments.model.env.as_deref());
    let designed = pipeline::design_to_run(path, env)?;
    let before = match arguments.from_tenancy {
        Some(apart) => pipeline::design_as(path, env, isolation(apart))?,
        None => pipeline::design_to_run(path, env)?,
    };
    let which = place::Which { data: &arguments.data, database: &arguments.database };
    let data = arguments.data.of(&designed.home);
    let from_files = arguments.database.database.is_none();
    let to_server = is_server(&arguments.to);
    if from_files && !to_server && same(&data, Path::new(&arguments.to)) {
        return Err(Failure::new("can't move data to where it is")
            .hint("give another directory with `--to`, then name that with `--data`"));
    }
    #[cfg(unix)]
    if from_files
        && to_server
        && let Some(stream) = control::connect(&data)
    {
        return served::moving(arguments, &designed, &data, stream, tell.step);
    }
    let from = place::open(&before, &which, Use::Take)?;
    let to = match to_server {
        true => place::server(&designed, &arguments.to, Use::Write)?,
        false => place::directory(&designed, Path::new(&arguments.to), Use::Write)?,
    };
    let proof = carry(&from, &to, arguments.force, tell.rows)?;
    if from_files {
        if !to_server {
            take_along(&data, Path::new(&arguments.to))?;
        }
        place::leave(&data, &format!("`{}`", to.shown))?;
    }
    let left_out = place::left_out(&designed);
    Ok(Moved { from: from.shown, to: to.shown, proof, left_out, waited: None })
}

fn carry(from: &Opened, to: &Opened, force: bool, tell: Tell<'_>) -> Outcome<Vec<Counted>> {
    let failed = |cause| {
        let failure = Failure::new(format!("can't move `{}` to `{}`", from.shown, to.shown));
        place::hinted(failure, cause)
    };
    let (from, to) = (&*from.transfer, &*to.transfer);
    if !place::sees(to, &Scope::Whole) {
        to.tenants().map_err(failed)?;
    }
    copy(from, to, &Scope::Whole, force, tell).map_err(failed)
}

/// Tokens of the development key stay good.
fn take_along(from: &Path, to: &Path) -> Outcome<()> {
    let key = from.join(development::FILE);
    let target = to.join(development::FILE);
    if !key.exists() || target.exists() {
        return Ok(());
    }
    runtime::private::copy(&key, &target).map_err(|cause| {
        Failure::new(format!("can't copy `{}`", key.display())).caused_by(cause)
    })?;
    home::not_moved(to)
}

fn isolation(apart: Apart) -> Isolation {
    match apart {
        Apart::Row => Isolation::Row,
        Apart::Schema => Isolation::Schema,
        Apart::Database => Isolation::Database,
    }
}

fn is_server(to: &str) -> bool {
    to.starts_with("postgres://") || to.starts_with("postgresql://")
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
