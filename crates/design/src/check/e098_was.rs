//! # E098 former name that is taken
//! `was:` names an element that still exists, or two elements claim the same former name.
//!
//! **Why**: `was` makes a rename a rename: the data of the old name moves to the new one. It can
//! move only once, and not while the old one is in use.
//!
//! Wrong:
//! ```yaml
//! title: string max 200
//! headline: { type: string, max: 200, was: title }
//! ```
//! Right:
//! ```yaml
//! headline: { type: string, max: 200, was: title }
//! ```

use super::resolve::Resolved;
use ir::source::{Name, Span};
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

pub(crate) const CODE: Code = Code("E098");

/// An element's name and its former one.
type Named<'m> = (&'m Name, Option<&'m Name>);

/// Looks at every former name among the names of its kind.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let model = resolved.world.model;
    let mut kind = |elements: &mut dyn Iterator<Item = Named<'_>>| among(elements, found);
    kind(&mut model.actors.iter().map(|a| (&a.name, a.was.as_ref())));
    kind(&mut model.contexts.iter().map(|c| (&c.name, c.was.as_ref())));
    kind(&mut model.integrations.iter().map(|i| (&i.name, i.was.as_ref())));
    kind(&mut model.workflows.iter().map(|w| (&w.name, w.was.as_ref())));
    kind(&mut model.events.iter().map(|e| (&e.name, e.was.as_ref())));
    kind(&mut model.schedules.iter().map(|s| (&s.name, s.was.as_ref())));
    kind(&mut model.jobs.iter().map(|j| (&j.name, j.was.as_ref())));
    for context in &model.contexts {
        let resources = context.resources.iter().map(|r| (&r.name, r.was.as_ref()));
        let views = context.views.iter().map(|v| (&v.name, v.was.as_ref()));
        kind(&mut resources.chain(views));
        for resource in &context.resources {
            kind(&mut resource.fields.iter().map(|f| (&f.name, f.was.as_ref())));
            kind(&mut resource.commands.iter().map(|c| (&c.name, c.was.as_ref())));
        }
    }
}

fn among<'m>(elements: &mut dyn Iterator<Item = Named<'m>>, found: &mut Vec<Diagnostic>) {
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    let mut former: Vec<&Name> = Vec::new();
    for (name, was) in elements {
        names.insert(name.as_str(), name.span);
        former.extend(was);
    }
    let mut claimed: BTreeMap<&str, Span> = BTreeMap::new();
    for was in former {
        if let Some(span) = names.get(was.as_str()) {
            let message = format!("the former name `{was}` is still in use");
            let fault = Diagnostic::error(CODE, was.span, message);
            let fault = fault.also(*span, "in use here");
            found.push(
                fault
                    .why("the data of the old name moves to the new one")
                    .help("remove the old element, or the `was:`"),
            );
        }
        if let Some(first) = claimed.insert(was.as_str(), was.span) {
            let message = format!("two elements were `{was}` before");
            let fault = Diagnostic::error(CODE, was.span, message);
            found.push(fault.also(first, "the other one").help("keep one of the two `was:`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_former_name_that_still_exists() {
        let resource = "
            Note:
              fields: { title: string max 9, headline: { type: string, max: 9, was: title } }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E098]: the former name `title` is still in use
             --> mainstay.yaml:7:79
              |
            7 |         fields: { title: string max 9, headline: { type: string, max: 9, was: title } }
              |                                                                               ^^^^^
              |                   ----- in use here
              = why: the data of the old name moves to the new one
              = help: remove the old element, or the `was:`
        "#]],
        );
    }
}
