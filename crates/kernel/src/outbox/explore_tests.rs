//! A relay and the receiver behind the broker, together: commits, publications, deliveries, crashes
//! on both sides, and leases that pass on.
//!
//! The broker is the set of what was ever sent: it delivers what is not acknowledged any number of
//! times, keys in any order, and so often as the budget says what was acknowledged too.

use super::*;
use crate::explore::{Explored, World, explore};
use crate::inbox::{self, Delivery};
use crate::retry::Ladder;

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mutation {
    None,
    PublishBeforeCommit,
    SettleBeforeAck,
    NoKeyOrder,
    NoFencing,
    NoInbox,
    AckBeforeCommit,
}

/// What may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Budget {
    crashes: u8,
    takeovers: u8,
    duplicates: u8,
    failures: u8,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    epoch: i64,
    relay: Relay,
    actions: BTreeSet<Action>,
    answers: BTreeSet<Input>,
}

/// A delivery, and what the receiver has to do about it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Receiving {
    delivery: Delivery,
    action: inbox::Action,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Relaying {
    mutation: Mutation,
    keys: Vec<u128>,
    left: Budget,
    /// How many changes are committed, each with its event.
    committed: i64,
    epoch: i64,
    position: i64,
    fell: bool,
    relays: [Option<Process>; 2],
    /// What the broker was ever given, in the order of the first time.
    sent: Vec<i64>,
    acknowledged: BTreeSet<i64>,
    receiving: BTreeMap<i64, Receiving>,
    inbox: BTreeSet<i64>,
    effects: Vec<i64>,
    dead: BTreeSet<i64>,
}

const NAMES: [&str; 2] = ["A", "B"];

impl Process {
    fn give(&mut self, input: Input) {
        self.actions.extend(self.relay.step(0, input));
    }
}

impl Relaying {
    fn new(mutation: Mutation, keys: &[u128], left: Budget) -> Self {
        Self {
            mutation,
            keys: keys.to_vec(),
            left,
            committed: 0,
            epoch: 0,
            position: 0,
            fell: false,
            relays: [None, None],
            sent: Vec::new(),
            acknowledged: BTreeSet::new(),
            receiving: BTreeMap::new(),
            inbox: BTreeSet::new(),
            effects: Vec::new(),
            dead: BTreeSet::new(),
        }
    }

    fn key(&self, position: i64) -> u128 {
        let at = usize::try_from(position - 1).expect("positions begin at 1");
        self.keys[at]
    }

    fn last(&self) -> i64 {
        i64::try_from(self.keys.len()).expect("few")
    }

    fn send(&mut self, position: i64) {
        if !self.sent.contains(&position) {
            self.sent.push(position);
        }
    }

    fn relay(&mut self, who: usize) -> &mut Process {
        self.relays[who].as_mut().expect("a relay that acts is there")
    }

    fn commits(&self, all: &mut Vec<(String, Self)>) {
        let position = self.committed + 1;
        if position > self.last() {
            return;
        }
        if self.mutation == Mutation::PublishBeforeCommit && !self.sent.contains(&position) {
            let mut next = self.clone();
            next.send(position);
            all.push((format!("event {position} is published before its change"), next));
            return;
        }
        let mut next = self.clone();
        next.committed = position;
        for process in next.relays.iter_mut().flatten() {
            process.give(Input::Appended);
        }
        all.push((format!("change {position} is committed with its event"), next));
    }

    fn leases(&self, all: &mut Vec<(String, Self)>) {
        let owned = self.relays.iter().flatten().any(|process| process.epoch == self.epoch);
        let free = self.relays.iter().position(Option::is_none);
        let Some(who) = free.filter(|_| !owned || self.left.takeovers > 0) else { return };
        let mut next = self.clone();
        next.left.takeovers -= u8::from(owned);
        next.epoch += 1;
        let settings = Settings {
            in_flight_max: 2,
            unsettled_max: 4,
            settle_count_max: 1,
            settle_interval_micros: 0,
        };
        let (relay, actions) = Relay::leased(settings, next.epoch, self.position);
        let actions = actions.into_iter().collect();
        let process = Process { epoch: next.epoch, relay, actions, answers: BTreeSet::new() };
        next.relays[who] = Some(process);
        all.push((format!("{} leases the log at {}", NAMES[who], self.position), next));
    }

