//! The rows of a view: fields of its key, of its values and of the folds behind them.

use super::super::Outside;
use super::rebuilt::rebuilt;
use crate::check::e104_window;
use crate::check::typing::literal;
use crate::check::typing::literals::PRECISION_MAX;
use crate::naming;
use ir::domain::{
    Access, ContextId, Event, EventId, Field, FieldId, Fold, Grant, Kind, Resource, Source, View,
    Window, Windows,
};
use ir::expr::{Aggregate, EventMeta, Expr, ExprKind, FieldRef, Function, Operator, Type};
use ir::model::{self, FieldType, OnDelete, WindowKind};
use ir::source::{Name, Span};
use ir::value::Value;

/// The last key of a view that folds money of any currency.
const CURRENCY: &str = "currency";

/// Seconds that an event may be late where the model does not say it.
pub(crate) const LATE_SECONDS: f64 = 60.0;

/// A whole number that a float holds exactly.
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round().clamp(0.0, 1e15) as i64
}

/// A view whose members are typed.
pub(super) struct Typed<'a> {
    pub(super) key: Vec<(&'a str, Expr)>,
    pub(super) values: Vec<(&'a str, Expr)>,
    /// Their conditions name members as values that were looked up.
    pub(super) read: Vec<Grant>,
}

/// The view as the domain holds it; none where an event is unknown.
pub(super) fn view(
    outside: Outside<'_, '_>,
    context: ContextId,
    view: &model::View,
    typed: Typed<'_>,
) -> Option<View> {
    let known = |name: &Name| outside.domain.event_named(name.as_str()).map(|(id, _)| id);
    let from: Vec<EventId> = view.from.iter().map(known).collect::<Option<_>>()?;
    let events = from.iter().map(|id| outside.domain.event(*id)).collect();
    let mut rows = Rows { outside, events, fields: Vec::new(), folds: Vec::new() };
    let Typed { key, values: given, read } = typed;
    let currency = rows.currency(&key, &given);
    let key: Vec<(&str, Expr)> = key
        .into_iter()
        .chain(currency.as_ref().map(|(name, expr)| (&**name, expr.clone())))
        .collect();
    for (name, expr) in &key {
        let field = rows.field(name, expr, rows.nullable(expr));
        rows.fields.push(field);
    }
    let window = view.window.as_ref().map(|_| rows.window());
    let values = rows.values(&given);
    let window = view.window.as_ref().zip(window).map(|(asked, fields)| {
        let late = view.late.as_ref().map_or(LATE_SECONDS, |late| late.value);
        rows.windows(asked, late, fields)
    });
    let windows: Vec<&str> = window.iter().flat_map(|_| e104_window::MEMBERS).collect();
    let own = key.iter().map(|(name, _)| &**name).chain(windows.iter().copied());
    let names: Vec<&str> = own.chain(given.iter().map(|(name, _)| *name)).collect();
    let mut members = members(&view.key, &view.set);
    members.extend(windows);
    let read = read.into_iter().map(|grant| of_row(grant, &members, &names, &rows.fields));
    let read = read.collect();
    let ids = (0..key.len()).map(FieldId::of);
    let keys: Vec<(FieldId, Expr)> = ids.zip(key.into_iter().map(|(_, expr)| expr)).collect();
    let path = view.path.as_ref().map(|path| path.value.clone());
    Some(View {
        rows: Resource {
            name: view.name.value.clone(),
            about: format!("Made of {}", events_of(view)),
            context,
            path: path.unwrap_or_else(|| naming::view_path(view.name.as_str())),
            owner: None,
            shared: rows.shared(),
            uniques: vec![ir::domain::Unique {
                fields: keys
                    .iter()
                    .map(|(field, _)| *field)
                    .chain(window.iter().flat_map(|window| [window.start, window.end]))
                    .collect(),
                when: None,
            }],
            fields: rows.fields,
            overlaps: Vec::new(),
            commands: Vec::new(),
            access: Access { read, ..Access::default() },
            routes: Vec::new(),
            emits: Vec::new(),
            idempotency_required: false,
            if_match_required: false,
            cache: None,
        },
        from,
        key: keys,
        folds: rows.folds,
        values,
        fresh_seconds: view.fresh.as_ref().map_or(f64::INFINITY, |fresh| fresh.value),
        window,
    })
}

/// The events that a view is made of, as they are written.
fn events_of(view: &model::View) -> String {
    let names: Vec<String> = view.from.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The members of a window, with their types.
pub(super) fn window_members() -> impl Iterator<Item = (&'static str, Type)> {
    e104_window::MEMBERS.into_iter().zip([Type::Timestamp, Type::Timestamp, Type::Bool])
}

/// The members in the order of the scope that conditions were typed in.
fn members<'a>(
    key: &'a [(Name, ir::expr::Expression)],
    set: &'a [(Name, ir::expr::Expression)],
) -> Vec<&'a str> {
    key.iter().chain(set).map(|(name, _)| name.as_str()).collect()
}

