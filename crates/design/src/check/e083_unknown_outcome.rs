//! # E083 call whose outcome may stay unknown
//! A step, a reaction or a job calls an operation that changes something, is not idempotent and has
//! no `lookup`.
//!
//! **Why**: when the answer is lost (a timeout, a crash) nobody knows whether it was done. Trying
//! again may do it twice, giving up may leave it done.
//!
//! Wrong:
//! ```yaml
//! charge: { post: /charges, body: { amount: money } }
//! ```
//! Right: a key that the other side honours (or twice does no harm), or a way to ask.
//! ```yaml
//! charge: { post: /charges, body: { amount: money }, idempotent: true }
//! charge: { post: /charges, body: { amount: money, reference: string },
//!           lookup: { get: "/charges?reference={reference}" } }
//! ```

use super::outside::{path_segments, repeats};
use super::resolve::Resolved;
use ir::model::{Effect, Integration, IntegrationOperation, Step};
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E083");

/// Looks at the calls of every workflow.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for integration in &resolved.world.model.integrations {
        for operation in &integration.operations {
            lookup(integration, operation, found);
        }
    }
    for (call, who) in again(resolved) {
        let Some((integration, operation)) = operation(resolved, call) else { continue };
        if is_safe(operation) {
            continue;
        }
        let name = format!("{}.{}", integration.name, operation.name);
        let message = format!("{who} tries `{name}` again");
        let fault = Diagnostic::error(CODE, call.span, message)
            .why("if only the answer was lost, it is done twice");
        found.push(fault.also(operation.name.span, "declared here").help(HELP));
    }
    for workflow in &resolved.world.model.workflows {
        for step in &workflow.steps {
            of_step(resolved, workflow.name.as_str(), step, found);
        }
    }
}

const HELP: &str = "if the other side honours a key, or twice does no harm: `idempotent: true`; \
                    if it can be asked: `lookup: { get: … }`";

/// Calls that are tried again without a word of the model: those of reactions and jobs.
fn again<'m>(resolved: &Resolved<'m>) -> impl Iterator<Item = (&'m Name, String)> {
    let model = resolved.world.model;
    let reactions = model.contexts.iter().flat_map(|context| {
        context.reacts.iter().filter_map(move |reaction| match &reaction.effect {
            Effect::Do(name) => {
                let who = format!("the reaction to `{}` in `{}`", reaction.event, context.name);
                Some((name, who))
            }
            Effect::Create(_) | Effect::Update(_) => None,
        })
    });
    let jobs = model.jobs.iter().filter(|job| job.retry.as_ref().is_none_or(|most| most.value > 1));
    reactions.chain(jobs.map(|job| (&job.run, format!("the job `{}`", job.name))))
}

fn is_safe(operation: &IntegrationOperation) -> bool {
    repeats(operation) || operation.idempotent.is_some() || operation.lookup.is_some()
}

fn of_step(resolved: &Resolved<'_>, workflow: &str, step: &Step, found: &mut Vec<Diagnostic>) {
    for inner in &step.parallel {
        of_step(resolved, workflow, inner, found);
    }
    for call in step.run.iter().chain(&step.undo) {
        let Some((integration, operation)) = operation(resolved, call) else { continue };
        if is_safe(operation) {
            continue;
        }
        let name = format!("{}.{}", integration.name, operation.name);
        let retries = step.retry.as_ref().filter(|retry| retry.value > 0);
        let message = match retries {
            Some(_) => format!("the step `{}` of `{workflow}` tries `{name}` again", step.name),
            None => {
                format!(
                    "the outcome of `{name}` in `{workflow}` stays unknown if its answer is lost"
                )
            }
        };
        let fault = match retries {
            Some(_) => Diagnostic::error(CODE, call.span, message)
                .why("if only the answer was lost, it is done twice"),
            None => Diagnostic::warning(CODE, call.span, message)
                .why("after a timeout or a crash nobody knows whether it was done"),
        };
        found.push(fault.also(operation.name.span, "declared here").help(HELP));
    }
}

/// A lookup can ask only by what the call itself was given.
fn lookup(
    integration: &Integration,
    operation: &IntegrationOperation,
    found: &mut Vec<Diagnostic>,
) {
    let Some((_, path)) = &operation.lookup else { return };
    let body = |name: &str| operation.body.iter().any(|field| field.name == name);
    let own = |name: &str| path_segments(operation.path.as_str()).any(|known| known == name);
    for name in path_segments(path.as_str()).filter(|name| !body(name) && !own(name)) {
        let call = format!("{}.{}", integration.name, operation.name);
        let message =
            format!("the lookup of `{call}` asks by `{name}`, which the call is not given");
        let fault = Diagnostic::error(CODE, path.span, message);
        found.push(fault.why("the answer was lost, so only what was sent is known").help(format!(
            "send it: `body: {{ {name}: string }}`, or ask by something that is sent"
        )));
    }
}

