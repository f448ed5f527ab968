//! # E034 unknown resource
//! A reference, command, schedule, route or journey names a resource that does not exist.
//!
//! **Why**: there would be nothing to refer to, to read or to change.
//!
//! Wrong:
//! ```yaml
//! lines: many OrderLines 1..50
//! ```
//! Right:
//! ```yaml
//! lines: many OrderLine 1..50
//! ```
//! A resource of another context is written with it: `catalog.Product`.

use super::place::Place;
use super::suggest::unknown;
use super::world::World;
use ir::domain::ContextId;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E034");

/// `name` is no resource of the context; of none at all where no context is given.
pub(crate) fn fault(
    world: &World<'_>,
    context: Option<ContextId>,
    name: &Name,
    place: Place<'_>,
) -> Diagnostic {
    let Some(context) = context else {
        return unknown(CODE, "resource", name, place, world.resource_names(), &world.budget);
    };
    let what = format!("resource of context `{}`", world.context_name(context));
    let elsewhere = world.homes(name.as_str());
    if let [home] = elsewhere.as_slice() {
        let full = world.full_name(*home);
        let context = world.context_name(context);
        let message = format!("unknown resource `{name}` of context `{context}` in {place}");
        let fault = Diagnostic::error(CODE, name.span, message);
        return fault.help(format!("did you mean `{full}`?")).fix(full);
    }
    unknown(CODE, &what, name, place, world.names_in(context), &world.budget)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{check, check_resources};
    use expect_test::expect;

    #[test]
    fn a_reference_to_a_misspelt_resource() {
        let resource = "
            Note:
              fields: { title: string max 20, follows: Noet optional }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E034]: unknown resource `Noet` of context `desk` in `follows` of `Note`
             --> mainstay.yaml:7:50
              |
            7 |         fields: { title: string max 20, follows: Noet optional }
              |                                                  ^^^^
              = help: did you mean `Note`?
            7 +         fields: { title: string max 20, follows: Note optional }
        "#]],
        );
    }

    #[test]
    fn a_resource_of_another_context_is_suggested_with_its_context() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  stock:
    resources:
      Part: { fields: { name: string max 20 }, allow: { read: anyone, write: staff } }
  sales:
    resources:
      Sale: { fields: { part: Part }, allow: { read: anyone, write: staff } }
";
        check(
            model,
            expect![[r#"
            error[E034]: unknown resource `Part` of context `sales` in `part` of `Sale`
             --> mainstay.yaml:9:31
              |
            9 |       Sale: { fields: { part: Part }, allow: { read: anyone, write: staff } }
              |                               ^^^^
              = help: did you mean `stock.Part`?
            9 +       Sale: { fields: { part: stock.Part }, allow: { read: anyone, write: staff } }
        "#]],
        );
    }
}
