//! One part of a consumer on one log: what is fetched, run, held and settled, in which order.
//!
//! A machine lives as long as a claim: [`Consumer::claimed`] makes it, and with [`Input::Lost`],
//! or when it is dropped, it forgets everything; what was not settled is fetched again by whoever
//! claims next. It owns no data of events, only positions, ids and keys.
//!
//! **Order**: a message never runs while an earlier one of its key runs, waits or is held, a dead
//! one among them unless the policy lets its key go on. Keys know nothing of each other.
//! **At least once**: a position is settled when everything below is done or held durably.
//! **One writer**: what has to be kept goes into one [`Action::Persist`] at a time, all or nothing;
//! so a message that waits behind another is never held without it.
//!
//! What is asked of the driver: each action is carried out once and answered once; a store that is
//! unavailable is asked again until it answers or the claim is over. Answers to a machine of an
//! earlier claim are dropped, not given to the next. Who discards a dead message gives it an inbox
//! row in the same change, for it may be fetched again. Between two inputs nothing but
//! [`Consumer::wake_at`] makes the machine move.

mod lane;
mod terms;
mod window;

use crate::retry::Bounds;
use lane::Lane;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
pub use terms::{Action, Failure, Gauges, Held, Input, Message, Pause, Policy, Settings, State};
use window::Window;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    /// Waits for the first heads.
    Loading,
    Working,
    Draining,
    Drained,
    Lost,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Consumer {
    settings: Arc<Settings>,
    phase: Phase,
    window: Window,
    lanes: BTreeMap<u128, Lane>,
    /// Dead ones above the position of the claim whose keys went on.
    skipped: BTreeSet<i64>,
    /// First positions of lanes that may run as soon as there is room, with their keys.
    ready: BTreeSet<(i64, u128)>,
    /// When heads are due, with their keys.
    due: BTreeSet<(i64, u128)>,
    /// Which key a running position has.
    running: BTreeMap<i64, u128>,
    /// Rows for the next write, in order.
    rows: Vec<Held>,
    /// Rows of the write that is under way.
    writing: Option<Vec<Held>>,
    /// Position as of the last write.
    persisted: i64,
    /// Messages settled since the last write.
    settled: usize,
    /// When the position is persisted at the latest.
    settle_at: Option<i64>,
    fetching: bool,
    /// There may be more in the log than was read.
    more: bool,
    /// Heads of all keys are being read.
    loading: bool,
    /// When they are read again.
    heads_at: Option<i64>,
    held_keys: usize,
    dead_keys: usize,
}

impl Consumer {
    /// Begins with a claim, at the position that it says.
    pub fn claimed(settings: Arc<Settings>, position: i64) -> (Self, Vec<Action>) {
        let consumer = Self {
            settings,
            phase: Phase::Loading,
            window: Window::new(position),
            lanes: BTreeMap::new(),
            skipped: BTreeSet::new(),
            ready: BTreeSet::new(),
            due: BTreeSet::new(),
            running: BTreeMap::new(),
            rows: Vec::new(),
            writing: None,
            persisted: position,
            settled: 0,
            settle_at: None,
            fetching: false,
            more: true,
            loading: true,
            heads_at: None,
            held_keys: 0,
            dead_keys: 0,
        };
        (consumer, vec![Action::LoadHeads])
    }

    /// Takes what happened, and says what is to be done. `now` is in microseconds since 1970; an
    /// input that answers nothing that was asked changes nothing.
    pub fn step(&mut self, now: i64, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.phase == Phase::Lost {
            return actions;
        }
        match input {
            Input::Heads { heads } => self.heads(now, &heads, &mut actions),
            Input::Head { key, head } => self.load_head(key, head, &mut actions),
            Input::Fetched { messages, end, exhausted } => {
                self.fetched(messages, end, exhausted, &mut actions);
            }
            Input::Done { position } => self.done(position, &mut actions),
            Input::Failed { position, failure, random } => {
                self.failed(now, position, failure, random, &mut actions);
            }
            Input::Persisted => self.written(&mut actions),
            Input::Appended => self.more = true,
            Input::Remedied { key } => self.reload(key, &mut actions),
            Input::Tick => {}
            Input::Drain => {
                if matches!(self.phase, Phase::Loading | Phase::Working) {
                    self.phase = Phase::Draining;
                }
            }
            Input::Lost => {
                let (mut empty, _) = Self::claimed(Arc::clone(&self.settings), self.persisted);
                empty.phase = Phase::Lost;
                *self = empty;
                return actions;
            }
        }
        self.wake(now, &mut actions);
        self.start(&mut actions);
        self.fetch(&mut actions);
        self.persist(now, &mut actions);
        actions
    }

