//! Events: how long it takes from the answer to a write until what follows from it is there, how
//! many a second follow, and what the outbox costs the write itself.
//!
//! Three models that differ in what follows a write alone: nothing, an event that nobody hears, and
//! an event with a reaction and a view. Their requests are the same, and their rounds alternate.

use crate::arguments::Followed;
use crate::load::{self, Seen};
use crate::process::{Scratch, Server, free_address, mainstay};
use crate::table::{median, progress};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long what follows from a round may take.
const FOLLOWS_MAX: Duration = Duration::from_secs(300);

/// What follows a write, by the name of the model.
const MODELS: [(&str, &str, &str); 3] = [
    ("nothing", "", ""),
    ("an event", "        emit: [created]\n", ""),
    (
        "both effects",
        "        emit: [created]\n",
        "  archive:
    resources:
      Note:
        fields: { letter: post.Letter, text: string max 40 }
        allow: { read: user }
    views:
      LettersByDay:
        from: letter.created
        key: { day: date(event.time) }
        set: { letters: count(), copies: sum(event.copies) }
        allow: { read: user }
    reacts:
      letter.created: { create: Note, with: { letter: event.id, text: event.text } }
",
    ),
];

/// A running model.
struct Running {
    server: Server,
    token: String,
    /// The database to drop.
    dropped: Option<(String, String)>,
}

fn model(emit: &str, consumers: &str) -> String {
    format!(
        "system: letters
actors: {{ user: oidc }}
contexts:
  post:
    resources:
      Letter:
        fields: {{ text: string max 40, copies: int = 1 }}
{emit}        allow: {{ read: user, write: user }}
{consumers}"
    )
}

impl Running {
    fn start(
        binary: &Path,
        scratch: &Scratch,
        which: usize,
        database: Option<&str>,
    ) -> Result<Self, String> {
        let (_, emit, consumers) = MODELS[which];
        let folder = scratch.0.join(format!("model-{which}-{}", database.is_some()));
        std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let path = folder.join("mainstay.yaml");
        std::fs::write(&path, model(emit, consumers)).map_err(|why| why.to_string())?;
        let data = folder.join("data");
        let address = free_address()?;
        let mut command = Command::new(binary);
        command.arg("up").arg(&path).args(["--no-watch", "--log", "error"]);
        command.arg("--data").arg(&data).arg("--listen").arg(address.to_string());
        let mut dropped = None;
        if let Some(url) = database {
            let name = format!("bench_events_{}_{which}", std::process::id());
            let (base, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
            crate::measure::postgres::batch(url, &format!("CREATE DATABASE {name}"))?;
            command.args(["--database", &format!("{base}/{name}?sslmode=disable")]);
            dropped = Some((url.to_owned(), name));
        }
        let server = Server::start(command, address, &folder.join("log"))?;
        let told = Command::new(binary)
            .arg("token")
            .arg(&path)
            .arg("--data")
            .arg(&data)
            .args(["--actor", "user", "--subject", "u"])
            .output()
            .map_err(|why| why.to_string())?;
        let token = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        Ok(Self { server, token, dropped })
    }

    fn head(&self, method: &str, path: &str, more: &str) -> String {
        let token = &self.token;
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}")
    }

    fn post(&self) -> String {
        let body = "{\"text\":\"a letter\"}";
        let more = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.head("POST", "/v1/letters", &more)
    }

    fn get(&self, path: &str, more: &str) -> Result<Value, String> {
        let reply = self.server.ask(&self.head("GET", path, &format!("{more}\r\n")))?;
        match reply.status {
            200 => serde_json::from_str(&reply.body).map_err(|why| why.to_string()),
            status => Err(format!("{path}: {status} {}", reply.body)),
        }
    }

    /// Letters that the view knows once everything so far is in it.
    fn folded(&self, wait: u32) -> Result<i64, String> {
        let page = self.get("/v1/letters-by-day", &format!("Prefer: wait={wait}\r\n"))?;
        let items = page["items"].as_array().ok_or("the view has no items")?;
        Ok(items.iter().filter_map(|item| item["letters"].as_i64()).sum())
    }

    /// Writes one more letter and waits for its note: consumers take events in order, so that what
    /// was written before is done by then, but for the few that run beside it.
    fn noted(&self) -> Result<Duration, String> {
        let reply = self.server.ask(&self.post())?;
        let answered = Instant::now();
        if reply.status != 201 {
            return Err(format!("a letter was refused: {} {}", reply.status, reply.body));
        }
        let body: Value = serde_json::from_str(&reply.body).map_err(|why| why.to_string())?;
        let letter = body["id"].as_str().ok_or("a letter without id")?;
        let path = format!("/v1/notes?letter={letter}");
        while self.get(&path, "")?["items"].as_array().is_none_or(Vec::is_empty) {
            if answered.elapsed() > FOLLOWS_MAX {
                return Err("no note follows".to_owned());
            }
        }
        Ok(answered.elapsed())
    }

