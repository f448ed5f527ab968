//! # E046 operands that do not go together
//! An operator or a condition gets a value of the wrong type.
//!
//! **Why**: a comparison of unlike things is never true and arithmetic over them has no result, so
//! it is told before anything runs. Numbers go with numbers; money goes with money of its
//! currency, times a number; timestamps differ by a duration; an enum is compared with its own
//! values; a reference with ids of its own resource.
//!
//! Wrong:
//! ```yaml
//! require: stock >= 'many'
//! due: timestamp = created_at + 7
//! ```
//! Right:
//! ```yaml
//! require: stock >= 10
//! due: timestamp = created_at + duration('7d')
//! ```

use super::place::Place;
use super::typing::scope::Scope;
use super::typing::types;
use ir::expr::{Expr, ExprKind, Operator, Tree, Type};
use ir::source::Span;
use ir::value::Value;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E046");

/// A condition is not true or false.
pub(crate) fn not_a_condition(span: Span, name: &str, place: Place<'_>) -> Diagnostic {
    let message = format!("a condition in {place} is {name}, not true or false");
    let fault = Diagnostic::error(CODE, span, message).label(format!("this is {name}"));
    fault.help("compare it with something, as in `stock > 0` or `note != null`")
}

/// `-` before something that is no number.
pub(crate) fn not_a_number(span: Span, name: &str, place: Place<'_>) -> Diagnostic {
    let message = format!("`-` in {place} is put before {name}");
    Diagnostic::error(CODE, span, message)
        .help("`-` goes before an int, a decimal, money or a duration")
}

/// Two sides of an operator that do not go together.
pub(crate) fn unlike(
    scope: &Scope<'_, '_>,
    operator: Operator,
    left: (&Expr, &Tree),
    right: (&Expr, &Tree),
    span: Span,
) -> Diagnostic {
    let name = |expr: &Expr| types::name(scope.world, &expr.ty);
    let (a, b) = (name(left.0), name(right.0));
    let symbol = symbol(operator);
    let place = scope.place;
    let message = format!("`{symbol}` in {place} stands between {a} and {b}");
    let fault = Diagnostic::error(CODE, span, message);
    let fault = fault.also(left.1.span, a).also(right.1.span, b);
    match cure(left.0, right.0).or_else(|| cure(right.0, left.0)) {
        Some(help) => fault.help(help),
        None => fault,
    }
}

/// What `text` should be written as, beside a value of another type.
fn cure(text: &Expr, other: &Expr) -> Option<String> {
    match (&text.kind, &other.ty) {
        (ExprKind::Literal(Value::Text(text)), Type::Date) => {
            Some(format!("write `date('{text}')`"))
        }
        (ExprKind::Literal(Value::Text(text)), Type::Time) => {
            Some(format!("write `time('{text}')`"))
        }
        (ExprKind::Literal(Value::Text(text)), Type::Timestamp) => {
            Some(format!("write `timestamp('{text}')`"))
        }
        (ExprKind::Literal(Value::Text(text)), Type::Duration) => {
            Some(format!("write `duration('{text}')`"))
        }
        (ExprKind::Literal(Value::Int(count)), Type::Timestamp | Type::Duration | Type::Date) => {
            Some(format!("write a length of time as `duration('{count}d')`"))
        }
        (_, Type::Reference(_)) => {
            Some("a reference is compared with ids; read a field of it with `.`".to_owned())
        }
        _ => None,
    }
}

/// `<` and its kin between things that have no order.
pub(crate) fn unordered(
    scope: &Scope<'_, '_>,
    operator: Operator,
    side: &Expr,
    span: Span,
) -> Diagnostic {
    let name = types::name(scope.world, &side.ty);
    let symbol = symbol(operator);
    let message = format!("`{symbol}` in {} compares {name}, which has no order", scope.place);
    Diagnostic::error(CODE, span, message).help("compare with `==`, `!=` or `in [a, b]`")
}

/// A bare number added to money.
pub(crate) fn bare_number(currency: Option<&str>, span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("a bare number in {place} is added to money");
    let fault = Diagnostic::error(CODE, span, message);
    match currency {
        None => fault
            .why("money of any currency has no amount without one")
            .help("fix the currency of the field (`money EUR`), or add another money field"),
        Some(currency) => fault
            .help(format!("only a constant of at most four decimals is an amount in {currency}")),
    }
}

/// Division by the constant 0.
pub(crate) fn by_zero(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("{place} divides by zero");
    Diagnostic::error(CODE, span, message).why("a division by zero always denies")
}

/// An operator as it is written.
pub(crate) fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Or => "||",
        Operator::And => "&&",
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::LessEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterEqual => ">=",
        Operator::In => "in",
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Remainder => "%",
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn sides_that_do_not_go_together_are_both_pointed_at() {
        let resource = "
            Part:
              fields: { stock: int, due: timestamp, price: money EUR, cost: money USD }
              commands:
                a: { require: stock >= 'many', by: staff }
                b: { require: due > '2026-01-01T00:00:00Z', by: staff }
                c: { require: price + cost > price, by: staff }
                d: { require: stock, by: staff }
                e: { require: stock / 0 == 1, by: staff }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E046]: `>=` in `Part.a` stands between an int and text
             --> mainstay.yaml:9:25
              |
            9 |           a: { require: stock >= 'many', by: staff }
              |                         ^^^^^^^^^^^^^^^
              |                         ----- an int
              |                                  ------ text

            error[E046]: `>` in `Part.b` stands between a timestamp and text
              --> mainstay.yaml:10:25
               |
            10 |           b: { require: due > '2026-01-01T00:00:00Z', by: staff }
               |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |                         --- a timestamp
               |                               ---------------------- text
               = help: write `timestamp('2026-01-01T00:00:00Z')`

            error[E046]: `+` in `Part.c` stands between money EUR and money USD
              --> mainstay.yaml:11:25
               |
            11 |           c: { require: price + cost > price, by: staff }
               |                         ^^^^^^^^^^^^
               |                         ----- money EUR
               |                                 ---- money USD

            error[E046]: a condition in `Part.d` is an int, not true or false
              --> mainstay.yaml:12:25
               |
            12 |           d: { require: stock, by: staff }
               |                         ^^^^^ this is an int
               = help: compare it with something, as in `stock > 0` or `note != null`

            error[E046]: `Part.e` divides by zero
              --> mainstay.yaml:13:33
               |
            13 |           e: { require: stock / 0 == 1, by: staff }
               |                                 ^
               = why: a division by zero always denies
        "#]],
        );
    }

    #[test]
    fn an_enum_has_no_order_and_open_money_no_bare_amount() {
        let resource = "
            Part:
              fields: { size: small | large, price: money }
              commands:
                a: { require: size > small, by: staff }
                b: { require: price + 1 > price, by: staff }
                c: { require: price > 1, by: staff }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E046]: `>` in `Part.a` compares one of `small | large`, which has no order
             --> mainstay.yaml:9:25
              |
            9 |           a: { require: size > small, by: staff }
              |                         ^^^^^^^^^^^^
              = help: compare with `==`, `!=` or `in [a, b]`

            error[E046]: a bare number in `Part.b` is added to money
              --> mainstay.yaml:10:33
               |
            10 |           b: { require: price + 1 > price, by: staff }
               |                                 ^
               = why: money of any currency has no amount without one
               = help: fix the currency of the field (`money EUR`), or add another money field
        "#]],
        );
    }
}
