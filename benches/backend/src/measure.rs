//! The measurement: stores are filled, both servers started, asked the same, loaded in turn.

pub(crate) mod postgres;
mod sqlite;

use crate::arguments::{Format, Measure};
use crate::cases::{Case, Requests};
use crate::data::{Draw, Rows};
use crate::load::{self, Seen};
use crate::process::{Scratch, Server, cpu_micros, family_cpu_micros, mainstay, memory};
use crate::reference::token::Key;
use crate::table::{self, Row, progress};
use crate::{agree, process};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds that each server is loaded before the first round counts.
const WARM_SECONDS: u32 = 1;

/// One side of the comparison.
pub(crate) struct Side {
    /// In the table.
    name: &'static str,
    server: Server,
    place: Place,
}

/// Where its rows are.
enum Place {
    Sqlite(PathBuf),
    Postgres { url: String, postmaster: u32 },
}

/// Both, or the reference alone where Mainstay does not know the store.
struct Sides {
    store: &'static str,
    mainstay: Option<Side>,
    reference: Side,
}

/// What one round showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// What the load saw.
    pub(crate) seen: Seen,
    /// Microseconds of CPU of server and store.
    pub(crate) cpu: u64,
    /// Of the server, at the end of the round.
    pub(crate) memory: process::Memory,
}

/// Measures everything that was asked for; false where requests failed.
pub(crate) fn run(arguments: &Measure) -> Result<bool, String> {
    if !load::is_there() {
        return Err("the load needs `wrk` (Debian: apt-get install wrk)".to_owned());
    }
    let binary = mainstay(arguments.mainstay.as_deref())?;
    let cases = cases(&arguments.cases)?;
    let scratch = Scratch::new(arguments.scratch.as_deref())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    let rows = Rows::draw(arguments.seed, arguments.orders, now);
    progress(&format!(
        "seed {}, {} orders, {} rounds of {} s, {} connections",
        arguments.seed,
        arguments.orders,
        arguments.rounds,
        arguments.seconds,
        arguments.connections
    ));
    let mut all = Vec::new();
    if !arguments.no_sqlite {
        let sides = sqlite::start(&binary, &scratch, &rows, arguments)?;
        all.extend(measure(arguments, &cases, &scratch, &rows, now, sides)?);
    }
    if let Some(url) = &arguments.database {
        let databases = postgres::Databases::make(url)?;
        let sides = databases.start(&binary, &scratch, &rows, arguments)?;
        all.extend(measure(arguments, &cases, &scratch, &rows, now, sides)?);
    }
    if !arguments.agree {
        match arguments.format {
            Format::Text => table::print(&all),
            Format::Json => table::print_json(arguments, &all),
        }
    }
    Ok(all.iter().all(Row::is_sound))
}

fn cases(named: &[String]) -> Result<Vec<Case>, String> {
    if named.is_empty() {
        return Ok(Case::ALL.to_vec());
    }
    let find = |name: &String| {
        let found = Case::ALL.into_iter().find(|case| case.name() == name);
        found.ok_or_else(|| {
            let all: Vec<&str> = Case::ALL.iter().map(|case| case.name()).collect();
            format!("there is no case `{name}`, but {}", all.join(", "))
        })
    };
    named.iter().map(find).collect()
}

