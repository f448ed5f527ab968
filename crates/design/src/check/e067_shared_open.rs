//! # E067 shared data that tenants can change or should not see
//! A resource that all tenants share may be written by a caller of one tenant, or shows personal
//! fields to callers of any.
//!
//! **Why**: one tenant's change reaches all others, and a person's data leaves its tenant.
//!
//! Wrong:
//! ```yaml
//! Country: { shared: true, allow: { read: anyone, write: staff } }
//! ```
//! Right: an actor who acts across tenants keeps shared data.
//! ```yaml
//! actors: { platform: oidc across tenants }
//! Country: { shared: true, allow: { read: anyone, write: platform } }
//! ```

use super::resolve::Resolved;
use ir::domain::{Caller, Domain, Grant};
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E067");

/// Looks at who may write and read shared resources.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let domain = &resolved.domain;
    if domain.tenancy.is_none() {
        return without_tenancy(resolved, found);
    }
    for (entry, resource) in resolved.world.resources.iter().zip(&domain.resources) {
        if !resource.shared || resource.owner.is_some() {
            continue;
        }
        let access = &resource.access;
        let span = entry.model.shared.unwrap_or(entry.model.name.span);
        let commands = resource.commands.iter().map(|command| &command.by);
        let writes = [&access.create, &access.update, &access.delete].into_iter().chain(commands);
        let writer = writes.flatten().find(|grant| of_one_tenant(domain, grant));
        if let Some(grant) = writer {
            let message =
                format!("`{}` of one tenant may change shared `{}`", grant.text, { entry.name() });
            found.push(warn(span, message, "one tenant's change reaches all others"));
        }
        let personal = resource.fields.iter().find(|field| field.personal);
        let reader = access.read.iter().find(|grant| of_one_tenant(domain, grant));
        if let (Some(field), Some(grant)) = (personal, reader) {
            let message = format!(
                "`{}` of any tenant may read the personal `{}` of shared `{}`",
                grant.text,
                field.name,
                entry.name()
            );
            found.push(warn(span, message, "a person's data leaves its tenant"));
        }
    }
}

fn warn(span: Span, message: String, why: &str) -> Diagnostic {
    let help = "allow it to an actor `across tenants` alone, or leave `shared` out";
    Diagnostic::warning(CODE, span, message).why(why).help(help)
}

/// Is the caller a tenant's, rather than the platform's?
fn of_one_tenant(domain: &Domain, grant: &Grant) -> bool {
    match grant.caller {
        Caller::Anyone => true,
        Caller::System => false,
        Caller::Actor(actor, _) => !domain.actor(actor).across_tenants,
    }
}

/// Words about tenants in a system that has none.
fn without_tenancy(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let mut told = |span: Option<Span>, word: &str, name: &str| {
        let Some(span) = span else { return };
        let message = format!("{word} of `{name}` has no effect: the system has no tenants");
        let fault = Diagnostic::warning(CODE, span, message);
        found.push(fault.help("declare `tenancy: row by org`, or leave the word out"));
    };
    for entry in &resolved.world.resources {
        told(entry.model.shared, "`shared`", entry.name());
    }
    for actor in &resolved.world.model.actors {
        told(actor.across_tenants, "`across tenants`", actor.name.as_str());
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{check, check_resources};
    use expect_test::expect;

    #[test]
    fn a_tenants_staff_may_change_what_all_share() {
        let model = "
system: test
tenancy: row by org
actors: { staff: oidc, admin: oidc across tenants }
contexts:
  sales:
    resources:
      Country:
        shared: true
        fields: { name: string max 60, minister: string max 60 personal }
        allow: { read: admin, create: admin, update: [admin, staff] }
      Person:
        shared: true
        fields: { name: string max 60 personal }
        allow: { read: staff, write: admin }
";
        check(
            model,
            expect![[r#"
            warning[E067]: `staff` of one tenant may change shared `Country`
             --> mainstay.yaml:8:17
              |
            8 |         shared: true
              |                 ^^^^
              = why: one tenant's change reaches all others
              = help: allow it to an actor `across tenants` alone, or leave `shared` out

            warning[E067]: `staff` of any tenant may read the personal `name` of shared `Person`
              --> mainstay.yaml:12:17
               |
            12 |         shared: true
               |                 ^^^^
               = why: a person's data leaves its tenant
               = help: allow it to an actor `across tenants` alone, or leave `shared` out
        "#]],
        );
    }

    #[test]
    fn without_tenants_nothing_is_shared() {
        let resource = "
            Country:
              shared: true
              fields: { name: string max 60 }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            warning[E067]: `shared` of `Country` has no effect: the system has no tenants
             --> mainstay.yaml:7:17
              |
            7 |         shared: true
              |                 ^^^^
              = help: declare `tenancy: row by org`, or leave the word out
        "#]],
        );
    }
}
