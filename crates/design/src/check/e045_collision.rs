//! # E045 names that collide in a contract
//! Two names are different in the model but equal in a path, a column, an operation or an event.
//!
//! **Why**: paths are kebab-case plurals, columns snake_case, and money, timespans and searched
//! texts have more than one column. Two elements cannot have one address.
//!
//! Wrong:
//! ```yaml
//! stock: { resources: { Item: {} } }
//! sales: { resources: { Item: {} } }
//! ```
//! Right:
//! ```yaml
//! stock: { resources: { Item: {} } }
//! sales: { resources: { Item: { path: sold-items } } }
//! ```

use super::resolve::{Resolved, plain_event};
use crate::naming;
use ir::domain::{Field, Resource};
use ir::model::FieldType;
use ir::source::Span;
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

pub(crate) const CODE: Code = Code("E045");

/// Commands whose operation would be called as a plain one.
const PLAIN: [&str; 5] = ["create", "get", "replace", "update", "delete"];

/// What has an address or a column, by the name it has there.
type Taken = BTreeMap<String, (String, Span)>;

/// Looks for names that become equal.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    paths(resolved, found);
    events(resolved, found);
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        let mut columns = Taken::new();
        for (asked, field) in entry.model.fields.iter().zip(&resource.fields) {
            let own = asked.column.as_ref().map(|column| column.value.clone());
            for column in field_columns(own, field) {
                let who = format!("the field `{}`", field.name);
                take(&mut columns, column, who, asked.name.span, "column", found);
            }
        }
        commands(entry.model, resource, found);
    }
}

fn take(
    taken: &mut Taken,
    name: String,
    who: String,
    span: Span,
    what: &str,
    found: &mut Vec<Diagnostic>,
) {
    let Some((other, first)) = taken.get(&name) else {
        taken.insert(name, (who, span));
        return;
    };
    if *other == who && *first == span {
        return;
    }
    let message = format!("{other} and {who} have the same {what} `{name}`");
    let fault = Diagnostic::error(CODE, span, message).also(*first, "the other one");
    found.push(match what {
        "path" => fault.help("give one of them a path of its own: `path: …`"),
        _ => fault.help("rename one of them"),
    });
}

fn paths(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    let mut taken = Taken::new();
    for ((id, entry), resource) in world.entries().zip(&resolved.domain.resources) {
        if resource.owner.is_none() {
            let who = format!("the resource `{}`", world.full_name(id));
            let span = entry.model.path.as_ref().map_or(entry.model.name.span, |path| path.span);
            take(&mut taken, resource.path.clone(), who, span, "path", found);
        }
    }
    for job in &world.model.jobs {
        let path = format!("operations/{}", naming::kebab(job.name.as_str()));
        let who = format!("the job `{}`", job.name);
        take(&mut taken, path, who, job.name.span, "address", found);
    }
    for context in &world.model.contexts {
        for view in &context.views {
            let own = view.path.as_ref().map(|path| path.value.clone());
            let path = own.unwrap_or_else(|| naming::view_path(view.name.as_str()));
            let who = format!("the view `{}.{}`", context.name, view.name);
            take(&mut taken, path, who, view.name.span, "path", found);
        }
    }
}

/// Events of plain writes are called after the resource alone.
fn events(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    let mut taken = Taken::new();
    for (id, entry) in world.entries() {
        for change in &entry.model.emit {
            let who = format!("the plain writes of `{}`", world.full_name(id));
            let event = plain_event(entry.name(), change.as_str());
            take(&mut taken, event, who, change.span, "event", found);
        }
    }
}

fn field_columns(own: Option<String>, field: &Field) -> Vec<String> {
    let column = own.unwrap_or_else(|| naming::snake(&field.name));
    let mut columns = match field.declared {
        FieldType::Many { .. } => return Vec::new(),
        FieldType::Money { .. } => vec![format!("{column}_currency"), column.clone()],
        FieldType::Timespan => vec![format!("{column}_start"), format!("{column}_end")],
        _ => vec![column.clone()],
    };
    if field.search {
        columns.push(format!("{column}_search"));
    }
    columns
}

