//! A view made anew from the log, beside whoever reads it and whoever folds into it: a tenant's
//! rows are folded in memory, then take the place of the old ones in one commit with the position
//! that they reach. Where somebody folded meanwhile, that commit is refused and the tenant's rows
//! are made again.
//!
//! A row that comes out as it was keeps its version and its times; one that does not has the next
//! version, so that who had read the old one is refused.

use super::folding::{Folded, Folding};
use super::jobs::{sources, view_part};
use super::part::READ_BYTES_MAX;
use super::view::FOLDED_MAX;
use crate::engine::{Engine, Shared};
use crate::plan::Plan;
use crate::ports::clock::{Clock, Randomness};
use crate::ports::events::{EventQuery, Logged, Place, Projected};
use crate::ports::store::{CommitError, Store, Tenant, Unavailable, Write, WriteSet};
use crate::record::Record;
use crate::upcast;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Rows of a tenant that a view may have to be made anew: they are held in memory.
pub const VIEW_ROWS_MAX: usize = 1_000_000;
/// How often a tenant's rows are made because others folded into them meanwhile.
const ATTEMPTS_MAX: u32 = 20;
/// Between two of them.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(100);
/// Events of the log that are looked at, at once, for tenants.
const LOOK_ROWS_MAX: u32 = 2_000;
/// Old rows that are read at once.
const OLD_ROWS_MAX: usize = 512;

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events that were folded.
    pub events: u64,
    /// Events of the view in the log when it began.
    pub events_all: u64,
    /// Tenants whose new rows are there.
    pub tenants: u64,
    /// Tenants there are.
    pub tenants_all: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// `ordering.SalesByDay`
    pub view: String,
    /// Tenants whose rows were made.
    pub tenants: u64,
    /// Events that were folded.
    pub events: u64,
    /// Events that could not be folded, and were left out, as they are by whoever runs.
    pub left_out: u64,
    /// Rows that are there now.
    pub rows: u64,
    /// Those of them that are others than before, or new.
    pub changed: u64,
}

/// Why a view was not made anew; tenants that were done until then stay so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RebuildError {
    /// The model has no such view, but these.
    Unknown(Vec<String>),
    /// The log was trimmed, and nothing shows that these events of the view stayed.
    Trimmed {
        /// `order.paid`
        events: Vec<String>,
        /// Which log.
        source: String,
    },
    /// More than [`VIEW_ROWS_MAX`] rows of a tenant.
    Rows(Tenant),
    /// Others folded into a tenant's rows each time.
    Busy(Tenant),
    /// A store can't.
    Unavailable(Unavailable),
}

impl From<Unavailable> for RebuildError {
    fn from(why: Unavailable) -> Self {
        Self::Unavailable(why)
    }
}

/// What is made anew, of what, and where.
pub struct Rebuilding {
    engine: Engine,
    /// By index among the views of the plan.
    view: usize,
    /// Also where some of its events may have gone.
    from_what_is_left: bool,
}

/// What a look through the logs found.
#[derive(Default)]
struct Found {
    events: u64,
    tenants: BTreeSet<Tenant>,
    /// Places of each service.
    places: BTreeMap<usize, Vec<Place>>,
}

/// A log of a tenant.
struct Source {
    service: usize,
    name: Arc<str>,
}

impl Rebuilding {
    /// Of a view, by its full name or by its own where only one has it.
    ///
    /// # Errors
    /// [`RebuildError::Unknown`]
    pub fn of(
        plan: Arc<Plan>,
        stores: Vec<Arc<dyn Store>>,
        (clock, randomness): (Arc<dyn Clock>, Arc<dyn Randomness>),
        (view, from_what_is_left): (&str, bool),
    ) -> Result<Self, RebuildError> {
        let domain = &plan.domain;
        let all = || 0..domain.views.len();
        let full = |at: &usize| domain.full_name(domain.view_rows(*at));
        let mut short = all().filter(|at| domain.views[*at].rows.name == view);
        let found = all().find(|at| full(at) == view);
        let found = found.or_else(|| short.next().filter(|_| short.next().is_none()));
        let unknown = || RebuildError::Unknown(all().map(|at| full(&at)).collect());
        let view = found.ok_or_else(unknown)?;
        let engine = Engine::new(plan, stores, Arc::new(Shared::new(clock, randomness)));
        Ok(Self { engine, view, from_what_is_left })
    }

