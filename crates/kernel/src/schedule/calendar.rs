//! Cron patterns of five fields: minute, hour, day of the month, month, day of the week.

use super::{DAY_MICROS, MINUTE_MICROS};

/// Days looked at before a pattern is said to name no time: 29 February may be 8 years away.
const DAYS_MAX: i64 = 9 * 366;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Why a pattern is none: `61`, for the minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternFault {
    /// What is wrong in it; the whole pattern where the number of its fields is.
    pub part: String,
    /// Of which field.
    pub field: &'static str,
}

/// The minutes of a pattern, each field as a set of bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both days say something: one of them is enough.
    either_day: bool,
}

impl Pattern {
    /// Reads a pattern: `*`, numbers, ranges, steps, lists, names of months and days; 7 is Sunday.
    ///
    /// # Errors
    /// The first part that is none.
    pub fn read(text: &str) -> Result<Self, PatternFault> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(PatternFault { part: text.to_owned(), field: "pattern" });
        };
        let weekdays = field(weekday, "weekday", (0, 7), &WEEKDAYS, 0)?;
        Ok(Self {
            minutes: field(minute, "minute", (0, 59), &[], 0)?,
            hours: field(hour, "hour", (0, 23), &[], 0)?,
            days: field(day, "day", (1, 31), &[], 0)?,
            months: field(month, "month", (1, 12), &MONTHS, 1)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        })
    }

    /// The first minute after a moment, in microseconds since 1970.
    pub fn next(&self, after: i64) -> Option<i64> {
        let first = after.div_euclid(MINUTE_MICROS).checked_add(1)?.checked_mul(MINUTE_MICROS)?;
        let day = first.div_euclid(DAY_MICROS);
        let mut from = first.rem_euclid(DAY_MICROS) / MINUTE_MICROS;
        for day in day..day.saturating_add(DAYS_MAX) {
            let minute = self.minute_from(from).filter(|_| self.has_day(day));
            if let Some(minute) = minute {
                return day.checked_mul(DAY_MICROS)?.checked_add(minute * MINUTE_MICROS);
            }
            from = 0;
        }
        None
    }

    /// The first minute of the day that is not before one.
    fn minute_from(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (from / 60, from % 60);
        let first_minute = i64::from(self.minutes.trailing_zeros());
        let later = self.minutes >> minute;
        if has(self.hours, hour) && later != 0 {
            return Some(from + i64::from(later.trailing_zeros()));
        }
        let hours = self.hours >> (hour + 1);
        (hours != 0).then(|| (hour + 1 + i64::from(hours.trailing_zeros())) * 60 + first_minute)
    }

    fn has_day(&self, day: i64) -> bool {
        let (month, of_month) = month_and_day(day);
        // 1970 began on a Thursday.
        let of_week = (day + 4).rem_euclid(7);
        let (date, weekday) = (has(self.days, of_month), has(self.weekdays, of_week));
        has(self.months, month) && if self.either_day { date || weekday } else { date && weekday }
    }
}

fn has(bits: u64, at: i64) -> bool {
    bits >> at & 1 == 1
}

/// One field as bits.
fn field(
    text: &str,
    field: &'static str,
    (least, greatest): (u32, u32),
    names: &[&str],
    first: u32,
) -> Result<u64, PatternFault> {
    let number = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + first);
        let value = named.or_else(|| text.parse().ok());
        value.filter(|value| (least..=greatest).contains(value))
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(r, s)| (r, Some(s)));
        let ends = match range.split_once('-') {
            _ if range == "*" => Some((least, greatest)),
            Some((low, high)) => number(low).zip(number(high)),
            // `5/15`: from 5 on.
            None if step.is_some() => number(range).map(|low| (low, greatest)),
            None => number(range).map(|value| (value, value)),
        };
        let step = step.map_or(Some(1), |step| step.parse::<usize>().ok());
        let found = ends.filter(|(low, high)| low <= high).zip(step.filter(|step| *step > 0));
        let Some(((low, high), step)) = found else {
            return Err(PatternFault { part: part.to_owned(), field });
        };
        bits |= (low..=high).step_by(step).fold(0, |bits, at| bits | 1_u64 << at);
    }
    Ok(bits)
}

/// Month and day of the month, by the Gregorian calendar; years are counted from 1 March, so that
/// the leap day is their last.
pub(super) fn month_and_day(day: i64) -> (i64, i64) {
    // 1 March 2000 is day 11,017; the calendar repeats every 146,097 days.
    let mut left = (day - 11_017).rem_euclid(146_097);
    left -= (left / 36_524).min(3) * 36_524;
    left %= 1_461;
    left -= (left / 365).min(3) * 365;
    let mut month = 3;
    for days in [31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    (if month > 12 { month - 12 } else { month }, left + 1)
}
