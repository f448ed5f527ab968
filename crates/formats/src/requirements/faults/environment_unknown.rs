//! # E026 unknown in the model
//! `mainstay.<name>.yaml` sets something of an actor or an integration that the model lacks.
//!
//! **Why**: what an environment adds would exist there alone; most often the name is misspelt.
//!
//! Wrong:
//! ```yaml
//! # mainstay.prod.yaml
//! integrations: { payment: { limit: 5 per second } }
//! ```
//! Right:
//! ```yaml
//! # mainstay.prod.yaml
//! integrations: { payments: { limit: 5 per second } }
//! ```

use super::shown;
use crate::requirements::nearest::nearest;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E026");

/// The name, what it should name and the names there are.
pub(crate) fn at<'a>(
    span: Span,
    name: &str,
    what: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let message = format!("the model has no {what} `{}`", shown(name));
    let fault = Diagnostic::error(CODE, span, message);
    match nearest(name, known) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")).fix(meant),
        None => fault.help("add it to the model first"),
    }
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check_all;
    use crate::requirements::read_with_environment;
    use expect_test::expect;
    use ir::Sources;

    #[test]
    fn a_name_that_the_model_lacks_is_shown_with_the_nearest() {
        let base = "system: a\nactors: { staff: oidc }\nintegrations: { payments: { http: 'http://a' } }\n";
        let overlay =
            "actors: { user: { limit: 5 rps } }\nintegrations: { payment: { limit: 5 rps } }\n";
        let (base, overlay) =
            (Sources::one("mainstay.yaml", base), Sources::one("mainstay.prod.yaml", overlay));
        let (model, diagnostics) = read_with_environment(&base, &overlay);
        check_all(
            &model.sources,
            &diagnostics,
            expect![[r#"
            error[E026]: the model has no actor `user`
             --> mainstay.prod.yaml:1:11
              |
            1 | actors: { user: { limit: 5 rps } }
              |           ^^^^
              = help: add it to the model first

            error[E026]: the model has no integration `payment`
             --> mainstay.prod.yaml:2:17
              |
            2 | integrations: { payment: { limit: 5 rps } }
              |                 ^^^^^^^
              = help: did you mean `payments`?
            2 + integrations: { payments: { limit: 5 rps } }
        "#]],
        );
    }
}