/// The grant in the scope of a row of the view.
fn of_row(grant: Grant, members: &[&str], names: &[&str], fields: &[Field]) -> Grant {
    let when = grant.when.map(|when| {
        rebuilt(&when, &mut |part| {
            let ExprKind::Got(member) = part.kind else { return None };
            let at = names.iter().position(|name| *name == members[member])?;
            debug_assert_eq!(fields[at].name, names[at], "fields follow the members");
            let kind = ExprKind::Field(FieldRef::Field(FieldId::of(at)));
            Some(Expr { kind, ty: part.ty.clone() })
        })
    });
    Grant { when, ..grant }
}

/// Fields and folds while they are gathered.
struct Rows<'a, 'm> {
    outside: Outside<'a, 'm>,
    events: Vec<&'a Event>,
    fields: Vec<Field>,
    folds: Vec<Fold>,
}

impl Rows<'_, '_> {
    /// The fields of a window: its ends, and whether it is closed.
    fn window(&mut self) -> [FieldId; 3] {
        let abouts = [
            "First moment of the window",
            "First moment behind the window; of a session, its last event and the pause",
            "Nothing changes the row any more",
        ];
        let mut ids = [FieldId::of(0); 3];
        for (at, ((name, ty), about)) in window_members().zip(abouts).enumerate() {
            let kind = match ty {
                Type::Bool => ExprKind::Literal(Value::Bool(false)),
                _ => ExprKind::EventMeta(EventMeta::Time),
            };
            let field = self.field(name, &Expr { kind, ty }, false);
            ids[at] = FieldId::of(self.fields.len());
            self.fields.push(Field { about: about.to_owned(), ..field });
        }
        ids
    }

    /// The windows with the fields behind them, which nobody sees.
    fn windows(
        &mut self,
        asked: &model::Window,
        late: f64,
        [start, end, closed]: [FieldId; 3],
    ) -> Window {
        let time = Expr { kind: ExprKind::EventMeta(EventMeta::Time), ty: Type::Timestamp };
        let seen = self.kept("window", Aggregate::Max, Some(&time), &Type::Timestamp);
        let ExprKind::Field(FieldRef::Field(seen)) = seen.kind else {
            unreachable!("what is kept is a field")
        };
        let size_micros = micros(asked.size.value);
        let windows = match &asked.kind {
            WindowKind::Tumbling => Windows::Tumbling { size_micros },
            WindowKind::Sliding(every) => {
                Windows::Sliding { size_micros, every_micros: micros(every.value) }
            }
            WindowKind::Session => Windows::Session { gap_micros: size_micros },
        };
        let group = matches!(windows, Windows::Session { .. }).then(|| {
            let id = FieldId::of(self.fields.len());
            let kind = ExprKind::EventMeta(EventMeta::Id);
            let name = self.unused("window_group".to_owned());
            let field = self.field(&name, &Expr { kind, ty: Type::Uuid }, false);
            self.fields.push(Field { secret: true, filterable: false, ..field });
            id
        });
        Window { windows, late_micros: micros(late), start, end, closed, seen, group }
    }

    /// The currency of money of any currency that is folded: amounts of unlike currencies have no
    /// sum, so that each currency has a row of its own.
    fn currency(&self, key: &[(&str, Expr)], values: &[(&str, Expr)]) -> Option<(String, Expr)> {
        let mut open = None;
        for (_, value) in values {
            rebuilt(value, &mut |part| {
                if let ExprKind::ViewAggregate(_, Some(of)) = &part.kind
                    && of.ty == (Type::Money { currency: None })
                {
                    open.get_or_insert_with(|| of.as_ref().clone());
                }
                None
            });
        }
        let kind = ExprKind::Call(Function::Currency, vec![open?]);
        let mut name = CURRENCY.to_owned();
        while key.iter().chain(values).any(|(taken, _)| *taken == name) {
            name.insert_str(0, "the_");
        }
        Some((name, Expr { kind, ty: Type::Text }))
    }

