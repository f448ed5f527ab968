//! Every interleaving of owners of one part, with crashes, claims that pass on, failures, and what
//! people do about dead ones.

use super::*;
use crate::explore::{Explored, World, explore};
use crate::retry::Ladder;

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mutation {
    None,
    NoInbox,
    AckBeforeCommit,
    SettleBeforeDone,
    NoKeyOrder,
    NoFencing,
    RowsOneByOne,
    HoldsWhatIsDone,
    DiscardsAlone,
    RetryForEver,
}

/// What may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Budget {
    crashes: u8,
    takeovers: u8,
    transient: u8,
    poison: u8,
    remedies: u8,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    epoch: u8,
    machine: Consumer,
    actions: BTreeSet<Action>,
    answers: BTreeSet<Input>,
    /// Acknowledged and not committed yet ([`Mutation::AckBeforeCommit`]).
    late: BTreeSet<Message>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Consumption {
    mutation: Mutation,
    settings: Arc<Settings>,
    log: Arc<[Message]>,
    left: Budget,
    epoch: u8,
    position: i64,
    inbox: BTreeSet<i64>,
    given_up: BTreeSet<i64>,
    effects: Vec<i64>,
    held: BTreeMap<i64, Held>,
    /// Were dead once.
    died: BTreeSet<i64>,
    /// The position was lower than before.
    fell: bool,
    processes: [Option<Process>; 2],
}

const NAMES: [&str; 2] = ["A", "B"];

impl Process {
    fn take(&mut self, actions: Vec<Action>) {
        let kept = |action: &Action| !matches!(action, Action::Forget { .. } | Action::Drained);
        self.actions.extend(actions.into_iter().filter(kept));
    }

    fn give(&mut self, input: Input) {
        let actions = self.machine.step(0, input);
        self.take(actions);
    }
}

impl Consumption {
    fn new(mutation: Mutation, policy: Policy, keys: &[u128], left: Budget) -> Self {
        let attempts = if mutation == Mutation::RetryForEver { 200 } else { 2 };
        let ladder = Ladder::Fixed { delays_micros: vec![0; attempts], jitter_percent: 0 };
        let settings = Settings {
            policy,
            ladder,
            in_flight_max: 2,
            fetch_max: 2,
            settle_count_max: 1,
            settle_interval_micros: 0,
            heads_interval_micros: 0,
            ..Settings::default()
        };
        let log = keys.iter().zip(1..).map(|(key, position)| Message {
            position,
            event: position.unsigned_abs().into(),
            key: *key,
        });
        Self {
            mutation,
            settings: Arc::new(settings),
            log: log.collect(),
            left,
            epoch: 0,
            position: 0,
            inbox: BTreeSet::new(),
            given_up: BTreeSet::new(),
            effects: Vec::new(),
            held: BTreeMap::new(),
            died: BTreeSet::new(),
            fell: false,
            processes: [None, None],
        }
    }

    fn key(&self, position: i64) -> u128 {
        self.log.iter().find(|message| message.position == position).map_or(0, |found| found.key)
    }

    /// The first of each key, without dead ones where those let their key go on.
    fn heads(&self, key: Option<u128>) -> Vec<Held> {
        let skip = self.settings.policy == Policy::Skip;
        let mut heads: BTreeMap<u128, Held> = BTreeMap::new();
        for row in self.held.values() {
            let counts = !(skip && row.state == State::Dead);
            if counts && key.is_none_or(|key| key == row.message.key) {
                heads.entry(row.message.key).or_insert(*row);
            }
        }
        let mut heads: Vec<Held> = heads.into_values().collect();
        if skip && key.is_none() {
            let dead = self.held.values().filter(|row| row.state == State::Dead);
            heads.extend(dead.filter(|row| row.message.position > self.position));
        }
        heads
    }

    fn process(&mut self, who: usize) -> &mut Process {
        self.processes[who].as_mut().expect("a process that acts is there")
    }

