//! # E066 shared data that refers to a tenant's
//! A resource that all tenants share refers to a row that belongs to one of them.
//!
//! **Why**: the shared row is seen by every tenant, so each of them would learn the ids, and with
//! `expand` or a copied field the contents, of another's rows.
//!
//! Wrong:
//! ```yaml
//! Country: { shared: true, fields: { best_customer: Customer } }
//! ```
//! Right: the tenant's row refers to the shared one.
//! ```yaml
//! Customer: { fields: { country: Country } }
//! ```

use super::resolve::Resolved;
use ir::domain::Kind;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E066");

/// Looks at references of shared resources.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    if resolved.domain.tenancy.is_none() {
        return;
    }
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        if !resource.shared {
            continue;
        }
        for (asked, field) in entry.model.fields.iter().zip(&resource.fields) {
            let Kind::Reference { target, .. } = field.kind else { continue };
            if resolved.domain.resource(target).shared {
                continue;
            }
            let target = resolved.domain.full_name(target);
            let message = format!("shared `{}` refers to a tenant's `{target}`", entry.name());
            let fault = Diagnostic::error(CODE, asked.ty.span, message);
            let shared = entry.model.shared.unwrap_or(entry.model.name.span);
            found.push(
                fault
                    .also(shared, "all tenants see its rows")
                    .why("every tenant would learn of another tenant's rows")
                    .help(format!("refer the other way round, or leave `shared` out of `{}`", {
                        entry.name()
                    })),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_shared_resource_that_points_into_a_tenant() {
        let model = "
system: test
tenancy: row by org
actors: { staff: oidc, admin: oidc across tenants }
contexts:
  sales:
    resources:
      Country:
        shared: true
        fields: { name: string max 60, best: Customer optional }
        allow: { read: anyone, write: admin }
      Customer:
        fields: { country: Country }
        allow: { read: staff, write: staff }
";
        check(
            model,
            expect![[r#"
            error[E066]: shared `Country` refers to a tenant's `sales.Customer`
             --> mainstay.yaml:9:46
              |
            8 |         shared: true
              |                 ---- all tenants see its rows
            9 |         fields: { name: string max 60, best: Customer optional }
              |                                              ^^^^^^^^
              = why: every tenant would learn of another tenant's rows
              = help: refer the other way round, or leave `shared` out of `Country`
        "#]],
        );
    }
}
