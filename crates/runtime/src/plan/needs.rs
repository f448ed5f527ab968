//! What expressions read beyond their row: references to follow, patterns, other fields.

use ir::domain::{Domain, Effect, Field, FieldId, Grant, Resource, ResourceId, Source, Target};
use ir::expr::{Expr, ExprKind, FieldRef, Function};
use ir::value::Value;
use regex::Regex;
use std::collections::BTreeMap;

/// References to follow from a row, one after the other.
pub(crate) type Path = Vec<FieldId>;

/// Visits an expression and all in it; `within` is the children field whose rows are in scope.
pub(crate) fn walk<'a>(
    expr: &'a Expr,
    within: Option<FieldId>,
    visit: &mut dyn FnMut(&'a Expr, Option<FieldId>),
) {
    visit(expr, within);
    match &expr.kind {
        ExprKind::Not(inner) | ExprKind::Negate(inner) => walk(inner, within, visit),
        ExprKind::And(all) | ExprKind::Or(all) | ExprKind::Call(_, all) => {
            all.iter().for_each(|one| walk(one, within, visit));
        }
        ExprKind::Compare(_, left, right) | ExprKind::Arithmetic(_, left, right) => {
            walk(left, within, visit);
            walk(right, within, visit);
        }
        ExprKind::In(needle, elements) => {
            walk(needle, within, visit);
            elements.iter().for_each(|one| walk(one, within, visit));
        }
        ExprKind::If(condition, then, otherwise) => {
            [condition, then, otherwise].into_iter().for_each(|one| walk(one, within, visit));
        }
        ExprKind::Aggregate(_, children, Some(inner)) => walk(inner, Some(*children), visit),
        ExprKind::ViewAggregate(_, Some(inner)) => walk(inner, within, visit),
        ExprKind::Aggregate(_, _, None)
        | ExprKind::ViewAggregate(_, None)
        | ExprKind::Literal(_)
        | ExprKind::Field(_)
        | ExprKind::Related { .. }
        | ExprKind::Parent(_)
        | ExprKind::Input(_)
        | ExprKind::Got(_)
        | ExprKind::Me
        | ExprKind::Now
        | ExprKind::Age
        | ExprKind::Item(_)
        | ExprKind::ItemRelated { .. }
        | ExprKind::EventData(_)
        | ExprKind::EventMeta(_)
        | ExprKind::Step { .. } => {}
    }
}

/// References that must be followed before the expressions can be evaluated on a row, each once:
/// from the row itself, and from its children of a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// From the row.
    pub(crate) own: Vec<Path>,
    /// From the rows of a children field.
    pub(crate) children: Vec<(FieldId, Path)>,
    /// The row's children are read.
    pub(crate) whole: bool,
}

impl Needs {
    /// Of expressions over one row.
    pub(crate) fn of<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Self {
        let mut needs = Self::default();
        for expr in exprs {
            walk(expr, None, &mut |expr, within| {
                needs.whole |= matches!(expr.kind, ExprKind::Aggregate(..));
                let ExprKind::Related { path, .. } = &expr.kind else { return };
                match within {
                    None if !needs.own.contains(path) => needs.own.push(path.clone()),
                    Some(field) if !needs.children.contains(&(field, path.clone())) => {
                        needs.children.push((field, path.clone()));
                    }
                    None | Some(_) => {}
                }
            });
        }
        needs
    }

    /// Of the conditions of grants.
    pub(crate) fn of_grants(grants: &[Grant]) -> Self {
        Self::of(grants.iter().filter_map(|grant| grant.when.as_ref()))
    }

    /// True where nothing needs to be followed.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.children.is_empty()
    }
}

/// A computed field: of the root, or of the children of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    /// The children field, or none for the root itself.
    pub(crate) within: Option<FieldId>,
    /// The computed field.
    pub(crate) field: FieldId,
}

/// The computed fields of a root and its children, each after those it reads.
pub(crate) fn steps(domain: &Domain, root: &Resource) -> Vec<Step> {
    let mut order = Vec::new();
    let mut seen = Vec::new();
    let roots = root.fields().map(|(field, _)| Step { within: None, field });
    let children = root.children().flat_map(|(within, child)| {
        let fields = domain.resource(child).fields();
        fields.map(move |(field, _)| Step { within: Some(within), field })
    });
    for step in roots.chain(children) {
        settle(domain, root, step, &mut seen, &mut order);
    }
    order
}

