//! # E100 claim or regime that nothing reads
//! `claims` maps a claim that Mainstay does not read, or `compliance` names a regime that the
//! catalogue has no controls for.
//!
//! **Why**: a misspelt claim leaves callers without their roles or their tenant; a misspelt regime
//! asks nothing of the design. The claims are `sub`, `actor`, `roles` and the one of `tenancy`; the
//! regimes `gdpr`, `hipaa`, `pci-dss` and `soc2`. Another regime is told as a warning and stays an
//! open point of the document.
//!
//! Wrong:
//! ```yaml
//! actors: { staff: { proof: oidc, claims: { role: realm_roles } } }
//! ```
//! Right:
//! ```yaml
//! actors: { staff: { proof: oidc, claims: { roles: realm_roles } } }
//! ```

use super::resolve::Resolved;
use super::suggest::{listed, nearest, unknown};
use crate::rules::REGIMES;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E100");

/// Looks at the claims of every actor and at the regimes.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let model = resolved.world.model;
    let tenancy = model.tenancy.as_ref().map(|tenancy| tenancy.claim.as_str());
    let known = || ["sub", "actor", "roles"].into_iter().chain(tenancy);
    for actor in &model.actors {
        for (ours, _) in &actor.claims {
            if known().all(|claim| ours != claim) {
                let place = format!("`claims` of `{}`", actor.name);
                let budget = &resolved.world.budget;
                found.push(unknown(CODE, "claim", ours, place, known(), budget));
            }
        }
    }
    for regime in &model.constraints.compliance {
        if REGIMES.iter().any(|known| regime == known) {
            continue;
        }
        let message = format!("the catalogue has no controls for the regime `{regime}`");
        let fault = Diagnostic::warning(CODE, regime.span, message);
        found.push(match nearest(regime.as_str(), REGIMES.into_iter()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")).fix(near),
            None => fault.help(format!("known are {}", listed(&REGIMES).unwrap_or_default())),
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_misspelt_claim_and_regimes_that_are_not_known() {
        let model = "
system: test
tenancy: row by org
constraints: { compliance: [gdpr, GDPR, hippa, iso27001] }
actors:
  user: { proof: oidc, claims: { role: realm_roles, org: organisation, sub: uid, actor: kind } }
contexts:
  sales:
    resources:
      Order: { fields: { count: int }, allow: { read: user, write: user } }
";
        check(
            model,
            expect![[r#"
            warning[E100]: the catalogue has no controls for the regime `GDPR`
             --> mainstay.yaml:3:35
              |
            3 | constraints: { compliance: [gdpr, GDPR, hippa, iso27001] }
              |                                   ^^^^
              = help: did you mean `gdpr`?
            3 + constraints: { compliance: [gdpr, gdpr, hippa, iso27001] }

            warning[E100]: the catalogue has no controls for the regime `hippa`
             --> mainstay.yaml:3:41
              |
            3 | constraints: { compliance: [gdpr, GDPR, hippa, iso27001] }
              |                                         ^^^^^
              = help: did you mean `hipaa`?
            3 + constraints: { compliance: [gdpr, GDPR, hipaa, iso27001] }

            warning[E100]: the catalogue has no controls for the regime `iso27001`
             --> mainstay.yaml:3:48
              |
            3 | constraints: { compliance: [gdpr, GDPR, hippa, iso27001] }
              |                                                ^^^^^^^^
              = help: known are `gdpr`, `hipaa`, `pci-dss`, `soc2`

            error[E100]: unknown claim `role` in `claims` of `user`
             --> mainstay.yaml:5:34
              |
            5 |   user: { proof: oidc, claims: { role: realm_roles, org: organisation, sub: uid, actor: kind } }
              |                                  ^^^^
              = help: did you mean `roles`?
            5 +   user: { proof: oidc, claims: { roles: realm_roles, org: organisation, sub: uid, actor: kind } …
        "#]],
        );
    }
}
