//! # E094 route that cannot be served
//! A route conflicts with another path, looks up by a field that is not unique, redirects to
//! something that is no URL, or counts in something that is no counter.
//!
//! **Why**: one address must lead to exactly one row.
//!
//! Wrong:
//! ```yaml
//! name: string max 40
//! routes: { "GET /{name}": { find: Link by name } }
//! ```
//! Right:
//! ```yaml
//! code: string max 40 unique
//! routes: { "GET /{code}": { find: Link by code, redirect: target } }
//! ```

use super::place::Place;
use super::resolve::Resolved;
use ir::domain::{FieldId, Resource};
use ir::model::{self, FieldType};
use ir::source::{Name, Span};
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

pub(crate) const CODE: Code = Code("E094");

/// First segments that the server answers itself.
const TAKEN: [&str; 12] = [
    "v1",
    "docs",
    "graphql",
    "livez",
    "readyz",
    "startupz",
    "metrics",
    "openapi.json",
    ".well-known",
    "favicon.ico",
    "robots.txt",
    "webhooks",
];

/// A route that finds another resource than the one it stands in.
pub(crate) fn elsewhere(find: &Name, place: Place<'_>) -> Diagnostic {
    let message = format!("a route in {place} finds `{find}`");
    Diagnostic::error(CODE, find.span, message).help(format!("move the route to `{find}`"))
}

/// Looks at every route.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let mut shapes: BTreeMap<String, Span> = BTreeMap::new();
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        for asked in &entry.model.routes {
            path(asked, found);
            if let Some(first) = shapes.insert(shape(&asked.path.value), asked.path.span) {
                let message = format!("two routes answer `{}`", asked.path);
                let fault = Diagnostic::error(CODE, asked.path.span, message);
                found.push(fault.also(first, "the other one").help("give one of them a prefix"));
            }
            fields(asked, resource, found);
        }
    }
}

/// The path with its segments' names left out.
fn shape(path: &str) -> String {
    let segments = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    segments.collect::<Vec<_>>().join("/")
}

fn path(asked: &model::Route, found: &mut Vec<Diagnostic>) {
    let path = asked.path.as_str();
    let mut fault = |message: String, help: String| {
        found.push(Diagnostic::error(CODE, asked.path.span, message).help(help));
    };
    if asked.method != "GET" && asked.method != "get" {
        let message = format!("a route answers `{}`, but routes only read", asked.method);
        fault(message, "write `GET`; changes are commands".to_owned());
    }
    let segment = format!("{{{}}}", asked.by);
    let named = path.split('/').filter(|part| part.starts_with('{')).collect::<Vec<_>>();
    if !path.starts_with('/') || named != [segment.as_str()] {
        let message = format!("the path `{path}` does not say what `{}` is", asked.by);
        fault(message, format!("write one segment for it: `/{segment}`"));
    }
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if TAKEN.contains(&first) {
        let message = format!("the path `{path}` is one that the server answers itself");
        fault(message, "begin the path with another segment".to_owned());
    }
}

fn fields(asked: &model::Route, resource: &Resource, found: &mut Vec<Diagnostic>) {
    let unique =
        |id: FieldId| resource.uniques.iter().any(|u| u.fields == [id] && u.when.is_none());
    if let Some((by, _)) = resource.field_named(asked.by.as_str())
        && !unique(by)
    {
        let message =
            format!("a route looks up `{}` by `{}`, which is not unique", resource.name, {
                &asked.by
            });
        let fault = Diagnostic::error(CODE, asked.by.span, message);
        let fault = fault.why("one address must lead to exactly one row");
        found.push(fault.help(format!("declare `{}: string unique`", asked.by)));
    }
    let kinds = [(&asked.redirect, FieldType::Url), (&asked.count, FieldType::Counter)];
    for (name, wanted) in kinds {
        let Some(name) = name else { continue };
        let Some((_, field)) = resource.field_named(name.as_str()) else { continue };
        if field.declared != wanted {
            let (verb, word) = match wanted {
                FieldType::Counter => ("counts in", "counter"),
                _ => ("redirects to", "url"),
            };
            let message = format!("a route {verb} `{name}`, which is no {word}");
            let fault = Diagnostic::error(CODE, name.span, message);
            found.push(fault.help(format!("declare `{name}: {word}`")));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn routes_lead_to_one_row_and_to_an_address() {
        let resource = r#"
            Link:
              fields: { code: string max 9, target: string max 99, hits: int }
              routes:
                "GET /{code}": { find: Link by code, redirect: target, count: hits }
              allow: { read: anyone, write: staff }
            Page:
              fields: { slug: string max 9 unique, text: text max 99 }
              routes:
                "GET /{slug}": { find: Page by slug }
                "GET /docs/{name}": { find: Page by slug }
              allow: { read: anyone, write: staff }"#;
        check_resources(
            resource,
            expect![[r#"
            error[E094]: a route looks up `Link` by `code`, which is not unique
             --> mainstay.yaml:9:42
              |
            9 |           "GET /{code}": { find: Link by code, redirect: target, count: hits }
              |                                          ^^^^
              = why: one address must lead to exactly one row
              = help: declare `code: string unique`

            error[E094]: a route redirects to `target`, which is no url
             --> mainstay.yaml:9:58
              |
            9 |           "GET /{code}": { find: Link by code, redirect: target, count: hits }
              |                                                          ^^^^^^
              = help: declare `target: url`

            error[E094]: a route counts in `hits`, which is no counter
             --> mainstay.yaml:9:73
              |
            9 |           "GET /{code}": { find: Link by code, redirect: target, count: hits }
              |                                                                         ^^^^
              = help: declare `hits: counter`

            error[E094]: two routes answer `/{slug}`
              --> mainstay.yaml:14:16
               |
             9 |           "GET /{code}": { find: Link by code, redirect: target, count: hits }
               |                ------- the other one
            ...
            14 |           "GET /{slug}": { find: Page by slug }
               |                ^^^^^^^
               = help: give one of them a prefix

            error[E094]: the path `/docs/{name}` does not say what `slug` is
              --> mainstay.yaml:15:16
               |
            15 |           "GET /docs/{name}": { find: Page by slug }
               |                ^^^^^^^^^^^^
               = help: write one segment for it: `/{slug}`

            error[E094]: the path `/docs/{name}` is one that the server answers itself
              --> mainstay.yaml:15:16
               |
            15 |           "GET /docs/{name}": { find: Page by slug }
               |                ^^^^^^^^^^^^
               = help: begin the path with another segment
        "#]],
        );
    }
}
