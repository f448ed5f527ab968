//! The one thread that writes: sets that wait are grouped, tenant by tenant in turns, and a group
//! is one commit per file.

mod group;

use super::counters::{Counter, Counters};
use super::fair::{Fair, Next, Put};
use super::layout::{File, Layout};
use super::link::Link;
use super::{OpenError, audit, system};
use crate::ports::store::{Bindings, CommitError, Tenant, Unavailable, Write, WriteSet};
use futures::channel::oneshot;
use group::{Group, by_file};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Groups that are written with a savepoint for each set after one was refused: who races for rows
/// goes on racing.
const CAREFUL_GROUPS: u32 = 16;
/// Writes nothing, and locks the file of a connection that sees another.
const LOCKS_OWN: &str = "DELETE FROM \"main\".\"mainstay_meta\" WHERE 0";
/// Between two sweeps of expired answers, while there is nothing to sweep.
const SWEEP_MICROS: i64 = 60_000_000;
/// Files of tenants that nobody uses, opened by one sweep.
const SWEEP_FILES_MAX: usize = 32;
/// Between two rounds through the files of all tenants.
const ROUND_MICROS_MIN: i64 = 3_600_000_000;

/// What is written.
enum Work {
    /// Changes that a caller asked for.
    Set(Box<WriteSet>),
    /// What the store itself keeps. It is run again where a group begins anew.
    Own(Own),
}

type Own = Box<dyn Fn(&Link) -> rusqlite::Result<()> + Send>;

struct Commit {
    work: Work,
    file: File,
    now: i64,
    deadline: i64,
    reply: oneshot::Sender<Result<(), CommitError>>,
}

impl Commit {
    /// Rows that it touches: what it weighs in a group.
    fn rows(&self) -> usize {
        let of = |write: &Write| match write {
            Write::Insert { record, .. } => {
                1 + record.children.iter().map(|(_, rows)| rows.len()).sum::<usize>()
            }
            Write::Update { children, .. } => {
                let changed = children.iter().map(|(_, rows)| rows.put.len() + rows.removed.len());
                1 + changed.sum::<usize>()
            }
            Write::Delete { .. } | Write::Count { .. } | Write::Clear { .. } => 1,
        };
        match &self.work {
            Work::Own(_) => 1,
            Work::Set(set) => {
                let writes = set.writes.iter().map(of).sum::<usize>();
                writes + set.outbox.len() + set.audit.len()
            }
        }
    }

    fn publishes(&self) -> bool {
        matches!(&self.work, Work::Set(set) if !set.outbox.is_empty())
    }
}

/// What the writers have done since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterFigures {
    /// Sets of changes that were answered, written or not.
    pub sets: u64,
    /// Commits that wrote them: one for each group.
    pub commits: u64,
}

/// The same, counted by the threads.
#[derive(Default)]
struct Counted {
    sets: AtomicU64,
    commits: AtomicU64,
    /// Why the last group could not be written.
    fault: Mutex<Option<Unavailable>>,
}

