//! # E110 webhooks that can't be received as they are declared
//! What an integration says of the webhooks that it sends contradicts the model or itself: an event
//! has the name of one of ours, a member is no value that comes from outside, a pointer is no JSON
//! Pointer, a view is made of it, the time that it may differ by is none.
//!
//! **Why**: what is sent is decided elsewhere; what does not fit is found when a delivery comes.
//!
//! Wrong:
//! ```yaml
//! webhooks: { verify: stripe, secret: "${KEY}", events: { paid: { data: { order: many Line } } } }
//! ```
//! Right:
//! ```yaml
//! webhooks: { verify: stripe, secret: "${KEY}", events: { paid: { data: { order: uuid } } } }
//! ```

use super::e033_unknown_context;
use super::outside::{full_name, sent, type_of};
use super::place::Place;
use super::resolve::Resolved;
use ir::model::{Scheme, WebhookEvent, Webhooks};
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E110");

/// Seconds that a delivery's time may differ by at most: longer, and whoever saw one may send it
/// again for as long.
const TOLERANCE_SECONDS_MAX: f64 = 3_600.0;

/// Looks at the webhooks of every integration.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for (name, webhooks) in sent(resolved.world.model) {
        if let Some(into) = &webhooks.into
            && !resolved.world.contexts.contains_key(into.as_str())
        {
            let place = Place::new(name.as_str(), "webhooks.into");
            found.push(e033_unknown_context::fault(&resolved.world, into, place));
        }
        tolerance(webhooks, found);
        tenant(resolved, name, found);
        for event in &webhooks.events {
            of_event(resolved, name, event, found);
        }
    }
}

fn tolerance(webhooks: &Webhooks, found: &mut Vec<Diagnostic>) {
    let Some(tolerance) = &webhooks.tolerance else { return };
    if webhooks.verify.value == Scheme::GitHub {
        let message = "GitHub signs no time: `tolerance` has no effect";
        found.push(Diagnostic::warning(CODE, tolerance.span, message).help("leave it out"));
    } else if !(1.0..=TOLERANCE_SECONDS_MAX).contains(&tolerance.value) {
        let message = "`tolerance` is from 1 s to 1 h";
        let why = "whoever saw a delivery may send it again for as long";
        found.push(Diagnostic::error(CODE, tolerance.span, message).why(why));
    }
}

/// Who sends has no token: the host alone can name the tenant.
fn tenant(resolved: &Resolved<'_>, name: &Name, found: &mut Vec<Diagnostic>) {
    let tenancy = resolved.domain.tenancy.as_ref();
    if tenancy.is_some_and(|tenancy| tenancy.host.is_none()) {
        let message = format!("no host names the tenant that webhooks of `{name}` are for");
        let fault = Diagnostic::warning(CODE, name.span, message);
        let why = "a sender has no token; outside of development its deliveries are answered 401";
        found.push(fault.why(why).help("write `tenancy: { host: \"{tenant}.example.com\" }`"));
    }
}

fn of_event(
    resolved: &Resolved<'_>,
    name: &Name,
    event: &WebhookEvent,
    found: &mut Vec<Diagnostic>,
) {
    let full = full_name(name, event);
    let span = event.name.span;
    if resolved.events.get(&full).is_some_and(|own| own.inbound.is_none()) {
        let message = format!("`{full}` is an event of our own");
        let fault = Diagnostic::error(CODE, span, message);
        found.push(fault.help("rename the integration or our event"));
    } else if !resolved.doings.heard.contains(&full) {
        let message = format!("nobody reacts to `{full}`");
        let fault = Diagnostic::warning(CODE, span, message);
        found.push(fault.help(format!("write `reacts: {{ {full}: … }}` in a context")));
    }
    for member in &event.data {
        if type_of(member).is_none() {
            let message = format!("`{}` is no value that comes from outside", member.name);
            let fault = Diagnostic::error(CODE, member.ty.span, message);
            found.push(fault.help("the id of a row of ours is `uuid`, anything else `json`"));
        }
        if let Some(from) = &member.from
            && !is_pointer(from.as_str())
        {
            let message = format!("`{from}` is no JSON Pointer");
            let fault = Diagnostic::error(CODE, from.span, message);
            found.push(fault.help("it begins with `/`: `/data/object/metadata/order`"));
        }
    }
    let contexts = &resolved.world.model.contexts;
    for view in contexts.iter().flat_map(|context| &context.views) {
        for from in view.from.iter().filter(|from| from.value == full) {
            let message = format!("the view `{}` can't be made of `{full}`", view.name);
            let fault = Diagnostic::error(CODE, from.span, message);
            let why = "it comes from outside: only reactions hear it";
            found.push(fault.why(why).help("let a reaction emit an event of our own"));
        }
    }
}

/// RFC 6901.
fn is_pointer(text: &str) -> bool {
    let escapes = |part: &str| part.starts_with(['0', '1']);
    (text.is_empty() || text.starts_with('/')) && text.split('~').skip(1).all(escapes)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    const MODEL: &str = "
system: test
actors: { staff: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { status: open | paid, amount: int optional }
        commands: { pay: { status: open -> paid, by: system } }
        allow: { read: staff, write: staff }
    reacts:
      shop.paid: { do: Order.pay, with: { id: event.order } }
integrations:
  shop:
    http: http://shop.example
    webhooks: { verify: standard, secret: \"${KEY}\", events: { paid: { data: { order: uuid } } } }
";

    #[test]
    fn an_event_from_outside_is_reacted_to_as_one_of_our_own() {
        check(MODEL, expect![[""]]);
    }
}
