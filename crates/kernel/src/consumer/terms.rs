//! What goes into the machine of a consumer, and what comes out.

use crate::retry::Ladder;

/// What becomes of a key whose message failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Later messages of the key wait behind it until somebody redrives or discards it.
    Park,
    /// The key goes on.
    Skip,
    /// The whole part stops until somebody redrives or discards it.
    Block,
}

/// Limits and habits of a consumer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Settings {
    /// What becomes of the key of a dead one.
    pub policy: Policy,
    /// How often a message that fails for a while is tried, and when.
    pub ladder: Ladder,
    /// Messages that run at once.
    pub in_flight_max: usize,
    /// Messages read and above the settled position; at this number no more are fetched.
    pub unsettled_max: usize,
    /// Messages asked for at once.
    pub fetch_max: usize,
    /// Keys with held messages; at this number no more are fetched.
    pub held_keys_max: usize,
    /// Held messages written in one go.
    pub persist_rows_max: usize,
    /// A position is persisted once so many messages have settled,
    pub settle_count_max: usize,
    /// or after so long, in microseconds.
    pub settle_interval_micros: i64,
    /// How often the heads of keys are read while there may be dead ones, to learn what somebody
    /// did about them, in microseconds.
    pub heads_interval_micros: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: Policy::Park,
            ladder: Ladder::Exponential {
                base_micros: 1_000_000,
                cap_micros: 300_000_000,
                attempts_max: 8,
            },
            in_flight_max: 16,
            unsettled_max: 1_024,
            fetch_max: 256,
            held_keys_max: 1_000,
            persist_rows_max: 256,
            settle_count_max: 256,
            settle_interval_micros: 200_000,
            heads_interval_micros: 5_000_000,
        }
    }
}

/// An event, as far as the machine knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// Its number in the log.
    pub position: i64,
    /// Its id.
    pub event: u128,
    /// Its ordering key: the row it is about.
    pub key: u128,
}

/// What became of a held message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It is tried again when it is due.
    Retry,
    /// It waits behind an earlier one of its key; as the first of its key it may run.
    Behind,
    /// It was given up: somebody has to look at it.
    Dead,
}

/// A held message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// Which.
    pub message: Message,
    /// What became of it.
    pub state: State,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again, in microseconds since 1970.
    pub due: i64,
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// It may succeed later: the ladder decides.
    Transient {
        /// The other side asked for no attempt before that, in microseconds from now.
        retry_after_micros: Option<i64>,
    },
    /// It never will: dead at once.
    Poison,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// Answers [`Action::LoadHeads`].
    Heads {
        /// The first held message of each key of the part, whatever its state. With
        /// [`Policy::Skip`] the first of each key that is not dead, and beside them every dead one
        /// above the position of the claim.
        heads: Vec<Held>,
    },
    /// Answers [`Action::LoadHead`].
    Head {
        /// Of which key.
        key: u128,
        /// Its first held message (with [`Policy::Skip`] the first that is not dead), read after
        /// the action; none where there is none any more.
        head: Option<Held>,
    },
    /// Answers [`Action::Fetch`].
    Fetched {
        /// Messages for this part and consumer, in order of their positions.
        messages: Vec<Message>,
        /// Everything up to here was read, others' events among it; at least `after`.
        end: i64,
        /// There was nothing behind `end` when it was read.
        exhausted: bool,
    },
    /// Answers [`Action::Run`]: the effect is committed with its inbox row, or the inbox had the
    /// message already; of a held one, its row is gone.
    Done {
        /// Which.
        position: i64,
    },
    /// Answers [`Action::Run`]: nothing was committed.
    Failed {
        /// Which.
        position: i64,
        /// How.
        failure: Failure,
        /// 64 even bits.
        random: u64,
    },
    /// Answers [`Action::Persist`]: it is durable.
    Persisted,
    /// There may be new events.
    Appended,
    /// Somebody redrove or discarded a dead message of this key. A hint: without it the next read
    /// of the heads tells.
    Remedied {
        /// Which key.
        key: u128,
    },
    /// Time went by: to be given at [`super::Consumer::wake_at`].
    Tick,
    /// Begin no more, end what runs, persist, and say [`Action::Drained`].
    Drain,
    /// The claim is over: everything in memory is dropped, and no answer matters any more.
    Lost,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read the heads of all keys of the part, all of them: [`Input::Heads`].
    LoadHeads,
    /// Read the head of one key: [`Input::Head`].
    LoadHead {
        /// Which key.
        key: u128,
    },
    /// Read on in the log: [`Input::Fetched`]. The data of each message that it answers with is
    /// kept until [`Action::Forget`].
    Fetch {
        /// Behind this position.
        after: i64,
        /// Messages at most.
        messages_max: usize,
    },
    /// Commit the effect of a message and its inbox row in one set: [`Input::Done`] or
    /// [`Input::Failed`].
    Run {
        /// Which.
        message: Message,
        /// Attempts before this one.
        attempts: u32,
        /// It is a held one: its data is read from its row (it may have been edited), and the row
        /// goes with the effect. No row any more counts as done.
        held: bool,
    },
    /// Keep held messages and the position in one go, fenced by the claim: [`Input::Persisted`].
    /// Never more than one at a time.
    Persist {
        /// Rows that are new or changed, of each key in order. Each takes the place of one that is
        /// there; none is kept of a message that the inbox has, for an earlier owner may have done
        /// it meanwhile.
        held: Vec<Held>,
        /// Everything up to here is settled then. Never falls; often it stays.
        position: i64,
    },
    /// The data of this message is not needed any more. Said once for each that was fetched or run.
    Forget {
        /// Which.
        position: i64,
    },
    /// Nothing runs, and everything is persisted: the claim may be given back.
    Drained,
}

/// Why nothing is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pause {
    /// The heads of keys are being read.
    Loading,
    /// Everything was read: waits for [`Input::Appended`].
    Exhausted,
    /// As many messages as allowed are unsettled.
    Unsettled,
    /// As many keys as allowed have held messages.
    HeldKeys,
    /// A dead message blocks the part.
    Blocked,
    /// It was asked to end, or the claim is over.
    Ending,
}

/// Numbers for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Messages that run.
    pub in_flight: usize,
    /// Messages above the settled position.
    pub unsettled: usize,
    /// Keys with held messages.
    pub held_keys: usize,
    /// Keys whose head is dead.
    pub dead_keys: usize,
}