impl Counted {
    fn note(&self, fault: Option<Unavailable>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// Why the store itself could not write a set; a deadline is the caller's.
fn fault(answer: &Result<(), CommitError>) -> Option<Unavailable> {
    match answer {
        Err(CommitError::Unavailable(Unavailable::Deadline | Unavailable::Busy)) => None,
        Err(CommitError::Unavailable(why)) => Some(why.clone()),
        Ok(()) | Err(_) => None,
    }
}

/// One thread that writes, or several where each tenant has a file.
pub(super) struct Writers {
    layout: Arc<Layout>,
    counted: Arc<Counted>,
    all: Vec<Writer>,
}

/// The near end of a thread.
struct Writer {
    layout: Arc<Layout>,
    counters: Arc<Counters>,
    jobs: Arc<Fair<Commit>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writers {
    pub(super) fn start(layout: Arc<Layout>) -> Result<Self, OpenError> {
        let limits = layout.limits();
        let number = if layout.per_tenant() { limits.tenant_writers.max(1) } else { 1 };
        let counted = Arc::new(Counted::default());
        let start = |_| Writer::start(Arc::clone(&layout), Arc::clone(&counted));
        let all: Result<_, _> = (0..number).map(start).collect();
        Ok(Self { layout, counted, all: all? })
    }

    pub(super) async fn commit(
        &self,
        set: WriteSet,
        bindings: &Bindings,
    ) -> Result<(), CommitError> {
        let file = self.file(&set).map_err(CommitError::Unavailable)?;
        self.of(&file).commit(set, file, bindings).await
    }

    /// Runs what the store itself keeps in the transaction of a group; none where the place has no
    /// file yet.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        place: &Tenant,
        run: impl Fn(&Link) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Option<T>, Unavailable> {
        let file = self.layout.answers(place)?;
        if file != File::Service && !self.layout.path(&file).exists() {
            return Ok(None);
        }
        let found = Arc::new(Mutex::new(None));
        let into = Arc::clone(&found);
        let own: Own = Box::new(move |link| {
            let done = run(link)?;
            *into.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            Ok(())
        });
        let written = self.of(&file).put(place, Work::Own(own), file, (0, 0)).await;
        match written {
            Ok(()) => Ok(found.lock().unwrap_or_else(PoisonError::into_inner).take()),
            Err(CommitError::Unavailable(why)) => Err(why),
            Err(other) => Err(Unavailable::Broken(format!("{other:?}"))),
        }
    }

    fn of(&self, file: &File) -> &Writer {
        let at = match file {
            File::Service => 0,
            File::Tenant(tenant) => {
                let mix = |sum: usize, byte: u8| sum.wrapping_mul(31).wrapping_add(byte.into());
                tenant.bytes().fold(7, mix) % self.all.len()
            }
        };
        &self.all[at]
    }

    fn file(&self, set: &WriteSet) -> Result<File, Unavailable> {
        let resource = set.writes.first().map(Write::resource);
        match resource {
            Some(resource) => self.layout.file(&set.tenant, resource),
            None => self.layout.answers(&set.tenant),
        }
    }

    pub(super) fn ready(&self) -> Result<(), Unavailable> {
        self.all.iter().try_for_each(Writer::ready)
    }

    /// How the last group fared.
    pub(super) fn writes(&self) -> Result<(), Unavailable> {
        let fault = self.counted.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.clone().map_or(Ok(()), Err)
    }

    pub(super) fn figures(&self) -> WriterFigures {
        WriterFigures {
            sets: self.counted.sets.load(Ordering::Relaxed),
            commits: self.counted.commits.load(Ordering::Relaxed),
        }
    }

    /// Waits until everything that was queued is written.
    pub(super) fn close(&self) {
        self.all.iter().for_each(Writer::close);
    }
}

impl Writer {
    fn start(layout: Arc<Layout>, counted: Arc<Counted>) -> Result<Self, OpenError> {
        let jobs = Arc::new(Fair::new(layout.limits().queue_sets_max));
        let waiting = Arc::clone(&jobs);
        let counters = Arc::new(Counters::default());
        let thread = Thread {
            layout: Arc::clone(&layout),
            counters: Arc::clone(&counters),
            counted,
            links: BTreeMap::new(),
            uses: 0,
            swept: layout.clock().now(),
            round: (VecDeque::new(), i64::MIN),
            careful: 0,
        };
        let started = std::thread::Builder::new()
            .name("mainstay-write".to_owned())
            .spawn(move || {
                let ends = Ends(&waiting);
                thread.run(ends.0);
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { layout, counters, jobs, thread: Mutex::new(Some(started)) })
    }

    async fn commit(
        &self,
        set: WriteSet,
        file: File,
        bindings: &Bindings,
    ) -> Result<(), CommitError> {
        if self.buffered(&set, &file) {
            return self.raise(set, &file, bindings.now).map_err(CommitError::Unavailable);
        }
        let tenant = set.tenant.clone();
        self.put(&tenant, Work::Set(set.into()), file, (bindings.now, bindings.deadline)).await
    }

    async fn put(
        &self,
        tenant: &Tenant,
        work: Work,
        file: File,
        (now, deadline): (i64, i64),
    ) -> Result<(), CommitError> {
        let (reply, answer) = oneshot::channel();
        match self.jobs.put(tenant, Commit { work, file, now, deadline, reply }) {
            Put::Waits => {}
            Put::InsteadOf(other) => refuse(vec![other], &Unavailable::Busy),
            Put::Full(_) => return Err(CommitError::Unavailable(Unavailable::Busy)),
            Put::Closed(_) => {
                let closed = Unavailable::Broken("the store is closed".to_owned());
                return Err(CommitError::Unavailable(closed));
            }
        }
        answer.await.unwrap_or_else(|_| {
            let what = "the writer failed on a set of changes; nothing of it was written";
            Err(CommitError::Unavailable(Unavailable::Broken(what.to_owned())))
        })
    }

    /// A set that only raises counters is not worth a commit of its own.
    fn buffered(&self, set: &WriteSet, file: &File) -> bool {
        let counts = set.writes.iter().all(|write| match write {
            Write::Count { resource, .. } => self.layout.holds(file, *resource),
            Write::Insert { .. }
            | Write::Update { .. }
            | Write::Delete { .. }
            | Write::Clear { .. } => false,
        });
        counts
            && set.answer.is_none()
            && set.outbox.is_empty()
            && set.audit.is_empty()
            && set.consumed.is_none()
            && set.projected.is_none()
            && set.operated.is_none()
    }

    fn raise(&self, set: WriteSet, file: &File, now: i64) -> Result<(), Unavailable> {
        self.ready()?;
        let max = self.layout.limits().counters_max;
        let mut wake = false;
        for write in set.writes {
            if let Write::Count { resource, id, field, by } = write {
                let counter = Counter { tenant: set.tenant.clone(), resource, id, field };
                wake |= self.counters.add(file.clone(), counter, by, now, max);
            }
        }
        if wake {
            self.jobs.wake();
        }
        Ok(())
    }

    fn ready(&self) -> Result<(), Unavailable> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match thread.as_ref() {
            Some(thread) if !thread.is_finished() => Ok(()),
            _ => Err(Unavailable::Broken("the writer has stopped".to_owned())),
        }
    }

    fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            self.jobs.close();
            let _panicked = thread.join();
        }
    }
}

/// Closes the queue when its thread ends, however it ends: what waits then is let go, which tells
/// the callers.
struct Ends<'q>(&'q Fair<Commit>);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.close();
        while self.0.next_if(|_| true).is_some() {}
    }
}

