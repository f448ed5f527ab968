//! The queries that the API, the rules, the journeys and the schedules make of one table, as far
//! as an index can serve them: what is compared for equality, then what orders the rows.

use super::{CREATED_AT, ID, POSITION, UPDATED_AT};
use ir::domain::{Caller, Domain, FieldId, Grant, Kind, Resource, ResourceId};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Node, Operator, Tree};
use ir::model::{JourneyStep, Model, OnDelete, Verb};
use ir::schema::{Part, Table};

/// Branches of a condition that are looked at; further ones make no index.
const BRANCHES_MAX: usize = 8;

/// One query shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// It asks within one tenant, where tenants share the table.
    pub(super) in_tenant: bool,
    /// Columns compared for equality, the tenant not among them.
    pub(super) equal: Vec<String>,
    /// Columns that order the rows, `true` for descending.
    pub(super) order: Vec<(String, bool)>,
    /// What asks it, as the document prints it.
    pub(super) why: String,
}

impl Query {
    fn new(equal: Vec<String>, order: Vec<(String, bool)>, why: String) -> Self {
        Self { in_tenant: true, equal, order, why }
    }
}

/// The queries of the table of a resource that its primary key does not serve.
pub(super) fn queries(
    model: &Model,
    domain: &Domain,
    tables: &[Table],
    id: ResourceId,
) -> Vec<Query> {
    let asking = Asking { domain, resource: domain.resource(id), table: &tables[id.index()] };
    let mut queries = asking.children();
    queries.extend(asking.rules());
    queries.extend(asking.journeys(model));
    queries.extend(asking.schedules(model));
    queries.extend(asking.overlaps());
    queries.extend(asking.search());
    queries.extend(asking.references());
    queries.extend(asking.windows(id));
    queries
}

struct Asking<'a> {
    domain: &'a Domain,
    resource: &'a Resource,
    table: &'a Table,
}

/// One branch of a condition: fields compared for equality, and the one that a range is asked of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Branch {
    equal: Vec<FieldId>,
    me: Vec<FieldId>,
    range: Option<FieldRef>,
}

