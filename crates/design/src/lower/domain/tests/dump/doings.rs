//! Events, what follows from them and recurring work as text.

use super::Show;
use ir::domain::*;
use ir::expr::Expr;
use std::fmt::Write;

/// Everything outside the resources.
pub(super) fn dump(domain: &Domain, out: &mut String) {
    out.push_str(if domain.events.is_empty() { "" } else { "\n" });
    for event in &domain.events {
        of_event(domain, event, out);
    }
    for (at, view) in domain.views.iter().enumerate() {
        of_view(domain, domain.view_rows(at), view, out);
    }
    for reaction in &domain.reactions {
        of_reaction(domain, reaction, out);
    }
    for schedule in &domain.schedules {
        of_schedule(domain, schedule, out);
    }
}

fn of_event(domain: &Domain, event: &Event, out: &mut String) {
    let emitters: Vec<_> = event.emitters.iter().map(|id| domain.full_name(*id)).collect();
    let _ = write!(out, "event {} of {}:", event.name, emitters.join(" "));
    for member in &event.data {
        let mark = if member.optional { "?" } else { "" };
        let _ = write!(out, " {}{mark} {:?}", member.name, member.ty);
    }
    for actor in &event.webhook {
        let _ = write!(out, " to {}", domain.actor(*actor).name);
    }
    let _ = writeln!(out, "{}", if event.declared { "" } else { " (plain)" });
}

fn of_view(domain: &Domain, id: ResourceId, view: &View, out: &mut String) {
    let show = Show { domain, row: id, input: &[], got: &[] };
    let _ = write!(out, "view of");
    for event in &view.from {
        let _ = write!(out, " {}", domain.event(*event).name);
    }
    let _ = write!(out, " within {}", view.fresh_seconds);
    super::of_resource(domain, id, &view.rows, out);
    let name = |field: FieldId| &view.rows.field(field).name;
    for (field, expr) in &view.key {
        let _ = writeln!(out, "  key {} = {}", name(*field), show.expr(expr));
    }
    for Fold { field, aggregate, of } in &view.folds {
        let of = of.as_ref().map_or_else(String::new, |of| show.expr(of));
        let _ = writeln!(out, "  fold {} = {aggregate:?}({of})", name(*field));
    }
    for (field, expr) in &view.values {
        let _ = writeln!(out, "  value {} = {}", name(*field), show.expr(expr));
    }
    if let Some(Window { windows, late_micros, start, end, closed, seen, group }) = &view.window {
        let fields = [start, end, closed, seen].into_iter().chain(group);
        let names: Vec<&str> = fields.map(|field| &**name(*field)).collect();
        let _ = writeln!(out, "  {windows:?} late {late_micros}: {}", names.join(" "));
    }
}

fn of_reaction(domain: &Domain, reaction: &Reaction, out: &mut String) {
    let event = &domain.event(reaction.event).name;
    let context = &domain.contexts[reaction.context.index()].name;
    let show = Show { domain, row: ResourceId(0), input: &[], got: &[] };
    let _ = write!(out, "{context} on {event}{}: ", show.when(reaction.when.as_ref()));
    let values = |resource: &ResourceId, values: &[(FieldId, Expr)]| {
        let name = |field: &FieldId| domain.resource(*resource).field(*field).name.clone();
        values
            .iter()
            .map(|(field, value)| format!(" {}: {}", name(field), show.expr(value)))
            .collect()
    };
    let line: String = match &reaction.effect {
        Effect::Create { resource, values: given } => {
            let given: String = values(resource, given);
            format!("create {}{given}", domain.full_name(*resource))
        }
        Effect::Update { resource, id, values: given } => {
            let given: String = values(resource, given);
            format!("update {} {}{given}", domain.full_name(*resource), show.expr(id))
        }
        Effect::Command { resource, command, id, inputs } => {
            let id = id.as_ref().map_or_else(|| "its row".to_owned(), |id| show.expr(id));
            format!(
                "{} {id}{}",
                called(domain, *resource, *command),
                given(show, inputs, domain, *resource, *command)
            )
        }
        Effect::Operation(call) => {
            let of = domain.remote(call.of);
            let name = |at: usize| &of.parameters[at].name;
            let with = call.with.iter();
            let with = with.map(|(at, value)| format!(" {}: {}", name(*at), show.expr(value)));
            format!("{}{}", domain.remote_name(call.of), with.collect::<String>())
        }
    };
    let _ = writeln!(out, "{line}");
}

fn of_schedule(domain: &Domain, schedule: &Schedule, out: &mut String) {
    let Schedule { name, times, resource, condition, path, of, id, command, inputs, .. } = schedule;
    let show = Show { domain, row: *resource, input: &[], got: &[] };
    let when = show.when(condition.as_ref());
    let _ = write!(out, "schedule {name} {times:?} {}{when}: ", domain.full_name(*resource));
    let mut at = *resource;
    for field in path {
        let field = domain.resource(at).field(*field);
        let _ = write!(out, "{}.", field.name);
        if let Kind::Reference { target, .. } = field.kind {
            at = target;
        }
    }
    let id = id.as_ref().map_or_else(String::new, |id| format!(" {}", show.expr(id)));
    let inputs = given(show, inputs, domain, *of, *command);
    let policy = match (schedule.catch_up, schedule.overlap) {
        (CatchUp::One, Overlap::Skip) => String::new(),
        (catch_up, overlap) => format!(" {catch_up:?} {overlap:?}"),
    };
    let _ = writeln!(out, "{}{id}{inputs}{policy}", called(domain, *of, *command));
}

fn called(domain: &Domain, resource: ResourceId, command: CommandId) -> String {
    let of = domain.resource(resource);
    format!("{}.{}", of.name, of.commands[command.index()].name)
}

fn given(
    show: Show<'_>,
    inputs: &[(usize, Expr)],
    domain: &Domain,
    of: ResourceId,
    command: CommandId,
) -> String {
    let input = &domain.resource(of).commands[command.index()].input;
    let one = |(at, value): &(usize, Expr)| format!(" {}: {}", input[*at].name, show.expr(value));
    inputs.iter().map(one).collect()
}
