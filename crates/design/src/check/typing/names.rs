//! Bare names: enum values where one is wanted, inputs, fields, named rules and the words
//! `me now age item`.

use super::{Typing, literal};
use crate::check::world::Meaning;
use crate::check::{e049_not_here, e051_other_aggregate, e055_rule_cycle};
use ir::domain::ResourceId;
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Type};
use ir::source::Span;
use ir::value::Value;

/// What a lookup comes to: absent, or present and perhaps faulty.
pub(super) type Lookup = Option<Option<Expr>>;

impl Typing<'_, '_, '_> {
    /// Types a bare name.
    pub(super) fn name(&mut self, name: &str, hint: Option<&Type>, span: Span) -> Option<Expr> {
        if let Some(value) = self.enum_value(name, hint) {
            return Some(value);
        }
        if let Some(result) = self.lookup(name, span) {
            return result;
        }
        self.unknown_name(name, hint, span);
        None
    }

    /// A value of the enum that is wanted, unless a field of that very enum has the name.
    fn enum_value(&self, name: &str, hint: Option<&Type>) -> Option<Expr> {
        let Some(Type::Enum { values }) = hint else { return None };
        if !values.iter().any(|value| value == name) {
            return None;
        }
        let row = self.scope.row;
        let field = row.and_then(|row| self.scope.world.entry(row).field(name));
        let field_type = row.zip(field).and_then(|(row, f)| self.scope.world.type_of(row, f));
        let ty = Type::Enum { values: values.clone() };
        (field_type.as_ref() != Some(&ty)).then(|| literal(Value::text(name), ty))
    }

    /// Does the name mean anything here by itself?
    pub(super) fn known(&self, name: &str) -> bool {
        let scope = self.scope;
        let given = scope.input.iter().chain(scope.got).any(|given| given.name == name);
        let in_row = scope.row.is_some_and(|row| {
            let entry = scope.world.entry(row);
            entry.field(name).is_some() || entry.rules.contains_key(name)
        });
        given || in_row || matches!(name, "me" | "now" | "age" | "item")
    }

    fn lookup(&mut self, name: &str, span: Span) -> Lookup {
        if let Some(given) = self.given(name) {
            return Some(given);
        }
        if let Some(row) = self.scope.row {
            if let Some(field) = self.scope.world.entry(row).field(name) {
                return Some(self.field(row, field, name, span));
            }
            if let Some(&rule) = self.scope.world.entry(row).rules.get(name) {
                return Some(self.rule(row, rule, span));
            }
        }
        self.word(name, span)
    }

    /// An input, or a value that was looked up.
    fn given(&self, name: &str) -> Lookup {
        let at = |list: &[super::scope::Given<'_>]| list.iter().position(|g| g.name == name);
        if let Some(index) = at(self.scope.input) {
            let ty = self.scope.input[index].ty.clone();
            return Some(ty.map(|ty| Expr { kind: ExprKind::Input(index), ty }));
        }
        let index = at(self.scope.got)?;
        let ty = self.scope.got[index].ty.clone();
        Some(ty.map(|ty| Expr { kind: ExprKind::Got(index), ty }))
    }

    /// A field of the row in scope; of its owner while inside a fold.
    fn field(&mut self, row: ResourceId, field: FieldRef, name: &str, span: Span) -> Option<Expr> {
        if let FieldRef::Field(id) = field
            && let Meaning::Children(child) = self.scope.world.meaning(row, id)
        {
            let world = self.scope.world;
            self.found.push(e049_not_here::children(world, name, child, span, self.scope.place));
            return None;
        }
        let ty = self.scope.world.type_of(row, field)?;
        if !self.fresh(row, field, span) {
            return None;
        }
        let kind =
            if self.fold.is_some() { ExprKind::Parent(field) } else { ExprKind::Field(field) };
        Some(Expr { kind, ty })
    }

    /// May the field be read here, if it is a copy? Tells where not.
    pub(super) fn fresh(&mut self, resource: ResourceId, field: FieldRef, span: Span) -> bool {
        let FieldRef::Field(id) = field else { return true };
        let declared = self.scope.world.entry(resource).declared(id);
        let Some(at) = &declared.at else { return true };
        let fresh = self.scope.purpose.reads_copy(at.value);
        if !fresh {
            self.found.push(e051_other_aggregate::copy(self.scope, declared, at.value, span));
        }
        fresh
    }

    /// A named rule, written out where it is used.
    fn rule(&mut self, row: ResourceId, rule: usize, span: Span) -> Option<Expr> {
        let (name, expression) = &self.scope.world.entry(row).model.rules[rule];
        if self.rules.contains(&rule) {
            let resource = self.scope.world.entry(row).name();
            self.found.push(e055_rule_cycle::fault(name, resource, span));
            return None;
        }
        self.rules.push(rule);
        let expr = self.bool(&expression.tree);
        self.rules.pop();
        expr
    }

    /// `me now age item`
    fn word(&mut self, name: &str, span: Span) -> Lookup {
        let scope = self.scope;
        match name {
            "me" => Some(match scope.me {
                super::scope::Me::Actor(actor) => {
                    Some(Expr { kind: ExprKind::Me, ty: Type::Actor(actor) })
                }
                super::scope::Me::Nobody(reason) => {
                    self.found.push(e049_not_here::me(span, reason, scope.place));
                    None
                }
            }),
            "now" => Some(Some(Expr { kind: ExprKind::Now, ty: Type::Timestamp })),
            "age" if scope.row.is_some() => {
                Some(Some(Expr { kind: ExprKind::Age, ty: Type::Duration }))
            }
            "item" => {
                let item = scope.item.map(|child| Expr {
                    kind: ExprKind::Item(FieldRef::Implicit(Implicit::Id)),
                    ty: Type::Reference(child),
                });
                if item.is_none() {
                    self.found.push(e049_not_here::item(span, scope.place));
                }
                Some(item)
            }
            _ => None,
        }
    }
}