    /// The fields of the values; gives those that are worked out from folds.
    fn values(&mut self, values: &[(&str, Expr)]) -> Vec<(FieldId, Expr)> {
        let first = self.fields.len();
        for (at, (name, value)) in values.iter().enumerate() {
            let optional = match &value.kind {
                ExprKind::ViewAggregate(aggregate, of) => self.may_lack(*aggregate, of.as_deref()),
                // A fault in it, as a division by zero, leaves it empty.
                _ => true,
            };
            let field = self.field(name, value, optional);
            self.fields.push(field);
            if let ExprKind::ViewAggregate(aggregate, of) = &value.kind
                && *aggregate != Aggregate::Avg
            {
                let (field, of) = (FieldId::of(first + at), of.as_deref().cloned());
                self.folds.push(Fold { field, aggregate: *aggregate, of });
            }
        }
        let mut made = Vec::new();
        for (at, (name, value)) in values.iter().enumerate() {
            let field = FieldId::of(first + at);
            if self.folds.iter().any(|fold| fold.field == field) {
                continue;
            }
            let value = rebuilt(value, &mut |part| match &part.kind {
                ExprKind::ViewAggregate(aggregate, of) => {
                    Some(self.folded(name, *aggregate, of.as_deref(), &part.ty))
                }
                _ => None,
            });
            self.fields[field.index()].source = Source::Computed(value.clone());
            made.push((field, value));
        }
        made
    }

    /// A fold inside a value, as the fields that keep it.
    fn folded(&mut self, name: &str, aggregate: Aggregate, of: Option<&Expr>, ty: &Type) -> Expr {
        let (Aggregate::Avg, Some(inner)) = (aggregate, of) else {
            return self.kept(name, aggregate, of, ty);
        };
        let sum = self.kept(name, Aggregate::Sum, of, &inner.ty);
        let counted = of.filter(|inner| self.nullable(inner));
        let count = self.kept(name, Aggregate::Count, counted, &Type::Int);
        let kind = ExprKind::Arithmetic(Operator::Divide, Box::new(sum), Box::new(count.clone()));
        let mean = Expr { kind, ty: ty.clone() };
        if counted.is_none() {
            return mean;
        }
        let zero = Box::new(literal(Value::Int(0), Type::Int));
        let kind = ExprKind::Compare(Operator::Equal, Box::new(count), zero);
        let none = Expr { kind, ty: Type::Bool };
        let null = literal(Value::Null, ty.clone());
        let kind = ExprKind::If(Box::new(none), Box::new(null), Box::new(mean));
        Expr { kind, ty: ty.clone() }
    }

    /// The field that keeps a fold: one that does already, else a hidden one.
    fn kept(&mut self, name: &str, aggregate: Aggregate, of: Option<&Expr>, ty: &Type) -> Expr {
        let same = |fold: &&Fold| fold.aggregate == aggregate && fold.of.as_ref() == of;
        let known = self.folds.iter().find(same).map(|fold| fold.field);
        let field = known.unwrap_or_else(|| {
            let field = FieldId::of(self.fields.len());
            let kind = ExprKind::ViewAggregate(aggregate, of.map(|of| Box::new(of.clone())));
            let expr = Expr { kind, ty: ty.clone() };
            let hidden =
                self.field(&self.free(name, aggregate), &expr, self.may_lack(aggregate, of));
            self.fields.push(Field { secret: true, filterable: false, ..hidden });
            self.folds.push(Fold { field, aggregate, of: of.cloned() });
            field
        });
        Expr { kind: ExprKind::Field(FieldRef::Field(field)), ty: ty.clone() }
    }

    /// A name for a hidden field: `mean_sum`.
    fn free(&self, name: &str, aggregate: Aggregate) -> String {
        let word = match aggregate {
            Aggregate::Sum => "sum",
            Aggregate::Count => "count",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Avg => "avg",
        };
        self.unused(format!("{name}_{word}"))
    }

    /// That name, or one like it.
    fn unused(&self, wished: String) -> String {
        let mut free = wished.clone();
        let mut number = 2;
        while self.fields.iter().any(|field| field.name == free) {
            free = format!("{wished}_{number}");
            number += 1;
        }
        free
    }

    /// Can a fold over one event and more have no value? A sum over nothing but nulls is zero, but
    /// an amount of no currency.
    fn may_lack(&self, aggregate: Aggregate, of: Option<&Expr>) -> bool {
        let null = of.is_some_and(|of| self.nullable(of));
        match aggregate {
            Aggregate::Count => false,
            Aggregate::Sum => null && of.is_some_and(|of| of.ty == Type::Money { currency: None }),
            Aggregate::Min | Aggregate::Max | Aggregate::Avg => null,
        }
    }

