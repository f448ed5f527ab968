//! # E103 published event that breaks its consumers
//! An event is not what it was in the architecture that was published last: the
//! `architecture/architecture.json` beside the model, as git's HEAD has it, or as it lies there
//! where the model is in no git work tree. Somebody who was written for that can't read what this
//! model sends.
//!
//! **Why**: an event has readers that nobody asks: another context, a view that replays years of
//! them, a partner with a webhook. What is sent may only narrow. A new event, a new member, tighter
//! bounds and fewer values pass; a member that goes, may be null, is of another type or has values
//! that never came before does not. An older event that lacks a new member is read with the
//! member's default, or as null.
//!
//! Wrong: consumers add up `total`, and it is there no more.
//! ```yaml
//! events: { order.paid: { data: [id] } }
//! ```
//! Right: a new version, which says how the old one is read (E105).
//! ```yaml
//! events:
//!   order.paid: { version: 2, data: [id], from: { 1: { data: { id: uuid, total: money } } } }
//! ```
//! Right where others still wait for the old one: another event goes beside it until they do not.
//! ```yaml
//! events: { order.paid: { data: [id, total] }, order.settled: { data: [id] } }
//! ```
//! Where every reader can bear the change, `check` and `design` let it pass by
//! `--allow-breaking order.paid`; once the new architecture is committed, it is what is published.
//! An architecture that was published and can't be read is a warning of this code: nothing is
//! compared with it.

use super::e106_older_version;
use crate::compatibility::{Incompatibility, incompatibilities};
use crate::lower;
use ir::domain::Domain;
use ir::source::Span;
use ir::{Code, Diagnostic, Model, Valid};

pub(crate) const CODE: Code = Code("E103");

/// Tells what consumers of the events that were published can't bear of a model, but for the
/// events that are `allowed` to break.
pub fn broken_consumers(old: &Domain, model: &Valid<Model>, allowed: &[String]) -> Vec<Diagnostic> {
    if old.events.is_empty() {
        return Vec::new();
    }
    let new = lower::domain(model);
    let mut found = incompatibilities(old, &new);
    found.retain(|one| !allowed.contains(&one.event));
    found.iter().map(|one| fault(old, model, &new, one)).collect()
}

/// What was published can't be compared with.
pub fn unreadable(model: &Model, reason: &str) -> Diagnostic {
    let message = "the architecture that was published can't be read, and nothing is compared";
    Diagnostic::warning(CODE, model.system.span, message)
        .why(format!("`architecture/architecture.json`: {reason}"))
        .help("commit what `mainstay design` writes")
}

fn fault(old: &Domain, model: &Model, new: &Domain, one: &Incompatibility) -> Diagnostic {
    if e106_older_version::concerns(one) {
        return e106_older_version::fault(model, one);
    }
    let Incompatibility { event, at, reason, witness } = one;
    let what = match at.as_str() {
        "" => format!("`{event}`"),
        at => format!("`{at}` of `{event}`"),
    };
    let why = match witness.as_str() {
        "" => format!("a consumer of `{event}` as it was published never hears of one again"),
        witness => format!("a consumer of `{event}` as it was published can't read {witness}"),
    };
    let allow = format!("`--allow-breaking {event}`");
    let help = match (at.as_str(), reason.as_str()) {
        ("", _) => format!("keep it until nobody waits for it; where nobody does: {allow}"),
        (_, "may be null") => {
            format!("let it always have a value; where all who read it bear null: {allow}")
        }
        (_, _) => {
            let version = new.event_named(event).map_or(1, |(_, event)| event.version);
            let next = version + 1;
            let declared = model.events.iter().any(|declared| declared.name.as_str() == event);
            let raise = match declared {
                true => format!("raise it to `version: {next}`"),
                false => format!("declare it under `events` with `version: {next}`"),
            };
            format!(
                "{raise} and say in `from: {{ {version}: … }}` how what was told is read; or \
                 publish another event beside `{event}` until nobody waits for this one; where \
                 all can bear it: {allow}"
            )
        }
    };
    let (span, field) = places(old, model, new, one);
    let fault = Diagnostic::error(CODE, span, format!("{what} {reason}")).why(why).help(help);
    match field {
        Some(field) if field != span => fault.also(field, "the field"),
        Some(_) | None => fault,
    }
}