    fn end(self) -> Result<(), String> {
        self.server.end()?;
        match self.dropped {
            Some((url, name)) => {
                crate::measure::postgres::batch(&url, &format!("DROP DATABASE {name} WITH (FORCE)"))
            }
            None => Ok(()),
        }
    }
}

/// Measures on SQLite, and on PostgreSQL where it is named.
pub(crate) fn run(arguments: &Followed) -> Result<bool, String> {
    if !load::is_there() {
        return Err("`wrk` is not there: install it".to_owned());
    }
    let binary = mainstay(arguments.mainstay.as_deref())?;
    let scratch = Scratch::new(arguments.scratch.as_deref())?;
    let stores = [Some(None), arguments.database.as_deref().map(Some)];
    println!("{:<12} {:<44} {:>10} {:>10} {:>10}", "store", "what", "median", "p95", "max");
    for database in stores.into_iter().flatten() {
        let store = if database.is_some() { "PostgreSQL" } else { "SQLite" };
        let mut all = Vec::new();
        for which in 0..MODELS.len() {
            all.push(Running::start(&binary, &scratch, which, database)?);
        }
        latencies(store, &all[2], arguments)?;
        throughput(store, &all, &scratch, arguments)?;
        all.into_iter().try_for_each(Running::end)?;
    }
    Ok(true)
}

/// From the answer to a write to what follows from it, one write at a time.
fn latencies(store: &str, running: &Running, arguments: &Followed) -> Result<(), String> {
    progress(&format!("{store}: from the answer to the effect, {} writes", arguments.writes));
    let (mut views, mut reactions) = (Vec::new(), Vec::new());
    for at in 0..arguments.writes {
        if at % 2 == 0 {
            let reply = running.server.ask(&running.post())?;
            let answered = Instant::now();
            if reply.status != 201 {
                return Err(format!("a letter was refused: {} {}", reply.status, reply.body));
            }
            running.folded(10)?;
            views.push(answered.elapsed().as_secs_f64() * 1e3);
        } else {
            reactions.push(running.noted()?.as_secs_f64() * 1e3);
        }
    }
    for (what, all) in
        [("answer to view, ms", &mut views), ("answer to reaction, ms", &mut reactions)]
    {
        all.sort_by(f64::total_cmp);
        let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
        row(store, what, at(0.5), at(0.95), at(1.0));
    }
    Ok(())
}

fn row(store: &str, what: &str, median: f64, p95: f64, max: f64) {
    println!("{store:<12} {what:<44} {median:>10.1} {p95:>10.1} {max:>10.1}");
}

/// Writes a second of each model in turn, and how many events a second follow in the end.
fn throughput(
    store: &str,
    all: &[Running],
    scratch: &Scratch,
    arguments: &Followed,
) -> Result<(), String> {
    let mut writes: Vec<Vec<f64>> = vec![Vec::new(); all.len()];
    let mut follows = Vec::new();
    for round in 0..arguments.rounds {
        for (which, running) in all.iter().enumerate() {
            progress(&format!("{store}: {}, round {}", MODELS[which].0, round + 1));
            let before = if which == 2 { running.folded(60)? } else { 0 };
            let begin = Instant::now();
            let (seconds, connections) = (arguments.seconds, arguments.connections);
            let unique = format!("{round}-{which}");
            let seen: Seen = load::run(
                scratch,
                running.server.address,
                &running.post(),
                seconds,
                connections,
                &unique,
            )?;
            if seen.refused + seen.broken > 0 {
                return Err(format!("{} of the writes were refused", seen.refused + seen.broken));
            }
            writes[which].push(seen.requests as f64 * 1e6 / seen.micros as f64);
            if which < 2 {
                continue;
            }
            running.noted()?;
            let folded = running.folded(60)?;
            follows.push((folded - before) as f64 / begin.elapsed().as_secs_f64());
        }
    }
    let bare = median(writes[0].clone());
    for ((name, ..), all) in MODELS.iter().zip(&writes) {
        let (middle, most) = (median(all.clone()), all.iter().copied().fold(0.0, f64::max));
        let what = format!("writes/s with {name}; of the first");
        let share = middle / bare;
        println!("{store:<12} {what:<44} {middle:>10.0} {share:>10.2} {most:>10.0}");
    }
    let most = follows.iter().copied().fold(0.0, f64::max);
    let what = "events/s from write to both effects";
    println!("{store:<12} {what:<44} {:>10.0} {:>10} {most:>10.0}", median(follows.clone()), "");
    Ok(())
}
