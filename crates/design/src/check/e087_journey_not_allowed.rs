//! # E087 journey that its actor may not make
//! A step of a journey does what no rule allows the actor to do; or, without `as:`, no actor at all
//! may make every step.
//!
//! **Why**: the journeys are the traffic of the capacity plan and of the load test; one that is
//! refused with 403 measures nothing.
//!
//! Wrong:
//! ```yaml
//! buy: { share: 8%, as: staff, steps: [create Order] }
//! ```
//! Right: the actor that `allow: { create: shopper }` names.
//! ```yaml
//! buy: { share: 8%, as: shopper, steps: [create Order] }
//! ```

use super::outside::{Outside, journey_actor};
use super::place::Place;
use super::resolve::Resolved;
use super::suggest::listed;
use ir::domain::{Caller, Grant};
use ir::model::{Journey, JourneyStep, Verb, View};
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

pub(crate) const CODE: Code = Code("E087");

/// Looks at every journey.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let outside =
        Outside { world: &resolved.world, domain: &resolved.domain, events: &resolved.events };
    let contexts = &resolved.world.model.contexts;
    let views = contexts.iter().flat_map(|context| &context.views);
    let views: BTreeMap<&str, &View> = views.map(|view| (view.name.as_str(), view)).collect();
    for journey in &resolved.world.model.workload {
        match (&journey.actor, journey_actor(outside, journey, &mut Vec::new())) {
            (Some(_), None) => {}
            (Some(asked), Some(Caller::System)) => {
                let message = format!("the journey `{}` is made by `system`", journey.name);
                let fault = Diagnostic::error(CODE, asked.span, message);
                let fault = fault.why("journeys are the traffic of clients");
                found.push(fault.help("name an actor or `anyone`"));
            }
            (Some(asked), Some(actor)) => {
                for step in &journey.steps {
                    if !step_allowed(resolved, &views, step, &actor) {
                        found.push(refused(resolved, journey, step, &asked.text));
                    }
                }
            }
            (None, _) => somebody(resolved, &views, journey, found),
        }
    }
}

/// Without `as:` one caller must be able to make every step.
fn somebody(
    resolved: &Resolved<'_>,
    views: &BTreeMap<&str, &View>,
    journey: &Journey,
    found: &mut Vec<Diagnostic>,
) {
    // Whoever may make every step is spoken of by a rule of one of them, or is anyone.
    let mut callers = vec![Caller::Anyone];
    for step in &journey.steps {
        for grant in grants(resolved, step).unwrap_or_default() {
            if !callers.contains(&grant.caller) && grant.caller != Caller::System {
                callers.push(grant.caller.clone());
            }
        }
        callers.extend(view_of(views, step).into_iter().flat_map(|view| {
            let actors = &resolved.world.actors;
            view.allow.read.iter().filter_map(|grant| {
                let actor = *actors.get(grant.actor.as_str())?;
                let roles = &resolved.domain.actor(actor).roles;
                let role = grant.role.as_ref();
                let role = role.and_then(|role| roles.iter().position(|r| *r == role.value));
                Some(Caller::Actor(actor, role.and_then(|role| u16::try_from(role).ok())))
            })
        }));
    }
    let whole = callers
        .iter()
        .any(|caller| journey.steps.iter().all(|step| step_allowed(resolved, views, step, caller)));
    if !whole {
        let message = format!("no actor may make every step of the journey `{}`", journey.name);
        found.push(
            Diagnostic::error(CODE, journey.name.span, message)
                .why("a journey is made by one caller, and one that is refused measures nothing")
                .help("part it into journeys of one actor each, and say `as:` whom"),
        );
    }
}

/// The view that a step reads.
fn view_of<'m>(views: &BTreeMap<&str, &'m View>, step: &JourneyStep) -> Option<&'m View> {
    let bare = step.resource.as_str().rsplit('.').next().unwrap_or_default();
    let reads = matches!(step.verb, Verb::List | Verb::Get);
    views.get(bare).copied().filter(|_| reads)
}

/// The grants that rule a step; none where its names are at fault, which is told elsewhere, or
/// where a route rules it.
fn grants<'d>(resolved: &'d Resolved<'_>, step: &JourneyStep) -> Option<&'d [Grant]> {
    let place = Place::new("", "");
    let id = resolved.world.resource_anywhere(&step.resource, place, &mut Vec::new())?;
    let resource = resolved.domain.resource(id);
    let access = &resource.access;
    Some(match &step.verb {
        _ if resource.owner.is_some() => return None,
        Verb::List | Verb::Get => &access.read,
        Verb::Create => &access.create,
        Verb::Update => &access.update,
        Verb::Delete => &access.delete,
        Verb::Open => return None,
        Verb::Command(name) => {
            &resource.commands.iter().find(|command| command.name == name.value)?.by
        }
    })
}

/// May the caller make the step?
fn step_allowed(
    resolved: &Resolved<'_>,
    views: &BTreeMap<&str, &View>,
    step: &JourneyStep,
    caller: &Caller,
) -> bool {
    if let Some(view) = view_of(views, step) {
        return view.allow.read.iter().any(|grant| view_grant(resolved, grant, caller));
    }
    if step.verb == Verb::Open {
        let id = resolved.world.homes(step.resource.as_str()).first().copied();
        return id.is_none_or(|id| !resolved.domain.resource(id).routes.is_empty());
    }
    grants(resolved, step).is_none_or(|grants| grants.iter().any(|grant| covers(grant, caller)))
}

