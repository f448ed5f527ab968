//! # E014 reserved name
//! A name that the notation or the wire uses itself: `me now age item event system anyone` and the
//! words of expressions, `id created_at updated_at`, and for fields the parameters of lists
//! `limit cursor sort fields expand q`; as a path `events batch workflows webhooks operations
//! dead-letters schedules tenants keys sessions explain audit`.
//!
//! **Why**: in an expression or a query nobody could tell which of the two is meant.
//!
//! Wrong:
//! ```yaml
//! fields: { limit: int }
//! ```
//! Right:
//! ```yaml
//! fields: { credit_limit: int }
//! ```

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E014");

const WORDS: [&str; 15] = [
    "me", "now", "age", "item", "event", "system", "anyone", "and", "or", "not", "in", "true",
    "false", "null", "if",
];
const IMPLICIT: [&str; 3] = ["id", "created_at", "updated_at"];
const PARAMETERS: [&str; 6] = ["limit", "cursor", "sort", "fields", "expand", "q"];
const PATHS: [&str; 12] = [
    "events",
    "batch",
    "workflows",
    "webhooks",
    "operations",
    "dead-letters",
    "schedules",
    "tenants",
    "keys",
    "sessions",
    "explain",
    "audit",
];

/// Why a name can't be given to anything that expressions read.
pub(crate) fn word(name: &str) -> Option<&'static str> {
    WORDS.contains(&name).then_some("it has a meaning of its own in expressions and rules")
}

/// Why a name can't be given to a field.
pub(crate) fn field(name: &str) -> Option<&'static str> {
    if IMPLICIT.contains(&name) {
        return Some("every resource has it without being asked");
    }
    if PARAMETERS.contains(&name) {
        return Some("it is a parameter of every list, so it could not be filtered by");
    }
    word(name)
}

/// Why a path segment can't be taken.
pub(crate) fn path(name: &str) -> Option<&'static str> {
    PATHS.contains(&name).then_some("Mainstay serves something of its own there")
}

/// The name and the reason.
pub(crate) fn at(span: Span, name: &str, reason: &str) -> Diagnostic {
    Diagnostic::error(CODE, span, format!("`{name}` is reserved"))
        .why(reason)
        .help("take another name")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn each_reserved_name_is_refused_with_its_reason() {
        let text = "actors: { anyone: oidc }\ncontexts:\n  c:\n    resources:\n      R:\n        \
                    path: explain\n        fields: { id: uuid, limit: int, me: int, size: int }\n        \
                    rules: { now: true }\n";
        check(
            text,
            expect![[r#"
            error[E014]: `anyone` is reserved
             --> mainstay.yaml:1:11
              |
            1 | actors: { anyone: oidc }
              |           ^^^^^^
              = why: it has a meaning of its own in expressions and rules
              = help: take another name

            error[E014]: `explain` is reserved
             --> mainstay.yaml:6:15
              |
            6 |         path: explain
              |               ^^^^^^^
              = why: Mainstay serves something of its own there
              = help: take another name

            error[E014]: `id` is reserved
             --> mainstay.yaml:7:19
              |
            7 |         fields: { id: uuid, limit: int, me: int, size: int }
              |                   ^^
              = why: every resource has it without being asked
              = help: take another name

            error[E014]: `limit` is reserved
             --> mainstay.yaml:7:29
              |
            7 |         fields: { id: uuid, limit: int, me: int, size: int }
              |                             ^^^^^
              = why: it is a parameter of every list, so it could not be filtered by
              = help: take another name

            error[E014]: `me` is reserved
             --> mainstay.yaml:7:41
              |
            7 |         fields: { id: uuid, limit: int, me: int, size: int }
              |                                         ^^
              = why: it has a meaning of its own in expressions and rules
              = help: take another name

            error[E014]: `now` is reserved
             --> mainstay.yaml:8:18
              |
            8 |         rules: { now: true }
              |                  ^^^
              = why: it has a meaning of its own in expressions and rules
              = help: take another name
        "#]],
        );
    }
}
