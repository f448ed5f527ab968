//! Steps of migrations on the files of a store. This process alone uses the data directory; each
//! transaction notes how far a step has come, so that a kill loses nothing and repeats nothing.

use super::layout::{File, Layout};
use super::link::{Link, Role};
use super::{OpenError, SqliteConfig, schema, system};
use crate::adapters::sql::dialect::{Sqlite, quote};
use crate::adapters::sql::journal::{self, Place, Step, checksum};
use crate::adapters::sql::plan::Plan;
use crate::ports::migrations::{Base, Broken, Found, Migrations, Progress};
use ir::domain::Domain;
use ir::migration::{Query, Remembered, Run, ScriptStep, Snapshot};
use ir::schema::Schema;
use rusqlite::{OptionalExtension, Result};
use std::sync::Arc;

/// What was done, in order, with what takes it back.
const JOURNAL: &str = r#"
CREATE TABLE IF NOT EXISTS "mainstay_migrations" (
  "number" INTEGER PRIMARY KEY AUTOINCREMENT,
  "name" TEXT NOT NULL,
  "checksum" TEXT NOT NULL,
  "text" TEXT NOT NULL,
  "undo" TEXT,
  "before" TEXT NOT NULL,
  "time" INTEGER NOT NULL
) STRICT;
"#;

/// Name of how far a step has come, in `mainstay_meta`.
const PROGRESS: &str = "migrating";

/// Changes the files of a store that is not open; reads them beside one that is.
pub struct SqliteMigrations {
    layout: Layout,
}

impl SqliteMigrations {
    /// Looks at the files of a service; nothing is made or changed yet.
    ///
    /// # Errors
    /// [`OpenError`], where the schema does not fit the model.
    pub fn open(
        config: SqliteConfig,
        domain: Arc<Domain>,
        schema: Arc<Schema>,
    ) -> std::result::Result<Self, OpenError> {
        let plan = Plan::new(domain, schema, Arc::new(Sqlite)).map_err(OpenError::Plan)?;
        Ok(Self { layout: Layout::unprepared(config, Arc::new(plan))? })
    }

    fn file(base: &Base) -> File {
        base.tenant.as_deref().map_or(File::Service, |tenant| File::Tenant(Arc::from(tenant)))
    }

    /// Changes a file.
    fn with<T>(
        &self,
        base: &Base,
        run: impl FnOnce(&Link) -> Result<T>,
    ) -> std::result::Result<T, String> {
        let run = |link: &Link| {
            link.connection.execute_batch("PRAGMA foreign_keys = OFF")?;
            run(link)
        };
        self.as_role(base, Role::Writer, run)
    }

    /// Reads a file, beside whoever uses it.
    fn beside<T>(
        &self,
        base: &Base,
        run: impl FnOnce(&Link) -> Result<T>,
    ) -> std::result::Result<T, String> {
        self.as_role(base, Role::Reader, run)
    }

    fn as_role<T>(
        &self,
        base: &Base,
        role: Role,
        run: impl FnOnce(&Link) -> Result<T>,
    ) -> std::result::Result<T, String> {
        let path = self.layout.path(&Self::file(base));
        let link = Link::open(&path, role, self.layout.lock_wait(), self.layout.clock());
        let done = link.and_then(|link| run(&link));
        done.map_err(|error| format!("`{}`: {error}", path.display()))
    }
}

impl Migrations for SqliteMigrations {
    /// Whoever has the data directory has the files.
    fn hold(&self) -> std::result::Result<(), String> {
        Ok(())
    }

    fn others(&self) -> std::result::Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    fn bases(&self) -> std::result::Result<Vec<Base>, String> {
        let tenants = self.layout.tenants().map_err(|error| error.to_string())?;
        let files = tenants.into_iter().map(File::Tenant).chain([File::Service]);
        let there = files.filter(|file| self.layout.path(file).exists());
        let base = |file: File| Base {
            shown: self.layout.path(&file).display().to_string(),
            tenant: match file {
                File::Service => None,
                File::Tenant(tenant) => Some(tenant.to_string()),
            },
        };
        Ok(there.map(base).collect())
    }

    fn check_demands(&self) -> std::result::Result<(), String> {
        self.layout.check_demands().map_err(|error| error.to_string())
    }

