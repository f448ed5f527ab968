//! One delivery of an outside broker: when it is acknowledged, and when not.
//!
//! The effect and the inbox row are one set of changes; the broker hears of a delivery only after
//! that set is durable, or was before. Between the two a crash is harmless: the broker delivers
//! again, and the inbox knows.

use crate::retry::{Bounds, Ladder};

/// What happened to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// Answers [`Action::LookUp`].
    LookedUp {
        /// The inbox has it.
        known: bool,
    },
    /// Answers [`Action::Commit`]: effect and inbox row are durable.
    Committed,
    /// Answers [`Action::Commit`]: refused, for the inbox has it already.
    Known,
    /// Answers [`Action::Commit`]: nothing was committed, and it may be later.
    Failed {
        /// The other side asked for no attempt before that, in microseconds from now.
        retry_after_micros: Option<i64>,
        /// 64 even bits.
        random: u64,
    },
    /// Answers [`Action::Commit`]: nothing was committed, and it never will be.
    Poison,
    /// Answers [`Action::Hold`]: it is kept as dead, with all that is needed to redrive it.
    Held,
    /// The broker's connection is gone, or its time to acknowledge is over: it delivers again.
    Gone,
}

/// What is to be done about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Ask the inbox for the message.
    LookUp,
    /// Commit the effect and the inbox row in one set.
    Commit,
    /// Keep the message as a dead letter, durably.
    Hold,
    /// Tell the broker that it is done.
    Ack,
    /// Tell the broker to deliver it again, not before that.
    Nack {
        /// Microseconds from now.
        delay_micros: i64,
    },
}

/// A delivery under way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delivery {
    attempts: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    LookingUp,
    Committing,
    Holding,
    Over,
}

impl Delivery {
    /// A message arrived; `attempts` is how often it was delivered before, as the broker counts.
    pub fn arrived(attempts: u32) -> (Self, Action) {
        (Self { attempts, stage: Stage::LookingUp }, Action::LookUp)
    }

    /// Takes what happened, and says what is to be done, if anything. An input that answers nothing
    /// that was asked changes nothing.
    pub fn step(&mut self, ladder: &Ladder, input: Input) -> Option<Action> {
        let (stage, action) = match (self.stage, input) {
            (Stage::LookingUp, Input::LookedUp { known: true }) => (Stage::Over, Action::Ack),
            (Stage::LookingUp, Input::LookedUp { known: false }) => {
                (Stage::Committing, Action::Commit)
            }
            (Stage::Committing, Input::Committed | Input::Known) => (Stage::Over, Action::Ack),
            (Stage::Committing, Input::Failed { retry_after_micros, random }) => {
                let bounds = Bounds { retry_after_micros, left_micros: None };
                match ladder.next(self.attempts.saturating_add(1), random, bounds) {
                    Some(delay_micros) => (Stage::Over, Action::Nack { delay_micros }),
                    None => (Stage::Holding, Action::Hold),
                }
            }
            (Stage::Committing, Input::Poison) => (Stage::Holding, Action::Hold),
            (Stage::Holding, Input::Held) => (Stage::Over, Action::Ack),
            (_, Input::Gone) => {
                self.stage = Stage::Over;
                return None;
            }
            (
                Stage::LookingUp | Stage::Committing | Stage::Holding | Stage::Over,
                Input::LookedUp { .. }
                | Input::Committed
                | Input::Known
                | Input::Failed { .. }
                | Input::Poison
                | Input::Held,
            ) => return None,
        };
        self.stage = stage;
        Some(action)
    }

    /// Nothing is to be done about it any more.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(inputs: &[Input]) -> Vec<Action> {
        let ladder = Ladder::Fixed { delays_micros: vec![0, 5, 9], jitter_percent: 0 };
        let (mut delivery, first) = Delivery::arrived(1);
        let steps = inputs.iter().filter_map(|input| delivery.step(&ladder, *input));
        let actions: Vec<Action> = std::iter::once(first).chain(steps).collect();
        assert!(delivery.is_over(), "{actions:?}");
        actions
    }

    const NEW: Input = Input::LookedUp { known: false };
    const FAILED: Input = Input::Failed { retry_after_micros: None, random: 0 };

    #[test]
    fn a_delivery_is_acknowledged_after_its_commit_alone() {
        let all = [Action::LookUp, Action::Commit, Action::Ack];
        assert_eq!(story(&[Input::Committed, NEW, Input::Held, Input::Committed]), all);
        assert_eq!(story(&[NEW, Input::Known, Input::Known]), all);
    }

    #[test]
    fn what_the_inbox_has_is_acknowledged_at_once() {
        assert_eq!(story(&[Input::LookedUp { known: true }]), [Action::LookUp, Action::Ack]);
    }

    #[test]
    fn what_fails_comes_again_after_its_delay_and_at_last_is_kept_as_dead() {
        let again = Action::Nack { delay_micros: 9 };
        assert_eq!(story(&[NEW, FAILED]), [Action::LookUp, Action::Commit, again]);
        let dead = [Action::LookUp, Action::Commit, Action::Hold, Action::Ack];
        assert_eq!(story(&[NEW, Input::Poison, Input::Held]), dead);
        let once = Ladder::Fixed { delays_micros: vec![0], jitter_percent: 0 };
        let (mut delivery, _) = Delivery::arrived(0);
        delivery.step(&once, NEW);
        assert_eq!(delivery.step(&once, FAILED), Some(Action::Hold));
    }

    #[test]
    fn nothing_is_said_on_a_connection_that_is_gone() {
        assert_eq!(story(&[NEW, Input::Gone, Input::Committed]), [Action::LookUp, Action::Commit]);
    }
}