fn operation<'m>(
    resolved: &Resolved<'m>,
    call: &Name,
) -> Option<(&'m Integration, &'m IntegrationOperation)> {
    let (integration, operation) = call.as_str().rsplit_once('.')?;
    let integration = *resolved.world.integrations.get(integration)?;
    let operation = integration.operations.iter().find(|known| known.name == operation)?;
    Some((integration, operation))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_reaction_and_a_job_that_try_a_call_again() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order: { fields: { name: string }, emit: [created, deleted], allow: { read: user, write: user } }
  told:
    reacts: { order.created: { do: post.letter }, order.deleted: { do: post.known } }
integrations:
  post:
    http: https://post.example
    operations:
      letter: { post: /letters }
      known: { post: /known, idempotent: true }
jobs:
  once: { do: post.letter, by: user, retry: 1 }
  often: { do: post.letter, by: user }
  known: { do: post.known, by: user }
";
        check(
            model,
            expect![[r#"
                error[E083]: the reaction to `order.created` in `told` tries `post.letter` again
                  --> mainstay.yaml:8:36
                   |
                 8 |     reacts: { order.created: { do: post.letter }, order.deleted: { do: post.known } }
                   |                                    ^^^^^^^^^^^
                ...
                13 |       letter: { post: /letters }
                   |       ------ declared here
                   = why: if only the answer was lost, it is done twice
                   = help: if the other side honours a key, or twice does no harm: `idempotent: true`; if it can be asked: `lookup: { get: … }`

                error[E083]: the job `often` tries `post.letter` again
                  --> mainstay.yaml:17:16
                   |
                13 |       letter: { post: /letters }
                   |       ------ declared here
                ...
                17 |   often: { do: post.letter, by: user }
                   |                ^^^^^^^^^^^
                   = why: if only the answer was lost, it is done twice
                   = help: if the other side honours a key, or twice does no harm: `idempotent: true`; if it can be asked: `lookup: { get: … }`
            "#]],
        );
    }

    #[test]
    fn a_call_that_is_tried_again_and_one_that_is_not() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { state: draft | placed }
        commands: { place: { state: draft -> placed, by: user } }
        allow: { read: user, write: user }
integrations:
  post:
    http: https://post.example
    operations: { letter: { post: /letters }, parcel: { post: /parcels }, find: { post: /finds, lookup: { get: \"/finds/{key}\" } }, look: { get: /parcels } }
workflows:
  ship:
    after: Order.place
    steps:
      - { name: look, do: post.look }
      - parallel:
          - { name: parcel, do: post.parcel, undo: post.look, retry: 2 }
          - { name: letter, do: post.letter, undo: post.look }
";
        check(
            model,
            expect![[r#"
                error[E083]: the lookup of `post.find` asks by `key`, which the call is not given
                  --> mainstay.yaml:13:113
                   |
                13 | …, find: { post: /finds, lookup: { get: "/finds/{key}" } }, look: { get: /parcels } }
                   |                                          ^^^^^^^^^^^^
                   = why: the answer was lost, so only what was sent is known
                   = help: send it: `body: { key: string }`, or ask by something that is sent

                error[E083]: the step `parcel` of `ship` tries `post.parcel` again
                  --> mainstay.yaml:20:33
                   |
                13 | …erations: { letter: { post: /letters }, parcel: { post: /parcels }, find: { post: /finds, looku…
                   |                                          ------ declared here
                ...
                20 |           - { name: parcel, do: post.parcel, undo: post.look, retry: 2 }
                   |                                 ^^^^^^^^^^^
                   = why: if only the answer was lost, it is done twice
                   = help: if the other side honours a key, or twice does no harm: `idempotent: true`; if it can be asked: `lookup: { get: … }`

                warning[E083]: the outcome of `post.letter` in `ship` stays unknown if its answer is lost
                  --> mainstay.yaml:21:33
                   |
                13 |     operations: { letter: { post: /letters }, parcel: { post: /parcels }, find: { post: /finds, …
                   |                   ------ declared here
                ...
                21 |           - { name: letter, do: post.letter, undo: post.look }
                   |                                 ^^^^^^^^^^^
                   = why: after a timeout or a crash nobody knows whether it was done
                   = help: if the other side honours a key, or twice does no harm: `idempotent: true`; if it can be asked: `lookup: { get: … }`
            "#]],
        );
    }
}
