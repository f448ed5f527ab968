//! A bounded queue that gives every tenant its turn: what one has waiting never stands before
//! another's, and where there is no more room it is taken from who has the most of it.

use crate::ports::store::Tenant;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Jobs that wait, by tenant.
pub(super) struct Fair<J> {
    state: Mutex<State<J>>,
    news: Condvar,
    jobs_max: usize,
}

struct State<J> {
    /// Those of one tenant in the order of their coming; none is empty.
    queues: BTreeMap<Tenant, VecDeque<J>>,
    /// Every tenant with a queue, the one whose turn it is first.
    turns: VecDeque<Tenant>,
    jobs: usize,
    woken: bool,
    closed: bool,
}

/// What became of a job that was brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put<J> {
    /// It waits.
    Waits,
    /// It waits; the newest job of the tenant with the most of them had to make room.
    InsteadOf(J),
    /// There is no room, and no other tenant has more waiting.
    Full(J),
    /// The queue is closed.
    Closed(J),
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<J> {
    /// A job.
    Job(J),
    /// Somebody called, or the time is up.
    Look,
    /// Nothing waits, and nothing comes any more.
    Closed,
}

impl<J> Fair<J> {
    /// An empty queue for so many jobs.
    pub(super) fn new(jobs_max: usize) -> Self {
        let state = State {
            queues: BTreeMap::new(),
            turns: VecDeque::new(),
            jobs: 0,
            woken: false,
            closed: false,
        };
        Self { state: Mutex::new(state), news: Condvar::new(), jobs_max: jobs_max.max(1) }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        // No step in here leaves a queue half changed by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings a job of a tenant.
    pub(super) fn put(&self, tenant: &Tenant, job: J) -> Put<J> {
        let mut state = self.state();
        if state.closed {
            return Put::Closed(job);
        }
        let mut gone = None;
        if state.jobs >= self.jobs_max {
            gone = state.make_room(tenant);
            if gone.is_none() {
                return Put::Full(job);
            }
        }
        state.put(tenant, job);
        drop(state);
        self.news.notify_one();
        gone.map_or(Put::Waits, Put::InsteadOf)
    }

    /// Makes who waits for the next job look up.
    pub(super) fn wake(&self) {
        self.state().woken = true;
        self.news.notify_one();
    }

    /// Waits for the next job, or so long.
    pub(super) fn next(&self, patience: Duration) -> Next<J> {
        let idle = |state: &mut State<J>| state.jobs == 0 && !state.woken && !state.closed;
        let waited = self.news.wait_timeout_while(self.state(), patience, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.woken = false;
        match state.take(|_| true) {
            Some(job) => Next::Job(job),
            None if state.closed => Next::Closed,
            None => Next::Look,
        }
    }

    /// The job whose turn is next, if it is there and fits.
    pub(super) fn next_if(&self, fits: impl FnOnce(&J) -> bool) -> Option<J> {
        self.state().take(fits)
    }

    /// Takes no more jobs; those that wait are still given out.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.news.notify_all();
    }
}

impl<J> State<J> {
    fn put(&mut self, tenant: &Tenant, job: J) {
        if let Some(queue) = self.queues.get_mut(tenant) {
            queue.push_back(job);
        } else {
            self.queues.insert(tenant.clone(), VecDeque::from([job]));
            self.turns.push_back(tenant.clone());
        }
        self.jobs += 1;
    }

    fn take(&mut self, fits: impl FnOnce(&J) -> bool) -> Option<J> {
        let tenant = self.turns.front()?;
        let queue = self.queues.get_mut(tenant)?;
        queue.front().filter(|job| fits(job))?;
        let job = queue.pop_front()?;
        let left = !queue.is_empty();
        let tenant = self.turns.pop_front()?;
        if left {
            self.turns.push_back(tenant);
        } else {
            self.queues.remove(&tenant);
        }
        self.jobs -= 1;
        Some(job)
    }

    /// The newest job of whoever has the most, if that is more than this tenant will have.
    fn make_room(&mut self, tenant: &Tenant) -> Option<J> {
        let own = self.queues.get(tenant).map_or(0, VecDeque::len);
        // One that has two at least, so its queue does not become empty.
        let longest = self.queues.values_mut().max_by_key(|queue| queue.len())?;
        if longest.len() <= own + 1 {
            return None;
        }
        self.jobs -= 1;
        longest.pop_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn of(name: &str) -> Tenant {
        Some(Arc::from(name))
    }

    fn drained(queue: &Fair<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.next_if(|_| true)).collect()
    }

    #[test]
    fn tenants_take_turns_and_each_keeps_its_own_order() {
        let queue = Fair::new(16);
        for job in ["a1", "a2", "a3", "a4", "b1", "c1", "c2"] {
            assert_eq!(queue.put(&of(&job[..1]), job), Put::Waits);
        }
        assert_eq!(drained(&queue), ["a1", "b1", "c1", "a2", "c2", "a3", "a4"]);
    }

    #[test]
    fn a_full_queue_refuses_who_filled_it_and_nobody_else() {
        let queue = Fair::new(4);
        for job in ["a1", "a2", "a3", "a4"] {
            assert_eq!(queue.put(&of("a"), job), Put::Waits);
        }
        assert_eq!(queue.put(&of("a"), "a5"), Put::Full("a5"));
        assert_eq!(queue.put(&of("b"), "b1"), Put::InsteadOf("a4"));
        assert_eq!(queue.put(&of("b"), "b2"), Put::InsteadOf("a3"));
        assert_eq!(queue.put(&of("b"), "b3"), Put::Full("b3"), "the halves are equal");
        assert_eq!(queue.put(&of("a"), "a6"), Put::Full("a6"));
        assert_eq!(queue.put(&of("c"), "c1"), Put::InsteadOf("b2"));
        assert_eq!(drained(&queue), ["a1", "b1", "c1", "a2"]);
    }

    #[test]
    fn one_tenant_alone_has_all_the_room() {
        let queue = Fair::new(3);
        for job in ["1", "2", "3"] {
            assert_eq!(queue.put(&None, job), Put::Waits);
        }
        assert_eq!(queue.put(&None, "4"), Put::Full("4"));
    }

    #[test]
    fn a_job_that_does_not_fit_waits_at_its_place() {
        let queue = Fair::new(4);
        queue.put(&of("a"), "large");
        queue.put(&of("b"), "small");
        assert_eq!(queue.next_if(|job| *job == "small"), None);
        assert_eq!(drained(&queue), ["large", "small"]);
    }

    #[test]
    fn a_closed_queue_gives_out_what_waits_and_takes_nothing() {
        let queue = Fair::new(4);
        queue.wake();
        assert_eq!(queue.next(Duration::from_secs(60)), Next::Look);
        assert_eq!(queue.next(Duration::ZERO), Next::Look);
        queue.put(&None, "1");
        queue.close();
        assert_eq!(queue.put(&None, "2"), Put::Closed("2"));
        assert_eq!(queue.next(Duration::from_secs(60)), Next::Job("1"));
        assert_eq!(queue.next(Duration::from_secs(60)), Next::Closed);
    }
}
