//! # E042 ambiguous resource
//! Outside the contexts a bare name is used that resources of several contexts have.
//!
//! **Why**: contexts may each have their own `Item`; only one of them can be meant.
//!
//! Wrong:
//! ```yaml
//! schedules: { tidy: { every: 1 h, for: Item, do: Item.drop } }
//! ```
//! Right:
//! ```yaml
//! schedules: { tidy: { every: 1 h, for: stock.Item, do: stock.Item.drop } }
//! ```

use super::place::Place;
use super::suggest::listed;
use super::world::World;
use ir::domain::ResourceId;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E042");

/// Resources that are listed.
const SHOWN_MAX: usize = 16;

/// Several resources are called so.
pub(crate) fn fault(
    world: &World<'_>,
    name: &Name,
    several: &[ResourceId],
    place: Place<'_>,
) -> Diagnostic {
    let names: Vec<String> =
        several.iter().take(SHOWN_MAX).map(|id| world.full_name(*id)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = format!("`{name}` in {place} may be several resources");
    let fault = Diagnostic::error(CODE, name.span, message);
    fault.help(format!("write it with its context: {}", listed(&names).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_journey_names_a_resource_that_two_contexts_have() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  stock:
    resources:
      Item: { fields: { name: string max 20 }, allow: { read: anyone, write: staff } }
  sales:
    resources:
      Item: { path: sold-items, fields: { at: date }, allow: { read: anyone, write: staff } }
workload:
  look: { share: 100%, as: staff, steps: [list Item] }
";
        check(
            model,
            expect![[r#"
            error[E042]: `Item` in `steps` of `look` may be several resources
              --> mainstay.yaml:11:48
               |
            11 |   look: { share: 100%, as: staff, steps: [list Item] }
               |                                                ^^^^
               = help: write it with its context: `stock.Item`, `sales.Item`
        "#]],
        );
    }
}