    fn relays(&self, who: usize, action: &Action, all: &mut Vec<(String, Self)>) {
        let name = NAMES[who];
        let mut next = self.clone();
        next.relay(who).actions.remove(action);
        match action {
            Action::Fetch { after, .. } => {
                let read = after + 1..=self.committed;
                let messages = read.map(|position| {
                    let event = position.unsigned_abs().into();
                    let ordered = self.mutation != Mutation::NoKeyOrder;
                    let key = if ordered { self.key(position) } else { event };
                    Message { position, event, key }
                });
                let messages: Vec<Message> = messages.collect();
                let end = self.committed;
                next.relay(who).give(Input::Fetched { messages, end, exhausted: true });
                all.push((format!("{name} reads {} to {end}", after + 1), next));
            }
            Action::Publish { message } => {
                let position = message.position;
                next.send(position);
                next.relay(who).answers.insert(Input::Acknowledged { position });
                all.push((format!("{name} publishes {position}"), next));
            }
            Action::Settle { position, epoch } => {
                if *epoch != self.epoch && self.mutation != Mutation::NoFencing {
                    next.relays[who] = None;
                    all.push((format!("{name} is refused, and ends"), next));
                    return;
                }
                let early = self.mutation == Mutation::SettleBeforeAck;
                let read = next.relay(who).relay.window.read();
                next.position = if early { read } else { *position };
                next.fell |= next.position < self.position;
                next.relay(who).answers.insert(Input::Settled);
                all.push((format!("{name} settles {}", next.position), next));
            }
        }
    }

    fn delivers(&self, all: &mut Vec<(String, Self)>) {
        for (nth, position) in self.sent.iter().enumerate() {
            let key = self.key(*position);
            let mut earlier = self.sent[..nth].iter().filter(|other| self.key(**other) == key);
            let again = self.acknowledged.contains(position);
            let turn = earlier.all(|other| self.acknowledged.contains(other));
            let allowed = if again { self.left.duplicates > 0 } else { turn };
            if !allowed || self.receiving.contains_key(position) {
                continue;
            }
            let mut next = self.clone();
            next.left.duplicates -= u8::from(again);
            let (delivery, action) = Delivery::arrived(0);
            next.receiving.insert(*position, Receiving { delivery, action });
            all.push((format!("{position} is delivered"), next));
        }
    }

    fn told(&self, position: i64, input: inbox::Input, world: &Self) -> Self {
        let ladder = Ladder::Fixed { delays_micros: vec![0, 0], jitter_percent: 0 };
        let mut next = world.clone();
        let Some(receiving) = next.receiving.get_mut(&position) else { return next };
        match receiving.delivery.step(&ladder, input) {
            Some(action) => receiving.action = action,
            None => {
                next.receiving.remove(&position);
            }
        }
        next
    }

    fn receives(&self, position: i64, action: inbox::Action, all: &mut Vec<(String, Self)>) {
        let mut next = self.clone();
        match action {
            inbox::Action::LookUp => {
                let known = self.inbox.contains(&position) && self.mutation != Mutation::NoInbox;
                let next = self.told(position, inbox::Input::LookedUp { known }, self);
                all.push((format!("the inbox is asked for {position}: {known}"), next));
                if self.mutation == Mutation::AckBeforeCommit {
                    let (told, next) = all.last_mut().expect("just pushed");
                    next.acknowledged.insert(position);
                    told.push_str(", and it is acknowledged");
                }
            }
            inbox::Action::Commit => {
                if self.inbox.contains(&position) && self.mutation != Mutation::NoInbox {
                    let next = self.told(position, inbox::Input::Known, self);
                    all.push((format!("{position} is refused by the inbox"), next));
                    return;
                }
                if self.left.failures > 0 {
                    next.left.failures -= 1;
                    let poison = self.told(position, inbox::Input::Poison, &next);
                    all.push((format!("{position} fails for good"), poison));
                    let failed = inbox::Input::Failed { retry_after_micros: None, random: 0 };
                    let failed = self.told(position, failed, &next);
                    all.push((format!("{position} fails for a while"), failed));
                }
                let mut done = self.clone();
                done.inbox.insert(position);
                done.effects.push(position);
                let done = self.told(position, inbox::Input::Committed, &done);
                all.push((format!("{position} takes effect"), done));
            }
            inbox::Action::Hold => {
                next.dead.insert(position);
                next.inbox.insert(position);
                let next = self.told(position, inbox::Input::Held, &next);
                all.push((format!("{position} is kept as dead"), next));
            }
            inbox::Action::Ack => {
                next.acknowledged.insert(position);
                next.receiving.remove(&position);
                all.push((format!("{position} is acknowledged"), next));
            }
            inbox::Action::Nack { .. } => {
                next.receiving.remove(&position);
                all.push((format!("{position} is sent back"), next));
            }
        }
    }

    fn crashes(&self, all: &mut Vec<(String, Self)>) {
        if self.left.crashes == 0 {
            return;
        }
        let mut crashed = self.clone();
        crashed.left.crashes -= 1;
        for who in (0..2).filter(|who| self.relays[*who].is_some()) {
            let mut next = crashed.clone();
            next.relays[who] = None;
            all.push((format!("{} crashes", NAMES[who]), next));
        }
        if !self.receiving.is_empty() {
            let mut next = crashed.clone();
            next.receiving.clear();
            all.push(("the receiver crashes".to_owned(), next));
        }
        if self.sent.iter().any(|position| *position > self.committed) {
            let mut next = crashed;
            next.keys.truncate(usize::try_from(self.committed).expect("few"));
            all.push(("the writer crashes, its change is not committed".to_owned(), next));
        }
    }
}

