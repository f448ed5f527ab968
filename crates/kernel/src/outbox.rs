//! The relay from the log to an outside broker.
//!
//! Messages of a key are published one at a time, in the order of the log; the next when the broker
//! has acknowledged the one before. The durable position goes only past acknowledged ones, so that
//! after a crash some are published again, under the same ids, and none is left out. Writes of the
//! position are fenced by the epoch of the lease: a relay that was followed by another learns it
//! there at the latest, and publishes no more.
//!
//! A relay lives as long as a lease. Each action is carried out once and answered once; a publish
//! without an answer is tried again by the driver, under the same id, until the broker answers or
//! the lease is over.

use crate::consumer::Message;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Limits of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Settings {
    /// Messages that are published and not acknowledged.
    pub in_flight_max: usize,
    /// Messages read and above the settled position.
    pub unsettled_max: usize,
    /// The position is persisted once so many messages are acknowledged,
    pub settle_count_max: usize,
    /// or after so long, in microseconds.
    pub settle_interval_micros: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            in_flight_max: 256,
            unsettled_max: 2_048,
            settle_count_max: 256,
            settle_interval_micros: 100_000,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// Answers [`Action::Fetch`].
    Fetched {
        /// In order of their positions.
        messages: Vec<Message>,
        /// Everything up to here was read.
        end: i64,
        /// There was nothing behind `end` when it was read.
        exhausted: bool,
    },
    /// Answers [`Action::Publish`]: the broker has it for good.
    Acknowledged {
        /// Which.
        position: i64,
    },
    /// Answers [`Action::Settle`]: it is durable.
    Settled,
    /// There may be new events.
    Appended,
    /// Time went by: to be given at [`Relay::wake_at`].
    Tick,
    /// The lease is over, or a write was refused for its epoch.
    Lost,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read on in the log: [`Input::Fetched`].
    Fetch {
        /// Behind this position.
        after: i64,
        /// Messages at most.
        messages_max: usize,
    },
    /// Publish under the message's own id, until the broker acknowledges:
    /// [`Input::Acknowledged`]. Its data is not needed any more then.
    Publish {
        /// Which.
        message: Message,
    },
    /// Persist the position, fenced by the epoch: [`Input::Settled`]. One at a time.
    Settle {
        /// Everything up to here is acknowledged.
        position: i64,
        /// Of the lease.
        epoch: i64,
    },
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relay {
    settings: Settings,
    epoch: i64,
    lost: bool,
    window: crate::consumer::Window,
    /// Of each key what waits for its turn, the first of it being published or next.
    keys: BTreeMap<u128, VecDeque<Message>>,
    /// Firsts of keys that are not published yet.
    ready: BTreeSet<(i64, u128)>,
    in_flight: BTreeMap<i64, u128>,
    persisted: i64,
    acknowledged: usize,
    settle_at: Option<i64>,
    settling: bool,
    fetching: bool,
    more: bool,
}

impl Relay {
    /// Begins with a lease, at the durable position.
    pub fn leased(settings: Settings, epoch: i64, position: i64) -> (Self, Vec<Action>) {
        let mut relay = Self {
            settings,
            epoch,
            lost: false,
            window: crate::consumer::Window::new(position),
            keys: BTreeMap::new(),
            ready: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            persisted: position,
            acknowledged: 0,
            settle_at: None,
            settling: false,
            fetching: false,
            more: true,
        };
        let mut actions = Vec::new();
        relay.fetch(&mut actions);
        (relay, actions)
    }

    /// Takes what happened, and says what is to be done. `now` is in microseconds since 1970; an
    /// input that answers nothing that was asked changes nothing.
    pub fn step(&mut self, now: i64, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.lost {
            return actions;
        }
        match input {
            Input::Fetched { messages, end, exhausted } => self.fetched(messages, end, exhausted),
            Input::Acknowledged { position } => self.acknowledge(position),
            Input::Settled => self.settling = false,
            Input::Appended => self.more = true,
            Input::Tick => {}
            Input::Lost => {
                self.lost = true;
                return actions;
            }
        }
        while self.in_flight.len() < self.settings.in_flight_max {
            let Some((position, key)) = self.ready.pop_first() else { break };
            let Some(first) = self.keys.get(&key).and_then(VecDeque::front) else { continue };
            self.in_flight.insert(position, key);
            actions.push(Action::Publish { message: *first });
        }
        self.fetch(&mut actions);
        self.settle(now, &mut actions);
        actions
    }

    /// When [`Input::Tick`] is to be given, in microseconds since 1970; none where only another
    /// input can move the machine.
    pub fn wake_at(&self) -> Option<i64> {
        self.settle_at.filter(|_| !self.settling && !self.lost)
    }

    /// Everything up to here is acknowledged, durably.
    pub fn position(&self) -> i64 {
        self.persisted
    }

    fn fetched(&mut self, messages: Vec<Message>, end: i64, exhausted: bool) {
        if !std::mem::take(&mut self.fetching) {
            return;
        }
        self.more |= !exhausted;
        let before = self.window.read();
        for message in messages.into_iter().filter(|message| message.position > before) {
            self.window.add(message.position);
            let queue = self.keys.entry(message.key).or_default();
            queue.push_back(message);
            if queue.len() == 1 {
                self.ready.insert((message.position, message.key));
            }
        }
        self.window.read_to(end);
    }

    fn acknowledge(&mut self, position: i64) {
        let Some(key) = self.in_flight.remove(&position) else { return };
        self.window.settle(position);
        self.acknowledged += 1;
        let Some(queue) = self.keys.get_mut(&key) else { return };
        queue.pop_front();
        match queue.front() {
            Some(next) => {
                self.ready.insert((next.position, key));
            }
            None => {
                self.keys.remove(&key);
            }
        }
    }

    fn fetch(&mut self, actions: &mut Vec<Action>) {
        let messages_max = self.settings.unsettled_max.saturating_sub(self.window.len());
        let worth = messages_max > 0 && messages_max * 4 >= self.settings.unsettled_max;
        if self.more && !self.fetching && worth {
            self.fetching = true;
            self.more = false;
            actions.push(Action::Fetch { after: self.window.read(), messages_max });
        }
    }

    fn settle(&mut self, now: i64, actions: &mut Vec<Action>) {
        let position = self.window.settled();
        if self.settling || position <= self.persisted {
            return;
        }
        let at = now.saturating_add(self.settings.settle_interval_micros);
        let at = *self.settle_at.get_or_insert(at);
        if at <= now || self.acknowledged >= self.settings.settle_count_max {
            self.settle_at = None;
            self.acknowledged = 0;
            self.persisted = position;
            self.settling = true;
            actions.push(Action::Settle { position, epoch: self.epoch });
        }
    }
}

#[cfg(test)]
mod explore_tests;
#[cfg(test)]
mod tests {
    use super::*;

    fn message(position: i64, key: u128) -> Message {
        Message { position, event: position.unsigned_abs().into(), key }
    }

    fn publish(position: i64, key: u128) -> Action {
        Action::Publish { message: message(position, key) }
    }

    #[test]
    fn a_key_waits_for_its_acknowledgement_and_the_position_for_all() {
        let (mut relay, actions) = Relay::leased(Settings::default(), 4, 10);
        assert_eq!(actions, [Action::Fetch { after: 10, messages_max: 2_048 }]);
        let messages = vec![message(11, 7), message(12, 7), message(14, 8)];
        let actions = relay.step(0, Input::Fetched { messages, end: 20, exhausted: true });
        assert_eq!(actions, [publish(11, 7), publish(14, 8)]);
        assert_eq!(relay.step(1, Input::Acknowledged { position: 14 }), []);
        assert_eq!(relay.step(2, Input::Acknowledged { position: 11 }), [publish(12, 7)]);
        assert_eq!(relay.wake_at(), Some(100_002));
        let settle = |position| Action::Settle { position, epoch: 4 };
        assert_eq!(relay.step(100_002, Input::Tick), [settle(11)]);
        assert_eq!(relay.step(100_003, Input::Acknowledged { position: 12 }), []);
        assert_eq!(relay.step(100_004, Input::Settled), []);
        assert_eq!(relay.step(200_004, Input::Tick), [settle(20)]);
    }

    #[test]
    fn no_more_is_published_than_allowed_and_nothing_after_the_lease() {
        let settings = Settings { in_flight_max: 1, ..Settings::default() };
        let (mut relay, _) = Relay::leased(settings, 1, 0);
        let messages = vec![message(1, 7), message(2, 8)];
        let actions = relay.step(0, Input::Fetched { messages, end: 2, exhausted: true });
        assert_eq!(actions, [publish(1, 7)]);
        assert_eq!(relay.step(0, Input::Lost), []);
        assert_eq!(relay.step(0, Input::Acknowledged { position: 1 }), []);
        assert_eq!(relay.wake_at(), None);
    }
}
