//! # E048 wrong call of a function
//! A function is unknown, or gets arguments that it does not take.
//!
//! **Why**: there are exactly these: `if(c, a, b)`, `date(t)`, `date('…')`, `time('…')`,
//! `timestamp('…')`, `duration('7d')`, `start(timespan)`, `end(timespan)`, `lower(text)`,
//! `size(text or list)`, `matches(text, 'pattern')`, and over owned children `sum count min max
//! avg`. A value of a view is made of folds over events (`count()`, `sum(event.total)`): a row
//! stands for many of them.
//!
//! Wrong:
//! ```yaml
//! total: money = sum(price)
//! code: string = upper(name)
//! ```
//! Right:
//! ```yaml
//! total: money = sum(lines.price)
//! code: string = lower(name)
//! ```

use super::place::Place;
use super::suggest::unknown;
use super::typing::scope::Scope;
use ir::expr::Aggregate;
use ir::source::{Name, Span};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E048");

/// Every function there is.
pub const FUNCTIONS: [&str; 15] = [
    "if",
    "date",
    "time",
    "timestamp",
    "duration",
    "start",
    "end",
    "lower",
    "size",
    "matches",
    "sum",
    "count",
    "min",
    "max",
    "avg",
];

/// There is no such function.
pub(crate) fn unknown_function(scope: &Scope<'_, '_>, name: &Name) -> Diagnostic {
    unknown(CODE, "function", name, scope.place, FUNCTIONS.into_iter(), &scope.world.budget)
}

/// The arguments are not what it takes.
pub(crate) fn usage(span: Span, usage: &str, place: Place<'_>) -> Diagnostic {
    let message = format!("a call in {place} has the wrong arguments");
    Diagnostic::error(CODE, span, message).help(format!("write `{usage}`"))
}

/// `if` with branches of unlike types.
pub(crate) fn branches(span: Span, then: &str, other: &str, place: Place<'_>) -> Diagnostic {
    let message = format!("`if` in {place} gives {then} or {other}");
    Diagnostic::error(CODE, span, message).help("both branches must be of one type")
}

/// `matches` where a query must answer it.
pub(crate) fn not_in_queries(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("`matches` cannot stand in {place}");
    Diagnostic::error(CODE, span, message)
        .why("this condition becomes a filter in the database, and stores differ in patterns")
        .help("compare with `==`, or put the pattern on the field: `pattern: \"…\"`")
}

/// A fold within a fold.
pub(crate) fn nested(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("{place} folds over children within a fold");
    Diagnostic::error(CODE, span, message)
        .help("compute the inner value in a field of the child, then fold over that field")
}

/// A fold in the key of a view.
pub(crate) fn in_key(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("{place} counts or sums, but it is a key");
    Diagnostic::error(CODE, span, message)
        .why("the key says which row an event belongs to, before anything is counted")
        .help("move it to `set`")
}

/// A member of an event in a value of a view, outside every fold.
pub(crate) fn not_folded(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("{place} reads an event outside of a fold");
    Diagnostic::error(CODE, span, message)
        .why("a row of a view is made of many events")
        .help("fold it, as in `sum(event.total)` or `max(event.time)`, or move it to `key`")
}

/// A fold over something that is no list of children.
pub(crate) fn no_children(scope: &Scope<'_, '_>, span: Span, usage: &str) -> Diagnostic {
    let message = format!("a fold in {} is not over owned children", scope.place);
    let fault = Diagnostic::error(CODE, span, message);
    let entry = scope.row.map(|row| scope.world.entry(row));
    let children = entry.and_then(|entry| {
        let many =
            |field: &&ir::model::Field| matches!(field.ty.value, ir::model::FieldType::Many { .. });
        entry.model.fields.iter().find(many)
    });
    match children {
        Some(field) => {
            fault.help(format!("write `{}`", usage.replace("children", &field.name.value)))
        }
        None => fault.help("declare owned children first: `lines: many OrderLine`"),
    }
}

/// A sum of what cannot be added, or the least of what has no order.
pub(crate) fn not_foldable(
    span: Span,
    fold: Aggregate,
    name: &str,
    place: Place<'_>,
) -> Diagnostic {
    let (word, needs) = match fold {
        Aggregate::Sum => ("sum", "numbers, money or durations"),
        Aggregate::Avg => ("avg", "numbers, money or durations"),
        Aggregate::Min => ("min", "values that have an order"),
        Aggregate::Max => ("max", "values that have an order"),
        Aggregate::Count => ("count", "rows"),
    };
    let message = format!("`{word}` in {place} is over {name}");
    Diagnostic::error(CODE, span, message).help(format!("`{word}` takes {needs}"))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn functions_that_are_not_there_or_not_called_so() {
        let resource = "
            Order:
              fields:
                name: string max 20
                lines: many Line 1..9
                code: string max 20 = uper(name)
                total: int = sum(name)
                heads: int = sum(lines)
                names: string max 20 = sum(lines.name)
                many: int = size(lines)
                when: date = date('soon')
                which: int = if(name == 'a', 1, 'b')
              allow: { read: anyone, write: \"staff when matches(name, 'a.*')\" }
            Line:
              fields: { name: string max 20, amount: int }";
        check_resources(
            resource,
            expect![[r#"
                error[E048]: unknown function `uper` in `code` of `Order`
                  --> mainstay.yaml:10:33
                   |
                10 |           code: string max 20 = uper(name)
                   |                                 ^^^^
                   = help: known here: `if`, `date`, `time`, `timestamp`, `duration`, `start`, `end`, `lower`, `size`, `matches`, `sum`, `count`, `min`, `max`, `avg`

                error[E048]: a fold in `total` of `Order` is not over owned children
                  --> mainstay.yaml:11:24
                   |
                11 |           total: int = sum(name)
                   |                        ^^^^^^^^^
                   = help: write `sum(lines.field)`

                error[E048]: a call in `heads` of `Order` has the wrong arguments
                  --> mainstay.yaml:12:24
                   |
                12 |           heads: int = sum(lines)
                   |                        ^^^^^^^^^^
                   = help: write `sum(children.field)`

                error[E048]: `sum` in `names` of `Order` is over text
                  --> mainstay.yaml:13:38
                   |
                13 |           names: string max 20 = sum(lines.name)
                   |                                      ^^^^^^^^^^
                   = help: `sum` takes numbers, money or durations

                error[E048]: a call in `many` of `Order` has the wrong arguments
                  --> mainstay.yaml:14:23
                   |
                14 |           many: int = size(lines)
                   |                       ^^^^^^^^^^^
                   = help: write `count(lines)`

                error[E048]: a call in `when` of `Order` has the wrong arguments
                  --> mainstay.yaml:15:24
                   |
                15 |           when: date = date('soon')
                   |                        ^^^^^^^^^^^^
                   = help: write `date(a_timestamp)` or `date('2026-01-31')`

                error[E048]: `if` in `which` of `Order` gives an int or text
                  --> mainstay.yaml:16:24
                   |
                16 |           which: int = if(name == 'a', 1, 'b')
                   |                        ^^^^^^^^^^^^^^^^^^^^^^^
                   = help: both branches must be of one type

                error[E048]: `matches` cannot stand in `allow.write` of `Order`
                  --> mainstay.yaml:17:51
                   |
                17 |         allow: { read: anyone, write: "staff when matches(name, 'a.*')" }
                   |                                                   ^^^^^^^^^^^^^^^^^^^^
                   = why: this condition becomes a filter in the database, and stores differ in patterns
                   = help: compare with `==`, or put the pattern on the field: `pattern: "…"`
            "#]],
        );
    }
}