    /// Makes the rows of every tenant anew.
    ///
    /// # Errors
    /// [`RebuildError`]; it may be done again.
    pub async fn run(&self, tell: &(dyn Fn(Progress) + Sync)) -> Result<Rebuilt, RebuildError> {
        let domain = &self.engine.plan.domain;
        let mut found = self.look().await?;
        let id = domain.view_rows(self.view);
        found.tenants.extend(self.state().tenants(id).await?);
        let mut rebuilt = Rebuilt { view: domain.full_name(id), ..Rebuilt::default() };
        let (events_all, tenants_all) = (found.events, found.tenants.len() as u64);
        for tenant in &found.tenants {
            let logs = self.logs(&found, tenant);
            let so_far = |folded: u64| {
                let events = rebuilt.events + folded;
                let tenants = rebuilt.tenants;
                tell(Progress { events, events_all, tenants, tenants_all });
            };
            let made = self.tenant(tenant, &logs, &so_far).await?;
            rebuilt.tenants += 1;
            rebuilt.events += made.events;
            rebuilt.left_out += made.left_out;
            rebuilt.rows += made.rows;
            rebuilt.changed += made.changed;
            let (events, tenants) = (rebuilt.events, rebuilt.tenants);
            tell(Progress { events, events_all, tenants, tenants_all });
        }
        Ok(rebuilt)
    }

    /// The store of the view.
    fn state(&self) -> &dyn Store {
        self.engine.store(self.engine.plan.domain.view_rows(self.view))
    }

    /// True for an event that the view hears, about rows of a service.
    fn hears(&self, service: usize, event: &Logged) -> bool {
        let plan = &self.engine.plan;
        plan.hears(&plan.consumers.views[self.view], service, event)
    }

    /// Looks through the logs for tenants, and whether everything is there.
    async fn look(&self) -> Result<Found, RebuildError> {
        let (plan, mut found) = (&self.engine.plan, Found::default());
        for service in sources(plan, &plan.consumers.views[self.view]) {
            let Some(log) = self.engine.stores()[service].eventing() else { continue };
            let places = log.places().await?;
            for place in &places {
                let extent = log.extent(place).await?;
                let (mut position, mut kept) = (0, BTreeSet::new());
                while position < extent.last {
                    let read = log.after(place, position, LOOK_ROWS_MAX, READ_BYTES_MAX).await?;
                    let Some(last) = read.last() else { break };
                    position = last.position;
                    for event in &read {
                        if self.hears(service, event) {
                            found.events += 1;
                            found.tenants.insert(event.tenant.clone());
                            if event.position <= extent.trimmed {
                                kept.insert(event.event.to_string());
                            }
                        }
                    }
                }
                let lost = self.lost(&kept);
                if extent.trimmed > 0 && !lost.is_empty() && !self.from_what_is_left {
                    let source = view_part(plan, self.view, service, place).source.to_string();
                    return Err(RebuildError::Trimmed { events: lost, source });
                }
            }
            found.places.insert(service, places);
        }
        Ok(found)
    }

    /// Events of the view that are not among those which outlived a trim.
    fn lost(&self, kept: &BTreeSet<String>) -> Vec<String> {
        self.events().into_iter().filter(|name| !kept.contains(name)).collect()
    }

    /// The events that the view hears.
    fn events(&self) -> Vec<String> {
        let plan = &self.engine.plan;
        let hears = &plan.consumers.views[self.view].hears;
        hears.iter().map(|(event, _)| plan.domain.event(*event).name.clone()).collect()
    }

    /// The logs that a tenant's events are in.
    fn logs(&self, found: &Found, tenant: &Tenant) -> Vec<Source> {
        let source = |(service, places): (&usize, &Vec<Place>)| {
            let place = if places.contains(tenant) { tenant.clone() } else { None };
            let name = view_part(&self.engine.plan, self.view, *service, &place).source;
            Source { service: *service, name }
        };
        found.places.iter().map(source).collect()
    }

    /// Makes a tenant's rows, until nobody was in between.
    async fn tenant(
        &self,
        tenant: &Tenant,
        logs: &[Source],
        tell: &(dyn Fn(u64) + Sync),
    ) -> Result<Rebuilt, RebuildError> {
        for _ in 0..ATTEMPTS_MAX {
            if let Some(made) = self.attempt(tenant, logs, tell).await? {
                return Ok(made);
            }
            tokio::time::sleep(ATTEMPT_PAUSE).await;
        }
        Err(RebuildError::Busy(tenant.clone()))
    }

    /// The positions up to which a tenant's events of each log are in the view.
    async fn reached(&self, tenant: &Tenant, logs: &[Source]) -> Result<Vec<i64>, Unavailable> {
        let Some(state) = self.state().eventing() else { return Ok(vec![0; logs.len()]) };
        let consumer = &self.engine.plan.consumers.views[self.view].name;
        let mut all = Vec::with_capacity(logs.len());
        for log in logs {
            all.push(state.reached(tenant, consumer, &log.name).await?);
        }
        Ok(all)
    }

