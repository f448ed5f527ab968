//! A domain as text that a person reads line by line; for tests.

mod doings;

use ir::domain::*;
use ir::expr::{Aggregate, EventMeta, Expr, ExprKind, FieldRef, Function, Implicit, Operator};
use ir::value::Value;
use std::fmt::Write;

/// The whole domain.
pub(super) fn dump(domain: &Domain) -> String {
    let mut out = String::new();
    let tenancy = domain.tenancy.as_ref();
    let _ = writeln!(out, "system {} {:?}", domain.system, tenancy);
    for actor in &domain.actors {
        let (name, roles, limit) = (&actor.name, actor.roles.join(" "), actor.limit);
        let _ = writeln!(out, "actor {name} {:?} [{roles}] {limit:?}", actor.proof);
    }
    for (id, resource) in domain.resources() {
        of_resource(domain, id, resource, &mut out);
    }
    doings::dump(domain, &mut out);
    out
}

fn of_resource(domain: &Domain, id: ResourceId, resource: &Resource, out: &mut String) {
    let _ = write!(out, "\n{} /{}", domain.full_name(id), resource.path);
    if let Some((owner, field)) = resource.owner {
        let field = &domain.resource(owner).field(field).name;
        let _ = write!(out, " owned by {}.{field}", domain.resource(owner).name);
    }
    for (word, set) in [
        ("shared", resource.shared),
        ("idempotency", resource.idempotency_required),
        ("if-match", resource.if_match_required),
    ] {
        let _ = write!(out, "{}", if set { format!(" {word}") } else { String::new() });
    }
    let show = Show { domain, row: id, input: &[], got: &[] };
    let _ = writeln!(out);
    for field in &resource.fields {
        let _ = writeln!(out, "  {}", show.field(field));
    }
    let names = |fields: &[FieldId]| {
        fields.iter().map(|f| resource.field(*f).name.clone()).collect::<Vec<_>>().join(" ")
    };
    for unique in &resource.uniques {
        let when = show.when(unique.when.as_ref());
        let _ = writeln!(out, "  unique [{}]{when}", names(&unique.fields));
    }
    for (equal, span) in &resource.overlaps {
        let _ = writeln!(out, "  never overlap [{}] {}", names(equal), resource.field(*span).name);
    }
    for command in &resource.commands {
        Show { input: &command.input, got: &command.get, ..show }.command(resource, command, out);
    }
    let access = &resource.access;
    let lists = [
        ("read", &access.read),
        ("create", &access.create),
        ("update", &access.update),
        ("delete", &access.delete),
    ];
    for (word, grants) in lists {
        if !grants.is_empty() && resource.owner.is_none() {
            let _ = writeln!(out, "  {word}: {}", show.grants(grants));
        }
    }
    for route in &resource.routes {
        let name = |field: Option<FieldId>| field.map(|field| resource.field(field).name.clone());
        let (by, when) = (name(Some(route.by)), show.when(route.when.as_ref()));
        let (redirect, count) = (name(route.redirect), name(route.count));
        let _ = writeln!(out, "  route {} {by:?} {redirect:?} {count:?}{when}", route.path);
    }
    for (change, event) in &resource.emits {
        let _ = writeln!(out, "  emits {event} {change:?}");
    }
}

#[derive(Clone, Copy)]
struct Show<'a> {
    domain: &'a Domain,
    row: ResourceId,
    input: &'a [Field],
    got: &'a [(String, Expr)],
}

