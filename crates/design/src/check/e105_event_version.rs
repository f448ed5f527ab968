//! # E105 version of an event that can't be read
//! The data of an older version can't become that of the next: `from` lacks a version or has one
//! that there is not, a member of the next one is made of nothing or may be null, an expression
//! reads `now`, a declared member is none that an event carries.
//!
//! **Why**: logs keep what was told, some of it for good, and everybody reads it as it would be
//! told today: views that are made anew, reactions that come late, who lists events. So there is a
//! way from each version to the next, and it gives the same whenever it is gone.
//!
//! Wrong: what was told as version 1 has no `currency`.
//! ```yaml
//! events: { order.paid: { version: 2, data: [id, total, currency] } }
//! ```
//! Right:
//! ```yaml
//! events:
//!   order.paid:
//!     version: 2
//!     data: [id, total, currency]
//!     from:
//!       1:
//!         data: { id: uuid, amount: money EUR }
//!         with: { total: amount, currency: "'EUR'" }
//! ```
//! `data` says what the version carried, in the notation of inputs; a member that some of its
//! events lack is `optional` or has a default. `with` says what members of the next version are;
//! what has the same name and type is carried over by itself, and a new member that is optional
//! or has a default needs no word. Rows of owned children are `json`.

use super::suggest::nearest;
use ir::domain::{Field, Kind};
use ir::expr::Expression;
use ir::model::{self, Event, OlderVersion};
use ir::source::{Name, Span};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E105");

/// Versions of an event at most: each is a step on the way of an old event.
const VERSIONS_MAX: u32 = 50;

/// Tells numbers that are none, and versions that nothing is said of.
pub(super) fn numbers(event: &Event, found: &mut Vec<Diagnostic>) {
    let (name, number) = (&event.name, event.number());
    if !(1..=VERSIONS_MAX).contains(&number) {
        let span = event.version.as_ref().map_or(name.span, |version| version.span);
        let message = format!("`version` of `{name}` is {number}");
        let fault = Diagnostic::error(CODE, span, message);
        found.push(fault.help(format!("write a number from 1 to {VERSIONS_MAX}")));
        return;
    }
    for (at, older) in event.from.iter().enumerate() {
        let version = &older.version;
        let message = if version.value >= number {
            format!("`from` of `{name}` has version {version}, but its version is {number}")
        } else if event.from[..at].iter().any(|one| one.version == *version) {
            format!("`from` of `{name}` has version {version} twice")
        } else {
            continue;
        };
        let help = format!("say there what is older than version {number}, each once");
        found.push(Diagnostic::error(CODE, version.span, message).help(help));
    }
    for version in 1..number {
        if event.from.iter().all(|one| one.version.value != version) {
            let span = event.version.as_ref().map_or(name.span, |version| version.span);
            let message = format!("`{name}` does not say how version {version} is read");
            let fault = Diagnostic::error(CODE, span, message);
            let why = "logs keep what was told, and everybody reads it as it would be told today";
            let (next, example) = (version + 1, "{ data: { id: uuid, … }, with: { … } }");
            let help = format!(
                "write `from: {{ {version}: {example} }}`: what it carried, and what members of \
                 version {next} are that it did not have"
            );
            found.push(fault.why(why).help(help));
        }
    }
}

/// Tells a member that no event carries.
pub(super) fn member(event: &Event, declared: &model::Field, field: &Field) -> Option<Diagnostic> {
    let name = &declared.name;
    let told = |span: Span, what: &str| {
        let message = format!("`{name}` of an older version of `{}` is {what}", event.name);
        Diagnostic::error(CODE, span, message)
    };
    if let Kind::Children { .. } = field.kind {
        let fault = told(declared.ty.span, "a list of rows");
        return Some(fault.help(format!("write `{name}: json`: they are carried as they are")));
    }
    let secret = declared.secret?;
    Some(told(secret, "secret").why("a secret is never told"))
}

/// A default that is none for everybody at every time.
pub(super) fn no_constant(event: &Event, declared: &model::Field) -> Diagnostic {
    let span = declared.expression.as_ref().map_or(declared.name.span, |one| one.span);
    let name = &declared.name;
    let message = format!("the default of `{name}` of `{}` is no constant", event.name);
    Diagnostic::error(CODE, span, message)
        .why("an old event is the same whenever it is read")
        .help("write a value, as `= 0`")
}

