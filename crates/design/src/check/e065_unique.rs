//! # E065 unique that cannot be kept
//! A `unique` over several fields names one that cannot be indexed, names one twice, or has a
//! condition that is no simple comparison.
//!
//! **Why**: it becomes an index of the database. Null never collides, so a unique over an optional
//! field lets rows without a value through (told as a warning).
//!
//! Wrong:
//! ```yaml
//! unique: [[shop, tags]]
//! ```
//! Right:
//! ```yaml
//! unique: [[shop, code], [seat when status != cancelled]]
//! ```

use super::e058_word::keyable;
use super::resolve::Resolved;
use super::world::Entry;
use crate::lower::index_holds;
use ir::model::{At, Unique};
use ir::{Code, Diagnostic};
use std::collections::BTreeSet;

pub(crate) const CODE: Code = Code("E065");

/// Looks at every unique of several fields.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        for unique in &entry.model.unique {
            fields(entry, unique, found);
        }
        let beyond = |unique: &&ir::domain::Unique| {
            unique.when.as_ref().is_some_and(|when| !index_holds(resource, when))
        };
        for broken in resource.uniques.iter().filter(beyond) {
            let asked = entry.model.unique.iter().find(|asked| {
                let ids = asked.fields.iter().map(|name| entry.fields.get(name.as_str()));
                asked.when.is_some() && ids.eq(broken.fields.iter().map(Some))
            });
            let Some(when) = asked.and_then(|asked| asked.when.as_ref()) else { continue };
            let message = format!(
                "no index can hold the condition `{}` of a unique of `{}`",
                when.text,
                entry.name()
            );
            found.push(
                Diagnostic::error(CODE, when.span, message)
                    .why("a unique is held by an index of the database, with its condition")
                    .help(
                        "compare texts, numbers, booleans or enums of the row with constants by \
                         `==` and `!=`, joined by `&&`",
                    ),
            );
        }
    }
}

fn fields(entry: &Entry<'_>, unique: &Unique, found: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    let several = unique.fields.len() > 1;
    for name in &unique.fields {
        let Some(id) = entry.fields.get(name.as_str()) else { continue };
        let declared = entry.declared(*id);
        let resource = entry.name();
        if !seen.insert(name.as_str()) {
            let message = format!("a unique of `{resource}` names `{name}` twice");
            found.push(Diagnostic::error(CODE, name.span, message).help("name it once"));
        }
        let stored = declared.at.as_ref().is_none_or(|at| at.value != At::Read);
        if !keyable(&declared.ty.value) || !stored {
            let message = format!("a unique of `{resource}` names `{name}`, which has no index");
            let fault = Diagnostic::error(CODE, name.span, message);
            let fault = fault.also(declared.ty.span, "declared here");
            found.push(fault.why("a unique becomes an index, and this has no value to compare"));
        } else if several && declared.optional.is_some() && unique.when.is_none() {
            let message = format!("a unique of `{resource}` names `{name}`, which may be null");
            let fault = Diagnostic::warning(CODE, name.span, message);
            found.push(
                fault
                    .why("null never collides, so rows without a value are let through")
                    .help(format!("if that is meant, say so: `when {name} != null`")),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn fields_without_an_index_and_conditions_that_are_not_simple() {
        let resource = "
            Seat:
              fields: { row: int, number: int optional, tags: list of string, left: int, day: date }
              unique: [[row, number], [row, tags], [row, row], [row when left > 0], [row when left != 0],
                [left when day == date('2026-01-01')], [left, day when day != null && left == 2]]
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                warning[E065]: a unique of `Seat` names `number`, which may be null
                 --> mainstay.yaml:8:24
                  |
                8 |         unique: [[row, number], [row, tags], [row, row], [row when left > 0], [row when left != …
                  |                        ^^^^^^
                  = why: null never collides, so rows without a value are let through
                  = help: if that is meant, say so: `when number != null`

                error[E065]: a unique of `Seat` names `tags`, which has no index
                 --> mainstay.yaml:8:39
                  |
                7 |         fields: { row: int, number: int optional, tags: list of string, left: int, day: date }
                  |                                                         -------------- declared here
                8 |         unique: [[row, number], [row, tags], [row, row], [row when left > 0], [row when left != …
                  |                                       ^^^^
                  = why: a unique becomes an index, and this has no value to compare

                error[E065]: a unique of `Seat` names `row` twice
                 --> mainstay.yaml:8:52
                  |
                8 | …que: [[row, number], [row, tags], [row, row], [row when left > 0], [row when left != 0],
                  |                                          ^^^
                  = help: name it once

                error[E065]: no index can hold the condition `left > 0` of a unique of `Seat`
                 --> mainstay.yaml:8:68
                  |
                8 | …er], [row, tags], [row, row], [row when left > 0], [row when left != 0],
                  |                                          ^^^^^^^^
                  = why: a unique is held by an index of the database, with its condition
                  = help: compare texts, numbers, booleans or enums of the row with constants by `==` and `!=`, joined by `&&`

                error[E065]: no index can hold the condition `day == date('2026-01-01')` of a unique of `Seat`
                 --> mainstay.yaml:9:22
                  |
                9 |           [left when day == date('2026-01-01')], [left, day when day != null && left == 2]]
                  |                      ^^^^^^^^^^^^^^^^^^^^^^^^^
                  = why: a unique is held by an index of the database, with its condition
                  = help: compare texts, numbers, booleans or enums of the row with constants by `==` and `!=`, joined by `&&`
            "#]],
        );
    }
}
