//! Notes what changes in the files of a directory while they are used: triggers write which rows
//! change, within the change itself, whoever writes. A mark in the directory says that they are
//! there; whoever locks it next removes what a kill left.

use super::read::{SqliteReading, line};
use super::{Spot, SqliteTransfer, at, io, sync};
use crate::adapters::sql::dialect::{Sqlite, quote};
use crate::adapters::sql::transfer::Place;
use crate::adapters::sqlite::audit::files;
use crate::adapters::sqlite::directory::MOVING;
use crate::adapters::sqlite::error::OpenError;
use crate::adapters::sqlite::layout::{File, damaged};
use crate::adapters::sqlite::link::{Link, Role, begins_snapshot, ends_snapshot};
use crate::adapters::sqlite::system;
use crate::ports::transfer::{
    Changing, Key, Keys, Line, Plain, Reading, Scope, TransferError, Transferred, Watching,
};
use crate::private;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The table of notes, quoted, and with what the names of triggers begin.
const NOTES: &str = "\"mainstay_moving\"";
/// Changed rows of a file that one round may tell.
const KEYS_MAX: usize = 20_000_000;
/// How long to wait for those who write, and how long between two attempts: whoever writes without
/// pause leaves short gaps.
const TURN_MAX: Duration = Duration::from_secs(10);
const TURN_STEP: Duration = Duration::from_micros(200);

/// Changes of the files of a directory.
pub(super) struct SqliteWatching<'a> {
    from: &'a SqliteTransfer,
    /// Files that note their changes, with the number of the last that was taken.
    taken: BTreeMap<Spot, i64>,
    /// Those of the round that are to be looked at.
    round: VecDeque<Spot>,
    /// Files that were written to and not looked at since; none before the first round, which looks
    /// at all.
    written: Option<BTreeSet<PathBuf>>,
    left: bool,
}

impl<'a> SqliteWatching<'a> {
    pub(super) fn new(from: &'a SqliteTransfer) -> Transferred<Self> {
        let mark = from.data().join(MOVING);
        private::touch(&mark).map_err(io(&mark))?;
        sync(from.data()).map_err(io(from.data()))?;
        from.directory.follow(true);
        let mut watching = Self {
            from,
            taken: BTreeMap::new(),
            round: VecDeque::new(),
            written: None,
            left: false,
        };
        for spot in from.spots()? {
            watching.note(&spot, false)?;
        }
        Ok(watching)
    }

    /// Makes a file note its changes; what is `late` notes all that it holds first.
    fn note(&mut self, spot: &Spot, late: bool) -> Transferred<()> {
        let (link, path) = (self.from.link(spot, Role::Writer)?, self.from.path(spot));
        let places = self.from.places(spot);
        if matches!(spot, Spot::Of(..)) {
            // What an older file lacks.
            system::extend(&link).map_err(at(&path))?;
        }
        let text = || -> rusqlite::Result<()> {
            let made = format!(
                "CREATE TABLE {NOTES} (\"number\" INTEGER PRIMARY KEY, \"sheet\" INTEGER NOT NULL, \
                 \"key\" ANY NOT NULL, \"tenant\" TEXT) STRICT"
            );
            clean(&link.connection)?;
            link.connection.execute_batch(&made)?;
            for place in &places {
                for trigger in place.noting(NOTES) {
                    link.connection.execute_batch(&trigger)?;
                }
                if late {
                    link.connection.execute_batch(&place.note_all(NOTES))?;
                }
            }
            Ok(())
        };
        in_turn(&link.connection, text).map_err(at(&path))?;
        self.taken.insert(spot.clone(), 0);
        Ok(())
    }

    /// What was written to a file before its snapshot is known.
    fn looked_at(&mut self, path: &Path) {
        if let Some(written) = &mut self.written {
            written.remove(path);
        }
    }
}

