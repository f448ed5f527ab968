//! # E106 older version that is not what was published
//! An event has a lower version than in the architecture that was published last, or its `from`
//! says of a version that was published what it was not: a member has another type, may be null or
//! is not there.
//!
//! **Why**: what was told stays in logs as it was, under the version it was told as. What is read
//! otherwise than it was written is read wrong, or not at all.
//!
//! Wrong: `total` was published as money.
//! ```yaml
//! events:
//!   order.paid:
//!     version: 2
//!     data: [id, sum]
//!     from: { 1: { data: { id: uuid, total: int }, with: { sum: total } } }
//! ```
//! Right:
//! ```yaml
//! events:
//!   order.paid:
//!     version: 2
//!     data: [id, sum]
//!     from: { 1: { data: { id: uuid, total: money EUR }, with: { sum: total } } }
//! ```
//! What was published is found as for E103; where it is right that it differs, `check` and `design`
//! let it pass by `--allow-breaking order.paid`.

use crate::compatibility::{Incompatibility, LOWERED, OLDER};
use ir::{Code, Diagnostic, Model};

pub(crate) const CODE: Code = Code("E106");

/// True for what is told here.
pub(super) fn concerns(one: &Incompatibility) -> bool {
    one.at == LOWERED || one.at.starts_with(OLDER)
}

/// Tells of a version that was published.
pub(super) fn fault(model: &Model, one: &Incompatibility) -> Diagnostic {
    let Incompatibility { event, at, reason, .. } = one;
    let declared = model.events.iter().find(|declared| declared.name.as_str() == event);
    let name = declared.map_or(model.system.span, |declared| declared.name.span);
    let allow = format!("`--allow-breaking {event}`");
    let Some(place) = at.strip_prefix(OLDER) else {
        let span = declared.and_then(|declared| declared.version.as_ref());
        let span = span.map_or(name, |version| version.span);
        return Diagnostic::error(CODE, span, format!("`version` of `{event}` {reason}"))
            .why("who reads the log takes what was told since for what it is not")
            .help(format!("leave it as it was published, or raise it; else {allow}"));
    };
    let (version, member) = place.split_once('.').unwrap_or((place, ""));
    let span = declared.and_then(|declared| {
        let older = declared.from.iter().find(|one| one.version.value.to_string() == version)?;
        let field = older.data.iter().find(|field| field.name.as_str() == member);
        Some(field.map_or(older.version.span, |field| field.name.span))
    });
    let message = format!("`{member}` of version {version} of `{event}` {reason}");
    let help = match member.contains('.') {
        true => "keep in the rows what they were told with, beside what is new and optional",
        false => "say in `from` what it was",
    };
    Diagnostic::error(CODE, span.unwrap_or(name), message)
        .why(format!("version {version} was published otherwise, and logs keep it so"))
        .help(format!("{help}; where it never was told so: {allow}"))
}

#[cfg(test)]
mod tests {
    use crate::check::{broken_consumers, check};
    use crate::lower;
    use expect_test::{Expect, expect};
    use ir::{Model, Sources, Valid};

    const FIRST: &str = "
system: shop
actors: { user: oidc }
contexts:
  desk:
    resources:
      Order:
        fields: { amount: money EUR, note: string max 20 optional, state: open | paid, lines: many Line 1..9 }
        allow: { read: user, write: user }
        commands: { pay: { state: open -> paid, emit: order.paid, by: user } }
        emit: [created]
      Line: { fields: { count: int 1..5 } }
events:
  order.paid:
    data: [id, created_at, amount, note, state, lines]
";

    const SECOND: &str = "    version: 2
    from:
      1:
        data: { id: uuid, created_at: timestamp, amount: money EUR, note: string optional, state: open | paid, lines: json }
        with: { total: amount }
";

    fn model(text: &str) -> (Sources, Valid<Model>) {
        let sources = Sources::one("mainstay.yaml", text.trim_start_matches('\n'));
        let (model, found) = formats::requirements::read(&sources);
        assert!(!ir::diagnostic::has_errors(&found), "{found:?}");
        let (model, found) = check(model);
        (sources, model.unwrap_or_else(|| panic!("{found:?}")))
    }

    fn changed(text: &str, changes: &[(&str, &str)]) -> String {
        changes.iter().fold(text.to_owned(), |text, (was, now)| {
            assert!(text.contains(was), "{was}");
            text.replace(was, now)
        })
    }

    #[track_caller]
    fn told(old: &str, new: &str, expected: Expect) {
        let old = lower::domain(&model(old).1);
        let (sources, new) = model(new);
        let found = broken_consumers(&old, &new, &["order.created".to_owned()]);
        expected.assert_eq(&formats::diagnostic::terminal(&sources, &found, false));
    }

    /// The first model with `amount` called `total`.
    fn renamed() -> String {
        changed(
            FIRST,
            &[("amount: money", "total: money"), ("created_at, amount", "created_at, total")],
        )
    }

