//! # E020 bad type
//! The type of a field can't be read. Types are `string text int decimal(p.s) bool money date time
//! timestamp duration timespan uuid url email json counter`, an enum `a | b | c`, `list of T`, a
//! resource `Order` or `ordering.Order`, `actor A`, `many Child a..b`.
//!
//! **Why**: the type decides the column, the contract and every check.
//!
//! Wrong:
//! ```yaml
//! price: decimal
//! ```
//! Right:
//! ```yaml
//! price: decimal(10.2)
//! ```

use super::shown;
use crate::requirements::nearest::{nearest, nearest_currency};
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E020");

/// A word that is no type.
pub(crate) fn unknown(span: Span, text: &str, known: &[&str]) -> Diagnostic {
    let fault = Diagnostic::error(CODE, span, format!("unknown type `{}`", shown(text)));
    if let Some(meant) = foreign(text) {
        let whole = !meant.contains('…');
        let fault = fault.help(format!("write `{meant}`"));
        return if whole { fault.fix(meant) } else { fault };
    }
    match nearest(text, known.iter().copied()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")).fix(meant),
        None => fault.help(
            "types are `string text int decimal(10.2) bool money date time timestamp duration \
             timespan uuid url email json counter`, `open | closed`, `list of string`, a resource \
             (`Order`), `actor shopper`, `many OrderLine`",
        ),
    }
}

/// What a type of other languages is called here; none where there is no such word.
fn foreign(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_suffix('?') {
        return Some(format!("{} optional", foreign(inner).unwrap_or_else(|| inner.to_owned())));
    }
    if let Some(inner) = text.strip_suffix("[]") {
        return Some(format!("list of {}", foreign(inner).unwrap_or_else(|| inner.to_owned())));
    }
    let (word, argument) = text.trim_end_matches(')').split_once('(').unwrap_or((text, ""));
    let meant = match word.to_ascii_lowercase().as_str() {
        "varchar" | "char" | "nvarchar" | "character" | "str" => match argument {
            "" => "string",
            most => return Some(format!("string max {most}")),
        },
        "integer" | "bigint" | "smallint" | "long" | "int32" | "int64" | "number" => "int",
        "boolean" => "bool",
        "float" | "double" | "real" | "numeric" => "decimal(10.2)",
        "datetime" | "timestamptz" | "instant" => "timestamp",
        "interval" => "duration",
        "jsonb" | "object" | "map" => "json",
        "guid" => "uuid",
        "uri" => "url",
        "enum" => {
            let values = argument.trim_end_matches(',');
            return Some(match values.is_empty() {
                true => "open | closed".to_owned(),
                false => format!("{values} | …"),
            });
        }
        _ => return None,
    };
    Some(meant.to_owned())
}

/// A type that is written wrongly, and how it is written.
pub(crate) fn at(span: Span, text: &str, message: &str, example: &str) -> Diagnostic {
    let fault = Diagnostic::error(CODE, span, format!("`{}`: {message}", shown(text)));
    fault.help(format!("for example: `{example}`"))
}

