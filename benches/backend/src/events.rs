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
use std::path::{Path, PathBuf};
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
    /// The file of the database, on SQLite.
    file: PathBuf,
}

/// Where events are kept, and what they go by.
#[derive(Clone, Copy)]
struct Way<'a> {
    database: Option<&'a str>,
    broker: Option<&'a str>,
}

impl Way<'_> {
    /// As it stands in the table: `SQLite`, `nats`.
    fn name(&self) -> String {
        match (self.broker, self.database) {
            (Some(url), _) => url.split(':').next().unwrap_or_default().to_owned(),
            (None, Some(_)) => "PostgreSQL".to_owned(),
            (None, None) => "SQLite".to_owned(),
        }
    }
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
    fn start(binary: &Path, scratch: &Scratch, which: usize, way: Way<'_>) -> Result<Self, String> {
        let (_, emit, consumers) = MODELS[which];
        let folder = scratch.0.join(format!("model-{which}-{}", way.name()));
        std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let path = folder.join("mainstay.yaml");
        std::fs::write(&path, model(emit, consumers)).map_err(|why| why.to_string())?;
        let data = folder.join("data");
        let address = free_address()?;
        let mut command = Command::new(binary);
        command.arg("up").arg(&path).args(["--no-watch", "--log", "error"]);
        command.arg("--data").arg(&data).arg("--listen").arg(address.to_string());
        let mut dropped = None;
        if let Some(url) = way.broker {
            let more = if url.contains('?') { '&' } else { '?' };
            let prefix = format!("prefix=bench-{}", std::process::id());
            command.args(["--broker", &format!("{url}{more}{prefix}")]);
        }
        if let Some(url) = way.database {
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
        let file = data.join("letters.db");
        Ok(Self { server, token, dropped, file })
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

    /// Letters and their notes, by the tables of SQLite.
    fn counted(&self) -> Result<(i64, i64), String> {
        let count = || {
            let file = rusqlite::Connection::open(&self.file)?;
            file.busy_timeout(Duration::from_secs(10))?;
            let both = "SELECT (SELECT count(*) FROM post_letters), \
                        (SELECT count(*) FROM archive_notes)";
            file.query_row(both, [], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        count().map_err(|why: rusqlite::Error| why.to_string())
    }

    /// Waits until each letter has its note; how many there are.
    fn all_noted(&self) -> Result<i64, String> {
        let begin = Instant::now();
        loop {
            let (letters, notes) = self.counted()?;
            if letters == notes {
                return Ok(notes);
            }
            if begin.elapsed() > FOLLOWS_MAX {
                return Err(format!("{} letters have no note", letters - notes));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
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
    let postgresql = arguments.database.as_deref().map(Some);
    println!("{:<12} {:<44} {:>10} {:>10} {:>10}", "store", "what", "median", "p95", "max");
    for database in [Some(None), postgresql].into_iter().flatten() {
        let way = Way { database, broker: None };
        let mut all = Vec::new();
        for which in 0..MODELS.len() {
            all.push(Running::start(&binary, &scratch, which, way)?);
        }
        latencies(&way.name(), &all[2], arguments)?;
        throughput(&way.name(), &all, &scratch, arguments)?;
        all.into_iter().try_for_each(Running::end)?;
    }
    for broker in &arguments.broker {
        let way = Way { database: None, broker: Some(broker) };
        let running = Running::start(&binary, &scratch, MODELS.len() - 1, way)?;
        brokered(&way.name(), &running, &scratch, arguments)?;
        running.end()?;
    }
    Ok(true)
}

/// By a broker: from the answer to the effect of the reaction, and how many a second.
fn brokered(
    broker: &str,
    running: &Running,
    scratch: &Scratch,
    arguments: &Followed,
) -> Result<(), String> {
    progress(&format!("{broker}: from the answer to the effect, {} writes", arguments.writes));
    // The first waits for what is made at the broker.
    running.noted()?;
    let mut all = Vec::new();
    for _ in 0..arguments.writes / 2 {
        all.push(running.noted()?.as_secs_f64() * 1e3);
    }
    quantiles(broker, "answer to reaction, ms", &mut all);
    let (mut writes, mut follows) = (Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        progress(&format!("{broker}: round {}", round + 1));
        let before = running.all_noted()?;
        let begin = Instant::now();
        let (seconds, connections) = (arguments.seconds, arguments.connections);
        let (address, unique) = (running.server.address, format!("{round}-{broker}"));
        let seen: Seen =
            load::run(scratch, address, &running.post(), seconds, connections, &unique)?;
        if seen.refused + seen.broken > 0 {
            return Err(format!("{} of the writes were refused", seen.refused + seen.broken));
        }
        writes.push(seen.requests as f64 * 1e6 / seen.micros as f64);
        let noted = running.all_noted()?;
        follows.push((noted - before) as f64 / begin.elapsed().as_secs_f64());
    }
    for (what, all) in [
        ("writes/s with both effects", writes),
        ("events/s from write to the reaction's effect", follows),
    ] {
        let most = all.iter().copied().fold(0.0, f64::max);
        println!("{broker:<12} {what:<44} {:>10.0} {:>10} {most:>10.0}", median(all), "");
    }
    Ok(())
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
        quantiles(store, what, all);
    }
    Ok(())
}

/// A row of the table.
fn quantiles(store: &str, what: &str, all: &mut [f64]) {
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
    println!("{store:<12} {what:<44} {:>10.1} {:>10.1} {:>10.1}", at(0.5), at(0.95), at(1.0));
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