    /// When [`Input::Tick`] is to be given, in microseconds since 1970; none where only another
    /// input can move the machine. To be asked after each step.
    pub fn wake_at(&self) -> Option<i64> {
        if !matches!(self.phase, Phase::Working | Phase::Draining) {
            return None;
        }
        let due = self.due.first().map(|(due, _)| *due).filter(|_| self.runs());
        let settle = self.settle_at.filter(|_| self.writing.is_none());
        let heads = self.heads_at.filter(|_| self.phase == Phase::Working && !self.loading);
        [due, settle, heads].into_iter().flatten().min()
    }

    /// Why nothing is being fetched; none while it is, or could be.
    pub fn pause(&self) -> Option<Pause> {
        match self.phase {
            Phase::Loading => Some(Pause::Loading),
            Phase::Draining | Phase::Drained | Phase::Lost => Some(Pause::Ending),
            Phase::Working if self.blocked() => Some(Pause::Blocked),
            Phase::Working if self.held_keys >= self.settings.held_keys_max => {
                Some(Pause::HeldKeys)
            }
            Phase::Working if !self.has_room() => Some(Pause::Unsettled),
            Phase::Working if !self.more => Some(Pause::Exhausted),
            Phase::Working => None,
        }
    }

    /// Everything up to here is settled, durably.
    pub fn position(&self) -> i64 {
        self.persisted
    }

    /// Numbers for metrics.
    pub fn gauges(&self) -> Gauges {
        Gauges {
            in_flight: self.running.len(),
            unsettled: self.window.len(),
            held_keys: self.held_keys,
            dead_keys: self.dead_keys,
        }
    }

    fn blocked(&self) -> bool {
        self.settings.policy == Policy::Block && self.dead_keys > 0
    }

    /// Messages may begin.
    fn runs(&self) -> bool {
        self.phase == Phase::Working && !self.blocked()
    }

    /// Room for a fetch that is worth it: at least a quarter of the window.
    fn has_room(&self) -> bool {
        let room = self.settings.unsettled_max.saturating_sub(self.window.len());
        room > 0 && (room >= self.settings.fetch_max || room * 4 >= self.settings.unsettled_max)
    }

    fn heads(&mut self, now: i64, heads: &[Held], actions: &mut Vec<Action>) {
        if !std::mem::take(&mut self.loading) {
            return;
        }
        self.heads_at = Some(now.saturating_add(self.settings.heads_interval_micros));
        if self.phase != Phase::Loading {
            return self.compare_heads(heads, actions);
        }
        self.phase = Phase::Working;
        for head in heads {
            if self.settings.policy == Policy::Skip && head.state == State::Dead {
                self.skipped.insert(head.message.position);
            } else {
                self.stored_head(head.message.key, Some(*head), actions);
            }
        }
    }

    fn fetched(
        &mut self,
        messages: Vec<Message>,
        end: i64,
        exhausted: bool,
        actions: &mut Vec<Action>,
    ) {
        if !std::mem::take(&mut self.fetching) {
            return;
        }
        // Of an event that came while it was read the machine was told by `Appended`.
        self.more |= !exhausted;
        let before = self.window.read();
        for message in messages.into_iter().filter(|message| message.position > before) {
            self.window.add(message.position);
            if self.skipped.remove(&message.position) {
                self.settle(message.position, actions);
            } else {
                self.lanes.entry(message.key).or_default().queue.push_back(message);
                self.advance(message.key, actions);
            }
        }
        self.window.read_to(end);
    }

    fn done(&mut self, position: i64, actions: &mut Vec<Action>) {
        let Some(key) = self.running.remove(&position) else { return };
        let lane = self.lanes.entry(key).or_default();
        let held = lane.head.is_some_and(|head| head.message.position == position);
        lane.running = None;
        lane.reload |= held;
        if held {
            actions.push(Action::Forget { position });
            self.set_head(key, None);
        } else {
            self.settle(position, actions);
        }
        self.advance(key, actions);
    }

