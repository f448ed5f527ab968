//! The data of the directory goes to a server while it is served: copied and followed until little
//! is left, then calls wait for a moment, the last of it goes, all is proven equal, the directory
//! says where it went, and the calls are answered from there. Until the directory says so nothing
//! has happened; whatever fails before leaves the files being served as if nobody had asked.

use super::callers::Callers;
use super::control::Wish;
use super::events::Events;
use super::stores::Stores;
use super::{Home, News, Running, start_failure};
use crate::commands::control::{Step, Told};
use crate::commands::moving::{Moved, Waited};
use crate::commands::{key, place};
use crate::failure::{Failure, Outcome};
use runtime::adapters::postgres::{Address, PostgresTransfer};
use runtime::adapters::sqlite::{self, DataDirectory};
use runtime::ingress::rest::{Backend, Former, Serving};
use runtime::ports::clock::{Randomness, SystemRandomness};
use runtime::ports::keys::KeyStore;
use runtime::ports::transfer::{Transfer, TransferError, Transferred};
use runtime::transfer::{Follow, Followed};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long calls wait at most for the last of it; less where they may take less.
const HOLD_MAX: Duration = Duration::from_secs(5);
/// After a round of this length at most the next may be the last.
const ROUND_SHORT: Duration = Duration::from_millis(400);
/// Rounds that are no shorter than one before, until one of [`ROUND_BEARABLE`] will do, and until
/// writes are said to come faster than they can be followed. Each of them makes calls wait longer.
const STALLS_BEARABLE: u32 = 6;
const STALLS_MAX: u32 = 24;
/// How long calls that may go on go on, between two times that they wait.
const BRAKE_OFF: Duration = Duration::from_millis(100);
/// How often longer than that they wait at most.
const BRAKE_MAX: u32 = 8;
/// What calls can wait for where more is written all the time.
const ROUND_BEARABLE: Duration = Duration::from_millis(1_500);
/// How often calls are let wait before it is given up.
const HOLDS_MAX: u32 = 8;
/// Between two times that calls wait: whoever waited is served meanwhile.
const HOLD_PAUSE: Duration = Duration::from_millis(500);
/// Times that the target is asked to forget that it was half there.
const FINISHES_MAX: u32 = 3;

/// What is moved, from where to where.
struct Way<'w> {
    wish: &'w Wish,
    events: &'w Events,
    directory: Arc<DataDirectory>,
    address: Address,
    target: &'w PostgresTransfer,
    keys: Arc<dyn KeyStore>,
    callers: Arc<Callers>,
}

impl Way<'_> {
    fn shown(&self) -> String {
        self.address.shown().trim_matches('`').to_owned()
    }

    fn goes(&self, done: Followed) -> Transferred<()> {
        goes(self.wish, self.events, done)
    }
}

/// Goes on as long as somebody waits for it.
fn goes(wish: &Wish, events: &Events, done: Followed) -> Transferred<()> {
    if events.is_over() {
        return Err(TransferError::failed("the backend ends"));
    }
    if wish.is_gone() {
        return Err(TransferError::failed("who asked for it has gone"));
    }
    match done {
        Followed::Copied(0) | Followed::Changed(_) => {}
        Followed::Copied(rows) => wish.tell(Step::Copied(rows)),
        Followed::Proven(rows) => wish.tell(Step::Proven(rows)),
    }
    Ok(())
}

/// Lets calls wait for a moment again and again, so that less is written: the longer, the more
/// rounds were no shorter than one before.
struct Brake<'b> {
    backend: &'b Backend,
    level: u32,
    held: RefCell<Option<Former>>,
    since: Cell<Instant>,
}

impl<'b> Brake<'b> {
    fn new(backend: &'b Backend, level: u32) -> Self {
        let (held, since) = (RefCell::new(None), Cell::new(Instant::now()));
        Self { backend, level: level.min(BRAKE_MAX), held, since }
    }

