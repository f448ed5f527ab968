//! Stories of one part, step by step.

use super::*;
use crate::retry::Ladder;

const SECOND: i64 = 1_000_000;

fn settings(policy: Policy) -> Arc<Settings> {
    let ladder = Ladder::Fixed { delays_micros: vec![0, SECOND, SECOND], jitter_percent: 0 };
    Arc::new(Settings { policy, ladder, ..Settings::default() })
}

fn message(position: i64, key: u128) -> Message {
    Message { position, event: position.unsigned_abs().into(), key }
}

/// A machine whose log was read: messages by position and key.
fn reading(settings: Arc<Settings>, messages: &[(i64, u128)]) -> (Consumer, Vec<Action>) {
    let (mut consumer, first) = Consumer::claimed(settings, 0);
    assert_eq!(first, [Action::LoadHeads]);
    let then = consumer.step(0, Input::Heads { heads: vec![] });
    assert!(matches!(then[..], [Action::Fetch { after: 0, .. }]), "{then:?}");
    let messages: Vec<Message> = messages.iter().map(|(at, key)| message(*at, *key)).collect();
    let end = messages.last().map_or(0, |last| last.position);
    let actions = consumer.step(0, Input::Fetched { messages, end, exhausted: true });
    (consumer, actions)
}

fn run(message: Message, attempts: u32, held: bool) -> Action {
    Action::Run { message, attempts, held }
}

fn failed(position: i64) -> Input {
    let failure = Failure::Transient { retry_after_micros: None };
    Input::Failed { position, failure, random: 0 }
}

fn poison(position: i64) -> Input {
    Input::Failed { position, failure: Failure::Poison, random: 0 }
}

fn held(message: Message, state: State, attempts: u32, due: i64) -> Held {
    Held { message, state, attempts, due }
}

#[test]
fn messages_of_a_key_run_one_after_the_other_and_keys_side_by_side() {
    let (mut consumer, actions) = reading(settings(Policy::Park), &[(1, 7), (2, 7), (3, 8)]);
    assert_eq!(actions, [run(message(1, 7), 0, false), run(message(3, 8), 0, false)]);
    let actions = consumer.step(1, Input::Done { position: 1 });
    assert_eq!(actions, [Action::Forget { position: 1 }, run(message(2, 7), 0, false)]);
    consumer.step(2, Input::Done { position: 3 });
    consumer.step(3, Input::Done { position: 2 });
    assert_eq!(consumer.wake_at(), Some(200_001));
    let actions = consumer.step(200_001, Input::Tick);
    assert_eq!(actions, [Action::Persist { held: vec![], position: 3 }]);
    assert_eq!(consumer.step(200_002, Input::Persisted), []);
    assert_eq!((consumer.position(), consumer.wake_at()), (3, None));
    assert_eq!(consumer.pause(), Some(Pause::Exhausted));
    let actions = consumer.step(200_003, Input::Appended);
    assert_eq!(actions, [Action::Fetch { after: 3, messages_max: 256 }]);
}

#[test]
fn what_fails_is_held_with_what_is_behind_it_and_tried_again_in_order() {
    let (mut consumer, _) = reading(settings(Policy::Park), &[(1, 7), (2, 7)]);
    let actions = consumer.step(5, failed(1));
    let rows = vec![
        held(message(1, 7), State::Retry, 1, SECOND + 5),
        held(message(2, 7), State::Behind, 0, 0),
    ];
    assert_eq!(actions, [Action::Persist { held: rows.clone(), position: 2 }]);
    let actions = consumer.step(6, Input::Persisted);
    assert_eq!(actions, [Action::Forget { position: 1 }, Action::Forget { position: 2 }]);
    assert_eq!(consumer.wake_at(), Some(SECOND + 5));
    assert_eq!(consumer.step(SECOND, Input::Tick), []);
    let actions = consumer.step(SECOND + 5, Input::Tick);
    assert_eq!(actions, [run(message(1, 7), 1, true)]);
    let actions = consumer.step(SECOND + 6, Input::Done { position: 1 });
    assert_eq!(actions, [Action::Forget { position: 1 }, Action::LoadHead { key: 7 }]);
    let actions = consumer.step(SECOND + 7, Input::Head { key: 7, head: Some(rows[1]) });
    assert_eq!(actions, [run(message(2, 7), 0, true)]);
    consumer.step(SECOND + 8, Input::Done { position: 2 });
    assert_eq!(consumer.step(SECOND + 9, Input::Head { key: 7, head: None }), []);
    assert_eq!(consumer.gauges(), Gauges::default());
}