fn settle(
    domain: &Domain,
    root: &Resource,
    step: Step,
    seen: &mut Vec<Step>,
    order: &mut Vec<Step>,
) {
    if seen.contains(&step) {
        return;
    }
    seen.push(step);
    let field = field_of(domain, root, step);
    let Some(Source::Computed(expr)) = field.map(|field| &field.source) else { return };
    walk(expr, None, &mut |expr, inner| {
        let within = inner.or(step.within);
        let (within, read) = match &expr.kind {
            ExprKind::Field(read) => (within, read),
            ExprKind::Parent(read) => (None, read),
            _ => return,
        };
        if let FieldRef::Field(field) = read {
            settle(domain, root, Step { within, field: *field }, seen, order);
        }
    });
    order.push(step);
}

fn field_of<'a>(domain: &'a Domain, root: &'a Resource, step: Step) -> Option<&'a Field> {
    let resource = match step.within {
        None => root,
        Some(within) => {
            let child = root.children().find(|(field, _)| *field == within)?.1;
            domain.resource(child)
        }
    };
    resource.fields.get(step.field.index())
}

/// The resource at each step of a path from a resource.
pub(crate) fn targets(domain: &Domain, from: ResourceId, path: &[FieldId]) -> Vec<ResourceId> {
    let mut at = from;
    let mut targets = Vec::with_capacity(path.len());
    for step in path {
        let field = domain.resource(at).fields.get(step.index());
        let Some(ir::domain::Kind::Reference { target, .. }) = field.map(|field| &field.kind)
        else {
            return targets;
        };
        at = *target;
        targets.push(at);
    }
    targets
}

/// Every pattern that an expression of the domain matches with, compiled.
pub(crate) fn patterns(domain: &Domain) -> BTreeMap<String, Regex> {
    let mut patterns = BTreeMap::new();
    let rows = domain.stored().flat_map(|(_, resource)| expressions(resource));
    for expr in rows.chain(doings(domain)) {
        walk(expr, None, &mut |expr, _| {
            let ExprKind::Call(Function::Matches, arguments) = &expr.kind else { return };
            let Some(ExprKind::Literal(Value::Text(pattern))) =
                arguments.get(1).map(|argument| &argument.kind)
            else {
                return;
            };
            if let Ok(compiled) = Regex::new(&format!("^(?:{pattern})$")) {
                patterns.insert(pattern.to_string(), compiled);
            }
        });
    }
    patterns
}

/// All expressions of reactions and schedules; those of views are in the fields of their rows.
fn doings(domain: &Domain) -> Vec<&Expr> {
    let mut all = Vec::new();
    for reaction in &domain.reactions {
        all.extend(&reaction.when);
        match &reaction.effect {
            Effect::Create { values, .. } => all.extend(values.iter().map(|(_, expr)| expr)),
            Effect::Update { id, values, .. } => {
                all.push(id);
                all.extend(values.iter().map(|(_, expr)| expr));
            }
            Effect::Command { id, inputs, .. } => {
                all.extend(id);
                all.extend(inputs.iter().map(|(_, expr)| expr));
            }
            Effect::Operation(call) => all.extend(call.with.iter().map(|(_, expr)| expr)),
        }
    }
    for schedule in &domain.schedules {
        all.extend(schedule.condition.iter().chain(&schedule.id));
        all.extend(schedule.inputs.iter().map(|(_, expr)| expr));
    }
    let older = domain.events.iter().flat_map(|event| &event.older);
    all.extend(older.flat_map(|version| &version.next));
    for job in &domain.jobs {
        match &job.target {
            Target::Command { row, inputs, .. } => {
                all.push(row);
                all.extend(inputs.iter().map(|(_, expr)| expr));
            }
            Target::Operation(call) => all.extend(call.with.iter().map(|(_, expr)| expr)),
        }
        all.extend(job.input.iter().filter_map(|field| match &field.source {
            Source::Default(expr) => Some(expr),
            _ => None,
        }));
    }
    all
}

/// All expressions of a resource.
fn expressions(resource: &Resource) -> Vec<&Expr> {
    let mut all = Vec::new();
    let access = &resource.access;
    let mut grants: Vec<&Grant> = [&access.read, &access.create, &access.update, &access.delete]
        .into_iter()
        .flatten()
        .collect();
    for field in &resource.fields {
        match &field.source {
            Source::Default(expr) | Source::Computed(expr) | Source::Copied(_, expr) => {
                all.push(expr);
            }
            Source::Client | Source::State | Source::Caller | Source::Counted => {}
        }
        grants.extend(field.read.iter().chain(&field.write).flatten());
    }
    for command in &resource.commands {
        grants.extend(&command.by);
        all.extend(command.get.iter().map(|(_, expr)| expr));
        all.extend(command.require.iter().map(|(_, expr)| expr));
        all.extend(command.set.iter().map(|(_, expr)| expr));
    }
    all.extend(resource.routes.iter().filter_map(|route| route.when.as_ref()));
    all.extend(grants.into_iter().filter_map(|grant| grant.when.as_ref()));
    all
}
