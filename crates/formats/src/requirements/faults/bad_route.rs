//! # E023 bad path
//! A route, a path or a path segment can't be used in a URL.
//!
//! **Why**: it becomes an address that clients keep; what must be escaped is misread somewhere.
//!
//! Wrong:
//! ```yaml
//! routes: { "/{code}": { find: Link by code } }
//! ```
//! Right:
//! ```yaml
//! routes: { "GET /{code}": { find: Link by code } }
//! ```

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E023");

/// The text, what is wrong with it and an example.
pub(crate) fn at(span: Span, text: &str, message: &str, example: &str) -> Diagnostic {
    let fault = Diagnostic::error(CODE, span, format!("`{}`: {message}", shown(text)));
    fault.help(format!("for example: `{example}`"))
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn methods_paths_and_segments_are_looked_at() {
        let text = "contexts:\n  c:\n    resources:\n      R:\n        path: Order Lines\n        routes:\n          \
                    \"/{code}\": { find: R by code }\n          \"POST /{code}\": { find: R by code }\n          \
                    \"GET /about\": { find: R by code }\n          \"GET /{a\": { find: R by code }\n\
                    integrations: { p: { http: 'ftp://x', operations: { o: { get: charges } } } }\n";
        check(
            text,
            expect![[r#"
            error[E023]: `Order Lines`: a segment has lower-case letters, digits and `-`
             --> mainstay.yaml:5:15
              |
            5 |         path: Order Lines
              |               ^^^^^^^^^^^
              = help: for example: `order-lines`

            error[E023]: `/{code}`: a route is a method and a path
             --> mainstay.yaml:7:12
              |
            7 |           "/{code}": { find: R by code }
              |            ^^^^^^^
              = help: for example: `GET /{code}`

            error[E023]: `POST /{code}`: only `GET` can be routed freely
             --> mainstay.yaml:8:12
              |
            8 |           "POST /{code}": { find: R by code }
              |            ^^^^^^^^^^^^
              = help: for example: `GET /{code}`

            error[E023]: `GET /about`: the path needs a `{field}` to look up by
             --> mainstay.yaml:9:12
              |
            9 |           "GET /about": { find: R by code }
              |            ^^^^^^^^^^
              = help: for example: `GET /{code}`

            error[E023]: `GET /{a`: a segment from outside is written `{name}`
              --> mainstay.yaml:10:12
               |
            10 |           "GET /{a": { find: R by code }
               |            ^^^^^^^
               = help: for example: `GET /{code}`

            error[E023]: `ftp://x`: an address begins with `http://` or `https://`
              --> mainstay.yaml:11:29
               |
            11 | integrations: { p: { http: 'ftp://x', operations: { o: { get: charges } } } }
               |                             ^^^^^^^
               = help: for example: `https://api.example.com`

            error[E023]: `charges`: a path begins with `/`
              --> mainstay.yaml:11:63
               |
            11 | integrations: { p: { http: 'ftp://x', operations: { o: { get: charges } } } }
               |                                                               ^^^^^^^
               = help: for example: `/charges/{id}`
        "#]],
        );
    }
}