/// Does the grant speak of the caller, its condition aside?
fn covers(grant: &Grant, caller: &Caller) -> bool {
    match (&grant.caller, caller) {
        (Caller::Anyone, _) => true,
        (Caller::Actor(granted, None), Caller::Actor(actor, _)) => granted == actor,
        (granted, caller) => granted == caller,
    }
}

fn view_grant(resolved: &Resolved<'_>, grant: &ir::model::Grant, caller: &Caller) -> bool {
    if grant.actor == "anyone" {
        return true;
    }
    let Caller::Actor(actor, role) = caller else { return false };
    let actor = resolved.domain.actor(*actor);
    let named = grant.role.as_ref().map(|role| role.as_str());
    let role = role.and_then(|role| actor.roles.get(usize::from(role))).map(String::as_str);
    grant.actor.value == actor.name && (named.is_none() || named == role)
}

fn refused(
    resolved: &Resolved<'_>,
    journey: &Journey,
    step: &JourneyStep,
    actor: &str,
) -> Diagnostic {
    let resource = &step.resource;
    let (what, part) = match &step.verb {
        Verb::List => (format!("list {resource}"), "allow.read"),
        Verb::Get => (format!("get {resource}"), "allow.read"),
        Verb::Create => (format!("create {resource}"), "allow.create"),
        Verb::Update => (format!("update {resource}"), "allow.update"),
        Verb::Delete => (format!("delete {resource}"), "allow.delete"),
        Verb::Open => (format!("open {resource}"), "routes"),
        Verb::Command(name) => (format!("{resource}.{name}"), "by"),
    };
    let message = format!("`{actor}` may not `{what}`, a step of the journey `{}`", journey.name);
    let fault = Diagnostic::error(CODE, step.span, message)
        .why("a journey that is refused measures nothing");
    if step.verb == Verb::Open {
        return fault.help(format!("give `{resource}` a route: `\"GET /{{code}}\": …`"));
    }
    let allowed = grants(resolved, step).unwrap_or_default().iter();
    let allowed: Vec<&str> = allowed.map(|grant| grant.text.as_str()).collect();
    match allowed.as_slice() {
        [] => fault.help(format!("nobody may: say who under `{part}`")),
        names => {
            let list = listed(names).unwrap_or_default();
            fault.help(format!("`{part}` allows it to {list}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_step_that_is_refused_and_a_journey_that_nobody_can_make() {
        let model = "
system: test
actors: { user: oidc, staff: oidc roles clerk | boss }
contexts:
  sales:
    resources:
      Order:
        fields: { state: draft | placed }
        commands: { place: { state: draft -> placed, by: staff.boss } }
        allow: { read: [user, staff], create: user, update: staff }
workload:
  buy: { share: 50%, as: staff.clerk, steps: [create Order, Order.place] }
  both: { share: 30%, steps: [create Order, update Order] }
  drop: { share: 20%, as: user, steps: [delete Order] }
";
        check(
            model,
            expect![[r#"
            error[E087]: `staff.clerk` may not `create Order`, a step of the journey `buy`
              --> mainstay.yaml:11:47
               |
            11 |   buy: { share: 50%, as: staff.clerk, steps: [create Order, Order.place] }
               |                                               ^^^^^^^^^^^^
               = why: a journey that is refused measures nothing
               = help: `allow.create` allows it to `user`

            error[E087]: `staff.clerk` may not `Order.place`, a step of the journey `buy`
              --> mainstay.yaml:11:61
               |
            11 |   buy: { share: 50%, as: staff.clerk, steps: [create Order, Order.place] }
               |                                                             ^^^^^^^^^^^
               = why: a journey that is refused measures nothing
               = help: `by` allows it to `staff.boss`

            error[E087]: no actor may make every step of the journey `both`
              --> mainstay.yaml:12:3
               |
            12 |   both: { share: 30%, steps: [create Order, update Order] }
               |   ^^^^
               = why: a journey is made by one caller, and one that is refused measures nothing
               = help: part it into journeys of one actor each, and say `as:` whom

            error[E087]: `user` may not `delete Order`, a step of the journey `drop`
              --> mainstay.yaml:13:41
               |
            13 |   drop: { share: 20%, as: user, steps: [delete Order] }
               |                                         ^^^^^^^^^^^^
               = why: a journey that is refused measures nothing
               = help: nobody may: say who under `allow.delete`
        "#]],
        );
    }

    #[test]
    fn a_role_may_do_what_its_actor_may() {
        let model = "
system: test
actors: { staff: oidc roles clerk | boss }
contexts:
  sales:
    resources:
      Order: { fields: { count: int }, allow: { read: anyone, write: staff } }
workload:
  look: { share: 50%, as: anyone, steps: [list Order] }
  work: { share: 50%, steps: [create Order, update Order] }
";
        check(model, expect![[r#""#]]);
    }
}
