//! Which parts this process works on, where several processes share them.
//!
//! Parts that are alike are a group: the partitions of a topic for one consumer, or what reads the
//! logs. A process that can work on a group has a seat there: a part of its own, claimed and
//! renewed as those of work are, so that one that died loses it with them. None works on more than
//! its even share, rounded up: what is more is given up, once what is under way is settled, and
//! another claims it. Together the shares hold all parts. A part that stays free all the same,
//! because somebody has a seat and no way to what it is to read, is claimed by whoever waits for it
//! long enough.

use super::Lease;
use super::jobs::{Feed, Job, Kind};
use super::turn::Turn;
use crate::engine::backend::Live;
use crate::ports::events::{Part, Refused, Span};
use crate::ports::store::Unavailable;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Who has a seat, by the names of consumers: no consumer is called so.
const SEATS: &str = "process seats";
/// Processes that share a group at most; one more works on what the others leave.
const SEATS_MAX: u32 = 256;
/// A part beyond the share is claimed where it stays free for so long.
const FREE_PATIENCE: Duration = Duration::from_secs(15);
/// Who could not read what it had claimed has no seat for so long.
const UNFIT: Duration = Duration::from_secs(30);

/// Parts that are alike, and the service whose store keeps them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    state: usize,
    name: Arc<str>,
}

/// The group of a part; none for what is not shared out.
fn group(job: &Job) -> Option<Group> {
    let name = match (&job.kind, &job.feed) {
        (Kind::Webhook, _) | (_, Feed::Held) => return None,
        (_, Feed::Log) => "log".into(),
        (_, Feed::Topic { .. }) => format!("{} {}", job.part.consumer, job.part.source).into(),
    };
    Some(Group { state: job.state, name })
}

/// What a process has of a group.
#[derive(Default)]
struct Share {
    parts: BTreeSet<Job>,
    /// Those that have a seat, this one included where it has one; 0 while that is not known.
    processes: usize,
    held: BTreeMap<Job, Arc<Notify>>,
    unfit_until: Option<Instant>,
}

impl Share {
    /// How many parts it may work on.
    fn most(&self) -> usize {
        self.parts.len().div_ceil(self.processes.max(1))
    }

    /// Those that are too many.
    fn surplus(&self) -> impl Iterator<Item = &Arc<Notify>> {
        self.held.values().skip(self.most())
    }

    fn is_fit(&self) -> bool {
        self.unfit_until.is_none_or(|until| until <= Instant::now())
    }
}

/// What a process has of all groups.
#[derive(Default)]
pub(super) struct Shares {
    all: Mutex<BTreeMap<Group, Share>>,
    /// Told when there may be room.
    changed: Notify,
}

impl Shares {
    fn with<T>(&self, group: &Group, change: impl FnOnce(&mut Share) -> T) -> T {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(group.clone()).or_default())
    }

    /// There is a part to work on.
    pub(super) fn add(&self, job: &Job) {
        if let Some(group) = group(job) {
            self.with(&group, |share| share.parts.insert(job.clone()));
        }
    }

    /// Waits until this process may claim a part, or nobody seems to.
    pub(super) async fn room(&self, job: &Job) {
        let Some(group) = group(job) else { return };
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if self.with(&group, |share| share.held.len() < share.most()) {
                    return;
                }
                changed.await;
            }
        };
        // Who has it then says so when it is claimed.
        let _free = tokio::time::timeout(FREE_PATIENCE, waiting).await;
    }

    /// This process works on a part, until what comes back is dropped.
    pub(super) fn hold(self: &Arc<Self>, job: &Job) -> Hold {
        let (group, surplus) = (group(job), Arc::new(Notify::new()));
        if let Some(group) = &group {
            self.with(group, |share| share.held.insert(job.clone(), Arc::clone(&surplus)));
        }
        Hold { shares: Arc::clone(self), group, job: job.clone(), surplus }
    }

    /// This process can't read what it claimed: others are to have it, for a while.
    pub(super) fn unfit(&self, job: &Job) {
        if let Some(group) = group(job) {
            self.with(&group, |share| share.unfit_until = Some(Instant::now() + UNFIT));
        }
    }

    fn groups(&self) -> Vec<Group> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// So many processes are there: what is too much is to be given up.
    fn shared_by(&self, group: &Group, processes: usize) {
        self.with(group, |share| {
            share.processes = processes;
            share.surplus().for_each(|part| part.notify_one());
        });
        self.changed.notify_waiters();
    }
}

/// A part that this process works on.
pub(super) struct Hold {
    shares: Arc<Shares>,
    group: Option<Group>,
    job: Job,
    surplus: Arc<Notify>,
}

impl Hold {
    /// Waits until it is to be given up.
    pub(super) async fn surplus(&self) {
        self.surplus.notified().await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            self.shares.with(group, |share| share.held.remove(&self.job));
            self.shares.changed.notify_waiters();
        }
    }
}

