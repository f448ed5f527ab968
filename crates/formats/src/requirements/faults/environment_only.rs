//! # E025 not for an environment
//! `mainstay.<name>.yaml` sets something that may not differ between environments. It may set
//! `goals`, `constraints`, the `http`, `auth` and `limit` of an integration, and the `issuer` and
//! `limit` of an actor.
//!
//! **Why**: production would run another system than the one that was reviewed and tested.
//!
//! Wrong:
//! ```yaml
//! # mainstay.prod.yaml
//! actors: { staff: { roles: [root] } }
//! ```
//! Right:
//! ```yaml
//! # mainstay.prod.yaml
//! actors: { staff: { issuer: https://login.example.com } }
//! ```

use super::{choices, shown};
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E025");

/// The key, where it stands and the keys that may be set there.
pub(crate) fn at(span: Span, key: &str, place: &str, allowed: &[&str]) -> Diagnostic {
    let message = format!("an environment can't set `{}` of {place}", shown(key));
    let fault = Diagnostic::error(CODE, span, message);
    fault.help(format!("it may set {}", choices(allowed.iter().copied())))
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check_all;
    use crate::requirements::read_with_environment;
    use expect_test::expect;
    use ir::Sources;

    #[test]
    fn an_environment_sets_goals_limits_and_addresses_alone() {
        let base =
            "system: a\nactors: { staff: oidc }\nintegrations: { pay: { http: 'http://a' } }\n";
        let overlay = "system: b\ngoals: { peak: 5 rps }\nactors: { staff: { roles: [root], limit: 5 rps } }\n\
                       integrations: { pay: { http: 'http://b', operations: {} } }\n";
        let (base, overlay) =
            (Sources::one("mainstay.yaml", base), Sources::one("mainstay.prod.yaml", overlay));
        let (model, diagnostics) = read_with_environment(&base, &overlay);
        assert_eq!(model.integrations[0].http.value, "http://b");
        assert!(model.goals.peak.is_some() && model.actors[0].limit.is_some());
        check_all(
            &model.sources,
            &diagnostics,
            expect![[r#"
            error[E025]: an environment can't set `system` of the model
             --> mainstay.prod.yaml:1:1
              |
            1 | system: b
              | ^^^^^^
              = help: it may set `goals`, `constraints`, `actors` or `integrations`

            error[E025]: an environment can't set `roles` of the actor `staff`
             --> mainstay.prod.yaml:3:20
              |
            3 | actors: { staff: { roles: [root], limit: 5 rps } }
              |                    ^^^^^
              = help: it may set `limit` or `issuer`

            error[E025]: an environment can't set `operations` of the integration `pay`
             --> mainstay.prod.yaml:4:42
              |
            4 | integrations: { pay: { http: 'http://b', operations: {} } }
              |                                          ^^^^^^^^^^
              = help: it may set `http`, `auth` or `limit`
        "#]],
        );
    }
}
