//! Due times against a scan of every minute, and runs that overlap or were missed.

use super::calendar::month_and_day;
use super::*;

const HOUR: i64 = 60 * MINUTE_MICROS;

fn cron(text: &str) -> Due {
    Due::new(&Times::Cron(text.to_owned())).expect("a pattern")
}

fn every(seconds: f64) -> Due {
    Due::new(&Times::Every(seconds)).expect("a period")
}

/// Counts days one by one, from 1970.
fn dates(days: i64) -> Vec<(i64, i64)> {
    let (mut year, mut month, mut day) = (1970, 1, 1);
    let mut all = Vec::new();
    for _ in 0..days {
        all.push((month, day));
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let length = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        day += 1;
        if day > length {
            (day, month) = (1, month + 1);
        }
        if month > 12 {
            (month, year) = (1, year + 1);
        }
    }
    all
}

#[test]
fn the_calendar_is_that_of_counted_days_for_four_centuries() {
    for (day, date) in (0..).zip(dates(146_097)) {
        assert_eq!(month_and_day(day), date, "day {day}");
    }
    assert_eq!(month_and_day(-1), (12, 31));
}

/// An even draw below `below`; the state goes on.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

/// A field as text, and the numbers that it stands for.
fn some_field(state: &mut u64, least: u64, greatest: u64) -> (String, Vec<u64>) {
    let width = greatest - least + 1;
    let low = least + draw(state, width);
    let high = low + draw(state, greatest - low + 1);
    let step = 1 + draw(state, 7);
    match draw(state, 5) {
        0 => ("*".to_owned(), (least..=greatest).collect()),
        1 => (format!("{low}"), vec![low]),
        2 => (format!("{low}-{high}"), (low..=high).collect()),
        3 => (format!("{low},{high}"), vec![low, high]),
        _ => (format!("{low}-{high}/{step}"), (low..=high).step_by(step as usize).collect()),
    }
}

#[test]
fn a_pattern_is_due_at_the_minutes_that_a_scan_finds() {
    let dates = dates(800);
    let mut state = 7;
    for _ in 0..60 {
        let (minute, minutes) = some_field(&mut state, 0, 59);
        let (hour, hours) = some_field(&mut state, 0, 23);
        let (day, days) = some_field(&mut state, 1, 31);
        let (month, months) = some_field(&mut state, 1, 12);
        let (weekday, weekdays) = some_field(&mut state, 0, 7);
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        let due = |at: i64| {
            let (in_month, in_day) = dates[(at / 1_440) as usize];
            let on_weekday = (at / 1_440 + 4) as u64 % 7;
            let date = days.contains(&(in_day as u64));
            let week = weekdays.iter().any(|weekday| weekday % 7 == on_weekday);
            let open = day.starts_with('*') || weekday.starts_with('*');
            minutes.contains(&(at as u64 % 60))
                && hours.contains(&(at as u64 / 60 % 24))
                && months.contains(&(in_month as u64))
                && if open { date && week } else { date || week }
        };
        let pattern = cron(&text);
        let mut after = draw(&mut state, 400 * 1_440) as i64;
        for _ in 0..20 {
            let Some(scanned) = (after + 1..800 * 1_440).find(|at| due(*at)) else { break };
            let next = pattern.next(after * MINUTE_MICROS + 59_999_999);
            assert_eq!(next, Some(scanned * MINUTE_MICROS), "{text} after minute {after}");
            assert_eq!(pattern.next(scanned * MINUTE_MICROS - 1), next, "{text}");
            after = scanned;
        }
    }
}

#[test]
fn names_stand_for_numbers_and_sunday_is_both_ends_of_the_week() {
    assert_eq!(cron("0 0 * JAN-mar Mon,wed"), cron("0 0 * 1-3 1,3"));
    assert_eq!(cron("0 0 * * 7"), cron("0 0 * * sun"));
    assert_eq!(cron("5/20 * * * *"), cron("5,25,45 * * * *"));
    assert_ne!(cron("0 0 13 * 5"), cron("0 0 13 * *"));
}

#[test]
fn what_is_no_pattern_is_told_by_its_part() {
    let part = |text: &str| match Due::new(&Times::Cron(text.to_owned())) {
        Err(fault) => format!("{} {}", fault.field, fault.part),
        Ok(due) => panic!("{due:?}"),
    };
    assert_eq!(part("60 * * * *"), "minute 60");
    assert_eq!(part("* 5-1 * * *"), "hour 5-1");
    assert_eq!(part("* * 0 * *"), "day 0");
    assert_eq!(part("* * * foo *"), "month foo");
    assert_eq!(part("* * * * */0"), "weekday */0");
    assert_eq!(part("* * * *"), "pattern * * * *");
}