    fn failed(
        &mut self,
        now: i64,
        position: i64,
        failure: Failure,
        random: u64,
        actions: &mut Vec<Action>,
    ) {
        let Some(key) = self.running.remove(&position) else { return };
        let lane = self.lanes.entry(key).or_default();
        let Some(message) = lane.running.take() else { return };
        let before = lane.head.filter(|head| head.message == message);
        let attempts = before.map_or(0, |head| head.attempts).saturating_add(1);
        let delay = match failure {
            Failure::Poison => None,
            Failure::Transient { retry_after_micros } => {
                let bounds = Bounds { retry_after_micros, left_micros: None };
                self.settings.ladder.next(attempts, random, bounds)
            }
        };
        let (state, due) = match delay {
            Some(delay) => (State::Retry, now.saturating_add(delay)),
            None => (State::Dead, now),
        };
        let head = Held { message, state, attempts, due };
        lane.holding += 1;
        lane.written = false;
        self.rows.push(head);
        self.set_head(key, Some(head));
        // Those behind it follow into the same write, or a later one, never before.
        self.advance(key, actions);
    }

    /// A message is done or held: the position may go on.
    fn settle(&mut self, position: i64, actions: &mut Vec<Action>) {
        self.window.settle(position);
        self.settled += 1;
        actions.push(Action::Forget { position });
    }

    fn written(&mut self, actions: &mut Vec<Action>) {
        let Some(rows) = self.writing.take() else { return };
        for row in rows {
            let position = row.message.position;
            actions.push(Action::Forget { position });
            let key = row.message.key;
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            lane.holding = lane.holding.saturating_sub(1);
            if lane.head == Some(row) {
                lane.written = true;
                lane.reload |= row.state == State::Dead && self.settings.policy == Policy::Skip;
            }
            self.advance(key, actions);
        }
    }

    /// What time brings: heads that are due, heads that are to be read again.
    fn wake(&mut self, now: i64, actions: &mut Vec<Action>) {
        while self.runs() {
            let Some((due, key)) = self.due.first().copied().filter(|(due, _)| *due <= now) else {
                break;
            };
            self.due.remove(&(due, key));
            if let Some(head) = self.lanes.get(&key).and_then(|lane| lane.head) {
                self.ready.insert((head.message.position, key));
            }
        }
        let wanted = self.dead_keys > 0 || self.settings.policy == Policy::Skip;
        if self.phase != Phase::Working || !wanted {
            self.heads_at = None;
        } else {
            let at = now.saturating_add(self.settings.heads_interval_micros);
            if *self.heads_at.get_or_insert(at) <= now && !self.loading {
                self.loading = true;
                self.heads_at = Some(at);
                actions.push(Action::LoadHeads);
            }
        }
    }

    /// Begins what may begin, earliest first.
    fn start(&mut self, actions: &mut Vec<Action>) {
        while self.runs() && self.running.len() < self.settings.in_flight_max {
            let Some((_, key)) = self.ready.pop_first() else { return };
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            let Some((message, attempts, held)) = lane.begin() else { continue };
            self.running.insert(message.position, key);
            actions.push(Action::Run { message, attempts, held });
        }
    }

    fn fetch(&mut self, actions: &mut Vec<Action>) {
        if self.fetching || self.pause().is_some() {
            return;
        }
        let room = self.settings.unsettled_max.saturating_sub(self.window.len());
        self.fetching = true;
        self.more = false;
        let messages_max = room.min(self.settings.fetch_max);
        actions.push(Action::Fetch { after: self.window.read(), messages_max });
    }

    fn persist(&mut self, now: i64, actions: &mut Vec<Action>) {
        if self.writing.is_some() || matches!(self.phase, Phase::Loading | Phase::Drained) {
            return;
        }
        let behind = self.window.settled() > self.persisted;
        if behind && self.settle_at.is_none() {
            self.settle_at = Some(now.saturating_add(self.settings.settle_interval_micros));
        }
        let due = self.settled >= self.settings.settle_count_max
            || self.settle_at.is_some_and(|at| at <= now)
            || (self.phase == Phase::Draining && self.running.is_empty());
        if self.rows.is_empty() && !(behind && due) {
            let idle = self.running.is_empty() && !behind;
            if self.phase == Phase::Draining && idle {
                self.phase = Phase::Drained;
                actions.push(Action::Drained);
            }
            return;
        }
        let rows_max = self.settings.persist_rows_max.clamp(1, self.rows.len().max(1));
        let held: Vec<Held> = self.rows.drain(..rows_max.min(self.rows.len())).collect();
        for row in &held {
            // In the same write as the position, which may go past them.
            self.window.settle(row.message.position);
        }
        self.persisted = self.window.settled();
        self.settled = 0;
        self.settle_at = None;
        self.writing = Some(held.clone());
        actions.push(Action::Persist { held, position: self.persisted });
    }
}

#[cfg(test)]
mod explore_tests;
#[cfg(test)]
mod relay_tests;
#[cfg(test)]
mod tests;