impl Asking<'_> {
    fn column(&self, field: FieldRef) -> Option<String> {
        match field {
            FieldRef::Implicit(Implicit::Id) => Some(ID.to_owned()),
            FieldRef::Implicit(Implicit::CreatedAt) => Some(CREATED_AT.to_owned()),
            FieldRef::Implicit(Implicit::UpdatedAt) => Some(UPDATED_AT.to_owned()),
            FieldRef::Field(id) => [Part::Whole, Part::Units, Part::Start]
                .into_iter()
                .find_map(|part| self.table.column(id, part))
                .map(|column| column.name.clone()),
        }
    }

    /// Actors first, then references, then the rest, each in the order of the fields: so that two
    /// queries over the same fields share one index.
    fn equal(&self, branch: &Branch) -> Vec<String> {
        let mut fields: Vec<FieldId> = branch.me.iter().chain(&branch.equal).copied().collect();
        fields.sort_by_key(|id| {
            let rank = match self.resource.field(*id).kind {
                Kind::Actor(_) => 0,
                Kind::Reference { .. } => 1,
                Kind::Scalar | Kind::Enum(_) | Kind::Children { .. } => 2,
            };
            (rank, *id)
        });
        fields.dedup();
        fields.into_iter().filter_map(|id| self.column(FieldRef::Field(id))).collect()
    }

    fn list(&self) -> String {
        format!("`GET /v1/{}`", self.resource.path)
    }

    /// What folds events into windows looks for the latest, for those that close, and for sessions.
    fn windows(&self, id: ResourceId) -> Vec<Query> {
        let Some(window) = self.domain.view_of(id).and_then(|view| view.window) else {
            return Vec::new();
        };
        let end = self.column(FieldRef::Field(window.end));
        let order: Vec<_> = end.into_iter().map(|column| (column, false)).collect();
        let why = "the windows that close as time goes on".to_owned();
        let mut queries = vec![Query::new(Vec::new(), order.clone(), why)];
        if let Some(group) = window.group.and_then(|group| self.column(FieldRef::Field(group))) {
            let why = "the sessions that an event joins".to_owned();
            queries.push(Query::new(vec![group], order, why));
        }
        queries
    }

    fn children(&self) -> Vec<Query> {
        let (Some(column), Some((root, field))) = (&self.table.owner, self.resource.owner) else {
            return Vec::new();
        };
        let root = self.domain.resource(root);
        let why = format!(
            "`{}` of one {} or of a page of them, in their order",
            root.field(field).name,
            root.name
        );
        vec![Query::new(vec![column.clone()], vec![(POSITION.to_owned(), false)], why)]
    }

    fn rules(&self) -> Vec<Query> {
        if self.resource.owner.is_some() {
            return Vec::new();
        }
        let mut queries = Vec::new();
        for grant in &self.resource.access.read {
            for branch in grant.when.as_ref().map(branches).unwrap_or_default() {
                let only_me = Branch { me: branch.me.clone(), ..Branch::default() };
                let used = if branch.me.is_empty() { &branch } else { &only_me };
                let equal = self.equal(used);
                if !equal.is_empty() {
                    let why = format!("{} as `{}`, newest first", self.list(), grant.text);
                    queries.push(Query::new(equal, newest_first(), why));
                }
            }
        }
        queries
    }

    fn journeys(&self, model: &Model) -> Vec<Query> {
        let mut queries = Vec::new();
        for journey in &model.workload {
            let actor = journey.actor.as_ref().map(|grant| grant.actor.as_str());
            let steps = journey
                .steps
                .iter()
                .filter(|step| step.verb == Verb::List && self.is_named(step.resource.as_str()));
            for step in steps {
                let why = format!("{} of journey `{}`{}", self.list(), journey.name, told(step));
                for branch in self.of_step(model, step, actor) {
                    queries.extend(self.ordered(&branch, step, &why));
                }
            }
        }
        queries
    }

    fn is_named(&self, name: &str) -> bool {
        let (context, bare) = name.split_once('.').map_or((None, name), |(c, n)| (Some(c), n));
        let own = &self.domain.contexts[self.resource.context.index()].name;
        bare == self.resource.name && context.is_none_or(|context| context == own)
    }

    /// The step's own condition within each rule that lets the actor read.
    fn of_step(&self, model: &Model, step: &JourneyStep, actor: Option<&str>) -> Vec<Branch> {
        let mut asked = vec![Branch::default()];
        if let Some(condition) = &step.condition {
            asked = self.tree(model, &condition.tree, 0);
        }
        let grants: Vec<&Grant> = self
            .resource
            .access
            .read
            .iter()
            .filter(|grant| match grant.caller {
                Caller::Anyone => true,
                Caller::System => false,
                Caller::Actor(id, _) => actor == Some(self.domain.actor(id).name.as_str()),
            })
            .collect();
        if grants.is_empty() || grants.iter().any(|grant| grant.when.is_none()) {
            return asked;
        }
        let rules = grants.iter().filter_map(|grant| grant.when.as_ref()).flat_map(branches);
        rules
            .flat_map(|rule| asked.iter().map(move |asked| both(asked, &rule)))
            .take(BRANCHES_MAX)
            .collect()
    }

    fn ordered(&self, branch: &Branch, step: &JourneyStep, why: &str) -> Option<Query> {
        let equal = self.equal(branch);
        let order = match &step.sort {
            Some(sort) => self.sort(&sort.value)?,
            None => match branch.range.and_then(|range| self.column(range)) {
                Some(range) if range != ID => vec![(range, false), (ID.to_owned(), true)],
                Some(_) | None => newest_first(),
            },
        };
        let served = equal.is_empty() && order == newest_first();
        (!served).then(|| Query::new(equal, order, why.to_owned()))
    }

    /// The columns of `-created_at,total`, the id always last.
    fn sort(&self, text: &str) -> Option<Vec<(String, bool)>> {
        let mut order = Vec::new();
        for key in text.split(',').map(str::trim).filter(|key| !key.is_empty()) {
            let (name, down) = key.strip_prefix('-').map_or((key, false), |name| (name, true));
            order.push((self.column(self.named(name)?)?, down));
        }
        if order.iter().all(|(column, _)| column != ID) {
            let down = order.last().is_none_or(|(_, down)| *down);
            order.push((ID.to_owned(), down));
        }
        Some(order)
    }

    fn named(&self, name: &str) -> Option<FieldRef> {
        match name {
            "id" => Some(FieldRef::Implicit(Implicit::Id)),
            "created_at" => Some(FieldRef::Implicit(Implicit::CreatedAt)),
            "updated_at" => Some(FieldRef::Implicit(Implicit::UpdatedAt)),
            "age" => Some(FieldRef::Implicit(Implicit::Id)),
            name => self.resource.field_named(name).map(|(id, _)| FieldRef::Field(id)),
        }
    }

    fn schedules(&self, model: &Model) -> Vec<Query> {
        let mut queries = Vec::new();
        for schedule in &model.schedules {
            let Some(condition) = &schedule.condition else { continue };
            if !self.is_named(schedule.resource.as_str()) {
                continue;
            }
            for branch in self.tree(model, &condition.tree, 0) {
                let equal = self.equal(&branch);
                let order = match branch.range.and_then(|range| self.column(range)) {
                    Some(range) if range != ID => vec![(range, false)],
                    Some(_) | None => newest_first(),
                };
                if !(equal.is_empty() && order == newest_first()) {
                    let why = format!("schedule `{}`: {}", schedule.name, condition.text);
                    queries.push(Query::new(equal, order, why));
                }
            }
        }
        queries
    }

    fn overlaps(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        for overlap in &self.table.overlaps {
            let tenant = self.table.tenant.as_ref();
            let equal: Vec<String> =
                overlap.equal.iter().filter(|name| Some(*name) != tenant).cloned().collect();
            let why = format!("is the span free? (never overlap by {})", listed(&equal));
            queries.push(Query::new(equal, vec![(overlap.start.clone(), false)], why));
        }
        queries
    }

    /// The shadow columns beside the id: `q` reads the index in the order of the list and fetches
    /// only the rows that match.
    fn search(&self) -> Option<Query> {
        let shadows: Vec<&str> = self
            .table
            .columns
            .iter()
            .filter(|column| column.field.is_some_and(|(_, part)| part == Part::Search))
            .map(|column| column.name.as_str())
            .collect();
        if shadows.is_empty() || self.resource.owner.is_some() {
            return None;
        }
        let names = shadows.iter().map(|name| ((*name).to_owned(), true));
        let order = [(ID.to_owned(), true)].into_iter().chain(names).collect();
        Some(Query::new(Vec::new(), order, format!("`q` of {}", self.list())))
    }

    fn references(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        for key in &self.table.foreign_keys {
            let (Some(field), Some(column)) = (key.field, key.columns.last()) else { continue };
            let Kind::Reference { target, .. } = self.resource.field(field).kind else { continue };
            let target = &self.domain.resource(target).name;
            let then = match key.on_delete {
                OnDelete::Restrict => "refused while a row refers to it",
                OnDelete::Clear => "clears the reference",
                OnDelete::Cascade => "deletes the rows that refer to it",
            };
            let equal = vec![column.clone()];
            let why = format!("deletion of {target}: {then}");
            // A shared row is referred to by rows of every tenant.
            let in_tenant = key.columns.len() > 1;
            let order = if in_tenant { newest_first() } else { Vec::new() };
            queries.push(Query { in_tenant, ..Query::new(equal.clone(), order, why) });
            if self.resource.owner.is_none() && self.resource.field(field).filterable {
                let name = &self.resource.field(field).name;
                let why = format!("`{name}=` of {}, newest first", self.list());
                queries.push(Query::new(equal, newest_first(), why));
            }
        }
        queries
    }

    /// The branches of an untyped condition of a journey or schedule; what is not a comparison of
    /// a field of the row narrows nothing.
    fn tree(&self, model: &Model, tree: &Tree, depth: u8) -> Vec<Branch> {
        match &tree.node {
            Node::Binary(Operator::And, left, right) => {
                let right = self.tree(model, right, depth);
                let left = self.tree(model, left, depth);
                let pairs = left.iter().flat_map(|left| right.iter().map(|r| both(left, r)));
                pairs.take(BRANCHES_MAX).collect()
            }
            Node::Binary(Operator::Or, left, right) => {
                let mut all = self.tree(model, left, depth);
                all.extend(self.tree(model, right, depth));
                all.truncate(BRANCHES_MAX);
                all
            }
            Node::Binary(operator, left, right) => {
                let field = [left, right].into_iter().find_map(|side| match &side.node {
                    Node::Name(name) => self.named(name),
                    _ => None,
                });
                vec![field.map(|field| compared(*operator, field)).unwrap_or_default()]
            }
            Node::Name(name) if depth == 0 => match self.rule(model, name) {
                Some(rule) => self.tree(model, rule, depth + 1),
                None => vec![self.flag(name)],
            },
            Node::Name(name) => vec![self.flag(name)],
            Node::Not(inner) => match &inner.node {
                Node::Name(name) => vec![self.flag(name)],
                _ => vec![Branch::default()],
            },
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Decimal { .. } => {
                vec![Branch::default()]
            }
            Node::Text(_) | Node::Member(..) | Node::Call(..) => vec![Branch::default()],
            Node::Negate(_) | Node::List(_) => vec![Branch::default()],
        }
    }

    fn rule<'m>(&self, model: &'m Model, name: &str) -> Option<&'m Tree> {
        let asked = super::asked(model, self.domain, self.resource)?;
        let (_, rule) = asked.rules.iter().find(|(rule, _)| rule == name)?;
        Some(&rule.tree)
    }

    /// A bare `active` or `not active`.
    fn flag(&self, name: &str) -> Branch {
        let field = self.resource.field_named(name).map(|(id, _)| id);
        Branch { equal: field.into_iter().collect(), ..Branch::default() }
    }
}