/// A member that the next version does not have.
pub(super) fn unknown<'n>(
    event: &Event,
    name: &Name,
    version: u32,
    members: impl Iterator<Item = &'n str>,
) -> Diagnostic {
    let message = format!("version {version} of `{}` has no member `{name}`", event.name);
    let members: Vec<&str> = members.collect();
    let near = nearest(name.as_str(), members.iter().copied());
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<String> = members.iter().map(|name| format!("`{name}`")).collect();
            format!("it has {}", all.join(", "))
        }
    };
    Diagnostic::error(CODE, name.span, message).help(help)
}

/// An expression that gives something else each time.
pub(super) fn unstable(event: &Event, expression: &Expression) -> Diagnostic {
    let message = format!("`{}` of `{}` reads `now`", expression.text, event.name);
    Diagnostic::error(CODE, expression.span, message)
        .why("an old event is the same whenever it is read, or views made anew come out otherwise")
        .help("read members of the older version, or write a constant")
}

/// A member that may be null, and must not.
pub(super) fn null(event: &Event, span: Span, member: &str) -> Diagnostic {
    let message = format!("`{member}` of `{}` may be null in an older version", event.name);
    Diagnostic::error(CODE, span, message)
        .why(format!("`{member}` always has a value now, and readers count on it"))
        .help(format!("say in `with` what it is then: `{member}: if(x != null, x, 0)`"))
}

/// A member that nothing gives.
pub(super) fn no_source(event: &Event, older: &OlderVersion, member: &str) -> Diagnostic {
    let (version, next) = (older.version.value, older.version.value + 1);
    let message =
        format!("version {version} of `{}` has nothing that `{member}` is made of", event.name);
    Diagnostic::error(CODE, older.version.span, message)
        .why(format!("version {next} always has `{member}`"))
        .help(format!("say in `with` what it is: `with: {{ {member}: … }}`"))
}