fn measure(
    arguments: &Measure,
    cases: &[Case],
    scratch: &Scratch,
    rows: &Rows,
    now: i64,
    sides: Sides,
) -> Result<Vec<Row>, String> {
    let store = sides.store;
    let key = Key::open(&scratch.0.join(format!("{store}-mainstay")))?;
    let requests = Requests::new(rows, &key, now);
    for side in sides.all() {
        let ms = side.server.started.as_millis();
        let resident = memory(side.server.pid()).resident_kib / 1_024;
        progress(&format!("{store}: {} started in {ms} ms, {resident} MiB", side.name));
    }
    if let Some(mainstay) = &sides.mainstay {
        let compared = agree::check(rows, &requests, &mainstay.server, &sides.reference.server)?;
        progress(&format!("{store}: {compared} answers are the same"));
    }
    if arguments.hold {
        hold(&sides, &requests);
    }
    let mut all = Vec::new();
    if arguments.agree {
        return Ok(all);
    }
    let mut seeds = Draw(arguments.seed);
    for case in cases {
        let mut samples: Vec<(&'static str, Vec<Sample>)> =
            sides.all().map(|side| (side.name, Vec::new())).collect();
        for round in 0..arguments.rounds {
            let seed = seeds.next();
            // Who was last is first in the next round.
            let mut turns: Vec<(usize, &Side)> = sides.all().enumerate().collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for (at, side) in turns {
                let sample = one(arguments, *case, scratch, &requests, side, seed, round == 0)?;
                samples[at].1.push(sample);
                let seconds = sample.seen.micros as f64 / 1e6;
                progress(&format!(
                    "{store} {} round {} {}: {:.0}/s",
                    case.name(),
                    round + 1,
                    side.name,
                    sample.seen.requests as f64 / seconds
                ));
            }
        }
        all.push(Row::new(store, *case, &samples));
    }
    for side in sides.all_owned() {
        side.server.end()?;
    }
    Ok(all)
}

/// One round of one case against one server.
fn one(
    arguments: &Measure,
    case: Case,
    scratch: &Scratch,
    requests: &Requests<'_>,
    side: &Side,
    seed: u64,
    warm: bool,
) -> Result<Sample, String> {
    let connections = arguments.connections;
    let to = side.server.address;
    // Warming would use the drafts up that are to be placed.
    if warm && case != Case::Place {
        let list = requests.list(case, &side.server, seed ^ 1, &side.versions(case)?)?;
        load::run(scratch, to, &list, WARM_SECONDS, connections, &format!("{seed:x}w"))?;
    }
    side.settle(case)?;
    let list = requests.list(case, &side.server, seed, &side.versions(case)?)?;
    std::thread::sleep(Duration::from_millis(200));
    let before = side.cpu();
    let unique = format!("{seed:x}");
    let seen = load::run(scratch, to, &list, arguments.seconds, connections, &unique)?;
    let cpu = side.cpu() - before;
    Ok(Sample { seen, cpu, memory: memory(side.server.pid()) })
}

/// Waits, so that the servers can be looked at, and says how to ask them.
fn hold(sides: &Sides, requests: &Requests<'_>) {
    for side in sides.all() {
        let (address, pid) = (side.server.address, side.server.pid());
        progress(&format!("{} listens on {address}, process {pid}", side.name));
    }
    progress(&format!("a token of acme's staff: {}", requests.staff(0)));
    let mut line = String::new();
    // The end of the input is an answer as well.
    let _read = std::io::stdin().read_line(&mut line);
}

impl Sides {
    fn all(&self) -> impl Iterator<Item = &Side> {
        self.mainstay.iter().chain([&self.reference])
    }

    fn all_owned(self) -> impl Iterator<Item = Side> {
        self.mainstay.into_iter().chain([self.reference])
    }
}

impl Side {
    fn cpu(&self) -> u64 {
        let own = cpu_micros(self.server.pid());
        match &self.place {
            Place::Sqlite(_) => own,
            Place::Postgres { postmaster, .. } => own + family_cpu_micros(*postmaster),
        }
    }

    /// The store as a round is to find it: drafts are drafts again, the journal is empty.
    fn settle(&self, case: Case) -> Result<(), String> {
        match &self.place {
            Place::Sqlite(data) => sqlite::settle(data, case).map_err(|why| why.to_string()),
            Place::Postgres { url, .. } => postgres::settle(url, case),
        }
    }

    /// The versions that orders have, where requests name them.
    fn versions(&self, case: Case) -> Result<HashMap<u128, i64>, String> {
        if !case.versioned() {
            return Ok(HashMap::new());
        }
        match &self.place {
            Place::Sqlite(data) => sqlite::versions(data).map_err(|why| why.to_string()),
            Place::Postgres { url, .. } => postgres::versions(url),
        }
    }
}

/// The shop without the regimes that ask for an audit trail, which the reference does not write.
fn model(scratch: &Scratch) -> Result<PathBuf, String> {
    let (from, to) = (process::top().join("examples/shop"), scratch.0.join("model"));
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(&to)?;
        for entry in std::fs::read_dir(&from)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                let text = std::fs::read_to_string(&path)?;
                let kept = text.lines().filter(|line| !line.trim().starts_with("compliance:"));
                let name = path.file_name().unwrap_or_default();
                std::fs::write(to.join(name), kept.collect::<Vec<_>>().join("\n") + "\n")?;
            }
        }
        Ok(())
    };
    copy().map_err(|why| format!("{}: {why}", from.display()))?;
    Ok(to)
}

/// Mainstay, serving the shop.
fn up(
    binary: &Path,
    scratch: &Scratch,
    data: &Path,
    address: std::net::SocketAddr,
) -> Result<std::process::Command, String> {
    let mut command = std::process::Command::new(binary);
    command.arg("up").arg(model(scratch)?).arg("--data").arg(data);
    command.args(["--listen", &address.to_string(), "--log-format", "json"]);
    Ok(command)
}

/// The reference, serving the same.
fn reference(
    data: &Path,
    address: std::net::SocketAddr,
    arguments: &Measure,
) -> Result<std::process::Command, String> {
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut command = std::process::Command::new(own);
    command.arg("reference").arg("--data").arg(data).args(["--listen", &address.to_string()]);
    command.args(["--map-bytes", &arguments.map_bytes.to_string()]);
    if !arguments.bare {
        command.arg("--observed");
    }
    Ok(command)
}
