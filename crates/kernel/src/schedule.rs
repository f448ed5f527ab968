//! When recurring work is due, and what becomes of runs that overlap or were missed; all in UTC.

mod calendar;

pub use calendar::{Pattern, PatternFault};
use ir::domain::Times;

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

/// What becomes of runs whose time went by while nothing ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CatchUp {
    /// They are left out.
    None,
    /// The latest is made up for.
    One,
    /// All are, the latest so many.
    All {
        /// At most [`CATCH_UP_MAX`].
        runs_max: u32,
    },
}

/// What becomes of a run whose time comes while the one before goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Overlap {
    /// It is left out.
    Skip,
    /// It begins beside it.
    Allow,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Due times whose runs begin, oldest first: one after the other, and together they are the run
    /// that the next may overlap.
    pub begin: Vec<i64>,
    /// Everything up to here is dealt with. Remembered as runs begin, each happens at most once;
    /// remembered when they have ended, at least once.
    pub position: i64,
    /// When to ask again; none where no time is named any more.
    pub wake_at: Option<i64>,
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

    /// What begins now, when everything up to `position` was dealt with; `running` says that an
    /// earlier run goes on.
    pub fn turn(
        &self,
        position: i64,
        now: i64,
        running: bool,
        (overlap, catch_up): (Overlap, CatchUp),
    ) -> Turn {
        let wake_at = self.next(now.max(position));
        if now <= position {
            // A clock that was set back: nothing is run twice.
            return Turn { begin: Vec::new(), position, wake_at };
        }
        if running && overlap == Overlap::Skip {
            return Turn { begin: Vec::new(), position: now, wake_at };
        }
        let runs_max = match catch_up {
            CatchUp::None | CatchUp::One => 1,
            CatchUp::All { runs_max } => runs_max.clamp(1, CATCH_UP_MAX),
        };
        let mut begin = self.latest(position, now, runs_max as usize);
        if catch_up == CatchUp::None {
            begin.retain(|due| now.saturating_sub(*due) < LATE_MAX_MICROS);
        }
        Turn { begin, position: now, wake_at }
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
mod tests;