/// A member that has the name but not the type.
pub(super) fn other_type(
    event: &Event,
    older: &OlderVersion,
    span: Span,
    member: &str,
) -> Diagnostic {
    let version = older.version.value;
    let message = format!("`{member}` of version {version} of `{}` is of another type", event.name);
    Diagnostic::error(CODE, span, message)
        .why("what has the same name is carried over only where it has the same type too")
        .help(format!("say in `with` what becomes of it: `with: {{ {member}: … }}`"))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::{Expect, expect};

    fn event(event: &str, expected: Expect) {
        let model = format!(
            "
system: test
actors: {{ user: oidc }}
contexts:
  sales:
    resources:
      Order:
        fields:
          total: money EUR
          currency_code: string max 3
          note: string optional
          count: int 0..9 = 1
          lines: many Line 1..9
          state: draft | paid
        commands: {{ pay: {{ state: draft -> paid, emit: order.paid, by: user }} }}
        allow: {{ read: user, write: user }}
      Line: {{ fields: {{ count: int }} }}
events:
  order.paid:
{event}
"
        );
        check(&model, expected);
    }

    #[test]
    fn versions_without_fault() {
        event(
            "    version: 3
    data: [id, total, currency_code, note, count, lines, state]
    from:
      1: { data: { id: uuid, amount: money EUR, lines: json, state: draft | paid, old: int },
           with: { sum: amount } }
      2: { data: { id: sales.Order, sum: money EUR, lines: json, state: paid | draft, old: int },
           with: { total: sum, currency_code: \"'EUR'\", count: \"if(old > 9, 9, old)\" } }",
            expect![""],
        );
    }

    #[test]
    fn versions_that_nothing_is_said_of_and_such_as_there_are_not() {
        event(
            "    version: 3
    data: [id]
    from: { 1: { data: { id: uuid } }, 3: { data: { id: uuid } } }",
            expect![[r#"
                error[E105]: `order.paid` does not say how version 2 is read
                  --> mainstay.yaml:19:14
                   |
                19 |     version: 3
                   |              ^
                   = why: logs keep what was told, and everybody reads it as it would be told today
                   = help: write `from: { 2: { data: { id: uuid, … }, with: { … } } }`: what it carried, and what members of version 3 are that it did not have

                error[E105]: `from` of `order.paid` has version 3, but its version is 3
                  --> mainstay.yaml:21:40
                   |
                21 |     from: { 1: { data: { id: uuid } }, 3: { data: { id: uuid } } }
                   |                                        ^
                   = help: say there what is older than version 3, each once
            "#]],
        );
        event(
            "    version: 0\n    data: [id]",
            expect![[r#"
            error[E105]: `version` of `order.paid` is 0
              --> mainstay.yaml:19:14
               |
            19 |     version: 0
               |              ^
               = help: write a number from 1 to 50
        "#]],
        );
        event(
            "    version: 51\n    data: [id]",
            expect![[r#"
            error[E105]: `version` of `order.paid` is 51
              --> mainstay.yaml:19:14
               |
            19 |     version: 51
               |              ^^
               = help: write a number from 1 to 50
        "#]],
        );
    }

    #[test]
    fn members_that_are_made_of_nothing_of_another_type_or_of_what_may_be_null() {
        event(
            "    version: 2
    data: [id, total, currency_code, note, count]
    from:
      1: { data: { id: uuid, total: int, count: int optional },
           with: { currencycode: \"'EUR'\", note: 5 } }",
            expect![[r#"
                error[E105]: version 1 of `order.paid` has nothing that `currency_code` is made of
                  --> mainstay.yaml:22:7
                   |
                22 |       1: { data: { id: uuid, total: int, count: int optional },
                   |       ^
                   = why: version 2 always has `currency_code`
                   = help: say in `with` what it is: `with: { currency_code: … }`

                error[E105]: `total` of version 1 of `order.paid` is of another type
                  --> mainstay.yaml:22:37
                   |
                22 |       1: { data: { id: uuid, total: int, count: int optional },
                   |                                     ^^^
                   = why: what has the same name is carried over only where it has the same type too
                   = help: say in `with` what becomes of it: `with: { total: … }`

                error[E105]: `count` of `order.paid` may be null in an older version
                  --> mainstay.yaml:22:42
                   |
                22 |       1: { data: { id: uuid, total: int, count: int optional },
                   |                                          ^^^^^
                   = why: `count` always has a value now, and readers count on it
                   = help: say in `with` what it is then: `count: if(x != null, x, 0)`

                error[E105]: version 2 of `order.paid` has no member `currencycode`
                  --> mainstay.yaml:23:20
                   |
                23 |            with: { currencycode: "'EUR'", note: 5 } }
                   |                    ^^^^^^^^^^^^
                   = help: did you mean `currency_code`?

                error[E047]: `5` in `from.1.with` of `order.paid` is an int, but `note` is text
                  --> mainstay.yaml:23:49
                   |
                23 |            with: { currencycode: "'EUR'", note: 5 } }
                   |                                                 ^
            "#]],
        );
    }

    #[test]
    fn expressions_that_are_not_the_same_each_time_or_may_be_null() {
        event(
            "    version: 2
    data: [id, created_at, count]
    from:
      1: { data: { id: uuid, few: int optional, more: timestamp = now },
           with: { created_at: now, count: few + 1 } }",
            expect![[r#"
                error[E105]: the default of `more` of `order.paid` is no constant
                  --> mainstay.yaml:22:67
                   |
                22 |       1: { data: { id: uuid, few: int optional, more: timestamp = now },
                   |                                                                   ^^^
                   = why: an old event is the same whenever it is read
                   = help: write a value, as `= 0`

                error[E105]: `now` of `order.paid` reads `now`
                  --> mainstay.yaml:23:32
                   |
                23 |            with: { created_at: now, count: few + 1 } }
                   |                                ^^^
                   = why: an old event is the same whenever it is read, or views made anew come out otherwise
                   = help: read members of the older version, or write a constant

                error[E105]: `count` of `order.paid` may be null in an older version
                  --> mainstay.yaml:23:44
                   |
                23 |            with: { created_at: now, count: few + 1 } }
                   |                                            ^^^^^^^
                   = why: `count` always has a value now, and readers count on it
                   = help: say in `with` what it is then: `count: if(x != null, x, 0)`
            "#]],
        );
    }

    #[test]
    fn members_that_no_event_carries() {
        event(
            "    version: 2
    data: [id, lines]
    from: { 1: { data: { id: uuid, lines: many Line, key: string secret } } }",
            expect![[r#"
                error[E105]: `lines` of an older version of `order.paid` is a list of rows
                  --> mainstay.yaml:21:43
                   |
                21 |     from: { 1: { data: { id: uuid, lines: many Line, key: string secret } } }
                   |                                           ^^^^^^^^^
                   = help: write `lines: json`: they are carried as they are

                error[E105]: `key` of an older version of `order.paid` is secret
                  --> mainstay.yaml:21:66
                   |
                21 |     from: { 1: { data: { id: uuid, lines: many Line, key: string secret } } }
                   |                                                                  ^^^^^^
                   = why: a secret is never told
            "#]],
        );
    }
}
