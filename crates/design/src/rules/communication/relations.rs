//! # D022 relations
//! How one context uses what another owns, and learns what happens there.
//!
//! **Why**: a reference across contexts is an id. What the referring context needs of the target is
//! asked when it writes and kept, asked when it reads, or kept up to date by events; each costs
//! something else, and none joins tables.
//! **Cost**: a copy can be old, a question can fail. **Instead**: the other two.

use super::told;
use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::load::Work;
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts::{self, Relation};
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::ResourceId;
use ir::model::At;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D022", name: "relations", stage: Stage::Communication, each: true, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let relations = facts::relations(draft.domain);
    let referred = relations.iter().map(|relation| on(draft, relation));
    referred.chain(told::decide(draft)).collect()
}

fn on(draft: &Draft<'_>, relation: &Relation) -> Decision {
    let domain = draft.domain;
    let from = draft.name(relation.from);
    let to = draft.name(relation.to);
    let field = &domain.resource(relation.from).field(relation.field).name;
    let subject = format!("{from}.{field}");
    let root = root(draft, relation.from);
    let writes = facts::questions(draft, relation.from);
    let reads = draft.load.on(root, Work::Get) + draft.load.on(root, Work::List);
    let source = domain.resource(relation.to);
    let owner = &domain.contexts[source.context.index()].name;
    let path = from.replacen('.', ".resources.", 1);
    let choice = RULE
        .on(&subject, format!("how does `{from}` use the `{to}` that `{field}` names?"))
        .driver(format!("contexts.{path}.fields.{field}"))
        .number(questions(draft, root, writes))
        .effect(Effect::RunsHere);
    let choice = match relation.copies.as_slice() {
        [] => by_id(choice, &to, owner, writes),
        copies => by_copy(choice, draft, copies, &to, owner, writes, reads),
    };
    let services = draft.number("units", "system").unwrap_or(1.0) > 1.0;
    choice
        .flips(match relation.copies.is_empty() {
            true if reads <= 0.0 => format!(
                "a field of `{to}` in each answer: `at read` asks `{owner}` for each read, `kept` \
                 sends {} of changes",
                facts::rps(changes(draft, &to))
            ),
            true => format!(
                "a field of `{to}` in each answer: `at read` asks {} of questions, `kept` sends \
                 {} of changes",
                facts::rps(reads),
                facts::rps(changes(draft, &to))
            ),
            false => format!(
                "a copy that must follow `{to}`: `at read` instead, {} of questions",
                facts::rps(reads)
            ),
        })
        .consequence(if services {
            format!(
                "`{owner}` down: writes of `{from}` answer 503; what was written stays readable."
            )
        } else {
            format!("`{owner}` is in the same process: the question is a function call.")
        })
        .consequence(format!(
            "A deleted `{to}` leaves the id in `{field}`; `expand={field}` then gives null."
        ))
        .done(draft)
}

fn by_id(choice: Choice, to: &str, owner: &str, writes: f64) -> Choice {
    choice
        .choose("an id, checked when it is written")
        .because(format!(
            "Nothing of `{to}` is needed beside its id, so nothing is copied; one batched call to \
             `{owner}` checks the ids of a write with the caller's own rights ({} at the peak).",
            facts::rps(writes)
        ))
        .alternative(
            "a foreign key",
            format!(
                "would tie the tables of `{owner}` to this context's: no delete, no move and no \
                 restore of one without the other."
            ),
            Vec::new(),
        )
        .alternative(
            "no check",
            "an id of another tenant, or of nothing, would be found out by whoever follows it.",
            Vec::new(),
        )
}

fn by_copy(
    choice: Choice,
    draft: &Draft<'_>,
    copies: &[(String, At)],
    to: &str,
    owner: &str,
    writes: f64,
    reads: f64,
) -> Choice {
    let named = |wanted: At| -> Vec<String> {
        let fields = copies.iter().filter(|(_, at)| *at == wanted);
        fields.map(|(name, _)| format!("`{name}`")).collect()
    };
    let (write, read, kept) = (named(At::Write), named(At::Read), named(At::Kept));
    let changes = changes(draft, to);
    let mut parts = Vec::new();
    let mut choice = choice;
    if !write.is_empty() {
        parts.push(format!("{} copied when it is written", listed(&write)));
        choice = choice.because(format!(
            "{} must stay what it was when the row was written: a later change of `{to}` ({} at \
             the peak) may not reach back.",
            listed(&write),
            facts::rps(changes)
        ));
    }
    if !read.is_empty() {
        parts.push(format!("{} asked when it is read", listed(&read)));
        choice = choice.because(format!(
            "{} must be what it is now: {} of reads ask `{owner}` each time.",
            listed(&read),
            facts::rps(reads)
        ));
    }
    if !kept.is_empty() {
        parts.push(format!("{} kept up to date by events", listed(&kept)));
        choice = choice.because(format!(
            "{} may lag: {} of changes are sent instead of {} of questions.",
            listed(&kept),
            facts::rps(changes),
            facts::rps(reads)
        ));
    }
    choice = choice.choose(parts.join("; "));
    if read.is_empty() {
        let lost = if reads > writes {
            format!(
                "{} of reads instead of {} of writes would ask `{owner}`, and could fail with it.",
                facts::rps(reads),
                facts::rps(writes)
            )
        } else {
            format!("a read of a row would fail while `{owner}` is away.")
        };
        choice = choice.alternative("asked when it is read", lost, vec![asked(reads)]);
    }
    if kept.is_empty() {
        choice = choice.alternative(
            "kept up to date by events",
            if write.is_empty() {
                "may lag behind the owner.".to_owned()
            } else {
                format!("would change {} of rows that are already agreed.", listed(&write))
            },
            vec![asked(changes)],
        );
    }
    choice
}

fn asked(rate: f64) -> Computed {
    Term::input("questions", rate, Unit::PerSecond, Grade::Derived, "workload at goals.peak")
        .named("questions a second", Unit::PerSecond)
}

/// Questions that writes ask of the owner: one batched call each.
fn questions(draft: &Draft<'_>, root: ResourceId, writes: f64) -> Computed {
    let name = draft.name(root);
    let source = format!("workload: {name} made and replaced");
    Term::input("writes", writes, Unit::PerSecond, Grade::Derived, &source)
        .named("questions to the owner", Unit::PerSecond)
}

fn root(draft: &Draft<'_>, id: ResourceId) -> ResourceId {
    draft.domain.resource(id).owner.map_or(id, |(owner, _)| owner)
}

fn changes(draft: &Draft<'_>, to: &str) -> f64 {
    let found = draft.domain.resources().find(|(id, _)| draft.name(*id) == to);
    found.map_or(0.0, |(id, _)| draft.load.on(id, Work::Write) - draft.load.creates(id))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_copy_stays_and_an_id_is_checked() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                ordering.OrderLine.product: `price` copied when it is written
                  flips at a copy that must follow `catalog.Product`: `at read` instead, 94.3 rps of questions
                notifications.Message.order: an id, checked when it is written
                  flips at a field of `ordering.Order` in each answer: `at read` asks `ordering` for each read, `kept` sends 77.1 rps of changes
                notifications.order.paid: by the event, which carries what is needed of it
                  flips at an answer that must hold what `notifications` makes: a call, 34.3 rps of them within requests
                notifications.order.shipped: by the event, which carries what is needed of it
                  flips at an answer that must hold what `notifications` makes: a call, 8.57 rps of them within requests
            "#]],
        );
    }

    #[test]
    fn one_context_refers_to_nothing_outside() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