impl Watching for SqliteWatching<'_> {
    fn read(&self) -> Transferred<Box<dyn Reading + '_>> {
        let spots: Vec<Spot> = self.from.spots()?;
        let known: Vec<Spot> =
            spots.into_iter().filter(|spot| self.taken.contains_key(spot)).collect();
        Ok(Box::new(SqliteReading::of(self.from, &Scope::Whole, &known)?))
    }

    fn begin(&mut self) -> Transferred<()> {
        // What is written from here on is of the next round.
        let new = self.from.directory.take_written();
        let mut spots = self.from.spots()?;
        if let Some(written) = &mut self.written {
            written.extend(new);
            // Keys are written by other processes too, which tell nobody.
            let due = |spot: &Spot| *spot == Spot::Keys || written.contains(&self.from.path(spot));
            spots.retain(|spot| !self.taken.contains_key(spot) || due(spot));
        } else {
            self.written = Some(spots.iter().map(|spot| self.from.path(spot)).collect());
        }
        self.round = spots.into();
        Ok(())
    }

    fn next(&mut self) -> Transferred<Option<Box<dyn Changing + '_>>> {
        while let Some(spot) = self.round.pop_front() {
            if !self.taken.contains_key(&spot) {
                self.note(&spot, true)?;
            }
            let taken = self.taken.get(&spot).copied().unwrap_or_default();
            let (link, path) = (self.from.link(&spot, Role::Reader)?, self.from.path(&spot));
            begins_snapshot(&link).map_err(at(&path))?;
            let last = format!("SELECT coalesce(max(\"number\"), 0) FROM {NOTES}");
            let last: i64 =
                link.connection.query_row(&last, [], |row| row.get(0)).map_err(at(&path))?;
            if last > taken {
                let tenant = match &spot {
                    Spot::Of(_, File::Tenant(tenant)) => Some(Arc::clone(tenant)),
                    Spot::Of(_, File::Service) | Spot::Keys => None,
                };
                let keys = keys(&link, (taken, last), tenant.as_ref(), &path)?;
                let places = self.from.places(&spot);
                let places = places.into_iter().map(|place| (place.sheet, place)).collect();
                let watching = self;
                return Ok(Some(Box::new(SqliteChanging {
                    watching,
                    spot,
                    link,
                    places,
                    tenant,
                    keys,
                    last,
                })));
            }
            self.looked_at(&path);
        }
        Ok(None)
    }

    fn seal(&mut self) -> Transferred<()> {
        // Another process makes keys; nobody else has another's file.
        let spot = Spot::Keys;
        let path = self.from.path(&spot);
        if !self.taken.contains_key(&spot) || !path.exists() {
            return Ok(());
        }
        let link = self.from.link(&spot, Role::Writer)?;
        let text = || -> rusqlite::Result<()> {
            for place in self.from.places(&spot) {
                for change in ["INSERT", "UPDATE", "DELETE"] {
                    let name = quote(&format!("{}_no_{change}", NOTES.trim_matches('"')));
                    link.connection.execute_batch(&format!(
                        "CREATE TRIGGER IF NOT EXISTS {name} BEFORE {change} ON {} BEGIN \
                         SELECT RAISE(ABORT, 'the data is being moved: try again'); END",
                        place.table
                    ))?;
                }
            }
            Ok(())
        };
        in_turn(&link.connection, text).map_err(at(&path))
    }

    fn leave(mut self: Box<Self>) {
        self.left = true;
    }
}

impl Drop for SqliteWatching<'_> {
    fn drop(&mut self) {
        self.from.directory.follow(false);
        if self.left {
            return;
        }
        let gone = || -> Transferred<()> {
            for spot in self.taken.keys().filter(|spot| self.from.path(spot).exists()) {
                let (link, path) = (self.from.link(spot, Role::Writer)?, self.from.path(spot));
                let clean = || clean(&link.connection);
                in_turn(&link.connection, clean).map_err(at(&path))?;
            }
            super::remove(&self.from.data().join(MOVING))
        };
        if let Err(error) = gone() {
            tracing::warn!(%error, "files go on noting their changes until the next start");
        }
    }
}

/// A file at one moment.
struct SqliteChanging<'w, 'a> {
    watching: &'w mut SqliteWatching<'a>,
    spot: Spot,
    link: Link,
    /// By sheet.
    places: BTreeMap<usize, Place>,
    /// Whose file it is.
    tenant: Option<Arc<str>>,
    keys: Vec<Keys>,
    last: i64,
}

impl Changing for SqliteChanging<'_, '_> {
    fn keys(&self) -> &[Keys] {
        &self.keys
    }

