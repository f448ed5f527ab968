//! # E024 bad step
//! A step of a journey is none of `list`, `get`, `create`, `update`, `delete`, `open` with a
//! resource, nor a command `Order.place`.
//!
//! **Why**: the journeys are the traffic of the design, of the simulation and of the load test; a
//! step that is no request has no cost.
//!
//! Wrong:
//! ```yaml
//! steps: [browse products]
//! ```
//! Right:
//! ```yaml
//! steps: [list Product, get Product]
//! ```

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E024");

/// The text and what is wrong with it.
pub(crate) fn at(span: Span, text: &str, message: &str) -> Diagnostic {
    let fault = Diagnostic::error(CODE, span, format!("`{}`: {message}", shown(text)));
    fault.help("for example: `list Order where status == paid`, `get Order`, `Order.place`")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn a_step_is_a_verb_with_a_resource_or_a_command() {
        let text = "workload:\n  a:\n    share: 100%\n    steps: [browse products, lst Order, list, place, Order.place.now, \
                    list Order limit many]\n";
        check(
            text,
            expect![[r#"
            error[E024]: `browse products`: the first word is no request
             --> mainstay.yaml:4:13
              |
            4 |     steps: [browse products, lst Order, list, place, Order.place.now, list Order limit many]
              |             ^^^^^^^^^^^^^^^
              = help: for example: `list Order where status == paid`, `get Order`, `Order.place`

            error[E024]: `lst Order`: the first word is no request
             --> mainstay.yaml:4:30
              |
            4 |     steps: [browse products, lst Order, list, place, Order.place.now, list Order limit many]
              |                              ^^^^^^^^^
              = help: for example: `list Order where status == paid`, `get Order`, `Order.place`

            error[E024]: `list`: neither a request nor a command
             --> mainstay.yaml:4:41
              |
            4 |     steps: [browse products, lst Order, list, place, Order.place.now, list Order limit many]
              |                                         ^^^^
              = help: for example: `list Order where status == paid`, `get Order`, `Order.place`

            error[E024]: `place`: neither a request nor a command
             --> mainstay.yaml:4:47
              |
            4 |     steps: [browse products, lst Order, list, place, Order.place.now, list Order limit many]
              |                                               ^^^^^
              = help: for example: `list Order where status == paid`, `get Order`, `Order.place`

            error[E024]: `Order.place.now`: a command follows the point
             --> mainstay.yaml:4:54
              |
            4 |     steps: [browse products, lst Order, list, place, Order.place.now, list Order limit many]
              |                                                      ^^^^^^^^^^^^^^^
              = help: for example: `list Order where status == paid`, `get Order`, `Order.place`

            error[E017]: `many` is not a whole number
             --> mainstay.yaml:4:88
              |
            4 |     steps: [browse products, lst Order, list, place, Order.place.now, list Order limit many]
              |                                                                                        ^^^^
              = help: for example: `3`
        "#]],
        );
    }
}