impl Show<'_> {
    fn field(&self, field: &Field) -> String {
        let mut line = format!("{}: ", field.name);
        line += &match &field.kind {
            Kind::Scalar => format!("{:?}", field.declared),
            Kind::Enum(values) => values.join(" | "),
            Kind::Reference { target, crosses, on_delete } => {
                let far = if *crosses { " far" } else { "" };
                format!("-> {}{far} {on_delete:?}", self.domain.full_name(*target))
            }
            Kind::Actor(actor) => format!("actor {}", self.domain.actor(*actor).name),
            Kind::Children { target, min, max } => {
                format!("many {} {min}..{max}", self.domain.full_name(*target))
            }
        };
        if field.min.is_some() || field.max.is_some() {
            let bound = |bound: &Option<Value>| bound.as_ref().map_or(String::new(), value);
            let _ = write!(line, " {}..{}", bound(&field.min), bound(&field.max));
        }
        line += &match &field.source {
            Source::Client => String::new(),
            Source::Default(expr) => format!(" default {}", self.expr(expr)),
            Source::Computed(expr) => format!(" computed {}", self.expr(expr)),
            Source::Copied(at, expr) => format!(" copied at {at:?} {}", self.expr(expr)),
            Source::State => " state".to_owned(),
            Source::Caller => " caller".to_owned(),
            Source::Counted => " counted".to_owned(),
        };
        let words = [
            ("optional", field.optional),
            ("search", field.search),
            ("personal", field.personal),
            ("secret", field.secret),
            ("unfiltered", !field.filterable),
        ];
        for (word, _) in words.iter().filter(|(_, set)| *set) {
            let _ = write!(line, " {word}");
        }
        if let Some(pattern) = &field.pattern {
            let _ = write!(line, " /{pattern}/");
        }
        for (word, grants) in [("read", &field.read), ("write", &field.write)] {
            if let Some(grants) = grants {
                let _ = write!(line, " {word}({})", self.grants(grants));
            }
        }
        line
    }

    fn command(&self, resource: &Resource, command: &Command, out: &mut String) {
        let input: Vec<String> = command.input.iter().map(|field| self.field(field)).collect();
        let _ = write!(out, "  {}({})", command.name, input.join(", "));
        let words = [("internal", command.internal)];
        for (word, _) in words.iter().filter(|(_, set)| *set) {
            let _ = write!(out, " {word}");
        }
        if let Some(workflow) = &command.starts {
            let _ = write!(out, " starts {workflow}");
        }
        let _ = writeln!(out);
        for (name, expr) in &command.get {
            let _ = writeln!(out, "    get {name} = {}", self.expr(expr));
        }
        for (text, expr) in &command.require {
            let _ = writeln!(out, "    require `{text}` {}", self.expr(expr));
        }
        for transition in &command.transitions {
            let name = &resource.field(transition.field).name;
            let from = transition.from.join(" | ");
            let _ = writeln!(out, "    {name}: {from} -> {}", transition.to);
        }
        for (field, expr) in &command.set {
            let _ = writeln!(out, "    {} = {}", resource.field(*field).name, self.expr(expr));
        }
        let _ = writeln!(out, "    by {}", self.grants(&command.by));
        let lists = [("emits", &command.emits), ("not during", &command.not_during)];
        for (word, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            let _ = writeln!(out, "    {word} {}", list.join(", "));
        }
    }

    fn grants(&self, grants: &[Grant]) -> String {
        let grants = grants.iter().map(|grant| {
            let caller = match &grant.caller {
                Caller::Anyone => "anyone".to_owned(),
                Caller::System => "system".to_owned(),
                Caller::Actor(actor, role) => {
                    let actor = self.domain.actor(*actor);
                    match role {
                        Some(role) => format!("{}.{}", actor.name, actor.roles[usize::from(*role)]),
                        None => actor.name.clone(),
                    }
                }
            };
            format!("`{}` {caller}{}", grant.text, self.when(grant.when.as_ref()))
        });
        grants.collect::<Vec<_>>().join(", ")
    }

    fn when(&self, when: Option<&Expr>) -> String {
        when.map_or_else(String::new, |when| format!(" when {}", self.expr(when)))
    }

    fn name(&self, row: ResourceId, field: FieldRef) -> String {
        match field {
            FieldRef::Field(field) => self.domain.resource(row).field(field).name.clone(),
            FieldRef::Implicit(Implicit::Id) => "id".to_owned(),
            FieldRef::Implicit(Implicit::CreatedAt) => "created_at".to_owned(),
            FieldRef::Implicit(Implicit::UpdatedAt) => "updated_at".to_owned(),
        }
    }

    fn path(&self, path: &[FieldId], target: ResourceId, field: FieldRef) -> String {
        let mut at = self.row;
        let mut names = Vec::new();
        for step in path {
            let reference = self.domain.resource(at).field(*step);
            names.push(reference.name.clone());
            if let Kind::Reference { target, .. } = reference.kind {
                at = target;
            }
        }
        names.push(self.name(target, field));
        names.join(".")
    }

    fn list(&self, items: &[Expr], between: &str) -> String {
        items.iter().map(|item| self.expr(item)).collect::<Vec<_>>().join(between)
    }

    fn expr(&self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Literal(constant) => value(constant),
            ExprKind::Field(field) => self.name(self.row, *field),
            ExprKind::Related { path, target, field, crosses } => {
                format!("{}{}", self.path(path, *target, *field), if *crosses { "?" } else { "" })
            }
            ExprKind::Parent(field) => {
                let owner = self.domain.resource(self.row).owner.expect("a child has an owner").0;
                format!("^{}", self.name(owner, *field))
            }
            ExprKind::Input(at) => format!("${}", self.input[*at].name),
            ExprKind::Got(at) => format!("${}", self.got[*at].0),
            ExprKind::Me => "me".to_owned(),
            ExprKind::Now => "now".to_owned(),
            ExprKind::Age => "age".to_owned(),
            ExprKind::Item(field) => format!("item.{}", self.name(self.row, *field)),
            ExprKind::ItemRelated { path, target, field } => {
                format!("item.{}", self.path(path, *target, *field))
            }
            ExprKind::EventData(name) => format!("event.{name}"),
            ExprKind::EventMeta(meta) => match meta {
                EventMeta::Time => "event.time",
                EventMeta::Tenant => "event.tenant",
                EventMeta::Type => "event.type",
                EventMeta::Id => "event.id_of_event",
            }
            .to_owned(),
            ExprKind::Step { step, member } => format!("{step}.{member}"),
            ExprKind::Not(inner) => format!("!{}", self.expr(inner)),
            ExprKind::Negate(inner) => format!("-{}", self.expr(inner)),
            ExprKind::And(terms) => format!("({})", self.list(terms, " && ")),
            ExprKind::Or(terms) => format!("({})", self.list(terms, " || ")),
            ExprKind::In(element, items) => {
                format!("{} in [{}]", self.expr(element), self.list(items, ", "))
            }
            ExprKind::Compare(operator, left, right)
            | ExprKind::Arithmetic(operator, left, right) => {
                format!("({} {} {})", self.expr(left), symbol(*operator), self.expr(right))
            }
            ExprKind::If(condition, then, otherwise) => {
                let parts = [condition, then, otherwise].map(|part| self.expr(part));
                format!("if({})", parts.join(", "))
            }
            ExprKind::Call(function, arguments) => {
                format!("{}({})", function_name(*function), self.list(arguments, ", "))
            }
            ExprKind::Aggregate(fold, children, inner) => {
                let resource = self.domain.resource(self.row);
                let child = resource.children().find(|(field, _)| field == children);
                let row = child.expect("a fold is over children").1;
                let inner = inner.as_ref().map(|inner| Show { row, ..*self }.expr(inner));
                let name = &resource.field(*children).name;
                format!("{}({name}: {})", fold_name(*fold), inner.unwrap_or_default())
            }
            ExprKind::ViewAggregate(fold, inner) => {
                let inner = inner.as_ref().map(|inner| self.expr(inner)).unwrap_or_default();
                format!("{}({inner})", fold_name(*fold))
            }
        }
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{text}'"),
        Value::Int(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Null => "null".to_owned(),
        other => format!("{other:?}"),
    }
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Or => "||",
        Operator::And => "&&",
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::LessEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterEqual => ">=",
        Operator::In => "in",
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Remainder => "%",
    }
}

fn function_name(function: Function) -> String {
    format!("{function:?}").to_lowercase()
}

fn fold_name(fold: Aggregate) -> String {
    format!("{fold:?}").to_lowercase()
}
