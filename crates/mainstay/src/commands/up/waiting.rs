//! What the model has that `up` does not run yet, in one line a kind.

use ir::model::{At, FieldType, Model};

/// One line for each kind of thing that is designed and documented but waits.
pub(crate) fn waiting(model: &Model) -> Vec<String> {
    let workflows = model.workflows.iter().map(|workflow| workflow.name.value.clone());
    let steps = "the command that starts one commits, no step follows";
    line("workflows", workflows.collect(), steps).into_iter().chain(upkeep(model)).collect()
}

/// The line of a kind; none where the model has nothing of it.
fn line(what: &str, names: Vec<String>, effect: &str) -> Option<String> {
    (!names.is_empty()).then(|| format!("{what} ({}): {effect}", names.join(", ")))
}

/// What keeps data fresh, small and callers in bounds.
fn upkeep(model: &Model) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, names: Vec<String>, effect: &str| {
        lines.extend(line(what, names, effect));
    };
    let resources = || {
        model.contexts.iter().flat_map(|context| {
            context.resources.iter().map(move |resource| (context.name.as_str(), resource))
        })
    };
    let full = |context: &str, name: &ir::Name| format!("{context}.{name}");
    let kept = resources()
        .filter(|(_, resource)| resource.rows.as_ref().is_some_and(|rows| rows.keep.is_some()));
    say(
        "retention",
        kept.map(|(context, resource)| full(context, &resource.name)).collect(),
        "nothing is deleted or erased by age",
    );
    let replicas = resources().flat_map(|(context, resource)| {
        let kept = resource.fields.iter().filter(|field| {
            field.at.as_ref().is_some_and(|at| at.value == At::Kept)
                && !matches!(field.ty.value, FieldType::Many { .. })
        });
        kept.map(move |field| format!("{context}.{}.{}", resource.name, field.name))
    });
    say("replicas kept by events", replicas.collect(), "they are asked of the owner when read");
    let limited = model.actors.iter().filter(|actor| actor.limit.is_some());
    say(
        "rate limits of actors",
        limited.map(|actor| actor.name.value.clone()).collect(),
        "nobody is slowed down",
    );
    lines
}