    fn commit(&mut self, position: i64, held: bool) {
        let gone = held && !self.held.contains_key(&position);
        if self.mutation == Mutation::NoInbox || !(gone || self.inbox.contains(&position)) {
            self.effects.push(position);
            self.inbox.insert(position);
        }
        self.held.remove(&position);
    }

    /// Another owner of the claim.
    fn claims(&self, all: &mut Vec<(String, Self)>) {
        let owned = self.processes.iter().flatten().any(|process| process.epoch == self.epoch);
        if owned && self.left.takeovers == 0 {
            return;
        }
        let Some(who) = self.processes.iter().position(Option::is_none) else { return };
        let mut next = self.clone();
        next.left.takeovers -= u8::from(owned);
        next.epoch += 1;
        let (machine, actions) = Consumer::claimed(Arc::clone(&self.settings), self.position);
        let mut process = Process {
            epoch: next.epoch,
            machine,
            actions: BTreeSet::new(),
            answers: BTreeSet::new(),
            late: BTreeSet::new(),
        };
        process.take(actions);
        next.processes[who] = Some(process);
        all.push((format!("{} claims the part at {}", NAMES[who], self.position), next));
    }

    /// What people do about dead ones.
    fn remedies(&self, all: &mut Vec<(String, Self)>) {
        let dead = self.held.values().filter(|row| row.state == State::Dead);
        for row in dead.filter(|_| self.left.remedies > 0) {
            let position = row.message.position;
            let mut next = self.clone();
            next.left.remedies -= 1;
            let mut discarded = next.clone();
            let again = Held { state: State::Retry, attempts: 0, due: 0, ..*row };
            next.held.insert(position, again);
            all.push((format!("somebody redrives {position}"), next));
            discarded.held.remove(&position);
            if self.mutation != Mutation::DiscardsAlone {
                discarded.inbox.insert(position);
            }
            discarded.given_up.insert(position);
            all.push((format!("somebody discards {position}"), discarded));
        }
    }

    fn fetch(&self, after: i64, messages_max: usize) -> Input {
        let behind = self.log.iter().filter(|message| message.position > after);
        let mut messages: Vec<Message> = behind.copied().take(messages_max).collect();
        let end = messages.last().map_or(after, |last| last.position);
        let exhausted = self.log.last().is_none_or(|last| last.position <= end);
        if self.mutation == Mutation::NoKeyOrder {
            messages.iter_mut().for_each(|message| message.key = message.event);
        }
        Input::Fetched { messages, end, exhausted }
    }

    /// What carrying out an action comes to.
    fn carries_out(&self, who: usize, action: &Action, all: &mut Vec<(String, Self)>) {
        let name = NAMES[who];
        let mut next = self.clone();
        next.process(who).actions.remove(action);
        match action {
            Action::LoadHeads => {
                let heads = self.heads(None);
                next.process(who).answers.insert(Input::Heads { heads });
                all.push((format!("{name} reads all heads"), next));
            }
            Action::LoadHead { key } => {
                let head = self.heads(Some(*key)).first().copied();
                next.process(who).answers.insert(Input::Head { key: *key, head });
                all.push((format!("{name} reads the head of {key}"), next));
            }
            Action::Fetch { after, messages_max } => {
                let answer = self.fetch(*after, *messages_max);
                next.process(who).give(answer);
                all.push((format!("{name} fetches behind {after}"), next));
            }
            Action::Run { message, attempts, held } => {
                self.runs(who, *message, *attempts, *held, next, all);
            }
            Action::Persist { held, position } => {
                self.persists(who, held, *position, next, all);
            }
            Action::Forget { .. } | Action::Drained => {}
        }
    }

