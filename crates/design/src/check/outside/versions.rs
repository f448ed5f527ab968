//! Older versions of events: what they carried, and how data of each becomes that of the next.

use crate::check::constraints::constant;
use crate::check::e105_event_version as e105;
use crate::check::place::Place;
use crate::check::reads::walk;
use crate::check::resolve::input;
use crate::check::typing::assign::coerce;
use crate::check::typing::scope::{Given, Scope, Use};
use crate::check::typing::{infer, literal};
use crate::check::world::{World, value_type};
use crate::check::{e047_wrong_type, e095_null};
use ir::Diagnostic;
use ir::domain::{Domain, EventMember, Field, OlderVersion, ResourceId, Source};
use ir::expr::{Expr, ExprKind, Expression, Type};
use ir::model;
use ir::value::Value;

/// A member of the version that comes next.
struct Next {
    name: String,
    ty: Type,
    optional: bool,
    default: Option<Value>,
}

/// One version as far as it is known.
struct Known<'m> {
    asked: &'m model::OlderVersion,
    data: Vec<Field>,
    /// None where the type of a member is at fault.
    types: Vec<Option<Type>>,
}

/// What the versions are looked at with.
struct Looking<'a, 'm> {
    world: &'a World<'m>,
    domain: &'a Domain,
    emitter: ResourceId,
    event: &'m model::Event,
}

/// The older versions of an event, whose members are `data` now; none of them where one is at
/// fault.
pub(super) fn older(
    world: &World<'_>,
    domain: &Domain,
    (event, emitter): (&model::Event, ResourceId),
    data: &[EventMember],
    found: &mut Vec<Diagnostic>,
) -> Vec<OlderVersion> {
    let before = found.len();
    e105::numbers(event, found);
    let looking = Looking { world, domain, emitter, event };
    let version = event.number();
    if found.len() > before || version == 1 {
        return Vec::new();
    }
    let known: Vec<Known<'_>> = (1..version)
        .filter_map(|version| event.from.iter().find(|one| one.version.value == version))
        .map(|asked| looking.known(asked, found))
        .collect();
    let now = data.iter().map(|member| Next {
        name: member.name.clone(),
        ty: member.ty.clone(),
        optional: member.optional,
        default: member.default.clone(),
    });
    let now: Vec<Next> = now.collect();
    let mut older = Vec::with_capacity(known.len());
    for (at, one) in known.iter().enumerate() {
        let next = match known.get(at + 1) {
            Some(after) => looking.members(after),
            None => None,
        };
        let faulty = known.get(at + 1).is_some() && next.is_none();
        let next = next.as_deref().unwrap_or(&now);
        let made = if faulty { None } else { looking.made(one, next, found) };
        if let Some(next) = made {
            older.push(OlderVersion { data: one.data.clone(), next });
        }
    }
    if older.len() == known.len() { older } else { Vec::new() }
}