#[test]
fn a_leap_day_is_found_and_a_day_that_never_comes_is_none() {
    // 2096-02-29 to 2104-02-29: 2100 has none.
    let days = |year: i64| (year - 1970) * 365 + (year - 1969) / 4 - i64::from(year > 2100) + 59;
    let leap = cron("0 0 29 2 *");
    assert_eq!(leap.next(days(2096) * DAY_MICROS), Some(days(2104) * DAY_MICROS));
    assert_eq!(cron("0 0 30 2 *").next(0), None);
    assert_eq!(leap.next(i64::MAX), None);
    assert_eq!(every(1.0).next(i64::MAX), None);
}

#[test]
fn periods_are_counted_from_1970() {
    let hourly = every(3_600.0);
    assert_eq!(hourly.next(0), Some(HOUR));
    assert_eq!(hourly.next(HOUR - 1), Some(HOUR));
    assert_eq!(hourly.next(HOUR), Some(2 * HOUR));
    assert_eq!(hourly.next(-1), Some(0));
    assert_eq!(every(0.2), every(1.0));
}

#[test]
fn missed_runs_are_left_out_or_made_up_for() {
    for due in [every(3_600.0), cron("0 * * * *")] {
        let now = 10 * HOUR + 30 * MINUTE_MICROS;
        let begin = |catch_up| due.turn(6 * HOUR, now, catch_up).begin;
        assert_eq!(begin(CatchUp::None), []);
        assert_eq!(begin(CatchUp::One), [10 * HOUR]);
        assert_eq!(begin(CatchUp::All { runs_max: 3 }), [8 * HOUR, 9 * HOUR, 10 * HOUR]);
        let all: Vec<i64> = (7..=10).map(|hour| hour * HOUR).collect();
        assert_eq!(begin(CatchUp::All { runs_max: 50 }), all);
        assert_eq!(begin(CatchUp::All { runs_max: 0 }), [10 * HOUR]);
    }
}

#[test]
fn a_run_that_is_a_little_late_is_none_that_was_missed() {
    let turn = |now| every(3_600.0).turn(0, now, CatchUp::None);
    assert_eq!(turn(HOUR + 5), Turn { begin: vec![HOUR], position: HOUR + 5 });
    assert_eq!(turn(HOUR + LATE_MAX_MICROS).begin, []);
    assert_eq!(turn(HOUR - 1).begin, []);
}

#[test]
fn a_run_that_is_due_while_the_one_before_goes_on_is_left_out_or_waits() {
    let due = every(60.0);
    for (overlap, after) in [
        (Overlap::Skip, Next::Wait { until: Some(4 * MINUTE_MICROS) }),
        (Overlap::Wait, Next::Run { due: 3 * MINUTE_MICROS }),
    ] {
        let mut runs = Recurrence::claimed(0, (overlap, CatchUp::One));
        let (now, end) = (MINUTE_MICROS + 5, 3 * MINUTE_MICROS + 5);
        assert_eq!(runs.next(&due, now), Next::Run { due: MINUTE_MICROS });
        assert_eq!(runs.position(), 0, "a run that goes on is not dealt with");
        runs.ended(&due, end);
        assert_eq!(runs.next(&due, end), after, "{overlap:?}");
        let dealt_with = if overlap == Overlap::Skip { end } else { now };
        assert_eq!(runs.position(), dealt_with);
        runs.ended(&due, end + 1);
        assert_eq!(runs.next(&due, end + 1), Next::Wait { until: Some(4 * MINUTE_MICROS) });
    }
}

#[test]
fn of_many_missed_runs_those_that_have_ended_are_not_made_again() {
    let policy = (Overlap::Skip, CatchUp::All { runs_max: 3 });
    let (due, now) = (every(60.0), 9 * MINUTE_MICROS);
    let mut runs = Recurrence::claimed(0, policy);
    for minute in 7..=8 {
        assert_eq!(runs.next(&due, now), Next::Run { due: minute * MINUTE_MICROS });
        runs.ended(&due, now);
    }
    let mut others = Recurrence::claimed(runs.position(), policy);
    assert_eq!(others.next(&due, now), Next::Run { due: now });
}

#[test]
fn years_without_a_run_are_looked_back_on_from_their_end() {
    let year = 365 * DAY_MICROS;
    let turn = every(1.0).turn(0, 50 * year, CatchUp::One);
    assert_eq!(turn.begin, [50 * year]);
}

#[test]
fn nothing_runs_twice_when_the_clock_is_set_back() {
    let mut runs = Recurrence::claimed(HOUR, (Overlap::Skip, CatchUp::One));
    let until = Some(HOUR + MINUTE_MICROS);
    assert_eq!(runs.next(&every(60.0), 5), Next::Wait { until });
    assert_eq!(runs.position(), HOUR);
}