    fn turn(&self) {
        if self.level == 0 {
            return;
        }
        let mut held = self.held.borrow_mut();
        let most = if held.is_some() { BRAKE_OFF * self.level } else { BRAKE_OFF };
        if self.since.get().elapsed() < most {
            return;
        }
        self.since.set(Instant::now());
        match held.take() {
            Some(former) => self.backend.resume(former),
            None => *held = Some(self.backend.pause()),
        }
    }
}

impl Drop for Brake<'_> {
    fn drop(&mut self) {
        if let Some(former) = self.held.take() {
            self.backend.resume(former);
        }
    }
}

/// How a time that calls wait ended.
enum Held {
    /// It is done; so long did they wait.
    Done(Duration),
    /// It took too long, or something failed; nothing has happened.
    Again(Failure),
    /// Nothing has happened, and it is of no use to go on.
    Never(Failure),
}

impl Running<'_> {
    /// Moves the data, and tells who asked and who runs the backend.
    pub(super) fn elsewhere(&mut self, wish: Wish, events: &Events, tell: &mut dyn FnMut(News)) {
        match self.try_elsewhere(&wish, events) {
            Ok(moved) => {
                wish.end(&Told::Moved(moved.clone()));
                tell(News::Moved(moved));
            }
            Err(failure) => {
                wish.end(&Told::Failed(failure.clone()));
                tell(News::NotMoved(failure));
            }
        }
    }

    /// The directory whose data can go elsewhere as it is asked.
    fn movable(&self, wish: &Wish) -> Outcome<Arc<DataDirectory>> {
        let Home::Directory(directory) = &self.home else {
            return Err(Failure::new("the data was moved already"));
        };
        if wish.asked.model != self.plan.fingerprint() {
            let served = self.plan.fingerprint();
            return Err(Failure::new("the backend serves another model than this one")
                .caused_by(format!("it serves {served}, and this is {}", wish.asked.model))
                .hint("wait until it has followed the files, or give the model that it serves"));
        }
        let theirs = place::left_out(&self.designed);
        if !theirs.is_empty() {
            let tables = theirs.join("`, `");
            return Err(Failure::new("tables of somebody else can't be followed")
                .caused_by(format!("their rows would stay behind: `{tables}`"))
                .hint("stop `mainstay up`, move the data, and take those tables along yourself"));
        }
        Ok(Arc::clone(directory))
    }

    fn try_elsewhere(&mut self, wish: &Wish, events: &Events) -> Outcome<Moved> {
        let directory = self.movable(wish)?;
        let unusable = |cause| Failure::new("can't use the database").caused_by(cause);
        let address =
            Address::parse(&wish.asked.to).map_err(|cause| unusable(cause.to_string()))?;
        let (from, to) = (directory.path().display().to_string(), address.shown());
        let failed = |cause| {
            let failure = Failure::new(format!("can't move `{from}` to {to}"));
            place::hinted(failure, cause)
        };
        let architecture = &self.designed.architecture;
        let target = place::on_server(architecture, &address)?.following();
        // Who can't read all of it again can't prove it.
        target.tenants().map_err(failed)?;
        let source = place::in_directory(architecture, &directory)?;
        tracing::info!(to = to, "the data is being moved");
        let go = |done| goes(wish, events, done);
        let mut follow = Follow::begin(&source, &target, wish.asked.force, &go).map_err(failed)?;
        let (keys, callers) = self.callers_of(&address)?;
        let way = Way { wish, events, directory, address, target: &target, keys, callers };
        let mut rounds = 0;
        self.catch_up(&mut follow, &way, &mut rounds).map_err(failed)?;
        follow.prove(&go).map_err(failed)?;
        let waited = self.hold_until_done(&mut follow, &way, &mut rounds)?;
        let (proof, shown) = (follow.proof(), way.shown());
        self.finished(follow, &way);
        look_at_keys(target);
        let waited = Some(Waited { took: waited, rounds });
        Ok(Moved { from, to: shown, proof, left_out: Vec::new(), waited })
    }

    /// Who tells callers apart there, ready to do so.
    fn callers_of(&self, address: &Address) -> Outcome<(Arc<dyn KeyStore>, Arc<Callers>)> {
        let keys = key::on_server(address.clone())?;
        let domain = Arc::new(self.designed.architecture.domain.clone());
        let (key, arguments) = (self.key.clone(), self.arguments);
        let callers = Callers::new(arguments, domain, key, Arc::clone(&keys));
        let callers = Arc::new(callers.map_err(start_failure)?);
        // Issuers that can't be reached now are asked again when somebody calls.
        let _known = crate::commands::wait(callers.authenticator.warm())?;
        Ok((keys, callers))
    }

    /// Follows until a round is short, or as short as it gets.
    fn catch_up(
        &self,
        follow: &mut Follow<'_>,
        way: &Way<'_>,
        rounds: &mut u64,
    ) -> Transferred<()> {
        let (mut shortest, mut stalls) = (Duration::MAX, 0);
        while stalls < STALLS_MAX {
            let begun = Instant::now();
            let rows = {
                let brake = Brake::new(&self.backend, stalls);
                follow.round(&|done| {
                    brake.turn();
                    way.goes(done)
                })?
            };
            *rounds += 1;
            way.goes(Followed::Changed(0))?;
            if rows > 0 {
                way.wish.tell(Step::Round(*rounds, rows));
            }
            let took = begun.elapsed();
            if took <= ROUND_SHORT || (stalls >= STALLS_BEARABLE && took <= ROUND_BEARABLE) {
                return Ok(());
            }
            stalls += u32::from(took >= shortest);
            shortest = shortest.min(took);
        }
        Err(TransferError::Failed(format!(
            "more is written than can be followed: the last rounds took {shortest:?} and more, \
             and {ROUND_BEARABLE:?} would do; move it while less is written"
        )))
    }

    /// Lets calls wait for the last round, again and again where that takes too long.
    fn hold_until_done(
        &mut self,
        follow: &mut Follow<'_>,
        way: &Way<'_>,
        rounds: &mut u64,
    ) -> Outcome<Duration> {
        let mut last = None;
        for _ in 0..HOLDS_MAX {
            let failed = |cause| {
                let failure = Failure::new(format!("can't move the data to `{}`", way.shown()));
                place::hinted(failure, cause)
            };
            self.catch_up(follow, way, rounds).map_err(failed)?;
            match self.hold(follow, way) {
                Held::Done(waited) => {
                    *rounds += 1;
                    return Ok(waited);
                }
                Held::Never(failure) => return Err(failure),
                Held::Again(failure) => {
                    tracing::warn!(why = failure.causes.join(": "), "the move goes on");
                    last = Some(failure);
                }
            }
            way.wish.tell(Step::Again(*rounds));
            std::thread::sleep(HOLD_PAUSE);
        }
        let failure = last.unwrap_or_else(|| Failure::new("can't move the data"));
        Err(failure.hint("the files are served as before: move them while less is asked"))
    }

    /// Lets calls wait while the last of it goes.
    fn hold(&mut self, follow: &mut Follow<'_>, way: &Way<'_>) -> Held {
        let most = HOLD_MAX.min(self.deadline() / 2);
        let paused = Instant::now();
        let former = self.backend.pause();
        if !former.ended(most / 2) {
            self.backend.resume(former);
            let failure = Failure::new("can't move the data");
            return Held::Again(failure.caused_by("requests that run did not end in time"));
        }
        // What counts is written; the journals are nobody's business any more.
        self.stores.hand_over();
        self.stores.close();
        way.target.within(Some(paused + most));
        let decided = self.last(follow, way);
        way.target.within(None);
        let stores = match decided {
            Ok(stores) => stores,
            Err(failure) => {
                let causes = failure.causes.len();
                let failure = self.back(former, failure);
                return match failure.causes.len() > causes || way.wish.is_gone() {
                    true => Held::Never(failure),
                    false => Held::Again(failure),
                };
            }
        };
        drop(former);
        self.serve_from(stores, way);
        Held::Done(paused.elapsed())
    }

    /// The last round, what serves it from now on, and the word in the directory that decides.
    fn last(&self, follow: &mut Follow<'_>, way: &Way<'_>) -> Outcome<Stores> {
        let shown = way.shown();
        let failed = |cause: TransferError| {
            Failure::new(format!("can't move the data to `{shown}`")).caused_by(cause)
        };
        follow.seal().map_err(failed)?;
        follow.round(&|done| way.goes(done)).map_err(failed)?;
        let name = name();
        way.target.decide(&name).map_err(failed)?;
        let architecture = &self.designed.architecture;
        let stores = Stores::decided(architecture, &way.address, &name, self.shares);
        let path = way.directory.path();
        let decided = stores.and_then(|stores| {
            way.goes(Followed::Changed(0)).map_err(failed)?;
            let left = sqlite::leave_by(path, &format!("`{shown}`"), Some(&name));
            left.map_err(|cause| {
                let failure = Failure::new(format!("can't move the data to `{shown}`"));
                failure.caused_by(format!("can't write to `{}`: {cause}", path.display()))
            })?;
            Ok(stores)
        });
        if decided.is_err() {
            sqlite::stay(path);
            if let Err(error) = way.target.undecide() {
                tracing::debug!(%error, "the target goes on saying that it is whole");
            }
        }
        decided
    }

    /// Calls are answered from there.
    fn serve_from(&mut self, stores: Stores, way: &Way<'_>) {
        let (plan, identify) = (Arc::clone(&self.plan), Arc::clone(&way.callers) as _);
        let credentials = self.credentials();
        self.backend.swap(Serving { plan, stores: stores.ports(), identify, credentials });
        self.stores = stores;
        self.callers = Arc::clone(&way.callers);
        self.keys = Arc::clone(&way.keys);
        // Nobody else may have the directory while this process has its key and its socket.
        self.left = Some(Arc::clone(&way.directory));
        self.home = Home::Server(Box::new(way.address.clone()));
        self.show_store();
        tracing::info!(store = self.home.store(), "serving from the server");
    }

    /// The target forgets that it was half there; nobody waits for what is left to do.
    fn finished(&self, follow: Follow<'_>, way: &Way<'_>) {
        let name = sqlite::moved_by(way.directory.path()).unwrap_or_default();
        let mut finished = follow.finish().map_err(|error| error.to_string());
        for _ in 1..FINISHES_MAX {
            if finished.is_ok() {
                break;
            }
            std::thread::sleep(HOLD_PAUSE);
            finished = PostgresTransfer::settle(&way.address, &name).map_err(|why| why.to_string());
        }
        if let Err(error) = finished {
            tracing::warn!(
                error,
                "the database goes on saying that a move is at work: no other process can serve \
                 it until `mainstay up` is started again with the same `--data`"
            );
        }
    }
}

/// The server looks at the foreign keys of rows that were moved, while they are served. They hold
/// already for whatever is written, and held where the rows came from.
fn look_at_keys(target: PostgresTransfer) {
    let look = move || match target.look_at_keys() {
        Ok(()) => tracing::info!("the server has looked at all foreign keys"),
        Err(error) => {
            tracing::warn!(%error, "foreign keys stay `NOT VALID` for rows that were moved");
        }
    };
    let started = std::thread::Builder::new().name("keys".to_owned()).spawn(look);
    if let Err(error) = started {
        tracing::warn!(%error, "foreign keys stay `NOT VALID` for rows that were moved");
    }
}

/// What a move is called on both sides.
fn name() -> String {
    let mut bytes = [0; 16];
    SystemRandomness.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