    fn runs(
        &self,
        who: usize,
        message: Message,
        attempts: u32,
        held: bool,
        next: Self,
        all: &mut Vec<(String, Self)>,
    ) {
        let (name, position) = (NAMES[who], message.position);
        let mut fails = |kind: &str, left: Budget, failure: Failure| {
            let mut failed = next.clone();
            failed.left = left;
            let answer = Input::Failed { position, failure, random: 0 };
            failed.process(who).answers.insert(answer);
            all.push((format!("{name} runs {position} (attempt {attempts}): {kind}"), failed));
        };
        let transient = Failure::Transient { retry_after_micros: None };
        if self.mutation == Mutation::RetryForEver && position == 1 {
            return fails("fails as always", self.left, transient);
        }
        if self.left.transient > 0 {
            let left = Budget { transient: self.left.transient - 1, ..self.left };
            fails("fails for a while", left, transient);
        }
        if self.left.poison > 0 {
            let left = Budget { poison: self.left.poison - 1, ..self.left };
            fails("fails for good", left, Failure::Poison);
        }
        let mut done = next;
        if self.mutation == Mutation::AckBeforeCommit {
            done.process(who).late.insert(message);
        } else {
            done.commit(position, held);
        }
        done.process(who).answers.insert(Input::Done { position });
        all.push((format!("{name} runs {position}: done"), done));
    }

    fn persists(
        &self,
        who: usize,
        held: &[Held],
        position: i64,
        mut next: Self,
        all: &mut Vec<(String, Self)>,
    ) {
        let name = NAMES[who];
        let stale = next.process(who).epoch != self.epoch;
        if stale && self.mutation != Mutation::NoFencing {
            next.processes[who] = None;
            all.push((format!("{name} would persist, and learns that its claim is over"), next));
            return;
        }
        let apart = self.mutation == Mutation::RowsOneByOne;
        let split = held.split_last().filter(|(_, others)| apart && !others.is_empty());
        if let Some((last, others)) = split {
            let mut alone = next.clone();
            alone.held.insert(last.message.position, *last);
            let rest = Action::Persist { held: others.to_vec(), position };
            alone.process(who).actions.insert(rest);
            all.push((format!("{name} holds {} alone", last.message.position), alone));
            return;
        }
        for row in held {
            let at = row.message.position;
            let done = self.inbox.contains(&at) && self.mutation != Mutation::HoldsWhatIsDone;
            if !done {
                next.held.insert(at, *row);
                if row.state == State::Dead && self.settings.policy == Policy::Skip {
                    next.died.insert(at);
                }
            }
        }
        next.position = match self.mutation {
            Mutation::SettleBeforeDone => next.process(who).machine.window.read(),
            _ => position,
        };
        next.fell |= next.position < self.position;
        next.process(who).answers.insert(Input::Persisted);
        let rows: Vec<String> =
            held.iter().map(|row| format!(", {} {:?}", row.message.position, row.state)).collect();
        all.push((format!("{name} persists {}{}", next.position, rows.concat()), next));
    }
}

