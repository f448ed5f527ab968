//! Which windows of time an event is counted in, and which of them are over.
//!
//! Time is that of the events: the watermark follows the latest that was folded, and whatever ends
//! at or before it changes no more. So the same events in the same order make the same rows
//! whenever they are folded, and events that are out of order by no more than the lateness make
//! the rows that they would make in order.

use ir::domain::Windows;

/// A window, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Its first moment.
    pub start: i64,
    /// The first moment behind it.
    pub end: i64,
}

/// How far the events of a tenant's view have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    late_micros: i64,
    seen: Option<i64>,
}

impl Watermark {
    /// `seen` is the greatest time of an event that was folded; none where there was none yet.
    pub fn new(late_micros: i64, seen: Option<i64>) -> Self {
        Self { late_micros, seen }
    }

    /// Every window that ends here or before is closed; none before the first event.
    pub fn at(&self) -> Option<i64> {
        self.seen.map(|seen| seen.saturating_sub(self.late_micros))
    }

    /// A window that ends there is closed.
    pub fn has_passed(&self, end: i64) -> bool {
        self.at().is_some_and(|at| end <= at)
    }

    /// An event of that time was folded.
    pub fn see(&mut self, time: i64) {
        self.seen = self.seen.max(Some(time));
    }
}

/// Windows that hold an event at most, of those that begin every so often.
pub fn windows_max(windows: Windows) -> usize {
    match windows {
        Windows::Sliding { size_micros, every_micros } => {
            let whole = size_micros.max(1) / every_micros.max(1);
            let more = i64::from(size_micros.max(1) % every_micros.max(1) != 0);
            usize::try_from(whole + more).unwrap_or(usize::MAX)
        }
        Windows::Tumbling { .. } | Windows::Session { .. } => 1,
    }
}

/// The windows that hold an event of that time, in their order; of a session, the one that the
/// event would be alone.
pub fn holding(windows: Windows, time: i64) -> Vec<Span> {
    let (size, every) = match windows {
        Windows::Tumbling { size_micros } => (size_micros.max(1), size_micros.max(1)),
        Windows::Sliding { size_micros, every_micros } => (size_micros.max(1), every_micros.max(1)),
        Windows::Session { gap_micros } => {
            return vec![Span { start: time, end: time.saturating_add(gap_micros.max(1)) }];
        }
    };
    let last = time.div_euclid(every).saturating_mul(every);
    let starts = std::iter::successors(Some(last), |start| start.checked_sub(every));
    let held = starts.take_while(|start| start.saturating_add(size) > time);
    let spans = held.map(|start| Span { start, end: start.saturating_add(size) });
    let mut spans: Vec<Span> = spans.collect();
    spans.reverse();
    spans
}

/// What an event comes to among the sessions of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// It belongs to a session that is closed, or would be closed itself.
    Late,
    /// One session of those by their place in the list, and of the event.
    Session {
        /// From the first of them to the end of the gap behind the last.
        span: Span,
        /// In the order of the list; empty where the event is the first of its session.
        of: Vec<usize>,
    },
}

/// Joins an event to the sessions that it is closer to than the gap.
pub fn join(
    gap_micros: i64,
    time: i64,
    sessions: impl Iterator<Item = Span>,
    watermark: &Watermark,
) -> Joined {
    let own = Span { start: time, end: time.saturating_add(gap_micros.max(1)) };
    let mut span = own;
    let mut of = Vec::new();
    let mut late = watermark.has_passed(own.end);
    for (at, session) in sessions.enumerate() {
        if session.start < own.end && own.start < session.end {
            late |= watermark.has_passed(session.end);
            span.start = span.start.min(session.start);
            span.end = span.end.max(session.end);
            of.push(at);
        }
    }
    if late { Joined::Late } else { Joined::Session { span, of } }
}

#[cfg(test)]
mod tests;