    #[test]
    fn a_member_may_be_renamed_where_the_version_is_raised_and_the_old_one_said() {
        told(FIRST, &format!("{}{SECOND}", renamed()), expect![[""]]);
        told(
            FIRST,
            &renamed(),
            expect![[r#"
            error[E103]: `data.amount` of `order.paid` is gone
              --> mainstay.yaml:13:3
               |
            13 |   order.paid:
               |   ^^^^^^^^^^
               = why: a consumer of `order.paid` as it was published can't read `{"data": {…}}` without `amount`
               = help: raise it to `version: 2` and say in `from: { 1: … }` how what was told is read; or publish another event beside `order.paid` until nobody waits for this one; where all can bear it: `--allow-breaking order.paid`
        "#]],
        );
    }

    #[test]
    fn an_event_of_a_plain_write_gets_a_version_by_being_declared() {
        let second = changed(&renamed(), &[("emit: [created]", "emit: [created, updated]")]);
        let old = changed(FIRST, &[("emit: [created]", "emit: [created, updated]")]);
        told(
            &old,
            &format!("{second}{SECOND}"),
            expect![[r#"
            error[E103]: `data.amount` of `order.updated` is gone
              --> mainstay.yaml:10:25
               |
            10 |         emit: [created, updated]
               |                         ^^^^^^^
               = why: a consumer of `order.updated` as it was published can't read `{"data": {…}}` without `amount`
               = help: declare it under `events` with `version: 2` and say in `from: { 1: … }` how what was told is read; or publish another event beside `order.updated` until nobody waits for this one; where all can bear it: `--allow-breaking order.updated`
        "#]],
        );
        let declared = "  order.updated:
    data: [id, total]
    version: 2
    from:
      1:
        data:
          id: uuid
          created_at: timestamp
          updated_at: timestamp
          amount: money EUR
          note: string optional
          state: open | paid
          lines: json
        with: { total: amount }
";
        told(&old, &format!("{second}{SECOND}{declared}"), expect![[""]]);
    }

    #[test]
    fn a_version_is_never_lowered() {
        told(
            &format!("{}{SECOND}", renamed()),
            &renamed(),
            expect![[r#"
            error[E106]: `version` of `order.paid` was 2 and is 1
              --> mainstay.yaml:13:3
               |
            13 |   order.paid:
               |   ^^^^^^^^^^
               = why: who reads the log takes what was told since for what it is not
               = help: leave it as it was published, or raise it; else `--allow-breaking order.paid`
        "#]],
        );
    }

    #[test]
    fn what_is_said_of_an_older_version_is_what_was_published() {
        let wrong = changed(
            SECOND,
            &[
                ("created_at: timestamp, ", ""),
                ("amount: money EUR", "amount: money USD"),
                ("note: string optional", "note: string = 'none'"),
                ("state: open | paid", "state: open | lost, more: int"),
            ],
        );
        let new = changed(
            &format!("{}{wrong}", renamed()),
            &[
                ("data: [id, created_at, total, note, state, lines]", "data: [id, lines]"),
                ("with: { total: amount }", "with: {}"),
            ],
        );
        told(
            FIRST,
            &new,
            expect![[r#"
            error[E106]: `created_at` of version 1 of `order.paid` was told, and is not among its data
              --> mainstay.yaml:17:7
               |
            17 |       1:
               |       ^
               = why: version 1 was published otherwise, and logs keep it so
               = help: say in `from` what it was; where it never was told so: `--allow-breaking order.paid`

            error[E106]: `amount` of version 1 of `order.paid` is of another type
              --> mainstay.yaml:18:27
               |
            18 |         data: { id: uuid, amount: money USD, note: string = 'none', state: open | lost, more: in…
               |                           ^^^^^^
               = why: version 1 was published otherwise, and logs keep it so
               = help: say in `from` what it was; where it never was told so: `--allow-breaking order.paid`

            error[E106]: `note` of version 1 of `order.paid` may be null
              --> mainstay.yaml:18:46
               |
            18 | …   data: { id: uuid, amount: money USD, note: string = 'none', state: open | lost, more: int, l…
               |                                          ^^^^
               = why: version 1 was published otherwise, and logs keep it so
               = help: say in `from` what it was; where it never was told so: `--allow-breaking order.paid`

            error[E106]: `state` of version 1 of `order.paid` may be `paid`
              --> mainstay.yaml:18:69
               |
            18 | …ount: money USD, note: string = 'none', state: open | lost, more: int, lines: json }
               |                                          ^^^^^
               = why: version 1 was published otherwise, and logs keep it so
               = help: say in `from` what it was; where it never was told so: `--allow-breaking order.paid`

            error[E106]: `more` of version 1 of `order.paid` was never told
              --> mainstay.yaml:18:89
               |
            18 | …e: string = 'none', state: open | lost, more: int, lines: json }
               |                                          ^^^^
               = why: version 1 was published otherwise, and logs keep it so
               = help: say in `from` what it was; where it never was told so: `--allow-breaking order.paid`
        "#]],
        );
    }

    #[test]
    fn rows_of_children_are_carried_as_they_are() {
        let lines = |line: &str| {
            let lines = [("Line: { fields: { count: int 1..5 } }", line)];
            changed(&format!("{}{SECOND}", renamed()), &lines)
        };
        told(
            FIRST,
            &lines("Line: { fields: { number: int, count: int } }"),
            expect![[r#"
            error[E106]: `lines.number` of version 1 of `order.paid` was never told, and rows are carried as they are
              --> mainstay.yaml:17:7
               |
            17 |       1:
               |       ^
               = why: version 1 was published otherwise, and logs keep it so
               = help: keep in the rows what they were told with, beside what is new and optional; where it never was told so: `--allow-breaking order.paid`
        "#]],
        );
        told(
            FIRST,
            &lines("Line: { fields: { count: bool } }"),
            expect![[r#"
            error[E106]: `lines.count` of version 1 of `order.paid` is of another type, and rows are carried as they are
              --> mainstay.yaml:17:7
               |
            17 |       1:
               |       ^
               = why: version 1 was published otherwise, and logs keep it so
               = help: keep in the rows what they were told with, beside what is new and optional; where it never was told so: `--allow-breaking order.paid`
        "#]],
        );
        told(FIRST, &lines("Line: { fields: { few: int optional } }"), expect![[""]]);
    }
}