#[test]
fn a_dead_one_parks_its_key_alone_until_somebody_did_something_about_it() {
    let (mut consumer, _) = reading(settings(Policy::Park), &[(1, 7), (2, 7), (3, 8)]);
    let actions = consumer.step(5, poison(1));
    let rows =
        vec![held(message(1, 7), State::Dead, 1, 5), held(message(2, 7), State::Behind, 0, 0)];
    assert_eq!(actions, [Action::Persist { held: rows.clone(), position: 2 }]);
    consumer.step(6, Input::Persisted);
    consumer.step(7, Input::Done { position: 3 });
    consumer.step(300_000, Input::Tick);
    consumer.step(300_001, Input::Persisted);
    assert_eq!(consumer.position(), 3);
    assert_eq!(consumer.gauges(), Gauges { held_keys: 1, dead_keys: 1, ..Gauges::default() });
    let at = consumer.wake_at().expect("somebody may do something about it");
    assert_eq!(consumer.step(at, Input::Tick), [Action::LoadHeads]);
    assert_eq!(consumer.step(at, Input::Heads { heads: vec![rows[0]] }), []);
    // Discarded: the second is the head now.
    let actions = consumer.step(at, Input::Remedied { key: 7 });
    assert_eq!(actions, [Action::LoadHead { key: 7 }]);
    let actions = consumer.step(at, Input::Head { key: 7, head: Some(rows[1]) });
    assert_eq!(actions, [run(message(2, 7), 0, true)]);
}

#[test]
fn with_skip_a_key_goes_on_once_its_dead_one_is_written() {
    let (mut consumer, _) = reading(settings(Policy::Skip), &[(1, 7), (2, 7)]);
    let actions = consumer.step(5, poison(1));
    let rows = vec![held(message(1, 7), State::Dead, 1, 5)];
    assert_eq!(actions, [Action::Persist { held: rows, position: 1 }]);
    let actions = consumer.step(6, Input::Persisted);
    assert_eq!(actions, [Action::Forget { position: 1 }, Action::LoadHead { key: 7 }]);
    let actions = consumer.step(7, Input::Head { key: 7, head: None });
    assert_eq!(actions, [run(message(2, 7), 0, false)]);
}

#[test]
fn with_block_nothing_begins_while_one_is_dead() {
    let one = Settings { in_flight_max: 1, ..(*settings(Policy::Block)).clone() };
    let (mut consumer, _) = reading(Arc::new(one), &[(1, 7), (2, 8)]);
    let actions = consumer.step(5, poison(1));
    let rows = vec![held(message(1, 7), State::Dead, 1, 5)];
    assert_eq!(actions, [Action::Persist { held: rows.clone(), position: 1 }]);
    assert_eq!(consumer.step(6, Input::Persisted), [Action::Forget { position: 1 }]);
    assert_eq!(consumer.pause(), Some(Pause::Blocked));
    consumer.step(7, Input::Remedied { key: 7 });
    let actions = consumer.step(8, Input::Head { key: 7, head: None });
    assert_eq!(actions[0], run(message(2, 8), 0, false));
}

#[test]
fn a_drain_begins_nothing_ends_what_runs_and_persists() {
    let (mut consumer, _) = reading(settings(Policy::Park), &[(1, 7), (2, 7), (3, 8)]);
    assert_eq!(consumer.step(1, Input::Drain), []);
    assert_eq!(consumer.pause(), Some(Pause::Ending));
    assert_eq!(consumer.step(2, Input::Done { position: 1 }), [Action::Forget { position: 1 }]);
    let actions = consumer.step(3, Input::Done { position: 3 });
    let settle = Action::Persist { held: vec![], position: 1 };
    assert_eq!(actions, [Action::Forget { position: 3 }, settle]);
    assert_eq!(consumer.step(4, Input::Persisted), [Action::Drained]);
    assert_eq!(consumer.step(5, Input::Appended), []);
}

#[test]
fn nothing_moves_once_the_claim_is_over() {
    let (mut consumer, _) = reading(settings(Policy::Park), &[(1, 7)]);
    assert_eq!(consumer.step(1, Input::Lost), []);
    assert_eq!(consumer.step(2, Input::Done { position: 1 }), []);
    assert_eq!((consumer.wake_at(), consumer.gauges()), (None, Gauges::default()));
}

#[test]
fn no_more_is_fetched_while_as_many_keys_as_allowed_are_held() {
    let one = Settings { held_keys_max: 1, ..(*settings(Policy::Park)).clone() };
    let (mut consumer, _) = reading(Arc::new(one), &[(1, 7)]);
    consumer.step(1, poison(1));
    consumer.step(2, Input::Persisted);
    assert_eq!(consumer.step(3, Input::Appended), []);
    assert_eq!(consumer.pause(), Some(Pause::HeldKeys));
    consumer.step(4, Input::Remedied { key: 7 });
    let actions = consumer.step(5, Input::Head { key: 7, head: None });
    assert!(matches!(actions[..], [Action::Fetch { after: 1, .. }]), "{actions:?}");
}