fn compared(operator: Operator, field: FieldRef) -> Branch {
    match (operator, field) {
        (Operator::Equal, FieldRef::Field(id)) => Branch { equal: vec![id], ..Branch::default() },
        (Operator::Less | Operator::LessEqual, _)
        | (Operator::Greater | Operator::GreaterEqual, _) => {
            Branch { range: Some(field), ..Branch::default() }
        }
        (Operator::Equal, FieldRef::Implicit(_)) => Branch::default(),
        (Operator::Or | Operator::And | Operator::NotEqual | Operator::In, _) => Branch::default(),
        (Operator::Add | Operator::Subtract | Operator::Multiply, _) => Branch::default(),
        (Operator::Divide | Operator::Remainder, _) => Branch::default(),
    }
}

fn newest_first() -> Vec<(String, bool)> {
    vec![(ID.to_owned(), true)]
}

fn both(left: &Branch, right: &Branch) -> Branch {
    let joined = |a: &[FieldId], b: &[FieldId]| a.iter().chain(b).copied().collect();
    Branch {
        equal: joined(&left.equal, &right.equal),
        me: joined(&left.me, &right.me),
        range: left.range.or(right.range),
    }
}

/// The branches of a typed condition.
fn branches(expr: &Expr) -> Vec<Branch> {
    match &expr.kind {
        ExprKind::And(parts) => parts.iter().fold(vec![Branch::default()], |all, part| {
            let part = branches(part);
            let pairs = all.iter().flat_map(|left| part.iter().map(|right| both(left, right)));
            pairs.take(BRANCHES_MAX).collect()
        }),
        ExprKind::Or(parts) => parts.iter().flat_map(branches).take(BRANCHES_MAX).collect(),
        ExprKind::Compare(operator, left, right) => {
            let (field, other) = match (&left.kind, &right.kind) {
                (ExprKind::Field(field), other) | (other, ExprKind::Field(field)) => {
                    (*field, other)
                }
                _ => return vec![Branch::default()],
            };
            match (other, field) {
                (ExprKind::Me, FieldRef::Field(id)) if *operator == Operator::Equal => {
                    vec![Branch { me: vec![id], ..Branch::default() }]
                }
                _ => vec![compared(*operator, field)],
            }
        }
        ExprKind::Field(FieldRef::Field(id)) => {
            vec![Branch { equal: vec![*id], ..Branch::default() }]
        }
        _ => vec![Branch::default()],
    }
}

fn told(step: &JourneyStep) -> String {
    let condition = step.condition.as_ref().map(|condition| format!(" where {}", condition.text));
    let order = match &step.sort {
        Some(sort) => format!(", sorted by {}", sort.value),
        None => ", newest first".to_owned(),
    };
    condition.unwrap_or_default() + &order
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