impl World for Consumption {
    fn next(&self) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        self.claims(&mut all);
        self.remedies(&mut all);
        for (who, process) in self.processes.iter().enumerate() {
            let Some(process) = process else { continue };
            let name = NAMES[who];
            for action in &process.actions {
                self.carries_out(who, action, &mut all);
            }
            for answer in &process.answers {
                let mut next = self.clone();
                next.process(who).answers.remove(answer);
                next.process(who).give(answer.clone());
                all.push((format!("{name} learns {answer:?}"), next));
            }
            for message in &process.late {
                let mut next = self.clone();
                next.process(who).late.remove(message);
                next.commit(message.position, false);
                all.push((format!("{name} commits {}", message.position), next));
            }
            if self.left.crashes > 0 {
                let mut next = self.clone();
                next.left.crashes -= 1;
                next.processes[who] = None;
                all.push((format!("{name} crashes"), next));
            }
        }
        all
    }

    fn wrong(&self) -> Option<String> {
        let is_dead = |at: &i64| self.held.get(at).is_some_and(|row| row.state == State::Dead);
        for (nth, at) in self.effects.iter().enumerate() {
            let earlier = &self.effects[..nth];
            if earlier.contains(at) {
                return Some(format!("{at} took effect twice"));
            }
            if self.given_up.contains(at) {
                return Some(format!("{at} took effect and was discarded"));
            }
            if is_dead(at) {
                return Some(format!("{at} took effect and is dead"));
            }
            let later = earlier.iter().find(|then| *then > at && self.key(**then) == self.key(*at));
            // With `Skip` a dead one may be redriven when later ones are done.
            let skipped = self.settings.policy == Policy::Skip && self.died.contains(at);
            if let Some(then) = later.filter(|_| !skipped) {
                return Some(format!("{at} took effect after {then} of its key"));
            }
        }
        if self.fell {
            return Some("the position fell".to_owned());
        }
        let open = |at: &&Message| {
            at.position <= self.position
                && !self.inbox.contains(&at.position)
                && !self.held.contains_key(&at.position)
                && !self.given_up.contains(&at.position)
        };
        let lost = self.log.iter().find(open);
        let late = self.processes.iter().flatten().any(|process| !process.late.is_empty());
        lost.filter(|_| !late).map(|lost| format!("{} is settled and lost", lost.position))
    }

    fn is_end(&self) -> bool {
        let dead = |row: &&Held| row.state == State::Dead;
        let parked: BTreeSet<u128> =
            self.held.values().filter(dead).map(|row| row.message.key).collect();
        let over = |message: &Message| {
            let at = message.position;
            let excused = match self.settings.policy {
                Policy::Park => parked.contains(&message.key),
                Policy::Skip => self.held.get(&at).as_ref().is_some_and(dead),
                Policy::Block => !parked.is_empty(),
            };
            self.inbox.contains(&at) || excused
        };
        let last = self.log.last().map_or(0, |last| last.position);
        let blocked = self.settings.policy == Policy::Block && !parked.is_empty();
        self.log.iter().all(over) && (blocked || self.position == last)
    }
}

const NOTHING: Budget = Budget { crashes: 0, takeovers: 0, transient: 0, poison: 0, remedies: 0 };

fn explored(policy: Policy, keys: &[u128], left: Budget) -> Explored {
    let world = Consumption::new(Mutation::None, policy, keys, left);
    match explore(world, 1_000_000) {
        Ok(explored) => explored,
        Err(story) => panic!("{policy:?} {keys:?} {left:?}:\n{story}"),
    }
}

/// The story that a broken world ends with.
fn story(
    mutation: Mutation,
    policy: Policy,
    keys: &[u128],
    left: Budget,
    states_max: usize,
) -> String {
    match explore(Consumption::new(mutation, policy, keys, left), states_max) {
        Ok(explored) => panic!("{mutation:?} is not found: {explored:?}"),
        Err(story) => story,
    }
}

/// Each story ends with a sentence.
fn ends_with(story: &str, end: &str) {
    assert!(story.ends_with(&format!("{end}\n")), "{story}");
}

#[test]
fn after_crashes_every_message_takes_effect_once_and_in_order() {
    let left = Budget { crashes: 2, transient: 1, ..NOTHING };
    assert_eq!(explored(Policy::Park, &[7, 7, 8], left), Explored { states: 4_998, ends: 298 });
    let left = Budget { crashes: 1, ..NOTHING };
    assert_eq!(explored(Policy::Skip, &[7, 7, 8], left), Explored { states: 900, ends: 39 });
}

#[test]
fn two_owners_of_a_part_do_each_message_once_and_in_order() {
    let left = Budget { takeovers: 1, ..NOTHING };
    assert_eq!(explored(Policy::Park, &[7, 7, 8], left), Explored { states: 5_902, ends: 364 });
    let left = Budget { takeovers: 1, transient: 1, poison: 1, ..NOTHING };
    assert_eq!(explored(Policy::Park, &[7, 7], left), Explored { states: 10_092, ends: 7_535 });
    let left = Budget { takeovers: 1, poison: 1, ..NOTHING };
    assert_eq!(explored(Policy::Skip, &[7, 7], left), Explored { states: 3_177, ends: 1_202 });
}