/// The far end.
struct Thread {
    layout: Arc<Layout>,
    counters: Arc<Counters>,
    counted: Arc<Counted>,
    links: BTreeMap<File, (u64, Link)>,
    uses: u64,
    swept: i64,
    /// Tenants whose files are yet to be swept in this round, and when it began.
    round: (VecDeque<Arc<str>>, i64),
    /// Groups whose sets get savepoints, because one of an earlier group was refused.
    careful: u32,
}

impl Thread {
    fn run(mut self, waiting: &Fair<Commit>) {
        let limits = self.layout.limits();
        loop {
            let (mut commits, mut rows, mut close) = (Vec::new(), 0, false);
            match waiting.next(self.patience()) {
                Next::Job(first) => {
                    rows = first.rows();
                    commits.push(first);
                }
                Next::Look => {}
                Next::Closed => close = true,
            }
            while !commits.is_empty() && commits.len() < limits.group_sets_max {
                let fits = |next: &Commit| rows + next.rows() <= limits.group_rows_max;
                let Some(next) = waiting.next_if(fits) else { break };
                rows += next.rows();
                commits.push(next);
            }
            for (file, commits) in by_file(commits) {
                self.group(&file, commits);
            }
            self.flush(close);
            if close {
                self.checkpoint();
                return;
            }
        }
    }

    /// How long to wait for the next set.
    fn patience(&self) -> Duration {
        let now = self.layout.clock().now();
        let sweep = self.swept.saturating_add(SWEEP_MICROS);
        let flush = self.counters.due(self.layout.limits().counters_max);
        let next = flush.map_or(sweep, |flush| flush.min(sweep));
        Duration::from_micros(u64::try_from(next.saturating_sub(now)).unwrap_or(0).min(60_000_000))
    }

    /// Counters whose time has come, and expired answers.
    fn flush(&mut self, close: bool) {
        let now = self.layout.clock().now();
        let due = self.counters.due(self.layout.limits().counters_max);
        if close || due.is_some_and(|due| due <= now) {
            for file in self.counters.files() {
                self.group(&file, Vec::new());
            }
        }
        if now.saturating_sub(self.swept) >= SWEEP_MICROS {
            self.swept = now;
            for file in self.links.keys().cloned().collect::<Vec<_>>() {
                self.sweep(&file, now);
            }
            self.sweep_closed(now);
        }
    }