    fn read(&self, base: &Base) -> std::result::Result<Found, String> {
        self.beside(base, |link| {
            let Some(text) = system::meta(link, "schema")? else { return Ok(Found::default()) };
            let mut snapshot: Snapshot = serde_json::from_str(&text).unwrap_or_default();
            let mut found = Found::default();
            let keys: Vec<String> = snapshot.tables.keys().cloned().collect();
            for key in keys {
                let lines = structure(link, &key)?;
                match lines.is_empty() {
                    // What other files of the service hold was remembered here too, once.
                    true => drop(snapshot.tables.remove(&key)),
                    false => drop(found.structure.insert(key, lines)),
                }
            }
            let known = system::fingerprint(link)?;
            found.serves = known.as_deref() == Some(schema::fingerprint(&self.layout).as_str());
            found.remembered = serde_json::to_string(&snapshot).ok();
            found.latest = found.serves;
            found.underway = journal::underway(system::meta(link, PROGRESS)?.as_deref());
            (found.next, found.tampered) = lines(link)?;
            Ok(found)
        })
    }

    fn ask(&self, base: &Base, query: &Query) -> std::result::Result<Broken, String> {
        self.beside(base, |link| {
            let rows: i64 = link.connection.query_row(&query.count, [], |row| row.get(0))?;
            let mut broken = Broken { rows: rows.unsigned_abs(), examples: Vec::new() };
            if rows > 0 {
                let mut statement = link.connection.prepare(&query.examples)?;
                let ids = statement.query_map([], |row| row.get(0))?;
                broken.examples = ids.collect::<Result<_>>()?;
            }
            Ok(broken)
        })
    }

    fn apply(
        &self,
        base: &Base,
        step: &ScriptStep,
        tell: Progress<'_>,
    ) -> std::result::Result<(), String> {
        let now = self.layout.clock().now();
        self.with(base, |link| {
            link.connection.execute_batch(JOURNAL)?;
            let text = journal::text(step);
            let sum = checksum(&text);
            let begun = progress(link, &sum)?;
            let known = Step { name: &step.name, sum: &sum };
            for (at, run) in step.run.iter().enumerate().skip(begun.run) {
                let from = if at == begun.run { begun.from } else { 0 };
                carry_out(link, run, known, Place { run: at, from }, tell)?;
            }
            transaction(link, || {
                note(link, step, &text, &sum, now)?;
                system::set_meta(link, PROGRESS, "")
            })
        })
    }

    fn abandon(&self, base: &Base, step: &ScriptStep) -> std::result::Result<(), String> {
        let abandoned = self.with(base, |link| {
            if progress(link, &checksum(&journal::text(step)))? == Place::default() {
                return Ok(true);
            }
            let Some(undo) = &step.undo else { return Ok(false) };
            transaction(link, || {
                link.connection.execute_batch(&undo.join(";\n"))?;
                system::set_meta(link, PROGRESS, "")
            })?;
            Ok(true)
        })?;
        match abandoned {
            true => Ok(()),
            false => Err(format!("nothing takes `{}` back: restore a backup", step.name)),
        }
    }

    /// One process uses a file: there is none beside it.
    fn serve(&self, base: &Base, _beside: bool) -> std::result::Result<(), String> {
        self.with(base, |link| {
            system::set_meta(link, "fingerprint", &schema::fingerprint(&self.layout))
        })
    }

    fn undo(&self, base: &Base) -> std::result::Result<Option<String>, String> {
        let undone = self.with(base, |link| {
            link.connection.execute_batch(JOURNAL)?;
            let last = "SELECT \"number\", \"name\", \"undo\", \"before\" FROM \
                        \"mainstay_migrations\" ORDER BY \"number\" DESC LIMIT 1";
            let row =
                |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            let last: Option<(i64, String, Option<String>, String)> =
                link.connection.query_row(last, [], row).optional()?;
            let Some((number, name, undo, before)) = last else { return Ok(Ok(None)) };
            let Some(undo) = undo else { return Ok(Err(name)) };
            transaction(link, || {
                link.connection.execute_batch(&undo)?;
                remember(link, &serde_json::from_str(&before).unwrap_or_default())?;
                system::set_meta(link, "fingerprint", "")?;
                let gone = "DELETE FROM \"mainstay_migrations\" WHERE \"number\" = ?1";
                link.statement(gone)?.execute([number]).map(|_| ())
            })?;
            Ok(Ok(Some(name)))
        })?;
        undone.map_err(|name| format!("nothing takes `{name}` back: restore a backup"))
    }
}