impl<'m> Looking<'_, 'm> {
    /// What a version carried.
    fn known(&self, asked: &'m model::OlderVersion, found: &mut Vec<Diagnostic>) -> Known<'m> {
        let context = self.world.entry(self.emitter).context;
        let part = format!("from.{}.data", asked.version.value);
        let place = Place::new(self.event.name.as_str(), &part);
        let (mut data, mut types) = (Vec::new(), Vec::new());
        for declared in &asked.data {
            let (mut field, known) = input(self.world, context, declared, place, found);
            let fault = e105::member(self.event, declared, &field);
            let known = known && fault.is_none();
            found.extend(fault);
            if let Source::Default(expr) = &field.source
                && constant(expr).is_none()
            {
                found.push(e105::no_constant(self.event, declared));
                field.source = Source::Client;
            }
            types.push(known.then(|| value_type(&field.declared, &field.kind)));
            data.push(field);
        }
        Known { asked, data, types }
    }

    /// Its members, as what the version before is made into.
    fn members(&self, known: &Known<'_>) -> Option<Vec<Next>> {
        let one = |(field, ty): (&Field, &Option<Type>)| {
            let default = match &field.source {
                Source::Default(expr) => constant(expr).cloned(),
                _ => None,
            };
            let (name, optional) = (field.name.clone(), field.optional);
            Some(Next { name, ty: ty.clone()?, optional, default })
        };
        known.data.iter().zip(&known.types).map(one).collect()
    }

    /// What each member of the next version is; none where one is at fault.
    fn made(
        &self,
        known: &Known<'_>,
        next: &[Next],
        found: &mut Vec<Diagnostic>,
    ) -> Option<Vec<Expr>> {
        let asked = known.asked;
        let to = asked.version.value + 1;
        for (name, _) in &asked.with {
            if next.iter().all(|member| *name != member.name.as_str()) {
                let names = next.iter().map(|member| member.name.as_str());
                found.push(e105::unknown(self.event, name, to, names));
            }
        }
        let made: Vec<Option<Expr>> = next
            .iter()
            .map(|member| {
                let with = asked.with.iter().find(|(name, _)| *name == member.name.as_str());
                match with {
                    Some((_, expression)) => self.given(known, expression, member, found),
                    None => self.carried(known, member, found),
                }
            })
            .collect();
        made.into_iter().collect()
    }

    /// A member that the model says how to make.
    fn given(
        &self,
        known: &Known<'_>,
        expression: &Expression,
        member: &Next,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Expr> {
        let part = format!("from.{}.with", known.asked.version.value);
        let place = Place::new(self.event.name.as_str(), &part);
        let given = known.data.iter().zip(&known.types);
        let given: Vec<Given<'_>> =
            given.map(|(field, ty)| Given { name: &field.name, ty: ty.clone() }).collect();
        let row = Scope::row(self.world, place, Use::Reaction, None);
        let scope = Scope { input: &given, ..row };
        let expr = infer(&scope, expression, Some(&member.ty), found)?;
        let mut unstable = false;
        walk(&expr, &mut |part| unstable |= matches!(part.kind, ExprKind::Now));
        if unstable {
            found.push(e105::unstable(self.event, expression));
            return None;
        }
        let got = expr.clone();
        let fits = match same_wire(&got.ty, &member.ty) {
            true => Ok(expr),
            false => coerce(expr, &member.ty),
        };
        let expr = match fits {
            Ok(expr) => expr,
            Err(misfit) => {
                let target = &member.name;
                let fault =
                    e047_wrong_type::fault(&scope, expression, &got, &member.ty, target, misfit);
                found.push(fault);
                return None;
            }
        };
        let nullable = e095_null::of_inputs(self.domain, self.emitter, &known.data, &expr);
        if nullable && !member.optional {
            found.push(e105::null(self.event, expression.span, &member.name));
            return None;
        }
        Some(expr)
    }

    /// A member that the model says nothing of: what has its name and type, else its default.
    fn carried(
        &self,
        known: &Known<'_>,
        member: &Next,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Expr> {
        let asked = known.asked;
        let there = known.data.iter().position(|field| field.name == member.name);
        let Some(at) = there else {
            let value = match &member.default {
                Some(value) => value.clone(),
                None if member.optional => Value::Null,
                None => {
                    found.push(e105::no_source(self.event, asked, &member.name));
                    return None;
                }
            };
            return Some(literal(value, member.ty.clone()));
        };
        let (field, ty) = (&known.data[at], known.types[at].clone()?);
        if !carries(&ty, &member.ty) {
            let span = asked.data[at].ty.span;
            found.push(e105::other_type(self.event, asked, span, &member.name));
            return None;
        }
        if field.optional && !member.optional {
            found.push(e105::null(self.event, asked.data[at].name.span, &member.name));
            return None;
        }
        Some(Expr { kind: ExprKind::Input(at), ty })
    }
}

/// True for ids, of whatever they are, and for texts and callers: they are told alike.
fn same_wire(from: &Type, to: &Type) -> bool {
    let is_id = |ty: &Type| matches!(ty, Type::Uuid | Type::Reference(_));
    let is_text = |ty: &Type| matches!(ty, Type::Text | Type::Actor(_));
    (is_id(from) && is_id(to)) || (is_text(from) && is_text(to))
}

/// True where every value of the one is one of the other, as it is.
fn carries(from: &Type, to: &Type) -> bool {
    let same_kind = match (from, to) {
        (from, to) if same_wire(from, to) => return true,
        (Type::Decimal { scale: from, .. }, Type::Decimal { scale: to, .. }) => from <= to,
        (Type::Enum { .. }, Type::Enum { .. }) => true,
        (Type::Money { currency }, Type::Money { currency: wanted }) => {
            wanted.is_none() || currency == wanted
        }
        (from, to) => from == to,
    };
    let input = Expr { kind: ExprKind::Input(0), ty: from.clone() };
    same_kind && coerce(input, to).is_ok()
}
