//! A relay and a reader behind the broker, both on the machine: commits, publications, deliveries,
//! crashes on either side, and a claim of the relay that passes on while its owner still works.
//!
//! The topic is the list of what was ever sent, repetitions among it; a reader knows a message by
//! its place there, and the inbox by its event.

use super::*;
use crate::explore::{Explored, World, explore};

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mutation {
    None,
    PublishBeforeCommit,
    DoneBeforeAnswer,
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
    unavailable: u8,
}

/// Who works: the first two relay, the last reads.
const NAMES: [&str; 3] = ["relay A", "relay B", "the reader"];
const READER: usize = 2;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Worker {
    epoch: u8,
    machine: Consumer,
    actions: BTreeSet<Action>,
    answers: BTreeSet<Input>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Relaying {
    mutation: Mutation,
    settings: Arc<Settings>,
    keys: Vec<u128>,
    left: Budget,
    /// Somebody reads; else only what is published counts.
    reads: bool,
    /// How many changes are committed, each with its event.
    committed: i64,
    epoch: u8,
    relayed: i64,
    fell: bool,
    workers: [Option<Worker>; 3],
    /// Numbers of events, in the order in which the broker took them.
    topic: Vec<i64>,
    /// The reader's place in it.
    read: i64,
    inbox: BTreeSet<i64>,
    effects: Vec<i64>,
    /// Told to be done and not yet ([`Mutation::AckBeforeCommit`]).
    late: BTreeSet<i64>,
}

impl Worker {
    fn take(&mut self, actions: Vec<Action>) {
        let kept = |action: &Action| !matches!(action, Action::Forget { .. } | Action::Drained);
        self.actions.extend(actions.into_iter().filter(kept));
    }

    fn give(&mut self, input: Input) {
        let actions = self.machine.step(0, input);
        self.take(actions);
    }
}

impl Relaying {
    fn new(mutation: Mutation, keys: &[u128], left: Budget) -> Self {
        let settings = Settings {
            in_flight_max: 2,
            settle_count_max: 1,
            settle_interval_micros: 0,
            ..Settings::default()
        };
        Self {
            mutation,
            settings: Arc::new(settings),
            keys: keys.to_vec(),
            left,
            // Two relays and a reader have too many states.
            reads: left.takeovers == 0,
            committed: 0,
            epoch: 0,
            relayed: 0,
            fell: false,
            workers: [None, None, None],
            topic: Vec::new(),
            read: 0,
            inbox: BTreeSet::new(),
            effects: Vec::new(),
            late: BTreeSet::new(),
        }
    }

    fn key(&self, event: i64) -> u128 {
        let at = usize::try_from(event - 1).expect("events begin at 1");
        self.keys[at]
    }

    fn last(&self) -> i64 {
        i64::try_from(self.keys.len()).expect("few")
    }

    fn worker(&mut self, who: usize) -> &mut Worker {
        self.workers[who].as_mut().expect("who acts is there")
    }

    /// The event of a place in the topic.
    fn sent(&self, place: i64) -> i64 {
        self.topic[usize::try_from(place - 1).expect("places begin at 1")]
    }

    fn send(&mut self, event: i64) {
        self.topic.push(event);
        if let Some(reader) = &mut self.workers[READER] {
            reader.give(Input::Appended);
        }
    }

    fn commits(&self, all: &mut Vec<(String, Self)>) {
        let event = self.committed + 1;
        if event > self.last() {
            return;
        }
        let mut next = self.clone();
        if self.mutation == Mutation::PublishBeforeCommit && !self.topic.contains(&event) {
            next.send(event);
            all.push((format!("event {event} is published before its change"), next));
            return;
        }
        next.committed = event;
        for relay in next.workers[..READER].iter_mut().flatten() {
            relay.give(Input::Appended);
        }
        all.push((format!("change {event} is committed with its event"), next));
    }

    fn claims(&self, all: &mut Vec<(String, Self)>) {
        let begin = |who: usize, epoch: u8, position: i64, mut next: Self| {
            let (machine, actions) = Consumer::claimed(Arc::clone(&self.settings), position);
            let (actions, answers) = (actions.into_iter().collect(), BTreeSet::new());
            next.workers[who] = Some(Worker { epoch, machine, actions, answers });
            (format!("{} begins at {position}", NAMES[who]), next)
        };
        if self.reads && self.workers[READER].is_none() {
            all.push(begin(READER, 0, self.read, self.clone()));
        }
        let relays = &self.workers[..READER];
        let owned = relays.iter().flatten().any(|relay| relay.epoch == self.epoch);
        let Some(who) = relays.iter().position(Option::is_none) else { return };
        if !owned || self.left.takeovers > 0 {
            let mut next = self.clone();
            next.left.takeovers -= u8::from(owned);
            next.epoch += 1;
            all.push(begin(who, next.epoch, self.relayed, next));
        }
    }

    fn fetch(&self, who: usize, after: i64) -> Input {
        let end = match who {
            READER => i64::try_from(self.topic.len()).expect("few"),
            _ => self.committed,
        };
        let messages = (after + 1..=end).map(|position| {
            let number = if who == READER { self.sent(position) } else { position };
            let event: u128 = number.unsigned_abs().into();
            let ordered = self.mutation != Mutation::NoKeyOrder;
            Message { position, event, key: if ordered { self.key(number) } else { event } }
        });
        Input::Fetched { messages: messages.collect(), end: end.max(after), exhausted: true }
    }

    fn commit(&mut self, event: i64) {
        if self.mutation == Mutation::NoInbox || self.inbox.insert(event) {
            self.effects.push(event);
        }
    }

    fn carries_out(&self, who: usize, action: &Action, all: &mut Vec<(String, Self)>) {
        let name = NAMES[who];
        let mut next = self.clone();
        next.worker(who).actions.remove(action);
        match action {
            Action::LoadHeads => {
                next.worker(who).give(Input::Heads { heads: Vec::new() });
                all.push((format!("{name} reads all heads"), next));
            }
            Action::LoadHead { key } => {
                next.worker(who).give(Input::Head { key: *key, head: None });
                all.push((format!("{name} reads the head of {key}"), next));
            }
            Action::Fetch { after, .. } => {
                let answer = self.fetch(who, *after);
                next.worker(who).give(answer);
                all.push((format!("{name} fetches behind {after}"), next));
            }
            Action::Run { message, .. } => self.runs(who, *message, next, all),
            Action::Persist { position, .. } => {
                if who == READER {
                    next.read = *position;
                } else if next.worker(who).epoch != self.epoch
                    && self.mutation != Mutation::NoFencing
                {
                    next.workers[who] = None;
                    all.push((format!("{name} learns that its claim is over"), next));
                    return;
                } else {
                    next.relayed = *position;
                    next.fell |= next.relayed < self.relayed;
                }
                next.worker(who).answers.insert(Input::Persisted);
                all.push((format!("{name} persists {position}"), next));
            }
            Action::Forget { .. } | Action::Drained => {}
        }
    }

    fn runs(&self, who: usize, message: Message, next: Self, all: &mut Vec<(String, Self)>) {
        let (name, position) = (NAMES[who], message.position);
        let event = i64::try_from(message.event).expect("small");
        let mut done = next;
        done.worker(who).answers.insert(Input::Done { position });
        if who == READER {
            match self.mutation {
                Mutation::AckBeforeCommit => drop(done.late.insert(event)),
                _ => done.commit(event),
            }
            all.push((format!("{event} is done by {name}"), done));
            return;
        }
        if self.mutation == Mutation::DoneBeforeAnswer {
            all.push((format!("{name} does not wait for the broker with {event}"), done));
            return;
        }
        if self.left.unavailable > 0 {
            // The broker took it, and its answer was lost: it is published again.
            let mut lost = self.clone();
            lost.left.unavailable -= 1;
            lost.send(event);
            all.push((format!("{name} publishes {event}, and hears nothing"), lost));
        }
        done.send(event);
        all.push((format!("{name} publishes {event}"), done));
    }

    fn crashes(&self, all: &mut Vec<(String, Self)>) {
        if self.left.crashes == 0 {
            return;
        }
        let mut crashed = self.clone();
        crashed.left.crashes -= 1;
        for who in (0..NAMES.len()).filter(|who| self.workers[*who].is_some()) {
            let mut next = crashed.clone();
            next.workers[who] = None;
            if who == READER {
                next.late.clear();
            }
            all.push((format!("{} crashes", NAMES[who]), next));
        }
        if self.topic.iter().any(|event| *event > self.committed) {
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
        self.claims(&mut all);
        self.crashes(&mut all);
        for (who, worker) in self.workers.iter().enumerate() {
            let Some(worker) = worker else { continue };
            for action in &worker.actions {
                self.carries_out(who, action, &mut all);
            }
            for answer in &worker.answers {
                let mut next = self.clone();
                next.worker(who).answers.remove(answer);
                next.worker(who).give(answer.clone());
                all.push((format!("{} learns {answer:?}", NAMES[who]), next));
            }
        }
        for event in &self.late {
            let mut next = self.clone();
            next.late.remove(event);
            next.commit(*event);
            all.push((format!("{event} is committed"), next));
        }
        all
    }

    fn wrong(&self) -> Option<String> {
        if let Some(event) = self.topic.iter().find(|event| **event > self.last()) {
            return Some(format!("{event} was published, and never happened"));
        }
        if self.fell {
            return Some("the position fell".to_owned());
        }
        let first = |event: &i64| self.topic.iter().position(|sent| sent == event);
        let overtaken = (2..=self.last()).find(|event| {
            let before = (1..*event).rev().find(|before| self.key(*before) == self.key(*event));
            before.is_some_and(|before| match (first(&before), first(event)) {
                (Some(before), Some(event)) => before > event,
                (None, Some(_)) => true,
                _ => false,
            })
        });
        if let Some(event) = overtaken {
            return Some(format!("{event} was published before another of its key"));
        }
        for (nth, event) in self.effects.iter().enumerate() {
            let earlier = &self.effects[..nth];
            if earlier.contains(event) {
                return Some(format!("{event} took effect twice"));
            }
            let of_key = |then: &&i64| self.key(**then) == self.key(*event);
            if let Some(then) = earlier.iter().filter(of_key).find(|then| *then > event) {
                return Some(format!("{event} took effect after {then} of its key"));
            }
        }
        if let Some(lost) = (1..=self.relayed).find(|event| !self.topic.contains(event)) {
            return Some(format!("{lost} is settled and was never published"));
        }
        let done = |event: &i64| self.inbox.contains(event) || self.late.contains(event);
        let lost = (1..=self.read).map(|place| self.sent(place)).find(|event| !done(event));
        lost.filter(|_| self.mutation != Mutation::NoInbox)
            .map(|lost| format!("{lost} was read and is lost"))
    }

    fn is_end(&self) -> bool {
        if self.relayed != self.last() || !self.reads {
            return self.relayed == self.last();
        }
        let all = (1..=self.last()).all(|event| self.effects.contains(&event));
        self.read == i64::try_from(self.topic.len()).expect("few") && all
    }
}

const NOTHING: Budget = Budget { crashes: 0, takeovers: 0, unavailable: 0 };

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
    let left = Budget { crashes: 1, ..NOTHING };
    assert_eq!(explored(&[7, 7], left), Explored { states: 8_306, ends: 96 });
    assert_eq!(explored(&[7, 8], left), Explored { states: 58_712, ends: 432 });
    let left = Budget { unavailable: 1, ..NOTHING };
    assert_eq!(explored(&[7, 7], left), Explored { states: 5_116, ends: 48 });
}

#[test]
fn two_relays_at_once_repeat_and_lose_nothing() {
    let left = Budget { takeovers: 1, ..NOTHING };
    assert_eq!(explored(&[7, 7], left), Explored { states: 1_565, ends: 224 });
}

#[test]
fn what_is_published_before_its_commit_may_never_have_happened() {
    let left = Budget { crashes: 1, ..NOTHING };
    let end = "1 was published, and never happened";
    ends_with(Mutation::PublishBeforeCommit, &[7], left, end);
}

#[test]
fn what_is_settled_without_the_answer_of_the_broker_is_lost() {
    let end = "1 is settled and was never published";
    ends_with(Mutation::DoneBeforeAnswer, &[7], NOTHING, end);
}

#[test]
fn without_the_order_of_keys_a_later_event_is_published_first() {
    let end = "2 was published before another of its key";
    ends_with(Mutation::NoKeyOrder, &[7, 7], NOTHING, end);
}

#[test]
fn without_fencing_an_earlier_relay_turns_the_position_back() {
    let left = Budget { takeovers: 1, ..NOTHING };
    ends_with(Mutation::NoFencing, &[7, 8], left, "the position fell");
}

#[test]
fn without_inbox_a_repeated_publication_takes_effect_again() {
    let left = Budget { unavailable: 1, ..NOTHING };
    ends_with(Mutation::NoInbox, &[7], left, "1 took effect twice");
}

#[test]
fn what_is_acknowledged_before_its_commit_is_lost_in_a_crash() {
    let left = Budget { crashes: 1, ..NOTHING };
    ends_with(Mutation::AckBeforeCommit, &[7], left, "1 was read and is lost");
}
