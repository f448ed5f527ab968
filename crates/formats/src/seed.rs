//! Seed files: rows by resource and name, as trees of text whose types are the model's.
//!
//! ```yaml
//! tenant: acme                       # left out where the model has no tenants
//! Product:                           # or `catalog.Product`
//!   teapot: { sku: T-1, price: 12.50 EUR }
//! Order:
//!   first: { shopper: alice, lines: [{ product: teapot, quantity: 2 }], then: [place] }
//! ```

use crate::requirements::faults::wrong_shape;
use crate::requirements::tree::{self, Kind, List, Map, Node};
use ir::{Diagnostic, Name, Sources, Spanned};

/// The key of a file's tenant.
const TENANT: &str = "tenant";
/// The key of the commands that follow a row.
const THEN: &str = "then";

/// Names and values in order.
pub type Members = Vec<(String, Tree)>;

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// A scalar as its source text.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// A map in its order.
    Map(Members),
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whose.
    pub tenant: Option<String>,
    /// Its resource, with the context or without.
    pub resource: Name,
    /// Its name in the file.
    pub name: Name,
    /// Its fields.
    pub fields: Members,
    /// Commands that follow, with their inputs.
    pub then: Vec<(String, Members)>,
}

/// Reads seed files, rows in the order of files and lines.
pub fn read(sources: &Sources) -> (Vec<Row>, Vec<Diagnostic>) {
    let mut reader = Reader { rows: Vec::new(), faults: Vec::new() };
    for (at, file) in sources.files.iter().enumerate() {
        let read = tree::parse(u32::try_from(at).unwrap_or(u32::MAX), &file.text);
        reader.faults.extend(read.faults);
        if let Some(root) = read.root {
            reader.file(&root);
        }
    }
    (reader.rows, reader.faults)
}

struct Reader {
    rows: Vec<Row>,
    faults: Vec<Diagnostic>,
}

impl Reader {
    fn fault(&mut self, node: &Node, key: &str, expected: &str, example: &str) {
        let found = node.described();
        self.faults.push(wrong_shape::at(node.span, key, expected, found, example));
    }

    fn map<'a>(&mut self, node: &'a Node, key: &str, example: &str) -> Option<&'a Map> {
        match &node.kind {
            Kind::Map(map) => Some(map),
            Kind::Refused => None,
            Kind::Scalar(_) | Kind::List(_) => {
                self.fault(node, key, "a mapping", example);
                None
            }
        }
    }

    fn file(&mut self, root: &Node) {
        let Some(map) = self.map(root, "seed", "Order: { first: { shopper: alice } }") else {
            return;
        };
        let tenant = map.entries.iter().find(|entry| entry.key.value == TENANT);
        let tenant = tenant.and_then(|entry| match &entry.value.kind {
            Kind::Scalar(scalar) => Some(scalar.value.clone()),
            Kind::Map(_) | Kind::List(_) | Kind::Refused => {
                self.fault(&entry.value, TENANT, "a name", "tenant: acme");
                None
            }
        });
        for entry in map.entries.iter().filter(|entry| entry.key.value != TENANT) {
            let resource = Spanned::new(entry.key.value.clone(), entry.key.span);
            let example = "{ first: { shopper: alice } }";
            let Some(rows) = self.map(&entry.value, &entry.key.value, example) else { continue };
            for row in &rows.entries {
                let name = Spanned::new(row.key.value.clone(), row.key.span);
                let example = "{ shopper: alice }";
                let Some(fields) = self.map(&row.value, &row.key.value, example) else { continue };
                let (fields, then) = self.row(fields);
                let (tenant, resource) = (tenant.clone(), resource.clone());
                self.rows.push(Row { tenant, resource, name, fields, then });
            }
        }
    }

    fn row(&mut self, map: &Map) -> (Members, Vec<(String, Members)>) {
        let (mut fields, mut then) = (Vec::new(), Vec::new());
        for entry in &map.entries {
            match &entry.value.kind {
                Kind::List(commands) if entry.key.value == THEN => then = self.commands(commands),
                Kind::Scalar(_) | Kind::Map(_) if entry.key.value == THEN => {
                    let example = "[place, { reserve: { quantity: 1 } }]";
                    self.fault(&entry.value, THEN, "a list of commands", example);
                }
                Kind::Refused => {}
                Kind::Scalar(_) | Kind::Map(_) | Kind::List(_) => {
                    fields.push((entry.key.value.clone(), value(&entry.value)));
                }
            }
        }
        (fields, then)
    }

    fn commands(&mut self, list: &List) -> Vec<(String, Members)> {
        let mut commands = Vec::new();
        for item in &list.items {
            match &item.kind {
                Kind::Scalar(name) => commands.push((name.value.clone(), Vec::new())),
                Kind::Map(map) if map.entries.len() == 1 => {
                    let entry = &map.entries[0];
                    match value(&entry.value) {
                        Tree::Map(input) => commands.push((entry.key.value.clone(), input)),
                        Tree::Text(_) | Tree::List(_) => {
                            let name = &entry.key.value;
                            self.fault(&entry.value, name, "a mapping", "{ quantity: 1 }");
                        }
                    }
                }
                Kind::Refused => {}
                Kind::Map(_) | Kind::List(_) => {
                    let example = "{ reserve: { quantity: 1 } }";
                    self.fault(item, "a command", "a name, perhaps with inputs", example);
                }
            }
        }
        commands
    }
}

fn value(node: &Node) -> Tree {
    match &node.kind {
        Kind::Scalar(scalar) => Tree::Text(scalar.value.clone()),
        Kind::List(list) => Tree::List(list.items.iter().map(value).collect()),
        Kind::Map(map) => {
            let member = |entry: &tree::Entry| (entry.key.value.clone(), value(&entry.value));
            Tree::Map(map.entries.iter().map(member).collect())
        }
        Kind::Refused => Tree::Text(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let (rows, faults) = read(&Sources::one("seed/a.yaml", text));
        let mut shown = String::new();
        for row in rows {
            let (resource, name) = (&row.resource, &row.name);
            let tenant = row.tenant.unwrap_or_default();
            shown
                .push_str(&format!("{tenant} {resource} {name} {:?} {:?}\n", row.fields, row.then));
        }
        for fault in faults {
            shown.push_str(&format!("{}: {}\n", fault.code, fault.message));
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn rows_come_in_order_with_their_commands() {
        check(
            "tenant: acme\nOrder:\n  first: { number: 1, lines: [{ q: x }], then: [place, { pay: { by: me } }] }\n  second: {}\n",
            expect![[r#"
                acme Order first [("number", Text("1")), ("lines", List([Map([("q", Text("x"))])]))] [("place", []), ("pay", [("by", Text("me"))])]
                acme Order second [] []
            "#]],
        );
    }

    #[test]
    fn other_shapes_are_told() {
        check(
            "- a\n",
            expect![[r#"
            E012: `seed` is a mapping, not a list
        "#]],
        );
        check(
            "Order: 1\nProduct: { a: 1, b: { then: place, x: y }, c: { then: [[a]] } }\n",
            expect![[r#"
             Product b [("x", Text("y"))] []
             Product c [] []
            E012: `Order` is a mapping, not a text
            E012: `a` is a mapping, not a text
            E012: `then` is a list of commands, not a text
            E012: `a command` is a name, perhaps with inputs, not a list
        "#]],
        );
    }
}
