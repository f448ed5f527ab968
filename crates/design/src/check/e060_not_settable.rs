//! # E060 field that a command may not set
//! `set` names a field whose value comes from somewhere else, or a transition names a field that
//! is no enum.
//!
//! **Why**: computed and copied fields follow their expression, `id` and the times are the
//! system's, counters are raised by routes, and a state changes by transitions alone, so that its
//! diagram is complete.
//!
//! Wrong:
//! ```yaml
//! place: { status: draft -> placed, by: user }
//! pay: { set: { status: paid }, by: system }
//! ```
//! Right:
//! ```yaml
//! pay: { status: placed -> paid, by: system }
//! ```

use super::place::Place;
use super::world::Entry;
use ir::expr::FieldRef;
use ir::model::FieldType;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E060");

/// The reason why a command may not set the field, if there is one.
pub(crate) fn check(
    entry: &Entry<'_>,
    field: FieldRef,
    name: &Name,
    place: Place<'_>,
) -> Option<Diagnostic> {
    let fault = |why: &str, help: String| {
        let message = format!("{place} sets `{name}`, which it may not");
        Some(Diagnostic::error(CODE, name.span, message).why(why).help(help))
    };
    let FieldRef::Field(id) = field else {
        let help = "declare a field of your own for it".to_owned();
        return fault("every row has it, and the system alone sets it", help);
    };
    let declared = entry.declared(id);
    if entry.states.contains(&id) {
        let help = format!("write the transition as a key of the command: `{name}: a -> b`");
        return fault("a state changes by transitions alone", help);
    }
    match &declared.ty.value {
        FieldType::Counter => {
            return fault("a counter is raised by its route", "declare it as `int`".to_owned());
        }
        FieldType::Many { .. } => {
            let help = "write the children in a PATCH of the row".to_owned();
            return fault("children are written with their row, not by an expression", help);
        }
        _ => {}
    }
    let expression = declared.expression.as_ref()?;
    let computed = declared.at.is_some() || super::resolve::reads_fields(entry, expression);
    if !computed {
        return None;
    }
    let help = format!("change what it is made from: `{}`", expression.text);
    fault("its value follows its expression", help)
}

/// A transition of a field that is no enum.
pub(crate) fn no_state(name: &Name, place: Place<'_>) -> Diagnostic {
    let message = format!("{place} has a transition of `{name}`, which is no enum");
    Diagnostic::error(CODE, name.span, message)
        .why("only an enum has states to go from and to")
        .help(format!("put a new value under `set: {{ {name}: … }}`"))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn states_computed_fields_and_times_are_not_set() {
        let resource = "
            Order:
              fields: { status: draft | paid, count: int, double: int = count * 2 }
              commands:
                pay: { status: draft -> paid, by: user }
                fix: { set: { status: draft, double: 4, created_at: now }, by: staff }
                odd: { count: draft -> paid, by: staff }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E060]: `Order.fix` sets `status`, which it may not
              --> mainstay.yaml:10:25
               |
            10 |           fix: { set: { status: draft, double: 4, created_at: now }, by: staff }
               |                         ^^^^^^
               = why: a state changes by transitions alone
               = help: write the transition as a key of the command: `status: a -> b`

            error[E060]: `Order.fix` sets `double`, which it may not
              --> mainstay.yaml:10:40
               |
            10 |           fix: { set: { status: draft, double: 4, created_at: now }, by: staff }
               |                                        ^^^^^^
               = why: its value follows its expression
               = help: change what it is made from: `count * 2`

            error[E060]: `Order.fix` sets `created_at`, which it may not
              --> mainstay.yaml:10:51
               |
            10 |           fix: { set: { status: draft, double: 4, created_at: now }, by: staff }
               |                                                   ^^^^^^^^^^
               = why: every row has it, and the system alone sets it
               = help: declare a field of your own for it

            error[E060]: `Order.odd` has a transition of `count`, which is no enum
              --> mainstay.yaml:11:18
               |
            11 |           odd: { count: draft -> paid, by: staff }
               |                  ^^^^^
               = why: only an enum has states to go from and to
               = help: put a new value under `set: { count: … }`
        "#]],
        );
    }
}
