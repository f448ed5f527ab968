//! # E057 default outside its own constraint
//! The default of a field or of an input is a value that the field does not take.
//!
//! **Why**: each write that leaves the field out would be refused.
//!
//! Wrong:
//! ```yaml
//! quantity: int 1..99 = 0
//! ```
//! Right:
//! ```yaml
//! quantity: int 1..99 = 1
//! ```

use super::constraints::{broken, constant};
use super::resolve::Resolved;
use super::suggest::Budget;
use ir::domain::{Field, Source};
use ir::model;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E057");

/// Looks at every default that is a constant.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let budget = &resolved.world.budget;
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        for (asked, field) in entry.model.fields.iter().zip(&resource.fields) {
            found.extend(fault(entry.name(), asked, field, budget));
        }
        for (asked, command) in entry.model.commands.iter().zip(&resource.commands) {
            let name = format!("{}.{}", entry.name(), command.name);
            for (asked, field) in asked.input.iter().zip(&command.input) {
                found.extend(fault(&name, asked, field, budget));
            }
        }
    }
}

fn fault(owner: &str, asked: &model::Field, field: &Field, budget: &Budget) -> Option<Diagnostic> {
    let Source::Default(expr) = &field.source else { return None };
    let expression = asked.expression.as_ref()?;
    let why = broken(field, constant(expr)?, budget)?;
    let text = &expression.text;
    let message =
        format!("the default `{text}` of `{}` of `{owner}` does not fit: {why}", field.name);
    let fault = Diagnostic::error(CODE, expression.span, message);
    Some(fault.why("each write that leaves the field out would be refused"))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_default_below_the_least_value_and_one_that_is_too_long() {
        let resource = "
            Part:
              fields:
                count: int 1..99 = 0
                code: string max 2 = 'abc'
                plate: { type: string, pattern: \"[A-Z]{2}-[0-9]+\", value: \"'ab-1'\" }
                good: { type: string, pattern: \"[A-Z]{2}-[0-9]+|\", value: \"''\" }
                state: new | old = 'odl'
                price: money EUR min 1 = 0.5
                since: date min 2020-01-01 = date('2019-12-31')
                rate: decimal(3.2) = 10
                fine: int 1..99 = 99
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                error[E057]: the default `0` of `count` of `Part` does not fit: it is at least 1
                 --> mainstay.yaml:8:30
                  |
                8 |           count: int 1..99 = 0
                  |                              ^
                  = why: each write that leaves the field out would be refused

                error[E057]: the default `'abc'` of `code` of `Part` does not fit: it is at most 2 characters
                 --> mainstay.yaml:9:32
                  |
                9 |           code: string max 2 = 'abc'
                  |                                ^^^^^
                  = why: each write that leaves the field out would be refused

                error[E057]: the default `'ab-1'` of `plate` of `Part` does not fit: the whole of it must match `[A-Z]{2}-[0-9]+`
                  --> mainstay.yaml:10:70
                   |
                10 |           plate: { type: string, pattern: "[A-Z]{2}-[0-9]+", value: "'ab-1'" }
                   |                                                                      ^^^^^^
                   = why: each write that leaves the field out would be refused

                error[E037]: unknown value `odl` in `state` of `Part`
                  --> mainstay.yaml:12:30
                   |
                12 |           state: new | old = 'odl'
                   |                              ^^^^^
                   = help: did you mean `old`?
                12 +           state: new | old = old

                error[E057]: the default `0.5` of `price` of `Part` does not fit: it is at least 1
                  --> mainstay.yaml:13:36
                   |
                13 |           price: money EUR min 1 = 0.5
                   |                                    ^^^
                   = why: each write that leaves the field out would be refused

                error[E057]: the default `date('2019-12-31')` of `since` of `Part` does not fit: it is at least its bound
                  --> mainstay.yaml:14:40
                   |
                14 |           since: date min 2020-01-01 = date('2019-12-31')
                   |                                        ^^^^^^^^^^^^^^^^^^
                   = why: each write that leaves the field out would be refused

                error[E057]: the default `10` of `rate` of `Part` does not fit: it has at most 1 digits before the point
                  --> mainstay.yaml:15:32
                   |
                15 |           rate: decimal(3.2) = 10
                   |                                ^^
                   = why: each write that leaves the field out would be refused
            "#]],
        );
    }
}
