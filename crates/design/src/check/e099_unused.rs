//! # E099 name that nothing uses
//! A named rule, an input of a command or a value it gets is used nowhere.
//!
//! **Why**: a rule that is written and not used protects nothing; an input that is asked for and
//! not used is asked for in vain.
//!
//! Wrong:
//! ```yaml
//! rules: { own: owner == me }
//! allow: { read: user }
//! ```
//! Right:
//! ```yaml
//! rules: { own: owner == me }
//! allow: { read: user when own }
//! ```

use super::reads::walk;
use super::resolve::Resolved;
use ir::domain::Command;
use ir::expr::{Expr, ExprKind, Expression, Node, Tree};
use ir::model::{Grant, Resource};
use ir::{Code, Diagnostic};
use std::collections::BTreeSet;

pub(crate) const CODE: Code = Code("E099");

/// Looks at rules, inputs and values that are looked up.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        rules(entry.model, found);
        for (asked, command) in entry.model.commands.iter().zip(&resource.commands) {
            let (inputs, got) = used(command);
            let complete = asked.set.len() == command.set.len()
                && asked.require.len() == command.require.len()
                && asked.get.len() == command.get.len();
            if !complete {
                continue;
            }
            let name = format!("{}.{}", entry.name(), command.name);
            let unused = asked.input.iter().enumerate().filter(|(at, _)| !inputs.contains(at));
            for (_, field) in unused {
                let message = format!("the input `{}` of `{name}` is not used", field.name);
                let fault = Diagnostic::warning(CODE, field.name.span, message);
                found.push(fault.help(format!("use it, as in `set: {{ … : {} }}`", field.name)));
            }
            for (at, (value, _)) in asked.get.iter().enumerate() {
                if !got.contains(&at) {
                    let message = format!("`{value}`, which `{name}` gets, is not used");
                    let fault = Diagnostic::warning(CODE, value.span, message);
                    found.push(fault.why("each call looks it up").help("use it or leave it out"));
                }
            }
        }
    }
}

fn used(command: &Command) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let (mut inputs, mut got) = (BTreeSet::new(), BTreeSet::new());
    let guards = command.require.iter().map(|(_, expr)| expr);
    let effects = command.set.iter().map(|(_, expr)| expr);
    let lookups = command.get.iter().map(|(_, expr)| expr);
    let mut visit = |expr: &Expr| match expr.kind {
        ExprKind::Input(at) => {
            inputs.insert(at);
        }
        ExprKind::Got(at) => {
            got.insert(at);
        }
        _ => {}
    };
    guards.chain(effects).chain(lookups).for_each(|expr| walk(expr, &mut |e| visit(e)));
    (inputs, got)
}

fn rules(resource: &Resource, found: &mut Vec<Diagnostic>) {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let allow = &resource.allow;
    let grants = [&allow.read, &allow.write, &allow.create, &allow.update, &allow.delete];
    let own = resource.fields.iter().filter_map(|field| field.allow.as_ref());
    let own = own.flat_map(|allow| [&allow.read, &allow.write]);
    let by = resource.commands.iter().map(|command| &command.by);
    let grants = grants.into_iter().chain(own).chain(by).flatten();
    let conditions = grants.filter_map(|grant: &Grant| grant.when.as_ref());
    let guards = resource.commands.iter().flat_map(|command| &command.require);
    let routes = resource.routes.iter().filter_map(|route| route.when.as_ref());
    let rules = resource.rules.iter().map(|(_, expression)| expression);
    let all = conditions.chain(guards).chain(routes).chain(rules);
    all.for_each(|expression: &Expression| names_in(&expression.tree, &mut names));
    for (name, _) in resource.rules.iter().filter(|(name, _)| !names.contains(name.as_str())) {
        let message = format!("the rule `{name}` of `{}` is not used", resource.name);
        let fault = Diagnostic::warning(CODE, name.span, message);
        let fault = fault.why("a rule that is written and not used protects nothing");
        found.push(fault.help(format!("use it: `read: actor when {name}`")));
    }
}

fn names_in<'t>(tree: &'t Tree, names: &mut BTreeSet<&'t str>) {
    match &tree.node {
        Node::Name(name) => {
            names.insert(name);
        }
        Node::Member(left, _) | Node::Not(left) | Node::Negate(left) => names_in(left, names),
        Node::Binary(_, left, right) => {
            names_in(left, names);
            names_in(right, names);
        }
        Node::Call(_, items) | Node::List(items) => {
            items.iter().for_each(|item| names_in(item, names));
        }
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Decimal { .. } | Node::Text(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_rule_and_an_input_that_nothing_uses() {
        let resource = "
            Note:
              rules: { own: owner == me }
              fields: { owner: actor user, title: string max 9 }
              commands: { rename: { input: { to: string max 9, why: string max 9 }, set: { title: to }, by: user } }
              allow: { read: user, write: user }";
        check_resources(
            resource,
            expect![[r#"
            warning[E099]: the rule `own` of `Note` is not used
             --> mainstay.yaml:7:18
              |
            7 |         rules: { own: owner == me }
              |                  ^^^
              = why: a rule that is written and not used protects nothing
              = help: use it: `read: actor when own`

            warning[E099]: the input `why` of `Note.rename` is not used
             --> mainstay.yaml:9:58
              |
            9 | … { rename: { input: { to: string max 9, why: string max 9 }, set: { title: to }, by: user } }
              |                                          ^^^
              = help: use it, as in `set: { … : why }`
        "#]],
        );
    }
}
