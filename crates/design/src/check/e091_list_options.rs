//! # E091 options that a list does not take
//! A step of a journey sorts by a field that cannot be sorted, asks for more than 100 items, or
//! gives `where`, `sort` or `limit` to something that is no list.
//!
//! **Why**: the request would be refused with 400, and the plan would be made for it all the same.
//!
//! Wrong:
//! ```yaml
//! steps: [list Order sort -lines limit 500]
//! ```
//! Right:
//! ```yaml
//! steps: [list Order sort -created_at limit 100]
//! ```

use super::place::Place;
use ir::domain::Resource;
use ir::model::{JourneyStep, Verb};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E091");

/// Items of a page at most.
const PAGE_ITEMS_MAX: u32 = 100;

/// Looks at the options of one step.
pub(crate) fn step(
    resource: &Resource,
    step: &JourneyStep,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let name = &step.resource;
    if step.verb != Verb::List {
        let spans = [
            ("where", step.condition.as_ref().map(|condition| condition.span)),
            ("sort", step.sort.as_ref().map(|sort| sort.span)),
            ("limit", step.limit.as_ref().map(|limit| limit.span)),
        ];
        for (word, span) in spans {
            if let Some(span) = span {
                let message =
                    format!("a step in {place} gives `{word}` to something that is no list");
                let fault = Diagnostic::error(CODE, span, message);
                found.push(fault.help(format!("write `list {name} {word} …`")));
            }
        }
        return;
    }
    if let Some(sort) = &step.sort {
        for key in sort.value.split(',') {
            let field = key.trim().trim_start_matches(['-', '+']);
            let implicit = super::world::implicit(field).is_some();
            let known = resource.field_named(field).is_some_and(|(_, field)| field.filterable);
            if !implicit && !known {
                let message =
                    format!("a list of `{name}` in {place} cannot be sorted by `{field}`");
                let fault = Diagnostic::error(CODE, sort.span, message);
                found.push(fault.why("the request would be refused with 400"));
            }
        }
    }
    if let Some(limit) = &step.limit
        && !(1..=PAGE_ITEMS_MAX).contains(&limit.value)
    {
        let message = format!("a list in {place} asks for {} items", limit.value);
        let fault = Diagnostic::error(CODE, limit.span, message);
        found.push(fault.help(format!("a page has 1 to {PAGE_ITEMS_MAX} items")));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn options_that_a_request_would_not_take() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order: { fields: { count: int, data: json }, allow: { read: anyone, write: user } }
workload:
  look: { share: 50%, as: user, steps: [list Order sort -data, list Order sort -count] }
  more: { share: 50%, as: user, steps: [list Order limit 500, get Order where count > 1] }
";
        check(
            model,
            expect![[r#"
            error[E091]: a list of `Order` in `steps` of `look` cannot be sorted by `data`
             --> mainstay.yaml:8:57
              |
            8 |   look: { share: 50%, as: user, steps: [list Order sort -data, list Order sort -count] }
              |                                                         ^^^^^
              = why: the request would be refused with 400

            error[E091]: a list in `steps` of `more` asks for 500 items
             --> mainstay.yaml:9:58
              |
            9 |   more: { share: 50%, as: user, steps: [list Order limit 500, get Order where count > 1] }
              |                                                          ^^^
              = help: a page has 1 to 100 items

            error[E091]: a step in `steps` of `more` gives `where` to something that is no list
             --> mainstay.yaml:9:79
              |
            9 |   more: { share: 50%, as: user, steps: [list Order limit 500, get Order where count > 1] }
              |                                                                               ^^^^^^^^^
              = help: write `list Order where …`
        "#]],
        );
    }
}
