//! A changed model takes the place of the one that is served, beside it and at once: read, checked
//! and designed while the old one goes on, then swapped in at one point. Where its tables are
//! others, calls wait for the moment that the tables need; where anything is wrong, the old one
//! stays.

use super::callers::{self, Callers};
use super::stores::Stores;
use super::{News, Running, check_environment, config, start_failure, waiting};
use crate::commands::{home, migrate};
use crate::environment;
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
use ir::architecture::Architecture;
use ir::migration::Snapshot;
use runtime::engine::backend::Credentials;
use runtime::ingress::rest::{Former, Serving};
use runtime::plan::Plan;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Before tables change, the calls that run have so long to end; others wait meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// The calls of a former model end by their deadlines; this much later nothing waits for them.
const FORMER_GRACE: Duration = Duration::from_secs(2);
/// Tables that stand in the way are tried again so many times.
const ATTEMPTS_MAX: u32 = 3;

/// A model that was swapped in.
#[derive(Debug)]
pub(crate) struct Swapped {
    /// Its hash.
    pub(crate) model: String,
    /// The hash of the one before.
    pub(crate) former: String,
    /// From the first look at its files.
    pub(crate) took: Duration,
    /// How long calls waited; none where no table changed.
    pub(crate) waited: Option<Duration>,
}

/// A model that is ready to be served but for its stores.
struct Next {
    designed: Designed,
    plan: Arc<Plan>,
    callers: Arc<Callers>,
}

impl Next {
    fn serving(&self, stores: &Stores) -> Serving {
        let identify = Arc::clone(&self.callers) as _;
        let designed = &self.designed;
        let (credentials, _) =
            environment::credentials(&designed.architecture.model, &designed.home);
        Serving { plan: Arc::clone(&self.plan), stores: stores.ports(), identify, credentials }
    }
}

