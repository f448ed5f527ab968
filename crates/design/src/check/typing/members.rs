//! Dotted names: `product.price`, `lines.amount` inside a fold, `item.product.name`,
//! `event.total`, `charge.id`, and `order.status` in a child of `Order`.

use super::Typing;
use crate::check::world::Meaning;
use crate::check::{e035_unknown_field, e036_unknown_name, e049_not_here, e051_other_aggregate};
use crate::naming;
use ir::domain::{FieldId, Kind, ResourceId};
use ir::expr::{EventMeta, Expr, ExprKind, FieldRef, Implicit, Node, Tree, Type};
use ir::source::{Name, Span};

/// Where a path of references ends.
struct Reach {
    path: Vec<FieldId>,
    target: ResourceId,
    field: FieldRef,
    ty: Type,
    crosses: bool,
}

impl Typing<'_, '_, '_> {
    /// Types `left.last`.
    pub(super) fn member(&mut self, left: &Tree, last: &Name, span: Span) -> Option<Expr> {
        let mut names = vec![last];
        let mut root = left;
        while let Node::Member(inner, name) = &root.node {
            names.push(name);
            root = inner;
        }
        names.reverse();
        let Node::Name(name) = &root.node else {
            self.found.push(e049_not_here::no_members("this", root.span, self.scope.place));
            return None;
        };
        if let Some((children, child)) = self.fold
            && self.children_named(name).is_some_and(|(field, _)| field == children)
        {
            let reach = self.follow(child, &names)?;
            return self.related(reach, span);
        }
        self.rooted(name, root.span, &names, span)
    }

    /// A path that begins with `root`.
    fn rooted(&mut self, root: &str, at: Span, names: &[&Name], span: Span) -> Option<Expr> {
        let scope = self.scope;
        if scope.input.iter().chain(scope.got).any(|given| given.name == root) {
            self.found.push(e049_not_here::no_members(root, at, scope.place));
            return None;
        }
        if let Some(row) = scope.row
            && let Some(field) = scope.world.entry(row).field(root)
        {
            return self.in_row(row, field, root, at, names, span);
        }
        match root {
            "event" => self.event(names, at),
            "item" => self.item(names, at),
            _ if scope.steps.iter().any(|answer| answer.step == root) => self.step(root, names),
            _ if self.owner_named(root).is_some() => self.owner(root, names, at),
            _ => {
                self.unknown_name(root, None, at);
                None
            }
        }
    }

    fn in_row(
        &mut self,
        row: ResourceId,
        field: FieldRef,
        root: &str,
        at: Span,
        names: &[&Name],
        span: Span,
    ) -> Option<Expr> {
        let scope = self.scope;
        if let FieldRef::Field(id) = field {
            match scope.world.meaning(row, id) {
                Meaning::Children(child) => {
                    let fault = e049_not_here::children(scope.world, root, child, at, scope.place);
                    self.found.push(fault);
                    return None;
                }
                Meaning::Faulty => return None,
                Meaning::Value(Type::Reference(_)) if self.fold.is_none() => {
                    let first = Name::new(root.to_owned(), at);
                    let mut path = vec![&first];
                    path.extend(names);
                    let reach = self.follow(row, &path)?;
                    return self.related(reach, span);
                }
                Meaning::Value(_) => {}
            }
        }
        self.found.push(e049_not_here::no_members(root, at, scope.place));
        None
    }

    /// Follows references from a row of `start`; the last name is what is read at the end.
    fn follow(&mut self, start: ResourceId, names: &[&Name]) -> Option<Reach> {
        let scope = self.scope;
        let (last, references) = names.split_last()?;
        let mut reach = (Vec::new(), start, false);
        for name in references {
            let field = self.field_of(reach.1, name)?;
            let FieldRef::Field(id) = field else {
                self.found.push(e049_not_here::no_members(name.as_str(), name.span, scope.place));
                return None;
            };
            let Some(Kind::Reference { target, crosses, .. }) =
                scope.world.entry(reach.1).kinds[id.index()].clone()
            else {
                if scope.world.entry(reach.1).kinds[id.index()].is_some() {
                    let fault = e049_not_here::no_members(name.as_str(), name.span, scope.place);
                    self.found.push(fault);
                }
                return None;
            };
            if reach.2 {
                self.found.push(e051_other_aggregate::beyond(scope.world, reach.1, name));
                return None;
            }
            reach.0.push(id);
            reach.1 = target;
            reach.2 |= crosses;
        }
        let (mut path, mut target, mut crosses) = reach;
        let mut field = self.field_of(target, last)?;
        if field == FieldRef::Implicit(Implicit::Id)
            && let Some(reference) = path.pop()
        {
            let holder = self.holder(start, &path);
            let ty = Type::Reference(target);
            (field, target, crosses) = (FieldRef::Field(reference), holder, false);
            return Some(Reach { path, target, field, ty, crosses });
        }
        if let FieldRef::Field(id) = field
            && let Meaning::Children(child) = scope.world.meaning(target, id)
        {
            let fault =
                e049_not_here::children(scope.world, last.as_str(), child, last.span, scope.place);
            self.found.push(fault);
            return None;
        }
        let ty = scope.world.type_of(target, field)?;
        path.shrink_to_fit();
        Some(Reach { path, target, field, ty, crosses })
    }

    /// The resource at the end of a path that was followed before.
    fn holder(&self, start: ResourceId, path: &[FieldId]) -> ResourceId {
        path.iter().fold(start, |at, field| match self.scope.world.entry(at).kinds[field.index()] {
            Some(Kind::Reference { target, .. }) => target,
            _ => at,
        })
    }

    fn field_of(&mut self, resource: ResourceId, name: &Name) -> Option<FieldRef> {
        let field = self.scope.world.entry(resource).field(name.as_str());
        if field.is_none() {
            let world = self.scope.world;
            self.found.push(e035_unknown_field::fault(world, resource, name, self.scope.place));
        }
        field
    }

    /// A path as an expression, where this place may read that far.
    fn related(&mut self, reach: Reach, span: Span) -> Option<Expr> {
        let scope = self.scope;
        let Reach { path, target, field, ty, crosses } = reach;
        if !self.fresh(target, field, span) {
            return None;
        }
        if path.is_empty() {
            return Some(Expr { kind: ExprKind::Field(field), ty });
        }
        if (crosses && !scope.purpose.crosses()) || !scope.purpose.relates() {
            let fault = e051_other_aggregate::fault(scope, target, crosses, span);
            self.found.push(fault);
            return None;
        }
        Some(Expr { kind: ExprKind::Related { path, target, field, crosses }, ty })
    }

    fn event(&mut self, names: &[&Name], at: Span) -> Option<Expr> {
        let scope = self.scope;
        let Some(event) = scope.event else {
            self.found.push(e049_not_here::event(at, scope.place));
            return None;
        };
        let [name] = names else {
            self.found.push(e049_not_here::no_members(&dotted("event", names), at, scope.place));
            return None;
        };
        let meta = match name.as_str() {
            "time" => Some((EventMeta::Time, Type::Timestamp)),
            "tenant" => Some((EventMeta::Tenant, Type::Text)),
            "type" => Some((EventMeta::Type, Type::Text)),
            "id_of_event" => Some((EventMeta::Id, Type::Uuid)),
            _ => None,
        };
        if let Some((meta, ty)) = meta {
            return Some(Expr { kind: ExprKind::EventMeta(meta), ty });
        }
        match event.members.get(name.as_str()) {
            Some(Meaning::Value(ty)) => {
                let kind = ExprKind::EventData(name.value.clone());
                Some(Expr { kind, ty: ty.clone() })
            }
            Some(Meaning::Children(_)) => {
                let kind = ExprKind::EventData(name.value.clone());
                Some(Expr { kind, ty: Type::Json })
            }
            Some(Meaning::Faulty) => None,
            None => {
                let members = event.members.keys().copied();
                let what = "member of the event";
                self.found.push(e036_unknown_name::member(scope, what, name, members));
                None
            }
        }
    }

    fn item(&mut self, names: &[&Name], at: Span) -> Option<Expr> {
        let Some(child) = self.scope.item else {
            self.found.push(e049_not_here::item(at, self.scope.place));
            return None;
        };
        let Reach { path, target, field, ty, .. } = self.follow(child, names)?;
        let kind = match path.is_empty() {
            true => ExprKind::Item(field),
            false => ExprKind::ItemRelated { path, target, field },
        };
        Some(Expr { kind, ty })
    }

    fn step(&mut self, step: &str, names: &[&Name]) -> Option<Expr> {
        let scope = self.scope;
        let answer = scope.steps.iter().find(|answer| answer.step == step)?;
        let [name] = names else {
            let last = names.last()?;
            let path = dotted(step, names);
            self.found.push(e049_not_here::no_members(&path, last.span, scope.place));
            return None;
        };
        let Some(ty) = answer.members.get(name.as_str()) else {
            let members = answer.members.keys().copied();
            let what = "member of the step's answer";
            self.found.push(e036_unknown_name::member(scope, what, name, members));
            return None;
        };
        let (step, member) = (step.to_owned(), name.value.clone());
        Some(Expr { kind: ExprKind::Step { step, member }, ty: ty.clone()? })
    }

    /// The owner of the row in scope, where it is called so: `order` for `Order`.
    fn owner_named(&self, name: &str) -> Option<ResourceId> {
        let (owner, _) = self.scope.world.entry(self.scope.row?).owner?;
        (naming::snake(self.scope.world.entry(owner).name()) == name).then_some(owner)
    }

    fn owner(&mut self, root: &str, names: &[&Name], at: Span) -> Option<Expr> {
        let owner = self.owner_named(root)?;
        let [name] = names else {
            self.found.push(e049_not_here::no_members(&dotted(root, names), at, self.scope.place));
            return None;
        };
        let field = self.field_of(owner, name)?;
        let ty = self.scope.world.type_of(owner, field);
        if ty.is_none() {
            self.found.push(e049_not_here::no_members(root, at, self.scope.place));
        }
        let fresh = self.fresh(owner, field, at);
        ty.filter(|_| fresh).map(|ty| Expr { kind: ExprKind::Parent(field), ty })
    }
}

/// `event.a.b` without its last name.
fn dotted(root: &str, names: &[&Name]) -> String {
    let mut path = root.to_owned();
    for name in &names[..names.len().saturating_sub(1)] {
        path.push('.');
        path.push_str(name.as_str());
    }
    path
}
