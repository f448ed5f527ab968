//! # E086 schedule that cannot run
//! A schedule says neither or both of `every` and `cron`, a length or a pattern that is no time,
//! calls an operation instead of a command, or makes up for more runs than it may.
//!
//! **Why**: it would run never, or all the time. The shortest period is one second; `cron` has five
//! fields (minute, hour, day, month, weekday) in UTC. After a long pause `catch_up: all` may find
//! many runs that were missed, so it has a bound, from 1 to 1,000.
//!
//! Wrong:
//! ```yaml
//! tidy: { cron: "61 * * * *", for: Order, do: Order.cancel }
//! ```
//! Right:
//! ```yaml
//! tidy: { cron: "0 3 * * *", for: Order, do: Order.cancel }
//! ```

use ir::model::Schedule;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E086");

/// Shortest period, in seconds.
const EVERY_SECONDS_MIN: f64 = 1.0;

/// Missed runs that are made up for at most.
const CATCH_UP_MAX: u32 = 1_000;

/// The fields of a cron pattern: name, least, greatest.
const FIELDS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7)];

/// Looks at when a schedule runs.
pub(crate) fn times(schedule: &Schedule, found: &mut Vec<Diagnostic>) {
    let name = &schedule.name;
    let mut fault = |span, message: String, help: &str| {
        found.push(Diagnostic::error(CODE, span, message).help(help));
    };
    let help = "write `every: 1 h` or `cron: \"0 3 * * *\"`";
    match (&schedule.every, &schedule.cron) {
        (None, None) => fault(name.span, format!("the schedule `{name}` never runs"), help),
        (Some(_), Some(cron)) => {
            fault(cron.span, format!("the schedule `{name}` has both `every` and `cron`"), help);
        }
        (Some(every), None) if every.value < EVERY_SECONDS_MIN => {
            let message = format!("the schedule `{name}` would run all the time");
            fault(every.span, message, "the shortest period is `1 s`");
        }
        (Some(_), None) => {}
        (None, Some(cron)) => {
            if let Err(why) = read(&cron.value) {
                let message = format!("the cron pattern `{}` of `{name}` {why}", cron.value);
                fault(cron.span, message, "for example: `0 3 * * *`, each night at three, UTC");
            }
        }
    }
}

/// Looks at how many missed runs a schedule makes up for.
pub(crate) fn catch_up(schedule: &Schedule, found: &mut Vec<Diagnostic>) {
    let Some(said) = &schedule.catch_up else { return };
    let name = &schedule.name;
    let mut fault = |span, message: String, help: &str| {
        found.push(Diagnostic::error(CODE, span, message).help(help));
    };
    match (said.runs.as_str(), &said.up_to) {
        ("all", None) => {
            let message = format!("the schedule `{name}` makes up for all missed runs, unbounded");
            fault(said.runs.span, message, "write how many at most: `catch_up: all up to 24`");
        }
        ("all", Some(most)) if !(1..=CATCH_UP_MAX).contains(&most.value) => {
            let message = format!("the schedule `{name}` makes up for {} runs", most.value);
            let help = format!("at least one and at most {CATCH_UP_MAX} missed runs are made up");
            fault(most.span, message, &help);
        }
        ("all", Some(_)) | (_, None) => {}
        (runs, Some(most)) => {
            let message = format!("`up to` of `{name}` bounds `all`, and it says `{runs}`");
            fault(most.span, message, "write `catch_up: all up to 24`, or leave the bound out");
        }
    }
}

/// A schedule that calls an integration.
pub(crate) fn operation(schedule: &Schedule) -> Diagnostic {
    let message = format!("the schedule `{}` calls `{}`, which is no command", schedule.name, {
        &schedule.run
    });
    Diagnostic::error(CODE, schedule.run.span, message)
        .why("a schedule goes over rows and calls a command of each")
        .help("let the command start a workflow that calls the operation")
}

/// Reads a cron pattern of five fields.
fn read(pattern: &str) -> Result<(), String> {
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("has {} fields instead of 5", fields.len()));
    }
    for (field, (name, least, greatest)) in fields.iter().zip(FIELDS) {
        for part in field.split(',') {
            let (range, step) = part.split_once('/').map_or((part, None), |(r, s)| (r, Some(s)));
            let number = |text: &str| {
                let value = text.parse::<u32>().ok();
                value.filter(|value| (least..=greatest).contains(value))
            };
            let ends = match range.split_once('-') {
                _ if range == "*" => Some((least, greatest)),
                Some((low, high)) => number(low).zip(number(high)),
                None => number(range).map(|value| (value, value)),
            };
            let ordered = ends.is_some_and(|(low, high)| low <= high);
            let stepped = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| step > 0));
            if !ordered || !stepped {
                return Err(format!("has `{part}` for the {name}, which is {least} to {greatest}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn patterns_have_five_fields_within_their_ranges() {
        for right in ["* * * * *", "0 3 * * 1-5", "*/15 0,12 1 1 0"] {
            assert_eq!(read(right), Ok(()), "{right}");
        }
        for wrong in ["* * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "a * * * *"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    const MODEL: &str = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { state: draft | dropped }
        commands: { drop: { state: draft -> dropped, by: system } }
        allow: { read: user, write: user }
schedules:
";

    #[test]
    fn missed_runs_are_made_up_for_up_to_a_bound() {
        let runs = |policy: &str| {
            format!("{MODEL}  tidy: {{ every: 1 h, for: Order, do: Order.drop, {policy} }}\n")
        };
        for right in ["catch_up: none", "catch_up: all up to 24, overlap: wait", "overlap: skip"] {
            check(&runs(right), expect![[r#""#]]);
        }
        check(
            &runs("catch_up: all"),
            expect![[r#"
            error[E086]: the schedule `tidy` makes up for all missed runs, unbounded
              --> mainstay.yaml:11:61
               |
            11 |   tidy: { every: 1 h, for: Order, do: Order.drop, catch_up: all }
               |                                                             ^^^
               = help: write how many at most: `catch_up: all up to 24`
        "#]],
        );
        check(
            &runs("catch_up: all up to 1_001"),
            expect![[r#"
            error[E086]: the schedule `tidy` makes up for 1001 runs
              --> mainstay.yaml:11:71
               |
            11 |   tidy: { every: 1 h, for: Order, do: Order.drop, catch_up: all up to 1_001 }
               |                                                                       ^^^^^
               = help: at least one and at most 1000 missed runs are made up
        "#]],
        );
        check(
            &runs("catch_up: one up to 3"),
            expect![[r#"
            error[E086]: `up to` of `tidy` bounds `all`, and it says `one`
              --> mainstay.yaml:11:71
               |
            11 |   tidy: { every: 1 h, for: Order, do: Order.drop, catch_up: one up to 3 }
               |                                                                       ^
               = help: write `catch_up: all up to 24`, or leave the bound out
        "#]],
        );
    }

    #[test]
    fn a_pattern_that_is_no_time() {
        let model =
            &format!("{MODEL}  tidy: {{ cron: \"61 * * * *\", for: Order, do: Order.drop }}\n");
        check(
            model,
            expect![[r#"
            error[E086]: the cron pattern `61 * * * *` of `tidy` has `61` for the minute, which is 0 to 59
              --> mainstay.yaml:11:18
               |
            11 |   tidy: { cron: "61 * * * *", for: Order, do: Order.drop }
               |                  ^^^^^^^^^^
               = help: for example: `0 3 * * *`, each night at three, UTC
        "#]],
        );
    }
}