/// Has a seat in each group and looks who else has one, until another plan is served.
pub(super) async fn run(turn: Turn) {
    // Where nobody else can be there, nothing is shared.
    if turn.lease == Lease::ALONE {
        return;
    }
    loop {
        for group in turn.shares.groups() {
            let Some(live) = turn.live().await else { break };
            match seated(&turn, &live, &group).await {
                Ok(processes) => turn.shares.shared_by(&group, processes),
                Err(why) => crate::engine::outage::log(&why),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(turn.lease.renewed()) => {}
            () = turn.ended() => break,
        }
    }
    // A plan that follows has the same seats, and a process that ends none.
    for group in turn.shares.groups() {
        let Some(live) = turn.at_hand().await else { return };
        let _waits = leave(&turn, &live, &group).await;
    }
}

/// A seat, by its number.
fn seat(group: &Group, number: u32) -> Part {
    Part { consumer: SEATS.into(), source: Arc::clone(&group.name), number }
}

/// Seats of a group that somebody has: the number, and who.
async fn taken(live: &Live, group: &Group) -> Result<BTreeMap<u32, String>, Unavailable> {
    let Some(state) = live.engine.stores()[group.state].eventing() else {
        return Ok(BTreeMap::new());
    };
    let all = state.progress(&None).await?.into_iter();
    let seats = all.filter(|one| *one.part.consumer == *SEATS && one.part.source == group.name);
    Ok(seats.filter_map(|one| Some((one.part.number, one.owner?.0))).collect())
}

/// Takes a seat, or keeps it; how many processes share the group then.
async fn seated(turn: &Turn, live: &Live, group: &Group) -> Result<usize, Unavailable> {
    let taken = taken(live, group).await?;
    let own = taken.iter().find(|(_, owner)| **owner == *turn.owner).map(|(number, _)| *number);
    let others = taken.len() - usize::from(own.is_some());
    if !turn.shares.with(group, |share| share.is_fit()) {
        leave(turn, live, group).await?;
        return Ok(others.max(1));
    }
    let free = || (0..SEATS_MAX).find(|number| !taken.contains_key(number));
    if let Some(number) = own.or_else(free) {
        let now = turn.now();
        let until = turn.lease.until(now);
        // Where another was faster, the next look finds another one.
        claim(turn, live, (group, number), Span { now, until, from: 0 }).await?;
    }
    Ok(others + 1)
}

async fn leave(turn: &Turn, live: &Live, group: &Group) -> Result<(), Unavailable> {
    for (number, owner) in taken(live, group).await? {
        if *owner == *turn.owner {
            let now = turn.now();
            // Taken for no time at all.
            claim(turn, live, (group, number), Span { now, until: now, from: 0 }).await?;
        }
    }
    Ok(())
}

async fn claim(
    turn: &Turn,
    live: &Live,
    (group, number): (&Group, u32),
    span: Span,
) -> Result<(), Unavailable> {
    let Some(state) = live.engine.stores()[group.state].eventing() else { return Ok(()) };
    match state.claim(&None, &seat(group, number), &turn.owner, span).await {
        Ok(_) | Err(Refused::Taken { .. }) => Ok(()),
        Err(Refused::Unavailable(why)) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn partition(number: u32) -> Job {
        let part = Part { consumer: "billing".into(), source: "nats shop".into(), number };
        let feed = Feed::Topic { topic: "shop".into(), partition: number };
        let kind = Kind::Reactions;
        Job { part, kind, consumer: 0, source: 0, place: None, state: 0, feed }
    }

    fn shares(parts: u32) -> (Arc<Shares>, Vec<Job>, Group) {
        let (shares, jobs) = (Arc::new(Shares::default()), (0..parts).map(partition));
        let jobs: Vec<Job> = jobs.collect();
        jobs.iter().for_each(|job| shares.add(job));
        let group = group(&jobs[0]).expect("it is shared");
        (shares, jobs, group)
    }

    #[test]
    fn what_is_more_than_an_even_share_is_given_up_and_no_more() {
        for (parts, processes, kept) in [(8, 1, 8), (8, 2, 4), (8, 3, 3), (8, 9, 1), (1, 2, 1)] {
            let (shares, jobs, group) = shares(parts);
            let holds: Vec<Hold> = jobs.iter().map(|job| shares.hold(job)).collect();
            shares.shared_by(&group, processes);
            let given = holds.iter().filter(|hold| hold.surplus().now_or_never().is_some());
            assert_eq!(given.count(), parts as usize - kept, "{parts} by {processes}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_its_share_claims_no_more_until_another_goes_or_nobody_comes() {
        let (shares, jobs, group) = shares(4);
        shares.shared_by(&group, 2);
        let one = shares.hold(&jobs[0]);
        assert!(shares.room(&jobs[1]).now_or_never().is_some(), "it has one of two");
        let _two = shares.hold(&jobs[1]);
        assert!(shares.room(&jobs[2]).now_or_never().is_none(), "it has two of two");
        let mut waiting = Box::pin(shares.room(&jobs[2]));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(one);
        assert!(waiting.as_mut().now_or_never().is_some(), "it has one again");
        let _one = shares.hold(&jobs[0]);
        let began = tokio::time::Instant::now();
        shares.room(&jobs[2]).await;
        assert_eq!(began.elapsed(), FREE_PATIENCE, "it stays free all the same");
        shares.shared_by(&group, 1);
        assert!(shares.room(&jobs[2]).now_or_never().is_some(), "the other is gone");
    }

    #[test]
    fn webhooks_and_what_is_left_behind_are_not_shared_out() {
        let hook = Job { kind: Kind::Webhook, feed: Feed::Log, ..partition(0) };
        let held = Job { feed: Feed::Held, ..partition(0) };
        assert_eq!((group(&hook), group(&held)), (None, None));
        let log = Job { feed: Feed::Log, ..partition(0) };
        let view = Job { kind: Kind::View, ..log.clone() };
        assert_eq!(group(&log), group(&view));
        assert_ne!(group(&log), group(&partition(0)));
    }
}