#[test]
fn a_dead_message_parks_its_key_alone_and_people_can_let_it_go_on() {
    let left = Budget { crashes: 1, poison: 1, remedies: 1, ..NOTHING };
    assert_eq!(explored(Policy::Park, &[7, 7, 8], left), Explored { states: 18_887, ends: 1_980 });
    assert_eq!(explored(Policy::Block, &[7, 7, 8], left), Explored { states: 17_065, ends: 2_567 });
    assert_eq!(explored(Policy::Skip, &[7, 7], left), Explored { states: 1_494, ends: 389 });
}

#[test]
fn the_tightest_limits_stop_nothing_for_good() {
    let left = Budget { crashes: 1, transient: 1, ..NOTHING };
    let mut world = Consumption::new(Mutation::None, Policy::Park, &[7, 7, 8], left);
    let settings = (*world.settings).clone();
    let tight = Settings { in_flight_max: 1, fetch_max: 1, unsettled_max: 1, ..settings };
    world.settings = Arc::new(Settings { persist_rows_max: 1, held_keys_max: 1, ..tight });
    assert_eq!(explore(world, 100_000), Ok(Explored { states: 405, ends: 35 }));
}

#[test]
fn without_inbox_an_effect_happens_twice() {
    let left = Budget { crashes: 1, ..NOTHING };
    let story = story(Mutation::NoInbox, Policy::Park, &[7, 8], left, 100_000);
    ends_with(&story, "1 took effect twice");
}

#[test]
fn what_is_acknowledged_before_its_commit_is_lost() {
    let left = Budget { crashes: 1, ..NOTHING };
    let story = story(Mutation::AckBeforeCommit, Policy::Park, &[7, 8], left, 100_000);
    ends_with(&story, "1 is settled and lost");
}

#[test]
fn what_is_settled_before_it_is_done_is_lost() {
    let left = Budget { crashes: 1, ..NOTHING };
    let story = story(Mutation::SettleBeforeDone, Policy::Park, &[7, 8], left, 100_000);
    ends_with(&story, "2 is settled and lost");
}

#[test]
fn without_the_order_of_keys_a_later_message_overtakes() {
    let story = story(Mutation::NoKeyOrder, Policy::Park, &[7, 7], NOTHING, 100_000);
    let told = "1. A claims the part at 0\n";
    assert!(story.starts_with(told), "{story}");
    ends_with(&story, "1 took effect after 2 of its key");
}

#[test]
fn without_fencing_an_earlier_owner_turns_the_position_back() {
    let left = Budget { takeovers: 1, ..NOTHING };
    let story = story(Mutation::NoFencing, Policy::Park, &[7, 8], left, 100_000);
    ends_with(&story, "the position fell");
}

#[test]
fn a_row_that_is_held_although_the_inbox_has_its_message_is_done_and_dead() {
    let left = Budget { takeovers: 1, poison: 1, ..NOTHING };
    let story = story(Mutation::HoldsWhatIsDone, Policy::Park, &[7], left, 100_000);
    ends_with(&story, "1 took effect and is dead");
}

#[test]
fn what_is_discarded_without_an_inbox_row_takes_effect_after_a_crash() {
    let left = Budget { crashes: 1, poison: 1, remedies: 1, ..NOTHING };
    let story = story(Mutation::DiscardsAlone, Policy::Park, &[8, 7], left, 100_000);
    ends_with(&story, "2 took effect and was discarded");
}

#[test]
fn rows_of_a_key_that_are_not_written_together_are_lost() {
    let left = Budget { crashes: 1, transient: 1, ..NOTHING };
    let story = story(Mutation::RowsOneByOne, Policy::Park, &[7, 7], left, 100_000);
    ends_with(&story, "1 is settled and lost");
}

#[test]
fn without_dead_letters_a_part_never_ends() {
    let story = story(Mutation::RetryForEver, Policy::Park, &[7], NOTHING, 300);
    ends_with(&story, "there are more states than allowed");
}