/// Three capital letters that no currency has.
pub(crate) fn currency(span: Span, code: &str) -> Diagnostic {
    let message = format!("`{}` is the code of no currency of ISO 4217", shown(code));
    let fault = Diagnostic::error(CODE, span, message);
    match nearest_currency(code) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")).fix(meant),
        None => fault.help("for example: `money EUR`"),
    }
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn a_currency_that_does_not_exist_is_told_with_the_nearest_one() {
        let text = "goals: { budget: 700 USX per month }\ncontexts:\n  c:\n    resources:\n      R:\n        \
                    fields: { a: money ERU, b: { type: money QQQ }, c: money EUR, d: money JPY }\n        \
                    commands: { pay: { input: { paid: money EUX }, by: staff } }\n";
        check(
            text,
            expect![[r#"
            error[E017]: `700 USX`: no currency of ISO 4217 has the code `USX`
             --> mainstay.yaml:1:18
              |
            1 | goals: { budget: 700 USX per month }
              |                  ^^^^^^^
              = help: did you mean `USD`?

            error[E020]: `ERU` is the code of no currency of ISO 4217
             --> mainstay.yaml:6:28
              |
            6 |         fields: { a: money ERU, b: { type: money QQQ }, c: money EUR, d: money JPY }
              |                            ^^^
              = help: did you mean `ERN`?
            6 +         fields: { a: money ERN, b: { type: money QQQ }, c: money EUR, d: money JPY }

            error[E020]: `QQQ` is the code of no currency of ISO 4217
             --> mainstay.yaml:6:50
              |
            6 |         fields: { a: money ERU, b: { type: money QQQ }, c: money EUR, d: money JPY }
              |                                                  ^^^
              = help: for example: `money EUR`

            error[E020]: `EUX` is the code of no currency of ISO 4217
             --> mainstay.yaml:7:49
              |
            7 |         commands: { pay: { input: { paid: money EUX }, by: staff } }
              |                                                 ^^^
              = help: did you mean `EUR`?
            7 +         commands: { pay: { input: { paid: money EUR }, by: staff } }
        "#]],
        );
    }

    #[test]
    fn a_type_that_cannot_be_read_is_shown_with_its_cure() {
        let text = "contexts:\n  c:\n    resources:\n      R:\n        fields:\n          a: sting\n          \
                    b: decimal\n          c: decimal(30.2)\n          d: open | | closed\n          \
                    e: open | open\n          f: list of list of int\n          g: many Line 5..2\n          \
                    h: many lines 1..2\n          i: a.b.c\n          j: actor Staff\n          k: { min: 1 }\n";
        check(
            text,
            expect![[r#"
                error[E020]: unknown type `sting`
                 --> mainstay.yaml:6:14
                  |
                6 |           a: sting
                  |              ^^^^^
                  = help: did you mean `string`?
                6 +           a: string

                error[E020]: `decimal`: digits in all, at most 18, and digits after the point
                 --> mainstay.yaml:7:14
                  |
                7 |           b: decimal
                  |              ^^^^^^^
                  = help: for example: `decimal(10.2)`

                error[E020]: `decimal(30.2)`: digits in all, at most 18, and digits after the point
                 --> mainstay.yaml:8:14
                  |
                8 |           c: decimal(30.2)
                  |              ^^^^^^^^^^^^^
                  = help: for example: `decimal(10.2)`

                error[E020]: `open | | closed`: a value is missing beside `|`
                 --> mainstay.yaml:9:14
                  |
                9 |           d: open | | closed
                  |              ^^^^^^^^^^^^^^^
                  = help: for example: `open | closed`

                error[E020]: `open`: this value stands twice
                  --> mainstay.yaml:10:21
                   |
                10 |           e: open | open
                   |                     ^^^^
                   = help: for example: `open | closed`

                error[E020]: `list of list of int`: a list is of one scalar type
                  --> mainstay.yaml:11:14
                   |
                11 |           f: list of list of int
                   |              ^^^^^^^^^^^^^^^^^^^
                   = help: for example: `list of string`

                error[E017]: `5..2` is not a range
                  --> mainstay.yaml:12:14
                   |
                12 |           g: many Line 5..2
                   |              ^^^^^^^^^^^^^^
                   = help: for example: `1..50`

                error[E013]: `lines` is no name of a resource: it is written `UpperCamelCase`
                  --> mainstay.yaml:13:19
                   |
                13 |           h: many lines 1..2
                   |                   ^^^^^
                   = help: write `Lines`
                13 +           h: many Lines 1..2

                error[E020]: unknown type `a.b.c`
                  --> mainstay.yaml:14:14
                   |
                14 |           i: a.b.c
                   |              ^^^^^
                   = help: types are `string text int decimal(10.2) bool money date time timestamp duration timespan uuid url email json counter`, `open | closed`, `list of string`, a resource (`Order`), `actor shopper`, `many OrderLine`

                error[E013]: `Staff` is no name of an actor: it is written `lower_snake_case`
                  --> mainstay.yaml:15:20
                   |
                15 |           j: actor Staff
                   |                    ^^^^^
                   = help: write `staff`
                15 +           j: actor staff

                error[E011]: `type` is missing in the field `k`
                  --> mainstay.yaml:16:14
                   |
                16 |           k: { min: 1 }
                   |              ^
                   = help: for example: `string max 40 unique`
            "#]],
        );
    }

    #[test]
    fn types_of_other_languages_are_told_in_the_words_of_this_one() {
        let cases = [
            ("varchar(20)", "string max 20"),
            ("string?", "string optional"),
            ("integer[]", "list of int"),
            ("datetime", "timestamp"),
            ("float?", "decimal(10.2) optional"),
        ];
        for (written, meant) in cases {
            assert_eq!(super::foreign(written).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(super::foreign("Vehicle"), None);
    }
}