    /// Makes a tenant's rows once; none where somebody else folded meanwhile.
    async fn attempt(
        &self,
        tenant: &Tenant,
        logs: &[Source],
        tell: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<Rebuilt>, RebuildError> {
        let mut folding = Folding::new(&self.engine, self.view, tenant);
        folding.bindings.deadline = 0;
        let reached = self.reached(tenant, logs).await?;
        let (mut rows, mut made, mut end) = (folding.nothing(), Rebuilt::default(), 0);
        for (at, log) in logs.iter().enumerate() {
            // One log goes on to its end; the others stay where they are: one position is kept
            // with the rows.
            let until = if at == 0 { i64::MAX } else { reached[at] };
            let last = self.replay(&folding, log, until, &mut rows, &mut made.events, tell).await?;
            end = if at == 0 { last.max(reached[0]) } else { end };
        }
        folding.close(&mut rows);
        made.left_out = folding.left_out.load(Ordering::Relaxed);
        let records = self.settled(&folding, tenant, rows, &mut made).await?;
        let consumer = &self.engine.plan.consumers.views[self.view].name;
        let resource = self.engine.plan.domain.view_rows(self.view);
        let mut writes = vec![Write::Clear { resource }];
        let insert = |record: Record| Write::Insert { resource, record: Arc::new(record) };
        writes.extend(records.into_iter().map(insert));
        let projected = logs.first().zip(reached.first()).map(|(log, expected)| Projected {
            consumer: Arc::clone(consumer),
            source: Arc::clone(&log.name),
            expected: *expected,
            position: end,
        });
        let set = WriteSet { tenant: tenant.clone(), writes, projected, ..WriteSet::default() };
        match self.state().commit(set, &folding.bindings).await {
            Ok(()) => {}
            Err(CommitError::Fenced | CommitError::Conflict { .. }) => return Ok(None),
            Err(CommitError::Unavailable(why)) => return Err(why.into()),
            Err(other) => {
                let why = format!("a row of `{consumer}` is refused: {other:?}");
                return Err(Unavailable::Broken(why).into());
            }
        }
        // The positions of other logs are not fenced by that commit.
        let now = self.reached(tenant, logs).await?;
        let same = now.iter().zip(&reached).skip(1).all(|(now, before)| now == before);
        Ok(same.then_some(made))
    }

    /// Folds a tenant's events of a log up to a position; the last that was there.
    async fn replay(
        &self,
        folding: &Folding<'_>,
        log: &Source,
        until: i64,
        rows: &mut Folded,
        events: &mut u64,
        tell: &(dyn Fn(u64) + Sync),
    ) -> Result<i64, RebuildError> {
        let store = &self.engine.stores()[log.service];
        let Some(port) = store.eventing() else { return Ok(0) };
        let mut query =
            EventQuery { events: self.events(), rows_max: FOLDED_MAX, ..EventQuery::default() };
        let (mut last, tenant) = (0, folding.tenant());
        loop {
            query.from = Some(last);
            let read = port.page(tenant, &query).await?;
            let Some(end) = read.last().map(|event| event.position) else { return Ok(last) };
            let own = |event: &&Logged| event.position <= until && self.hears(log.service, event);
            let own: Vec<_> = read.iter().filter(own).collect();
            let plan = &self.engine.plan;
            if let Some(newer) = own.iter().find(|event| upcast::is_newer(plan, event)) {
                let why = upcast::current(plan, newer).err().map(|why| why.detail());
                return Err(Unavailable::Broken(why.unwrap_or_default()).into());
            }
            *events += own.len() as u64;
            folding.fold(rows, folding.steps(own.into_iter()));
            if rows.len() > VIEW_ROWS_MAX {
                return Err(RebuildError::Rows(tenant.clone()));
            }
            tell(*events);
            if end >= until {
                return Ok(until);
            }
            last = end;
        }
    }

    /// The rows as they are stored: beside those that are there.
    async fn settled(
        &self,
        folding: &Folding<'_>,
        tenant: &Tenant,
        rows: Folded,
        made: &mut Rebuilt,
    ) -> Result<Vec<Record>, RebuildError> {
        let resource = self.engine.plan.domain.view_rows(self.view);
        let rows: Vec<Record> = rows.into_records().map(|row| folding.worked_out(row)).collect();
        let mut all = Vec::with_capacity(rows.len());
        for some in rows.chunks(OLD_ROWS_MAX) {
            let ids: Vec<u128> = some.iter().map(|row| row.id).collect();
            let old = self.state().get(tenant, resource, &ids, &[], &folding.bindings).await;
            let old = match old {
                Ok(old) => old,
                // What can't be read as a row is what is to be healed.
                Err(Unavailable::Broken(_)) => Vec::new(),
                Err(why) => return Err(why.into()),
            };
            let old: BTreeMap<u128, Record> = old.into_iter().map(|row| (row.id, row)).collect();
            for row in some {
                let mut row = row.clone();
                match old.get(&row.id) {
                    Some(old) if old.values == row.values => row = old.clone(),
                    Some(old) => {
                        (row.version, row.created_at) = (old.version + 1, old.created_at);
                        made.changed += 1;
                    }
                    None => {
                        row.version = 1;
                        made.changed += 1;
                    }
                }
                all.push(row);
            }
        }
        made.rows = all.len() as u64;
        Ok(all)
    }
}