fn commands(asked: &ir::model::Resource, resource: &Resource, found: &mut Vec<Diagnostic>) {
    let mut taken = Taken::new();
    for command in &asked.commands {
        let name = naming::kebab(command.name.as_str());
        if PLAIN.contains(&name.as_str()) {
            let operation = format!("{}{}", naming::camel(&name), naming::pascal(&resource.name));
            let message = format!(
                "the command `{}` of `{}` and the plain operation are both `{operation}`",
                command.name, resource.name
            );
            let fault = Diagnostic::error(CODE, command.name.span, message);
            found.push(
                fault.help("name the command after what happens: `open`, `correct`, `withdraw`"),
            );
        }
        let who = format!("the command `{}`", command.name);
        take(&mut taken, name, who, command.name.span, "path", found);
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{check, check_resources};
    use expect_test::expect;

    #[test]
    fn two_resources_and_a_view_at_one_path() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  stock:
    resources:
      Item: { fields: { name: string max 9 }, emit: created, allow: { read: staff, write: staff } }
  sales:
    resources:
      Item: { fields: { name: string max 9 }, emit: created, allow: { read: staff, write: staff } }
    views:
      Items: { from: item.created, key: { id: event.id }, set: { sold: count() }, allow: { read: staff } }
";
        check(
            model,
            expect![[r#"
                error[E045]: the resource `stock.Item` and the resource `sales.Item` have the same path `items`
                 --> mainstay.yaml:9:7
                  |
                6 |       Item: { fields: { name: string max 9 }, emit: created, allow: { read: staff, write: staff …
                  |       ---- the other one
                ...
                9 |       Item: { fields: { name: string max 9 }, emit: created, allow: { read: staff, write: staff …
                  |       ^^^^
                  = help: give one of them a path of its own: `path: …`

                error[E045]: the plain writes of `stock.Item` and the plain writes of `sales.Item` have the same event `item.created`
                 --> mainstay.yaml:9:53
                  |
                6 | …{ fields: { name: string max 9 }, emit: created, allow: { read: staff, write: staff } }
                  |                                          ------- the other one
                ...
                9 | …{ fields: { name: string max 9 }, emit: created, allow: { read: staff, write: staff } }
                  |                                          ^^^^^^^
                  = help: rename one of them

                error[E045]: the resource `stock.Item` and the view `sales.Items` have the same path `items`
                  --> mainstay.yaml:11:7
                   |
                 6 |       Item: { fields: { name: string max 9 }, emit: created, allow: { read: staff, write: staff …
                   |       ---- the other one
                ...
                11 |       Items: { from: item.created, key: { id: event.id }, set: { sold: count() }, allow: { read:…
                   |       ^^^^^
                   = help: give one of them a path of its own: `path: …`
            "#]],
        );
    }

    #[test]
    fn columns_of_money_and_commands_named_as_plain_operations() {
        let resource = "
            Part:
              fields: { price: money, price_currency: string max 3 }
              commands: { update: { set: { price_currency: ('x') }, by: staff } }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                error[E045]: the field `price` and the field `price_currency` have the same column `price_currency`
                 --> mainstay.yaml:7:33
                  |
                7 |         fields: { price: money, price_currency: string max 3 }
                  |                                 ^^^^^^^^^^^^^^
                  |                   ----- the other one
                  = help: rename one of them

                error[E045]: the command `update` of `Part` and the plain operation are both `updatePart`
                 --> mainstay.yaml:8:21
                  |
                8 |         commands: { update: { set: { price_currency: ('x') }, by: staff } }
                  |                     ^^^^^^
                  = help: name the command after what happens: `open`, `correct`, `withdraw`
            "#]],
        );
    }
}