impl World for Relaying {
    fn next(&self) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        if self.wrong().is_some() {
            return all;
        }
        self.commits(&mut all);
        self.leases(&mut all);
        self.delivers(&mut all);
        self.crashes(&mut all);
        for (who, process) in self.relays.iter().enumerate() {
            let Some(process) = process else { continue };
            for action in &process.actions {
                self.relays(who, action, &mut all);
            }
            for answer in &process.answers {
                let mut next = self.clone();
                next.relay(who).answers.remove(answer);
                next.relay(who).give(answer.clone());
                all.push((format!("{} learns {answer:?}", NAMES[who]), next));
            }
        }
        for (position, receiving) in &self.receiving {
            self.receives(*position, receiving.action, &mut all);
        }
        all
    }

    fn wrong(&self) -> Option<String> {
        let invented = self.sent.iter().find(|position| **position > self.last());
        if let Some(position) = invented {
            return Some(format!("{position} was published, and never happened"));
        }
        if self.fell {
            return Some("the position fell".to_owned());
        }
        for (list, what) in [(&self.sent, "was published"), (&self.effects, "took effect")] {
            for (nth, at) in list.iter().enumerate() {
                let key = self.key(*at);
                let mut earlier = list[..nth].iter();
                if earlier.clone().any(|then| then == at) {
                    return Some(format!("{at} {what} twice"));
                }
                if let Some(then) = earlier.find(|then| *then > at && self.key(**then) == key) {
                    return Some(format!("{at} {what} after {then} of its key"));
                }
            }
        }
        let lost = (1..=self.position).find(|position| !self.sent.contains(position));
        lost.map(|lost| format!("{lost} is settled and was never published"))
    }

    fn is_end(&self) -> bool {
        let over = |at: i64| self.effects.contains(&at) || self.dead.contains(&at);
        self.position == self.last() && (1..=self.last()).all(over)
    }
}

const NOTHING: Budget = Budget { crashes: 0, takeovers: 0, duplicates: 0, failures: 0 };

fn explored(keys: &[u128], left: Budget) -> Explored {
    match explore(Relaying::new(Mutation::None, keys, left), 1_000_000) {
        Ok(explored) => explored,
        Err(story) => panic!("{keys:?} {left:?}:\n{story}"),
    }
}

/// The story that a broken world comes to ends with a sentence.
fn ends_with(mutation: Mutation, keys: &[u128], left: Budget, end: &str) {
    match explore(Relaying::new(mutation, keys, left), 200_000) {
        Ok(explored) => panic!("{mutation:?} is not found: {explored:?}"),
        Err(story) => assert!(story.ends_with(&format!("{end}\n")), "{story}"),
    }
}

#[test]
fn what_is_committed_is_published_in_order_and_takes_effect_once() {
    let left = Budget { crashes: 1, duplicates: 1, ..NOTHING };
    assert_eq!(explored(&[7, 7], left), Explored { states: 3_312, ends: 248 });
    let left = Budget { failures: 1, ..NOTHING };
    assert_eq!(explored(&[7, 8], left), Explored { states: 5_587, ends: 240 });
}

#[test]
fn two_relays_at_once_repeat_and_lose_nothing() {
    let left = Budget { takeovers: 1, ..NOTHING };
    assert_eq!(explored(&[7, 7], left), Explored { states: 11_748, ends: 464 });
}

#[test]
fn what_is_published_before_its_commit_may_never_have_happened() {
    let left = Budget { crashes: 1, ..NOTHING };
    let end = "1 was published, and never happened";
    ends_with(Mutation::PublishBeforeCommit, &[7], left, end);
}

#[test]
fn a_position_that_goes_past_what_is_not_acknowledged_loses_it() {
    let end = "2 is settled and was never published";
    ends_with(Mutation::SettleBeforeAck, &[7, 7], NOTHING, end);
}

#[test]
fn a_relay_without_the_order_of_keys_publishes_the_later_first() {
    let end = "1 was published after 2 of its key";
    ends_with(Mutation::NoKeyOrder, &[7, 7], NOTHING, end);
}

#[test]
fn without_fencing_an_earlier_relay_turns_the_position_back() {
    let left = Budget { takeovers: 1, ..NOTHING };
    ends_with(Mutation::NoFencing, &[7, 8], left, "the position fell");
}

#[test]
fn without_inbox_a_repeated_delivery_takes_effect_again() {
    let left = Budget { duplicates: 1, ..NOTHING };
    ends_with(Mutation::NoInbox, &[7], left, "1 took effect twice");
}

#[test]
fn what_is_acknowledged_before_its_commit_is_lost_at_a_crash() {
    let left = Budget { crashes: 1, ..NOTHING };
    let end = "from here it can never finish";
    ends_with(Mutation::AckBeforeCommit, &[7], left, end);
}