/// Where the event, or its member, stands; and the field behind the member.
fn places(
    old: &Domain,
    model: &Model,
    new: &Domain,
    one: &Incompatibility,
) -> (Span, Option<Span>) {
    let mut path = one.at.strip_prefix("data.").unwrap_or_default().split('.');
    let member = path.next().unwrap_or_default();
    let emitter = new.event_named(&one.event).and_then(|(_, event)| event.emitters.first());
    let resource = emitter.map(|id| new.full_name(*id));
    let field = resource.as_deref().and_then(|resource| {
        let within = new.resource(*emitter?).field_named(member);
        let below = within.and_then(|(id, field)| match (path.next(), &field.kind) {
            (Some(inner), ir::domain::Kind::Children { target, .. }) => {
                field_span(model, &new.full_name(*target), inner)
            }
            (Some(_) | None, _) => Some(id).and_then(|_| field_span(model, resource, member)),
        });
        below.or_else(|| field_span(model, resource, member))
    });
    if let Some(declared) = model.events.iter().find(|event| event.name.as_str() == one.event) {
        let named = declared.data.iter().find(|name| name.as_str() == member);
        return (named.unwrap_or(&declared.name).span, field);
    }
    // The event of a plain write, or one that is gone: it is looked for where it came from.
    let before = old.event_named(&one.event).and_then(|(_, event)| event.emitters.first());
    let before = resource.or_else(|| before.map(|id| old.full_name(*id)));
    let owner = before.and_then(|name| resource_of(model, &name));
    let Some(owner) = owner else { return (model.system.span, None) };
    let change = one.event.rsplit('.').next().unwrap_or_default();
    let emitted = owner.emit.iter().find(|name| name.as_str() == change);
    (emitted.unwrap_or(&owner.name).span, field)
}

fn resource_of<'m>(model: &'m Model, full_name: &str) -> Option<&'m ir::model::Resource> {
    let (context, resource) = full_name.split_once('.')?;
    let context = model.contexts.iter().find(|one| one.name.as_str() == context)?;
    context.resources.iter().find(|one| one.name.as_str() == resource)
}

fn field_span(model: &Model, resource: &str, field: &str) -> Option<Span> {
    let resource = resource_of(model, resource)?;
    resource.fields.iter().find(|one| one.name.as_str() == field).map(|one| one.name.span)
}

#[cfg(test)]
mod tests {
    use super::{broken_consumers, unreadable};
    use crate::check::check;
    use crate::lower;
    use expect_test::{Expect, expect};
    use ir::{Model, Sources, Valid};

    const WAS: &str = "
system: shop
actors: { user: oidc }
contexts:
  desk:
    resources:
      Order:
        fields: { total: int 1..9, note: string max 20, state: open | paid, lines: many Line 1..9 }
        allow: { read: user, write: user }
        commands: { pay: { state: open -> paid, emit: order.paid, by: user } }
        emit: [created]
      Line: { fields: { count: int 1..5 } }
events: { order.paid: { data: [id, total, note, state, lines] } }
";

    fn model(text: &str) -> (Sources, Valid<Model>) {
        let sources = Sources::one("mainstay.yaml", text.trim_start_matches('\n'));
        let (model, found) = formats::requirements::read(&sources);
        assert!(!ir::diagnostic::has_errors(&found), "{found:?}");
        let (model, found) = check(model);
        (sources, model.unwrap_or_else(|| panic!("{found:?}")))
    }

    #[track_caller]
    fn told(changes: &[(&str, &str)], allowed: &[String], expected: Expect) {
        let old = lower::domain(&model(WAS).1);
        let mut text = WAS.to_owned();
        for (was, now) in changes {
            assert!(text.contains(was), "{was}");
            text = text.replace(was, now);
        }
        let (sources, new) = model(&text);
        let found = broken_consumers(&old, &new, allowed);
        expected.assert_eq(&formats::diagnostic::terminal(&sources, &found, false));
    }

