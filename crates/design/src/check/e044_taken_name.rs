//! # E044 name that Mainstay takes itself
//! A field has the name of a column that every table has, or a resource, view or context has a
//! path or prefix that the server answers itself.
//!
//! **Why**: both would have to live at one address or in one column.
//!
//! Taken are the columns `row_version` and the tenant's claim, in children `position` and the
//! owner's `<owner>_id`; the paths `events batch workflows webhooks operations dead-letters
//! schedules tenants keys sessions explain audit`; and the context `mainstay`.
//!
//! Wrong:
//! ```yaml
//! Session: { fields: { opened: timestamp } }
//! ```
//! Right:
//! ```yaml
//! Session: { path: visits, fields: { opened: timestamp } }
//! ```

use super::resolve::Resolved;
use crate::naming;
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E044");

const PATHS: [&str; 12] = [
    "events",
    "batch",
    "workflows",
    "webhooks",
    "operations",
    "dead-letters",
    "schedules",
    "tenants",
    "keys",
    "sessions",
    "explain",
    "audit",
];

/// The prefix of the system's own tables.
const CONTEXT: &str = "mainstay";

/// Looks at columns, paths and contexts.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    for context in &world.model.contexts {
        if context.name == CONTEXT {
            let message = "a context cannot be called `mainstay`";
            let fault = Diagnostic::error(CODE, context.name.span, message);
            let fault = fault.why("the system's own tables begin with it");
            found.push(fault.help("name it after what it is about"));
        }
        for view in &context.views {
            let path = view.path.as_ref().map(|path| path.value.clone());
            let path = path.unwrap_or_else(|| naming::view_path(view.name.as_str()));
            taken_path("view", view.name.as_str(), &path, view.name.span, found);
        }
    }
    for (entry, resource) in world.resources.iter().zip(&resolved.domain.resources) {
        if resource.owner.is_none() {
            let span = entry.model.path.as_ref().map_or(entry.model.name.span, |path| path.span);
            taken_path("resource", entry.name(), &resource.path, span, found);
        }
    }
    columns(resolved, found);
}

fn taken_path(what: &str, name: &str, path: &str, span: Span, found: &mut Vec<Diagnostic>) {
    if PATHS.contains(&path) {
        let message = format!("the {what} `{name}` is at `/v1/{path}`, which is taken");
        let fault = Diagnostic::error(CODE, span, message);
        let fault = fault.why("Mainstay serves something of its own there");
        found.push(fault.help(format!("give it another segment: `path: own-{path}`")));
    }
}

fn columns(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    let claim = world.model.tenancy.as_ref().map(|tenancy| naming::snake(tenancy.claim.as_str()));
    for (entry, resource) in world.resources.iter().zip(&resolved.domain.resources) {
        let mut taken = vec![("row_version".to_owned(), "it holds the version of the row")];
        if !resource.shared {
            taken.extend(claim.clone().map(|claim| (claim, "it holds the tenant of the row")));
        }
        if let Some((owner, _)) = resource.owner {
            let owner = format!("{}_id", naming::snake(world.entry(owner).name()));
            taken.push((owner, "it holds the row that owns this one"));
            taken.push(("position".to_owned(), "it holds the place among the children"));
        }
        for field in &entry.model.fields {
            let column = naming::snake(field.name.as_str());
            let Some((_, why)) = taken.iter().find(|(name, _)| *name == column) else { continue };
            let message =
                format!("a field of `{}` cannot be called `{}`", entry.name(), field.name);
            let fault = Diagnostic::error(CODE, field.name.span, message).why(*why);
            found.push(fault.help("the table has a column of that name already; rename the field"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn columns_and_paths_that_are_taken() {
        let model = "
system: test
tenancy: row by org
actors: { staff: oidc }
contexts:
  desk:
    resources:
      Session:
        fields: { org: string max 9, row_version: int, lines: many Line 1..9 }
        allow: { read: staff, write: staff }
      Line:
        fields: { position: int, session_id: uuid }
";
        check(
            model,
            expect![[r#"
            error[E044]: the resource `Session` is at `/v1/sessions`, which is taken
             --> mainstay.yaml:7:7
              |
            7 |       Session:
              |       ^^^^^^^
              = why: Mainstay serves something of its own there
              = help: give it another segment: `path: own-sessions`

            error[E044]: a field of `Session` cannot be called `org`
             --> mainstay.yaml:8:19
              |
            8 |         fields: { org: string max 9, row_version: int, lines: many Line 1..9 }
              |                   ^^^
              = why: it holds the tenant of the row
              = help: the table has a column of that name already; rename the field

            error[E044]: a field of `Session` cannot be called `row_version`
             --> mainstay.yaml:8:38
              |
            8 |         fields: { org: string max 9, row_version: int, lines: many Line 1..9 }
              |                                      ^^^^^^^^^^^
              = why: it holds the version of the row
              = help: the table has a column of that name already; rename the field

            error[E044]: a field of `Line` cannot be called `position`
              --> mainstay.yaml:11:19
               |
            11 |         fields: { position: int, session_id: uuid }
               |                   ^^^^^^^^
               = why: it holds the place among the children
               = help: the table has a column of that name already; rename the field

            error[E044]: a field of `Line` cannot be called `session_id`
              --> mainstay.yaml:11:34
               |
            11 |         fields: { position: int, session_id: uuid }
               |                                  ^^^^^^^^^^
               = why: it holds the row that owns this one
               = help: the table has a column of that name already; rename the field
        "#]],
        );
    }
}
