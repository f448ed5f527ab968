//! When recurring work is due, and what becomes of runs that overlap or were missed; all in UTC.

mod calendar;

pub use calendar::{Pattern, PatternFault};
use ir::domain::{CatchUp, Overlap, Times};
use std::collections::VecDeque;

const SECOND_MICROS: i64 = 1_000_000;
const MINUTE_MICROS: i64 = 60 * SECOND_MICROS;
const DAY_MICROS: i64 = 24 * 60 * MINUTE_MICROS;

/// Missed runs that are made up for at most, whatever the policy.
pub const CATCH_UP_MAX: u32 = 1_000;

/// Due times, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Every so many microseconds, counted from 1970.
    Every {
        /// At least one second.
        period_micros: i64,
    },
    /// At the minutes that a pattern names.
    Cron(Box<Pattern>),
}

/// A run that begins so much later than it was due was missed.
pub const LATE_MAX_MICROS: i64 = MINUTE_MICROS;

/// What begins, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Turn {
    /// Due times whose runs begin, oldest first and one after the other.
    begin: Vec<i64>,
    /// Everything up to here is dealt with once they have ended.
    position: i64,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The run of that due time: [`Recurrence::ended`].
    Run {
        /// Microseconds since 1970.
        due: i64,
    },
    /// Nothing until then; none where no time is named any more.
    Wait {
        /// Microseconds since 1970.
        until: Option<i64>,
    },
}

/// The runs of one schedule, for as long as one process has its claim: one after the other. What
/// it says is dealt with is kept with the claim, so that whoever has it next goes on from there: a
/// run that died is begun again, and one that ended is so only where its end was not kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recurrence {
    overlap: Overlap,
    catch_up: CatchUp,
    position: i64,
    /// Due times whose runs did not end yet, oldest first.
    runs: VecDeque<i64>,
    /// What is dealt with once those have ended.
    end: i64,
}

impl Recurrence {
    /// Goes on from a position that was kept.
    pub fn claimed(position: i64, (overlap, catch_up): (Overlap, CatchUp)) -> Self {
        Self { overlap, catch_up, position, runs: VecDeque::new(), end: position }
    }

    /// Everything up to here is dealt with, in microseconds since 1970: what is to be kept.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// What is to be done at that time, while nothing runs.
    pub fn next(&mut self, due: &Due, now: i64) -> Next {
        if self.runs.is_empty() {
            let turn = due.turn(self.position, now, self.catch_up);
            (self.runs, self.end) = (turn.begin.into(), turn.position);
        }
        match self.runs.front() {
            Some(due) => Next::Run { due: *due },
            None => {
                self.position = self.end;
                Next::Wait { until: due.next(now.max(self.position)) }
            }
        }
    }

    /// The run that was begun has ended: what came due meanwhile is left out, or the latest of it
    /// waits.
    pub fn ended(&mut self, due: &Due, now: i64) {
        let Some(ended) = self.runs.pop_front() else { return };
        if !self.runs.is_empty() {
            self.position = ended.max(self.position);
            return;
        }
        self.position = self.end;
        let now = now.max(self.end);
        match self.overlap {
            Overlap::Skip => self.position = now,
            Overlap::Wait => self.runs = due.latest(self.end, now, 1).into(),
        }
        self.end = now;
    }
}

impl Due {
    /// Reads the times of a schedule.
    ///
    /// # Errors
    /// A [`PatternFault`]; a checked model never gets here.
    pub fn new(times: &Times) -> Result<Self, PatternFault> {
        match times {
            Times::Every(seconds) => {
                // A whole number that a float holds exactly; less than a second is a second.
                let micros = (seconds * 1e6).round().clamp(1e6, 1e15);
                Ok(Self::Every { period_micros: micros as i64 })
            }
            Times::Cron(text) => Pattern::read(text).map(|pattern| Self::Cron(Box::new(pattern))),
        }
    }

    /// The first due time after a moment, both in microseconds since 1970; none where there is none
    /// any more (`0 0 30 2 *`).
    pub fn next(&self, after: i64) -> Option<i64> {
        match self {
            Self::Every { period_micros } => {
                after.div_euclid(*period_micros).checked_add(1)?.checked_mul(*period_micros)
            }
            Self::Cron(pattern) => pattern.next(after),
        }
    }

    /// What begins now, when everything up to `position` was dealt with.
    fn turn(&self, position: i64, now: i64, catch_up: CatchUp) -> Turn {
        if now <= position {
            // A clock that was set back: nothing is run twice.
            return Turn { begin: Vec::new(), position };
        }
        let runs_max = match catch_up {
            CatchUp::None | CatchUp::One => 1,
            CatchUp::All { runs_max } => runs_max.clamp(1, CATCH_UP_MAX),
        };
        let mut begin = self.latest(position, now, runs_max as usize);
        if catch_up == CatchUp::None {
            begin.retain(|due| now.saturating_sub(*due) < LATE_MAX_MICROS);
        }
        Turn { begin, position: now }
    }

    /// The latest due times after `position` and up to `now`, oldest first.
    fn latest(&self, position: i64, now: i64, runs_max: usize) -> Vec<i64> {
        // A look back that doubles, for years may have gone by and the latest few are wanted.
        let mut width = MINUTE_MICROS;
        loop {
            let start = now.saturating_sub(width).max(position);
            let times = std::iter::successors(self.next(start), |due| self.next(*due));
            let mut times: Vec<i64> = times.take_while(|due| *due <= now).collect();
            if times.len() >= runs_max || start <= position {
                return times.split_off(times.len().saturating_sub(runs_max));
            }
            width = width.saturating_mul(2);
        }
    }
}

#[cfg(test)]
mod explore_tests;
#[cfg(test)]
mod tests;