    #[test]
    fn what_consumers_cannot_bear_is_told_where_it_stands() {
        let changes = [
            ("note: string max 20", "note: string max 20 optional"),
            ("open | paid", "open | paid | lost"),
            ("data: [id, total, ", "data: [id, "),
            ("int 1..5", "int 1..6"),
        ];
        told(
            &changes,
            &[],
            expect![[r#"
                error[E103]: `data.note` of `order.created` may be null
                  --> mainstay.yaml:10:16
                   |
                 7 |         fields: { total: int 1..9, note: string max 20 optional, state: open | paid | lost, line…
                   |                                    ---- the field
                ...
                10 |         emit: [created]
                   |                ^^^^^^^
                   = why: a consumer of `order.created` as it was published can't read `{"data": {"note": null}}`
                   = help: let it always have a value; where all who read it bear null: `--allow-breaking order.created`

                error[E103]: `data.state` of `order.created` may be `lost`
                  --> mainstay.yaml:10:16
                   |
                 7 | …int 1..9, note: string max 20 optional, state: open | paid | lost, lines: many Line 1..9 }
                   |                                          ----- the field
                ...
                10 |         emit: [created]
                   |                ^^^^^^^
                   = why: a consumer of `order.created` as it was published can't read `{"data": {"state": "lost"}}`
                   = help: declare it under `events` with `version: 2` and say in `from: { 1: … }` how what was told is read; or publish another event beside `order.created` until nobody waits for this one; where all can bear it: `--allow-breaking order.created`

                error[E103]: `data.lines.count` of `order.created` may be more, or longer, than before
                  --> mainstay.yaml:10:16
                   |
                10 |         emit: [created]
                   |                ^^^^^^^
                11 |       Line: { fields: { count: int 1..6 } }
                   |                         ----- the field
                   = why: a consumer of `order.created` as it was published can't read `{"data": {"lines": [{"count": 6}]}}`
                   = help: declare it under `events` with `version: 2` and say in `from: { 1: … }` how what was told is read; or publish another event beside `order.created` until nobody waits for this one; where all can bear it: `--allow-breaking order.created`

                error[E103]: `data.total` of `order.paid` is gone
                  --> mainstay.yaml:12:11
                   |
                 7 |         fields: { total: int 1..9, note: string max 20 optional, state: open | paid | lost, line…
                   |                   ----- the field
                ...
                12 | events: { order.paid: { data: [id, note, state, lines] } }
                   |           ^^^^^^^^^^
                   = why: a consumer of `order.paid` as it was published can't read `{"data": {…}}` without `total`
                   = help: raise it to `version: 2` and say in `from: { 1: … }` how what was told is read; or publish another event beside `order.paid` until nobody waits for this one; where all can bear it: `--allow-breaking order.paid`

                error[E103]: `data.note` of `order.paid` may be null
                  --> mainstay.yaml:12:36
                   |
                 7 |         fields: { total: int 1..9, note: string max 20 optional, state: open | paid | lost, line…
                   |                                    ---- the field
                ...
                12 | events: { order.paid: { data: [id, note, state, lines] } }
                   |                                    ^^^^
                   = why: a consumer of `order.paid` as it was published can't read `{"data": {"note": null}}`
                   = help: let it always have a value; where all who read it bear null: `--allow-breaking order.paid`

                error[E103]: `data.state` of `order.paid` may be `lost`
                  --> mainstay.yaml:12:42
                   |
                 7 | …int 1..9, note: string max 20 optional, state: open | paid | lost, lines: many Line 1..9 }
                   |                                          ----- the field
                ...
                12 | events: { order.paid: { data: [id, note, state, lines] } }
                   |                                          ^^^^^
                   = why: a consumer of `order.paid` as it was published can't read `{"data": {"state": "lost"}}`
                   = help: raise it to `version: 2` and say in `from: { 1: … }` how what was told is read; or publish another event beside `order.paid` until nobody waits for this one; where all can bear it: `--allow-breaking order.paid`

                error[E103]: `data.lines.count` of `order.paid` may be more, or longer, than before
                  --> mainstay.yaml:12:49
                   |
                11 |       Line: { fields: { count: int 1..6 } }
                   |                         ----- the field
                12 | events: { order.paid: { data: [id, note, state, lines] } }
                   |                                                 ^^^^^
                   = why: a consumer of `order.paid` as it was published can't read `{"data": {"lines": [{"count": 6}]}}`
                   = help: raise it to `version: 2` and say in `from: { 1: … }` how what was told is read; or publish another event beside `order.paid` until nobody waits for this one; where all can bear it: `--allow-breaking order.paid`
            "#]],
        );
    }

    #[test]
    fn an_event_that_is_gone_is_looked_for_where_it_came_from() {
        told(
            &[("        emit: [created]\n", "")],
            &[],
            expect![[r#"
                error[E103]: `order.created` is gone: who waits for it waits for ever
                 --> mainstay.yaml:6:7
                  |
                6 |       Order:
                  |       ^^^^^
                  = why: a consumer of `order.created` as it was published never hears of one again
                  = help: keep it until nobody waits for it; where nobody does: `--allow-breaking order.created`
            "#]],
        );
    }

    #[test]
    fn what_may_break_and_what_is_compatible_pass() {
        let narrowed = [("int 1..9", "int 2..8"), ("[id, ", "[id, created_at, ")];
        told(&narrowed, &[], expect![[""]]);
        let allowed = ["order.paid".to_owned(), "order.created".to_owned()];
        told(&[("total: int 1..9", "total: bool")], &allowed, expect![[""]]);
    }

    #[test]
    fn what_was_published_and_cannot_be_read_is_a_warning() {
        let (sources, model) = model(WAS);
        let found = [unreadable(&model, "it is no architecture")];
        expect![[r#"
            warning[E103]: the architecture that was published can't be read, and nothing is compared
             --> mainstay.yaml:1:9
              |
            1 | system: shop
              |         ^^^^
              = why: `architecture/architecture.json`: it is no architecture
              = help: commit what `mainstay design` writes
        "#]].assert_eq(&formats::diagnostic::terminal(&sources, &found, false));
    }
}
