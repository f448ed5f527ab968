//! # E093 retention that does not do what it says
//! `then erase personal` on a resource without personal fields, a time to keep that is nothing, or
//! personal data under GDPR that is kept for ever.
//!
//! **Why**: erasing what is not there keeps every row for ever; and personal data may be kept only
//! as long as it is needed.
//!
//! Wrong:
//! ```yaml
//! rows: 5_000 per tenant, keep 7 years then erase personal
//! fields: { note: string max 500 }
//! ```
//! Right:
//! ```yaml
//! fields: { note: string max 500 personal }
//! ```

use super::resolve::Resolved;
use ir::domain::Resource;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E093");

/// Looks at every root.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let model = resolved.world.model;
    let gdpr = model.constraints.compliance.iter().find(|name| *name == "gdpr");
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        if resource.owner.is_some() {
            continue;
        }
        let personal = personal(resolved, resource);
        let rows = entry.model.rows.as_ref();
        if let Some(rows) = rows {
            if rows.then_erase_personal && personal.is_none() {
                let message = format!("`{}` has no personal field to erase", entry.name());
                let fault = Diagnostic::warning(CODE, rows.span, message);
                found.push(
                    fault
                        .why("nothing is erased, and every row is kept for ever")
                        .help("mark the fields that are about a person with `personal`"),
                );
            }
            if rows.keep.is_some_and(|keep| keep <= 0.0) {
                let message = format!("rows of `{}` are kept for no time", entry.name());
                let fault = Diagnostic::error(CODE, rows.span, message);
                found.push(fault.help("say how long: `keep 7 years`"));
            }
        }
        if let (Some(gdpr), Some(personal)) = (gdpr, personal)
            && rows.is_none_or(|rows| rows.keep.is_none())
        {
            let message = format!("`{}` keeps the personal `{personal}` for ever", entry.name());
            let fault = Diagnostic::warning(CODE, entry.model.name.span, message);
            found.push(
                fault
                    .also(gdpr.span, "personal data is kept no longer than needed")
                    .why("the design has no time after which it is deleted or erased")
                    .help(
                        "say how long: `rows: 1_000 per month, keep 2 years then erase personal`",
                    ),
            );
        }
    }
}

/// The first personal field of a root or of its children.
fn personal(resolved: &Resolved<'_>, resource: &Resource) -> Option<String> {
    let own = resource.fields.iter().find(|field| field.personal);
    if let Some(field) = own {
        return Some(field.name.clone());
    }
    resource.children().find_map(|(_, child)| {
        let child = resolved.domain.resource(child);
        let field = child.fields.iter().find(|field| field.personal)?;
        Some(format!("{}.{}", child.name, field.name))
    })
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn nothing_to_erase_and_personal_data_for_ever() {
        let model = "
system: test
constraints: { compliance: [gdpr] }
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { note: string max 9 }
        rows: 100 per month, keep 1 year then erase personal
        allow: { read: user, write: user }
      Person:
        fields: { email: email personal }
        rows: 100
        allow: { read: user, write: user }
";
        check(
            model,
            expect![[r#"
            warning[E093]: `Order` has no personal field to erase
             --> mainstay.yaml:9:15
              |
            9 |         rows: 100 per month, keep 1 year then erase personal
              |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = why: nothing is erased, and every row is kept for ever
              = help: mark the fields that are about a person with `personal`

            warning[E093]: `Person` keeps the personal `email` for ever
              --> mainstay.yaml:11:7
               |
             2 | constraints: { compliance: [gdpr] }
               |                             ---- personal data is kept no longer than needed
            ...
            11 |       Person:
               |       ^^^^^^
               = why: the design has no time after which it is deleted or erased
               = help: say how long: `rows: 1_000 per month, keep 2 years then erase personal`
        "#]],
        );
    }
}