    fn lines(&self, sheet: usize, keys: &[Key]) -> Transferred<Vec<Line>> {
        let Some(place) = self.places.get(&sheet) else { return Ok(Vec::new()) };
        let path = self.watching.from.path(&self.spot);
        // Whose a row is stands in it.
        let text = place.by_one_key(&Sqlite);
        let mut statement = self.link.statement(&text).map_err(at(&path))?;
        let mut lines = Vec::with_capacity(keys.len());
        for key in keys {
            let mut rows = statement.query([&key.cell]).map_err(at(&path))?;
            while let Some(row) = rows.next().map_err(at(&path))? {
                let (_, found) = line(row, place, self.tenant.as_ref(), &path)?;
                // A key that went from one tenant to another is told of both.
                if found.tenant == key.tenant {
                    lines.push(found);
                }
            }
        }
        Ok(lines)
    }

    fn taken(self: Box<Self>) {
        ends_snapshot(&self.link);
        let path = self.watching.from.path(&self.spot);
        self.watching.looked_at(&path);
        self.watching.taken.insert(self.spot, self.last);
    }
}

/// What was noted behind a number, each key once.
fn keys(
    link: &Link,
    (taken, last): (i64, i64),
    tenant: Option<&Arc<str>>,
    path: &Path,
) -> Transferred<Vec<Keys>> {
    let text = format!(
        "SELECT \"sheet\", \"key\", \"tenant\", min(\"number\") FROM {NOTES} \
         WHERE \"number\" > ?1 AND \"number\" <= ?2 GROUP BY 1, 2, 3 ORDER BY 1, 4"
    );
    let mut statement = link.statement(&text).map_err(at(path))?;
    let mut rows = statement.query([taken, last]).map_err(at(path))?;
    let (mut all, mut count): (Vec<Keys>, usize) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(at(path))? {
        let sheet: i64 = row.get(0).map_err(at(path))?;
        let sheet = usize::try_from(sheet).map_err(TransferError::failed)?;
        let named: Option<String> = row.get(2).map_err(at(path))?;
        let tenant = tenant.cloned().or_else(|| named.map(Arc::from));
        let cell = super::plain(row, 1).unwrap_or(Plain::Null);
        count += 1;
        if count > KEYS_MAX {
            return Err(TransferError::Failed(format!(
                "`{}`: more than {KEYS_MAX} rows changed in one round: move it while less is \
                 written",
                path.display()
            )));
        }
        match all.last_mut().filter(|last| last.sheet == sheet) {
            Some(last) => last.all.push(Key { tenant, cell }),
            None => all.push(Keys { sheet, all: vec![Key { tenant, cell }] }),
        }
    }
    Ok(all)
}

/// Runs a transaction that writes, as soon as nobody else does.
fn in_turn(
    connection: &Connection,
    run: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let until = Instant::now() + TURN_MAX;
    loop {
        match connection.execute_batch("BEGIN IMMEDIATE") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < until =>
            {
                std::thread::sleep(TURN_STEP);
            }
            begun => break begun?,
        }
    }
    let done = run().and_then(|()| connection.execute_batch("COMMIT"));
    if !connection.is_autocommit() {
        // What failed is told; the transaction ends with the connection at the latest.
        let _ended = connection.execute_batch("ROLLBACK");
    }
    done
}

/// Removes what notes and refuses.
fn clean(connection: &Connection) -> rusqlite::Result<()> {
    let name = NOTES.trim_matches('"');
    let triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name GLOB ?1 || '_*'";
    let triggers: Vec<String> = connection
        .prepare(triggers)?
        .query_map([name], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for trigger in triggers {
        connection.execute_batch(&format!("DROP TRIGGER {}", quote(&trigger)))?;
    }
    connection.execute_batch(&format!("DROP TABLE IF EXISTS {NOTES}"))
}

/// Removes what a move that was killed left in the files of a directory. Who calls has locked it.
pub(in crate::adapters::sqlite) fn forget_notes(data: &Path) -> Result<(), OpenError> {
    let mark = data.join(MOVING);
    if !mark.exists() {
        return Ok(());
    }
    let failed = |error| OpenError::Io { path: mark.clone(), error };
    for path in files(data)? {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let gone = Connection::open_with_flags(&path, flags)
            .and_then(|connection| in_turn(&connection, || clean(&connection)));
        gone.map_err(|error| damaged(&path, &error))?;
    }
    std::fs::remove_file(&mark).map_err(failed)?;
    sync(data).map_err(failed)
}