impl Running<'_> {
    /// Looks at the model and serves it from now on where it can be served.
    pub(super) fn follow(&mut self, tell: &mut dyn FnMut(News)) {
        let former = self.plan.fingerprint().to_owned();
        match self.try_follow(tell) {
            Ok(Some(swapped)) => tell(News::Swapped(swapped)),
            Ok(None) => tell(News::Unchanged(former)),
            Err(failure) => {
                tell(News::Kept { failure, model: former });
            }
        }
    }

    fn try_follow(&mut self, tell: &mut dyn FnMut(News)) -> Outcome<Option<Swapped>> {
        let started = Instant::now();
        let model = &self.arguments.model;
        let designed = pipeline::design_to_run(&model.path, model.env.as_deref())?;
        let plan = Arc::new(runtime::plan::plan(&designed.architecture));
        if plan.fingerprint() == self.plan.fingerprint() {
            return Ok(None);
        }
        let next = self.prepared(designed, plan, tell)?;
        let former = self.plan.fingerprint().to_owned();
        let waited = match self.production || self.same_tables(&next.designed.architecture) {
            true => self.beside(next, tell).map(|()| None)?,
            false => self.instead(next, tell).map(Some)?,
        };
        let model = self.plan.fingerprint().to_owned();
        self.site.swap(&self.designed.architecture, &model);
        self.show_model();
        Ok(Some(Swapped { model, former, took: started.elapsed(), waited }))
    }

    /// Everything that can be said of a model without its stores.
    fn prepared(
        &self,
        designed: Designed,
        plan: Arc<Plan>,
        tell: &mut dyn FnMut(News),
    ) -> Outcome<Next> {
        let (now, next) = (&self.designed.architecture, &designed.architecture);
        if now.domain.system != next.domain.system {
            let (was, is) = (&now.domain.system, &next.domain.system);
            return Err(Failure::new(format!("the system `{was}` can't become `{is}`"))
                .hint("start `mainstay up` for another system, with data of its own"));
        }
        let missing = environment::missing(&next.model, &designed.home);
        check_environment(self.arguments, self.production, &missing, tell)?;
        let data = self.arguments.data.of(&designed.home);
        home::check(&data, &next.domain.system)?;
        let domain = Arc::new(next.domain.clone());
        let callers = match self.callers.with_domain(self.arguments, Arc::clone(&domain)) {
            Some(callers) => Arc::new(callers),
            None => {
                let (key, keys) = (self.key.clone(), Arc::clone(&self.keys));
                let callers = Callers::new(self.arguments, domain, key, keys);
                let callers = Arc::new(callers.map_err(start_failure)?);
                callers::warm(&callers);
                callers
            }
        };
        let known = waiting::waiting(&now.model);
        let mut waiting = waiting::waiting(&next.model);
        waiting.retain(|line| !known.contains(line));
        if !waiting.is_empty() {
            tell(News::Waiting(waiting));
        }
        for fixed in self.fixed(next) {
            tell(News::Warning(fixed));
        }
        Ok(Next { designed, plan, callers })
    }

    /// What the listener took from the old model and keeps until the next start.
    fn fixed(&self, next: &Architecture) -> Vec<String> {
        let limits = |architecture: &Architecture| {
            let (settings, production) = (&architecture.settings, self.production);
            config::server(self.arguments, settings, production, self.shares).limits
        };
        let (now, next) = (limits(&self.designed.architecture), limits(next));
        let mut fixed = Vec::new();
        if now.body_bytes_max != next.body_bytes_max {
            let (kept, wanted) = (now.body_bytes_max, next.body_bytes_max);
            fixed.push(format!(
                "bodies stay limited to {kept} bytes, not {wanted}, until the next start"
            ));
        }
        if now.request_timeout != next.request_timeout {
            let (kept, wanted) = (now.request_timeout, next.request_timeout);
            fixed.push(format!(
                "a request may go on taking {kept:?}, not {wanted:?}, until the next start"
            ));
        }
        fixed
    }

    /// True where a store of the one model finds its tables beside one of the other.
    fn same_tables(&self, next: &Architecture) -> bool {
        let now = &*self.designed.architecture;
        let tables = |of: &Architecture| Snapshot::of(&of.schema, &|_| true);
        let places = |of: &Architecture| {
            let services = of.services.iter();
            let services: Vec<_> =
                services.map(|one| (one.name.clone(), one.contexts.clone())).collect();
            let isolation = of.domain.tenancy.as_ref().map(|tenancy| tenancy.isolation);
            (services, of.settings.tenant_files, isolation)
        };
        tables(now) == tables(next) && places(now) == places(next)
    }

    /// Opens its stores beside the old ones, swaps, and closes those when their calls have ended.
    fn beside(&mut self, next: Next, tell: &mut dyn FnMut(News)) -> Outcome<()> {
        let architecture = &next.designed.architecture;
        if self.production {
            self.migrated(architecture, tell)?;
        }
        let stores = Stores::open(architecture, &self.home, self.shares, &self.replicas)?;
        stores.register(&next.plan)?;
        let former = self.backend.swap(next.serving(&stores));
        let old = self.now_is(next, stores);
        old.hand_over();
        self.close(&old, &former);
        Ok(())
    }

    /// Lets calls wait while the tables change; how long they waited.
    fn instead(&mut self, next: Next, tell: &mut dyn FnMut(News)) -> Outcome<Duration> {
        // What can be known of the way is known before anybody waits.
        for report in migrate::foreseen(&next.designed.architecture, &self.home)? {
            tell(News::Foreseen(report));
        }
        let (former, paused) = self.paused()?;
        self.stores.close();
        let opened = self.migrated(&next.designed.architecture, tell).and_then(|()| {
            Stores::open(&next.designed.architecture, &self.home, self.shares, &self.replicas)
        });
        let opened = opened.and_then(|stores| stores.register(&next.plan).map(|()| stores));
        match opened {
            Ok(stores) => {
                // Dropped here, where nobody waits for it.
                drop(former);
                self.backend.swap(next.serving(&stores));
                self.now_is(next, stores);
                Ok(paused.elapsed())
            }
            Err(failure) => {
                let failure = self.tables_back(&next.designed.architecture, failure, tell);
                Err(self.back(former, failure))
            }
        }
    }

    /// No call runs any more, and those that come wait.
    fn paused(&self) -> Outcome<(Former, Instant)> {
        for _ in 0..ATTEMPTS_MAX {
            let paused = Instant::now();
            let former = self.backend.pause();
            if former.ended(PAUSE_MAX.min(self.deadline() / 2)) {
                return Ok((former, paused));
            }
            self.backend.resume(former);
            // Whoever waited is served before anybody has to wait again.
            std::thread::sleep(PAUSE_MAX / 4);
        }
        Err(Failure::new("the tables are in use: requests run for too long")
            .hint("save the model again, or send SIGHUP, when they have ended"))
    }

    /// What was done to the tables is undone: the old model finds every row as it knows it.
    fn tables_back(
        &self,
        next: &Architecture,
        failure: Failure,
        tell: &mut dyn FnMut(News),
    ) -> Failure {
        match migrate::back(&self.designed.architecture, next, &self.home) {
            Ok(reports) => {
                reports.into_iter().for_each(|report| tell(News::Migrated(report)));
                failure
            }
            Err(second) => {
                let failure = failure
                    .caused_by("what was done to the tables could not be undone")
                    .caused_by(second.message);
                second.causes.iter().fold(failure, Failure::caused_by)
            }
        }
    }

    /// What the environment says of systems outside.
    pub(super) fn credentials(&self) -> Credentials {
        environment::credentials(&self.designed.architecture.model, &self.designed.home).0
    }

    /// The old model goes on, on stores of its own again.
    pub(super) fn back(&mut self, former: Former, failure: Failure) -> Failure {
        match Stores::open(&self.designed.architecture, &self.home, self.shares, &self.replicas) {
            Ok(stores) => {
                let identify = Arc::clone(&self.callers) as _;
                let (plan, stores_now) = (Arc::clone(&self.plan), stores.ports());
                let credentials = self.credentials();
                self.backend.swap(Serving { plan, stores: stores_now, identify, credentials });
                self.stores = stores;
                failure
            }
            Err(second) => {
                self.backend.resume(former);
                let lost = "the tables serve the old model no more: requests are answered 503";
                let failure = failure.caused_by(lost).caused_by(second.message);
                failure.hint("mend the model, or start again with the one that the tables serve")
            }
        }
    }

    fn migrated(&self, architecture: &Architecture, tell: &mut dyn FnMut(News)) -> Outcome<()> {
        for report in migrate::before_up(architecture, &self.home, self.production)? {
            tell(News::Migrated(report));
        }
        Ok(())
    }

    /// The stores of the model before.
    fn now_is(&mut self, next: Next, stores: Stores) -> Stores {
        let Next { designed, plan, callers } = next;
        (self.designed, self.plan, self.callers) = (designed, plan, callers);
        std::mem::replace(&mut self.stores, stores)
    }

    fn close(&self, old: &Stores, former: &Former) {
        if !former.ended(self.deadline() + FORMER_GRACE) {
            tracing::warn!("requests of the former model still run: its stores are closed");
        }
        old.close();
    }

    /// How long a request may take.
    pub(super) fn deadline(&self) -> Duration {
        let settings = &self.designed.architecture.settings;
        config::server(self.arguments, settings, self.production, self.shares)
            .limits
            .request_timeout
    }
}