    /// Sweeps some files of tenants that nobody uses; all of them in time.
    fn sweep_closed(&mut self, now: i64) {
        let (left, began) = &mut self.round;
        if left.is_empty() && now >= began.saturating_add(ROUND_MICROS_MIN) {
            // A directory that can't be read is looked at again in the next round.
            (*left, *began) = (self.layout.tenants().unwrap_or_default().into(), now);
        }
        for _ in 0..SWEEP_FILES_MAX {
            let Some(tenant) = self.round.0.pop_front() else { return };
            let file = File::Tenant(Arc::clone(&tenant));
            if self.links.contains_key(&file) {
                continue;
            }
            let Ok(link) = self.layout.writer(&file) else { continue };
            let keep = self.layout.limits().audit_seconds_max;
            let more = system::sweep(&link, now).unwrap_or(false)
                | audit::sweep_at(&link, now, keep).unwrap_or(false);
            if more {
                self.round.0.push_back(tenant);
            }
        }
    }

    fn sweep(&mut self, file: &File, now: i64) {
        let keep = self.layout.limits().audit_seconds_max;
        let Ok(link) = self.link(file, false) else { return };
        let Some(link) = link else { return };
        // A sweep that fails is made up for by the next one.
        let more = system::sweep(link, now).unwrap_or(false)
            | audit::sweep_at(link, now, keep).unwrap_or(false);
        self.layout.wrote(file);
        if more {
            self.swept = now.saturating_sub(SWEEP_MICROS);
        }
    }

    /// The connection of a file; none where it is not there and nothing is to be made.
    fn link(&mut self, file: &File, make: bool) -> Result<Option<&Link>, Unavailable> {
        self.uses += 1;
        let now = self.uses;
        if !self.links.contains_key(file) {
            if !make && !self.layout.path(file).exists() {
                return Ok(None);
            }
            if self.links.len() > self.layout.limits().tenant_files_max {
                let oldest = self.links.iter().min_by_key(|(_, (used, _))| *used);
                if let Some(oldest) = oldest.map(|(file, _)| file.clone()) {
                    self.links.remove(&oldest);
                }
            }
            let link = self.layout.writer_or_new(file)?;
            self.links.insert(file.clone(), (now, link));
        }
        let Some((used, link)) = self.links.get_mut(file) else { return Ok(None) };
        *used = now;
        Ok(Some(link))
    }

    /// One commit for the sets of one file; they are answered after it.
    fn group(&mut self, file: &File, commits: Vec<Commit>) {
        let (layout, counters) = (Arc::clone(&self.layout), Arc::clone(&self.counters));
        let counted = Arc::clone(&self.counted);
        let (raised, before) = (counters.take(file), self.careful);
        let link = match self.link(file, !commits.is_empty()) {
            Ok(Some(link)) => link,
            Ok(None) => return,
            Err(error) => {
                counted.note(Some(error.clone()));
                counters.give_back(file, raised, layout.clock().now());
                return refuse(commits, &error);
            }
        };
        counted.sets.fetch_add(commits.len() as u64, Ordering::Relaxed);
        counted.commits.fetch_add(1, Ordering::Relaxed);
        let group = Group { link, layout: &layout, file };
        // A fault of ours in one set must not take the writer with it: its replies are dropped,
        // which tells the callers.
        let careful = Cell::new(before);
        let commit = || group.commit(&commits, &raised, &careful);
        let done = catch_unwind(AssertUnwindSafe(commit));
        group.end();
        layout.wrote(file);
        self.careful = careful.get();
        match done {
            Ok(Ok(answers)) => {
                counted.note(answers.iter().find_map(fault));
                let mut appended = false;
                for (commit, answer) in commits.into_iter().zip(answers) {
                    appended |= answer.is_ok() && commit.publishes();
                    // Whoever asked may have gone by now.
                    let _gone = commit.reply.send(answer);
                }
                if appended {
                    layout.appended.send_modify(|times| *times += 1);
                }
            }
            Ok(Err(error)) => {
                counted.note(Some(error.clone()));
                counters.give_back(file, raised, layout.clock().now());
                refuse(commits, &error);
            }
            Err(_) => {
                self.links.remove(file);
            }
        }
    }

    /// Moves the journals into the files.
    fn checkpoint(&mut self) {
        let links = std::mem::take(&mut self.links);
        // Whoever has taken over would wait for that.
        let over = self.layout.handed_over.load(Ordering::Relaxed);
        for (_, link) in links.values().filter(|_| !over) {
            // Without it the journal is read at the next start.
            let _left =
                link.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

fn refuse(commits: Vec<Commit>, error: &Unavailable) {
    for commit in commits {
        // Whoever asked may have gone by now.
        let _gone = commit.reply.send(Err(CommitError::Unavailable(error.clone())));
    }
}
