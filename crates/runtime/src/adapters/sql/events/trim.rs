//! How far a log may be cut off, and what is remembered of that.

use super::{Asked, Cell, Tables, text};
use crate::ports::events::Trim;
use serde::{Deserialize, Serialize};

/// Under which name a place remembers it.
pub(crate) const TRIMMED: &str = "events_trimmed";
/// Looks of one call at rows that stay for good.
pub(crate) const LOOKS_MAX: usize = 16;

/// What was cut off so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Trimmed {
    /// The last position that went.
    pub(crate) position: i64,
    /// Up to here only events are left that stay for good.
    looked: i64,
    /// Which those were.
    keep: Vec<String>,
}

/// One look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// What is to be remembered.
    pub(crate) then: Trimmed,
    /// Rows between these positions go (the first excluded) that are not kept.
    pub(crate) from: i64,
    /// How many that are.
    pub(crate) rows: u64,
    /// There may be more.
    pub(crate) more: bool,
}

impl Trimmed {
    /// As a place remembered it; what can't be read is looked at from the beginning.
    pub(crate) fn read(value: Option<&str>) -> Self {
        value.and_then(|value| serde_json::from_str(value).ok()).unwrap_or_default()
    }

    /// As a place remembers it.
    pub(crate) fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Begins anew where other events stay than before.
    pub(crate) fn keeping(self, trim: &Trim) -> Self {
        match self.keep == trim.keep {
            true => self,
            false => Self { position: self.position, looked: 0, keep: trim.keep.clone() },
        }
    }

    /// What goes of the first events behind what was looked at: position, event, time.
    pub(crate) fn cut(&self, rows: &[(i64, String, i64)], asked: u32, trim: &Trim) -> Cut {
        let goes = |(position, event, time): &&(i64, String, i64)| {
            trim.keep.contains(event) || (*position <= trim.position && *time < trim.before)
        };
        let first: Vec<_> = rows.iter().take_while(goes).collect();
        let gone = first.iter().filter(|(_, event, _)| !trim.keep.contains(event));
        let mut then = self.clone();
        then.position = gone.clone().map(|(at, ..)| *at).max().unwrap_or(0).max(self.position);
        then.looked = first.last().map_or(self.looked, |(at, ..)| *at);
        let more = first.len() == rows.len() && rows.len() == asked as usize;
        Cut { then, from: self.looked, rows: gone.count() as u64, more }
    }
}

impl Tables {
    /// The first events behind what was looked at.
    pub(crate) fn first(self, trimmed: &Trimmed, rows: u32) -> Asked<'static> {
        let (Self { outbox, number, .. }, s) = (self, self.sign);
        let text = format!(
            "SELECT {number}, \"event\", \"time\" FROM {outbox} WHERE {number} > {s}1 \
             ORDER BY {number} LIMIT {s}2"
        );
        Asked::with(text, [Cell::Int(trimmed.looked), Cell::Int(rows.into())])
    }

    /// Deletes them.
    pub(crate) fn cut<'q>(self, cut: &'q Cut) -> Asked<'q> {
        let Self { outbox, number, .. } = self;
        let mut asked = Asked::new(format!("DELETE FROM {outbox}"));
        asked.term(self, &format!(" WHERE {number} >"), Cell::Int(cut.from));
        asked.term(self, &format!(" AND {number} <="), Cell::Int(cut.then.looked));
        for event in &cut.then.keep {
            asked.term(self, " AND \"event\" <>", text(event));
        }
        asked
    }
}

/// The cells of [`Tables::first`].
pub(crate) fn first(cells: &mut super::Cells<'_>) -> Option<(i64, String, i64)> {
    Some((cells.int()?, cells.text()?.to_owned(), cells.int()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(position: i64, event: &str) -> (i64, String, i64) {
        (position, event.to_owned(), position)
    }

    #[test]
    fn what_stays_for_good_holds_back_nothing_and_what_is_not_read_all_behind_it() {
        let trim = Trim { position: 3, before: 9, keep: vec!["kept".to_owned()], rows_max: 9 };
        let rows = [row(1, "gone"), row(2, "kept"), row(3, "gone"), row(4, "late"), row(5, "x")];
        let cut = Trimmed::default().keeping(&trim).cut(&rows, 9, &trim);
        assert_eq!((cut.rows, cut.from, cut.more), (2, 0, false));
        assert_eq!((cut.then.position, cut.then.looked), (3, 3));
        let again = cut.then.cut(&rows[3..], 2, &trim);
        assert_eq!((again.rows, again.then), (0, cut.then));
    }

    #[test]
    fn other_events_that_stay_are_looked_for_from_the_beginning() {
        let before = Trimmed { position: 7, looked: 8, keep: vec!["kept".to_owned()] };
        let trim = Trim { position: 9, before: 99, keep: Vec::new(), rows_max: 9 };
        let now = before.clone().keeping(&trim);
        assert_eq!(now, Trimmed { position: 7, looked: 0, keep: Vec::new() });
        let cut = now.cut(&[row(2, "kept")], 1, &trim);
        assert_eq!((cut.then.position, cut.rows, cut.more), (7, 1, true));
        assert_eq!(Trimmed::read(Some(&before.written())), before);
    }
}