    /// Can an expression in the scope of an event be null?
    fn nullable(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Literal(value) => value.is_null(),
            ExprKind::EventData(name) => self.events.iter().any(|event| {
                let member = event.data.iter().find(|member| member.name == *name);
                member.is_none_or(|member| member.optional)
            }),
            ExprKind::EventMeta(EventMeta::Tenant) => {
                let of = |event: &&Event| event.emitters.clone();
                let mut emitters = self.events.iter().flat_map(of);
                emitters.any(|emitter| self.outside.domain.resource(emitter).shared)
            }
            ExprKind::EventMeta(EventMeta::Time | EventMeta::Type | EventMeta::Id) => false,
            ExprKind::Negate(inner) => self.nullable(inner),
            ExprKind::Arithmetic(_, left, right) => self.nullable(left) || self.nullable(right),
            ExprKind::If(_, then, otherwise) => self.nullable(then) || self.nullable(otherwise),
            ExprKind::Call(_, arguments) => arguments.iter().any(|one| self.nullable(one)),
            ExprKind::Not(_) | ExprKind::And(_) | ExprKind::Or(_) => false,
            ExprKind::Compare(..) | ExprKind::In(..) | ExprKind::Now => false,
            ExprKind::Field(_) | ExprKind::Related { .. } | ExprKind::Parent(_) => true,
            ExprKind::Input(_) | ExprKind::Got(_) | ExprKind::Me | ExprKind::Age => true,
            ExprKind::Item(_) | ExprKind::ItemRelated { .. } | ExprKind::Step { .. } => true,
            ExprKind::Aggregate(..) | ExprKind::ViewAggregate(..) => true,
        }
    }

    /// No tenant's: there are none, or only rows that all of them share are told of.
    fn shared(&self) -> bool {
        let domain = self.outside.domain;
        let mut emitters = self.events.iter().flat_map(|event| &event.emitters).peekable();
        domain.tenancy.is_none()
            || emitters.peek().is_some() && emitters.all(|id| domain.resource(*id).shared)
    }

    /// The field of the first emitter that an expression is, where it is nothing else.
    fn told(&self, expr: &Expr) -> Option<&Field> {
        let ExprKind::EventData(name) = &expr.kind else { return None };
        let event = self.events.first()?;
        let member = event.data.iter().find(|member| member.name == *name)?;
        match member.field {
            FieldRef::Field(id) => {
                Some(self.outside.domain.resource(*event.emitters.first()?).field(id))
            }
            FieldRef::Implicit(_) => None,
        }
    }

    fn field(&self, name: &str, expr: &Expr, optional: bool) -> Field {
        let (declared, kind) = self.declared(&expr.ty);
        let text = declared == FieldType::Text;
        // A bounded text can be sorted by.
        let told = self.told(expr).filter(|_| text);
        let mut personal = false;
        rebuilt(expr, &mut |part| {
            personal |= self.told(part).is_some_and(|field| field.personal);
            None
        });
        let currency = matches!(expr.kind, ExprKind::Call(Function::Currency, _));
        let listed = matches!(declared, FieldType::Json | FieldType::List(_));
        Field {
            name: name.to_owned(),
            about: String::new(),
            min: None,
            max: match told {
                Some(field) => field.max.clone(),
                None => currency.then_some(Value::Int(3)),
            },
            declared: told.map_or(declared, |field| field.declared.clone()),
            kind,
            source: Source::Computed(expr.clone()),
            optional,
            pattern: currency.then(|| "[A-Z]{3}".to_owned()),
            search: false,
            personal,
            secret: false,
            state: false,
            filterable: !listed,
            read: None,
            write: None,
        }
    }

    /// A type as the declaration of a field. Ids are kept as if they were of another context: what
    /// they name may be deleted while the view goes on counting it.
    fn declared(&self, ty: &Type) -> (FieldType, Kind) {
        let name = |text: &str| Name::new(text.to_owned(), Span::default());
        let declared = match ty {
            Type::Bool => FieldType::Bool,
            Type::Int => FieldType::Int,
            Type::Decimal { scale, .. } => {
                FieldType::Decimal { precision: PRECISION_MAX, scale: *scale }
            }
            Type::Money { currency } => FieldType::Money { currency: currency.clone() },
            Type::Text | Type::Null => FieldType::Text,
            Type::Enum { values } => {
                let names = values.iter().map(|value| name(value)).collect();
                return (FieldType::Enum(names), Kind::Enum(values.clone()));
            }
            Type::Date => FieldType::Date,
            Type::Time => FieldType::Time,
            Type::Timestamp => FieldType::Timestamp,
            Type::Duration => FieldType::Duration,
            Type::Timespan => FieldType::Timespan,
            Type::Uuid => FieldType::Uuid,
            Type::Json => FieldType::Json,
            Type::List(item) => FieldType::List(Box::new(self.declared(item).0)),
            Type::Reference(target) => {
                let of = self.outside.domain.resource(*target);
                let context = self.outside.world.context_name(of.context);
                let declared =
                    FieldType::Reference { context: Some(name(context)), resource: name(&of.name) };
                let on_delete = OnDelete::Restrict;
                return (declared, Kind::Reference { target: *target, crosses: true, on_delete });
            }
            Type::Actor(actor) => {
                let named = name(&self.outside.domain.actor(*actor).name);
                return (FieldType::Actor(named), Kind::Actor(*actor));
            }
        };
        (declared, Kind::Scalar)
    }
}