/// All or nothing.
fn transaction<T>(link: &Link, run: impl FnOnce() -> Result<T>) -> Result<T> {
    link.connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = run();
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK; PRAGMA writable_schema = RESET" };
    let ended = link.connection.execute_batch(end);
    let done = done?;
    ended?;
    Ok(done)
}

fn carry_out(link: &Link, run: &Run, step: Step<'_>, at: Place, tell: Progress<'_>) -> Result<()> {
    match run {
        Run::Together(all) | Run::Alone(all) => transaction(link, || {
            for text in all {
                link.connection.execute_batch(text)?;
            }
            set_progress(link, step, Place { run: at.run + 1, from: 0 })
        }),
        Run::Chunks { end, statement, step: size, rows } => {
            let number = |text: &str| link.connection.query_row(text, [], |row| row.get(0));
            let (end, rows): (i64, i64) = (number(end)?, number(rows)?);
            let (mut from, end) = (at.from, end.unsigned_abs());
            let mut done = 0;
            while from < end {
                let to = from.saturating_add(*size);
                done += transaction(link, || {
                    let mut statement = link.connection.prepare_cached(statement)?;
                    let range = [(":from", &from.cast_signed()), (":to", &to.cast_signed())];
                    let changed = statement.execute(&range)?;
                    set_progress(link, step, Place { run: at.run, from: to })?;
                    Ok(changed as u64)
                })?;
                from = to;
                tell(done, rows.unsigned_abs());
            }
            set_progress(link, step, Place { run: at.run + 1, from: 0 })
        }
    }
}

fn progress(link: &Link, sum: &str) -> Result<Place> {
    Ok(journal::place(system::meta(link, PROGRESS)?.as_deref(), sum))
}

fn set_progress(link: &Link, step: Step<'_>, at: Place) -> Result<()> {
    system::set_meta(link, PROGRESS, &journal::noted(step, at))
}

/// The journal's line, with what was remembered before.
fn note(link: &Link, step: &ScriptStep, text: &str, sum: &str, now: i64) -> Result<()> {
    let before = remember(link, &step.held)?;
    let before = serde_json::to_string(&before).unwrap_or_default();
    let undo = step.undo.as_ref().map(|undo| undo.join(";\n"));
    let insert = "INSERT INTO \"mainstay_migrations\" (\"name\", \"checksum\", \"text\", \"undo\", \
                  \"before\", \"time\") VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = rusqlite::params![step.name, sum, text, undo, before, now];
    link.statement(insert)?.execute(values).map(|_| ())
}

/// Changes what is remembered; answers with what would change it back.
fn remember(link: &Link, held: &Remembered) -> Result<Remembered> {
    let (text, back) = journal::remembered(system::meta(link, "schema")?.as_deref(), held);
    system::set_meta(link, "schema", &text)?;
    Ok(back)
}

/// `"note" TEXT NOT NULL`, sorted; none where there is no such table.
fn structure(link: &Link, table: &str) -> Result<Vec<String>> {
    let text = "SELECT name, type, \"notnull\" FROM pragma_table_info(?1)";
    let mut statement = link.statement(text)?;
    let line = |row: &rusqlite::Row<'_>| {
        let (name, kind, must): (String, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("{} {kind}{}", quote(&name), if must { " NOT NULL" } else { "" }))
    };
    let mut lines: Vec<String> = statement.query_map([table], line)?.collect::<Result<_>>()?;
    lines.sort();
    Ok(lines)
}

/// The next number, and the steps whose text is another than was carried out.
fn lines(link: &Link) -> Result<(u64, Vec<String>)> {
    if !link.exists("SELECT 1 FROM sqlite_schema WHERE name = 'mainstay_migrations'", [])? {
        return Ok((1, Vec::new()));
    }
    let text = "SELECT \"name\", \"checksum\", \"text\", \"number\" FROM \"mainstay_migrations\" \
                ORDER BY \"number\"";
    let mut statement = link.connection.prepare(text)?;
    let columns = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?))
    };
    let (mut next, mut all) = (1, Vec::new());
    for row in statement.query_map([], columns)? {
        let (name, sum, text, number): (String, String, String, i64) = row?;
        all.extend((checksum(&text) != sum).then_some(name));
        next = number.unsigned_abs() + 1;
    }
    Ok((next, all))
}
