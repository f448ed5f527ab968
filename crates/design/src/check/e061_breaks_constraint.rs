//! # E061 command that breaks a constraint of its own field
//! An effect sets a constant that the field does not take, or an input of which no value fits.
//!
//! **Why**: every call of the command would be refused. Only what is certain is told: an effect
//! such as `stock - quantity` may or may not go below the least value, so guard it with `require`.
//!
//! Wrong:
//! ```yaml
//! rating: int 1..5
//! commands: { reset: { set: { rating: 0 }, by: staff } }
//! ```
//! Right:
//! ```yaml
//! commands: { reset: { set: { rating: 1 }, by: staff } }
//! ```

use super::constraints::{broken, constant, disjoint};
use super::resolve::Resolved;
use super::suggest::Budget;
use ir::domain::Field;
use ir::expr::{Expr, ExprKind};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E061");

/// Looks at every effect.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let budget = &resolved.world.budget;
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        for (asked, command) in entry.model.commands.iter().zip(&resource.commands) {
            for (name, expression) in &asked.set {
                let Some((id, field)) = resource.field_named(name.as_str()) else { continue };
                let effect = command.set.iter().find(|(set, _)| *set == id);
                let Some((_, expr)) = effect else { continue };
                let Some(why) = never_fits(field, expr, &command.input, budget) else { continue };
                let message = format!(
                    "`{}.{}` sets `{name}` to `{}`, which it never takes: {why}",
                    resource.name, command.name, expression.text
                );
                let fault = Diagnostic::error(CODE, expression.span, message);
                let declared = entry.declared(id);
                let fault = fault.also(declared.ty.span, format!("`{name}` is declared here"));
                found.push(fault.why("every call of the command would be refused"));
            }
        }
    }
}

fn never_fits(field: &Field, expr: &Expr, input: &[Field], budget: &Budget) -> Option<String> {
    if let Some(value) = constant(expr) {
        return broken(field, value, budget);
    }
    match expr.kind {
        ExprKind::Input(at) => disjoint(&input[at], field),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn constants_and_inputs_that_never_fit() {
        let resource = "
            Part:
              fields: { rating: int 1..5, note: string max 5, seen: timestamp }
              commands:
                reset: { set: { rating: 0, note: ('too long'), seen: null }, by: staff }
                rate: { input: { stars: int 6..9 }, set: { rating: stars }, by: user }
                fine: { input: { stars: int 0..9 }, set: { rating: stars, note: ('') }, by: user }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                error[E061]: `Part.reset` sets `rating` to `0`, which it never takes: it is at least 1
                 --> mainstay.yaml:9:35
                  |
                7 |         fields: { rating: int 1..5, note: string max 5, seen: timestamp }
                  |                           --- `rating` is declared here
                ...
                9 |           reset: { set: { rating: 0, note: ('too long'), seen: null }, by: staff }
                  |                                   ^
                  = why: every call of the command would be refused

                error[E061]: `Part.reset` sets `note` to `('too long')`, which it never takes: it is at most 5 characters
                 --> mainstay.yaml:9:44
                  |
                7 |         fields: { rating: int 1..5, note: string max 5, seen: timestamp }
                  |                                           ------ `note` is declared here
                ...
                9 |           reset: { set: { rating: 0, note: ('too long'), seen: null }, by: staff }
                  |                                            ^^^^^^^^^^^^
                  = why: every call of the command would be refused

                error[E061]: `Part.reset` sets `seen` to `null`, which it never takes: it must have a value
                 --> mainstay.yaml:9:64
                  |
                7 |         fields: { rating: int 1..5, note: string max 5, seen: timestamp }
                  |                                                               --------- `seen` is declared here
                ...
                9 |           reset: { set: { rating: 0, note: ('too long'), seen: null }, by: staff }
                  |                                                                ^^^^
                  = why: every call of the command would be refused

                error[E061]: `Part.rate` sets `rating` to `stars`, which it never takes: it is at most 5
                  --> mainstay.yaml:10:62
                   |
                 7 |         fields: { rating: int 1..5, note: string max 5, seen: timestamp }
                   |                           --- `rating` is declared here
                ...
                10 |           rate: { input: { stars: int 6..9 }, set: { rating: stars }, by: user }
                   |                                                              ^^^^^
                   = why: every call of the command would be refused
            "#]],
        );
    }
}
