//! What is known of one key: what runs, what waits in memory, what is held durably.

use super::{Action, Consumer, Held, Message, Phase, Policy, State};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One key.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane {
    /// Read, and neither begun nor held.
    pub(super) queue: VecDeque<Message>,
    /// At most one of a key.
    pub(super) running: Option<Message>,
    /// The first that is held: everything behind it waits.
    pub(super) head: Option<Held>,
    /// The head is as it says in the store.
    pub(super) written: bool,
    /// Rows of the key that are not written yet.
    pub(super) holding: u32,
    /// The head has to be read again: it may have changed or gone.
    pub(super) reload: bool,
    /// It is being read.
    pub(super) loading: bool,
}

impl Lane {
    /// Nothing of the key begins until the head is known.
    fn unknown(&self) -> bool {
        self.reload || self.loading
    }

    /// Takes what may begin: the head, else the first of the queue. With its attempts so far, and
    /// whether it is held.
    pub(super) fn begin(&mut self) -> Option<(Message, u32, bool)> {
        if self.running.is_some() || self.unknown() {
            return None;
        }
        let begun = match self.head {
            Some(head) if head.state == State::Dead || !self.written => return None,
            Some(head) => (head.message, head.attempts, true),
            None => (self.queue.pop_front()?, 0, false),
        };
        self.running = Some(begun.0);
        Some(begun)
    }

    fn is_over(&self) -> bool {
        self.queue.is_empty()
            && self.running.is_none()
            && self.head.is_none()
            && self.holding == 0
            && !self.unknown()
    }
}

impl Consumer {
    /// Sets the first that is held of a key, and counts. Whether it is written stays as it was.
    pub(super) fn set_head(&mut self, key: u128, head: Option<Held>) {
        let dead = |head: Option<Held>| head.is_some_and(|head| head.state == State::Dead);
        self.forget_turn(key);
        let lane = self.lanes.entry(key).or_default();
        let before = std::mem::replace(&mut lane.head, head);
        self.held_keys += usize::from(head.is_some());
        self.held_keys -= usize::from(before.is_some());
        self.dead_keys += usize::from(dead(head));
        self.dead_keys -= usize::from(dead(before));
    }

    /// The head of a key as the store has it.
    pub(super) fn load_head(&mut self, key: u128, head: Option<Held>, actions: &mut Vec<Action>) {
        match self.lanes.get_mut(&key).filter(|lane| lane.loading) {
            Some(lane) => lane.loading = false,
            None => return,
        }
        self.stored_head(key, head, actions);
    }

    /// The first that is held of a key, or that nothing is.
    pub(super) fn stored_head(&mut self, key: u128, head: Option<Held>, actions: &mut Vec<Action>) {
        self.set_head(key, head);
        self.lanes.entry(key).or_default().written = true;
        self.advance(key, actions);
    }

    /// Compares the heads with what is known of them: what differs is read again, one by one and in
    /// turn with the writes of its key, for this answer may be older than they.
    pub(super) fn compare_heads(&mut self, heads: &[Held], actions: &mut Vec<Action>) {
        let stored: BTreeMap<u128, &Held> =
            heads.iter().map(|head| (head.message.key, head)).collect();
        let is_dead = |held: &Held| held.state == State::Dead;
        let gone = self.lanes.iter().filter(|(key, lane)| {
            lane.written
                && lane.head.is_some_and(|head| is_dead(&head) && stored.get(key) != Some(&&head))
        });
        let mut differ: BTreeSet<u128> = gone.map(|(key, _)| *key).collect();
        let new = heads.iter().filter(|head| !is_dead(head));
        let new = new.filter(|head| {
            self.lanes.get(&head.message.key).is_none_or(|lane| lane.head.is_none())
        });
        differ.extend(new.map(|head| head.message.key));
        for key in differ {
            self.reload(key, actions);
        }
    }

    /// Has the head of a key read again, as soon as nothing of it runs or is being written.
    pub(super) fn reload(&mut self, key: u128, actions: &mut Vec<Action>) {
        if self.phase == Phase::Working {
            self.lanes.entry(key).or_default().reload = true;
            self.advance(key, actions);
        }
    }

    /// Takes a key out of those that may begin.
    fn forget_turn(&mut self, key: u128) {
        let Some(lane) = self.lanes.get(&key) else { return };
        if let Some(head) = lane.head {
            self.due.remove(&(head.due, key));
            self.ready.remove(&(head.message.position, key));
        }
        if let Some(first) = lane.queue.front() {
            self.ready.remove(&(first.position, key));
        }
    }

    /// Moves a key on, after anything about it changed.
    pub(super) fn advance(&mut self, key: u128, actions: &mut Vec<Action>) {
        self.forget_turn(key);
        let working = self.phase == Phase::Working;
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        if lane.reload && !lane.loading && lane.running.is_none() && lane.holding == 0 && working {
            lane.reload = false;
            lane.loading = true;
            actions.push(Action::LoadHead { key });
        }
        if lane.unknown() {
            return;
        }
        if let Some(head) = lane.head {
            self.queue_behind(key, &head, actions);
        } else if let (None, Some(first)) = (lane.running, lane.queue.front()) {
            self.ready.insert((first.position, key));
        } else if lane.is_over() {
            self.lanes.remove(&key);
        }
    }

    /// What was read of a key that has a head: held behind it, in order.
    fn queue_behind(&mut self, key: u128, head: &Held, actions: &mut Vec<Action>) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        let waits = lane.running.is_none() && lane.written && head.state != State::Dead;
        // Comes back with the answer to its run, or to its write.
        let in_use = lane.running.is_some() || !lane.written;
        if waits {
            self.due.insert((head.due, key));
        }
        // A key that goes on past a dead one waits until that one is written.
        let goes_on = head.state == State::Dead && self.settings.policy == Policy::Skip;
        while let Some(message) = lane.queue.front().copied() {
            if message.position <= head.message.position {
                // Read again after a crash: it is the head, or was done or given up before it.
                self.window.settle(message.position);
                self.settled += 1;
                if message.position != head.message.position || !in_use {
                    actions.push(Action::Forget { position: message.position });
                }
            } else if goes_on {
                break;
            } else {
                lane.holding += 1;
                self.rows.push(Held { message, state: State::Behind, attempts: 0, due: 0 });
            }
            lane.queue.pop_front();
        }
    }
}
