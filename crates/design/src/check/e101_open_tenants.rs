//! # E101 anyone may make a row where each tenant has a place of its own
//! Callers without token may make rows of a resource, and each tenant has a database or a schema
//! of its own, named by the host that is called.
//!
//! **Why**: the first row of a tenant makes its database. If callers without token could do that,
//! anybody could have one made for each name that can stand in a host. So such a call is refused
//! with `tenant-unknown` until a caller with a token has written for the tenant.
//!
//! Wrong:
//! ```yaml
//! tenancy: database by org host {org}.shop.example
//! allow: { read: staff, create: anyone }
//! ```
//! Right:
//! ```yaml
//! tenancy: row by org host {org}.shop.example
//! allow: { read: staff, create: anyone }
//! ```

use super::resolve::Resolved;
use ir::domain::Caller;
use ir::model::Isolation;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E101");

/// Looks at what callers without token may make.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let Some(tenancy) = &resolved.domain.tenancy else { return };
    let own = match tenancy.isolation {
        Isolation::Row => return,
        Isolation::Schema => "schema",
        Isolation::Database => "database",
    };
    // Only a host names the tenant of a caller without token.
    if tenancy.host.is_none() {
        return;
    }
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        let open = |grant: &&ir::domain::Grant| grant.caller == Caller::Anyone;
        let Some(grant) = resource.access.create.iter().find(open) else { continue };
        if resource.shared || resource.owner.is_some() {
            continue;
        }
        let allow = &entry.model.allow;
        let written = allow.create.iter().chain(&allow.write).find(|one| one.text == grant.text);
        let span = written.map_or(entry.model.name.span, |one| one.span);
        let message =
            format!("anyone may make a `{}`, and each tenant has a {own} of its own", entry.name());
        let why = format!(
            "a tenant's first row makes its {own}, and a caller without token makes none: it is \
             refused until one with a token has written for the tenant"
        );
        found.push(Diagnostic::warning(CODE, span, message).why(why).help(
            "name who may, as in `create: user`, keep tenants apart by `row`, or see that each \
             tenant's first row comes with a token",
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_public_create_beside_a_database_for_each_tenant() {
        let model = "
system: test
tenancy: database by org host {org}.shop.example
actors: { user: oidc }
contexts:
  desk:
    resources:
      Note:
        fields: { title: string max 20 }
        allow: { read: user, create: anyone }
      Memo:
        fields: { title: string max 20 }
        allow: { read: user, create: user }
";
        check(
            model,
            expect![[r#"
            warning[E101]: anyone may make a `Note`, and each tenant has a database of its own
             --> mainstay.yaml:9:38
              |
            9 |         allow: { read: user, create: anyone }
              |                                      ^^^^^^
              = why: a tenant's first row makes its database, and a caller without token makes none: it is refused until one with a token has written for the tenant
              = help: name who may, as in `create: user`, keep tenants apart by `row`, or see that each tenant's first row comes with a token
        "#]],
        );
        check(&model.replace("database by", "row by"), expect![[""]]);
        check(&model.replace(" host {org}.shop.example", ""), expect![[""]]);
    }
}
