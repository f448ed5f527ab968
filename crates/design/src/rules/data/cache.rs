//! # D017 cache
//! Whether answers about a resource are reused, where, for how long, and what that saves.
//!
//! **Why**: what is popular is asked for again before it changes. An item at `r` requests a second
//! that is kept `t` seconds answers `r·t / (1 + r·t)` of its requests; popularity by Zipf's law
//! spreads the requests over the items.
//! **Cost**: an answer may be as old as the time it is kept. **Instead**: revalidation by ETag,
//! which is never stale and saves only the body.

use crate::capacity::{Term, cache::Zipf};
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::draft::load::Work;
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Setting, Stage};
use ir::domain::ResourceId;
use ir::model::Cache;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D017", name: "cache", stage: Stage::Data, each: false, decide };

/// Reads of one resource from which the question is worth asking without being told.
const READS_WORTH: f64 = 200.0;
/// The hit ratio from which a cache carries the most of the reads.
const HALF: f64 = 0.5;
/// Nodes among which the requests of a cache in the process are spread.
const NODES: f64 = 2.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for (id, _) in draft.domain.roots() {
        let gets = draft.load.on(id, Work::Get);
        let redirects = draft.load.on(id, Work::Redirect);
        match declared(draft, id) {
            Some(cache) => decisions.push(asked(draft, id, cache, gets, redirects)),
            None if gets + redirects >= READS_WORTH => {
                decisions.push(unasked(draft, id, gets + redirects));
            }
            None => {}
        }
    }
    decisions
}

fn declared<'a>(draft: &Draft<'a>, id: ResourceId) -> Option<&'a Cache> {
    let resource = draft.domain.resource(id);
    let context = draft.model.contexts.get(resource.context.index())?;
    let written = context.resources.iter().find(|one| one.name == resource.name.as_str())?;
    written.cache.as_ref()
}

fn asked(draft: &Draft<'_>, id: ResourceId, cache: &Cache, gets: f64, redirects: f64) -> Decision {
    let name = draft.name(id);
    let except: Vec<String> = cache.except.iter().map(|field| format!("`{field}`")).collect();
    let kept = facts::time(cache.time);
    let path = format!("contexts.{}.cache", name.replacen('.', ".resources.", 1));
    let near = ratio(draft, id, "requests", (gets + redirects) / NODES, cache.time);
    let shared = ratio(draft, id, "requests", gets + redirects, cache.time);
    let memory = memory(draft, id, (gets + redirects) / NODES, cache.time);
    let whole = except.is_empty();
    let mut choice = RULE
        .on(&name, format!("are answers about `{name}` reused?"))
        .choose(match whole {
            true => format!("in the process, {kept}"),
            false => format!("in the process, {kept}, all but {}", listed(&except)),
        })
        .number(near.clone())
        .number(memory.clone())
        .driver(path)
        .driver("workload")
        .effect(Effect::AdviceOnly)
        .set("cache_seconds", cache.time);
    if gets + redirects <= 0.0 {
        choice = choice.because(format!(
            "The model asks for {kept}; the workload never reads a single `{name}`, so the hit \
             ratio is unknown: measure it before spending memory."
        ));
    } else {
        choice = saving(choice, draft, &near, gets, redirects, whole, &except);
    }
    let choice = tiers(choice, draft, id, cache, &near, &shared, gets + redirects, whole);
    let kept_hits = |rate: f64| if rate > 0.0 { near.value } else { 0.0 };
    choice
        .set("hit_ratio_redirect", kept_hits(redirects))
        .set("hit_ratio_get", if whole { kept_hits(gets) } else { 0.0 })
        .done(draft)
}

/// What the hits save in the database; nothing where an excepted field is part of each answer.
fn saving(
    choice: Choice,
    draft: &Draft<'_>,
    near: &Computed,
    gets: f64,
    redirects: f64,
    whole: bool,
    except: &[String],
) -> Choice {
    let saved = if whole { gets + redirects } else { redirects };
    let choice = choice.because(format!(
        "{} over {} rows with a popularity of {} hit {} of the time on each of {} nodes.",
        facts::rps(gets + redirects),
        facts::number(rows_of(near)),
        facts::number(draft.value(Knob::Popularity)),
        facts::about(near.value),
        facts::number(NODES)
    ));
    let choice = choice.because_if(!whole && gets > 0.0, || {
        format!(
            "{} must be true in every answer, so {} of whole rows still go to the database; the \
             cache answers {}.",
            listed(except),
            facts::rps(gets),
            if redirects > 0.0 {
                "the redirects, which need only the target"
            } else {
                "`fields=` without it"
            }
        )
    });
    if saved <= 0.0 {
        return choice.because(
            "In these journeys it saves nothing: every read is of a whole row.".to_owned()
                + &format!(" {} of them, all answered by the database.", facts::rps(gets)),
        );
    }
    let rate = Term::input("cached_reads", saved, Unit::PerSecond, Grade::Derived, "workload");
    let cpu = (rate * Term::from(near) * draft.fact("get_database"))
        .named("database CPU saved", Unit::Count("vCPU".to_owned()));
    choice
        .because(format!(
            "That spares the database {} and {} vCPU.",
            facts::rps(saved * near.value),
            facts::number(cpu.value)
        ))
        .number(cpu)
}

#[allow(clippy::too_many_arguments)]
fn tiers(
    choice: Choice,
    draft: &Draft<'_>,
    id: ResourceId,
    cache: &Cache,
    near: &Computed,
    shared: &Computed,
    reads: f64,
    whole: bool,
) -> Choice {
    let name = draft.name(id);
    let node = (draft.fact("cache_node") * crate::draft::sizing::hours() * 2.0)
        .named("monthly cost", crate::draft::sizing::money(draft));
    let gain = (shared.value - near.value) * reads;
    let mut choice = choice
        .option(
            "none",
            format!("{} more reach the database.", facts::rps(reads * near.value)),
            Vec::new(),
            vec![
                ("hit_ratio_redirect", Setting::Number(0.0)),
                ("hit_ratio_get", Setting::Number(0.0)),
            ],
        )
        .option(
            "a shared cache (Redis)",
            format!(
                "one cache for all nodes would hit {} instead of {}: {} fewer for the database, \
                 for {} and a network trip on each hit.",
                facts::about(shared.value),
                facts::about(near.value),
                facts::rps(gain.max(0.0)),
                facts::money(draft, node.value)
            ),
            vec![node, shared.clone()],
            vec![("hit_ratio_redirect", Setting::Number(shared.value))],
        )
        .consequence(format!(
            "A change is seen at once on the node that made it, and on the others as soon as \
             PostgreSQL tells them; {} at most where it can't.",
            facts::time(cache.time)
        ));
    if !whole && draft.load.on(id, Work::Get) > 0.0 {
        let fields: Vec<String> = cache.except.iter().map(|field| format!("`{field}`")).collect();
        choice = choice.flips(format!(
            "{} in a resource of its own: `{name}` is cached whole and {} fewer reach the database",
            listed(&fields),
            facts::rps(draft.load.on(id, Work::Get) * near.value)
        ));
    }
    let asked = near.value < HALF && reads > 0.0 && !draft.quick;
    let half = asked.then(|| half_time(draft, id, reads / NODES, cache.time)).flatten();
    if let Some(seconds) = half {
        choice = choice.flips(format!(
            "`cache: {}` instead of {}: half of the reads hit",
            facts::time(seconds),
            facts::time(cache.time)
        ));
    }
    choice = in_front(choice, draft, id);
    if draft.load.on(id, Work::Redirect) > 0.0 {
        choice = choice.consequence(
            "`up` reuses answers of the API alone so far: each redirect reads its row.",
        );
    }
    choice
}

fn unasked(draft: &Draft<'_>, id: ResourceId, reads: f64) -> Decision {
    let name = draft.name(id);
    let minute = ratio(draft, id, "requests", reads / NODES, 60.0);
    let cpu = reads * minute.value * draft.catalog.value("get_database");
    RULE.on(&name, format!("are answers about `{name}` reused?"))
        .choose("none; `ETag` revalidation")
        .because(format!(
            "The model does not say how old a `{name}` may be, and {} cost the database only {} \
             vCPU.",
            facts::rps(reads),
            facts::number(reads * draft.catalog.value("get_database"))
        ))
        .alternative(
            "in the process, 1 min",
            format!(
                "would hit {} of the time and save {} vCPU of database, for answers up to a \
                 minute old that nobody has allowed.",
                facts::about(minute.value),
                facts::number(cpu)
            ),
            vec![minute],
        )
        .driver("workload")
        .flips(format!("`cache: 1 min` on `{name}`: the model says that a minute is fine"))
        .effect(Effect::RunsHere)
        .done(draft)
}

fn rows_of(ratio: &Computed) -> f64 {
    ratio.inputs.iter().find(|input| input.name == "rows").map_or(0.0, |input| input.value)
}

/// Hit ratio of a cache that keeps each item for a time, room being no limit.
fn ratio(draft: &Draft<'_>, id: ResourceId, name: &str, rate: f64, seconds: f64) -> Computed {
    let rows = Term::from(&draft.volume(id).rows);
    let zipf = Zipf::new(rows.value(), draft.value(Knob::Popularity));
    let hits = zipf.timed(rate, seconds);
    let rate = Term::input(name, rate, Unit::PerSecond, Grade::Derived, "workload, of one node");
    let seconds = Term::input("kept", seconds, Unit::Seconds, Grade::Given, "cache");
    let arguments = vec![rate, seconds, rows, draft.input(Knob::Popularity)];
    Term::function("timed_hits", arguments, hits).named("hit ratio", Unit::Share)
}

/// Memory of the items that are held, twice their row for the rendered answer and the entry.
fn memory(draft: &Draft<'_>, id: ResourceId, rate: f64, seconds: f64) -> Computed {
    let volume = draft.volume(id);
    let zipf = Zipf::new(volume.rows.value, draft.value(Knob::Popularity));
    let held = zipf.timed_content(rate, seconds);
    let held = Term::input(
        "items_held",
        held,
        Unit::One,
        Grade::Assumed,
        "items asked for within their time",
    );
    let row = Term::input(
        "row_bytes",
        volume.row_bytes,
        Unit::Bytes,
        Grade::Assumed,
        "fields, texts half full",
    );
    (held * row * 2.0).named("memory of a node", Unit::Bytes)
}

/// How long an item would have to be kept for half of the reads to hit, in doublings.
fn half_time(draft: &Draft<'_>, id: ResourceId, rate: f64, seconds: f64) -> Option<f64> {
    let zipf = Zipf::new(draft.volume(id).rows.value, draft.value(Knob::Popularity));
    let mut kept = seconds;
    while zipf.timed(rate, kept) < HALF {
        kept *= 2.0;
        if kept > 7.0 * 86_400.0 {
            return None;
        }
    }
    Some(kept)
}

/// A cache that answers without us counts nothing and asks nobody.
fn in_front(choice: Choice, draft: &Draft<'_>, id: ResourceId) -> Choice {
    let resource = draft.domain.resource(id);
    let Some(route) = resource.routes.first() else { return choice };
    let bytes = draft.load.on(id, Work::Redirect) * draft.value(Knob::Payload);
    match route.count {
        Some(counter) => choice.alternative(
            "a cache in front (CDN)",
            format!(
                "would answer `{}` near the caller and keep {}/s away, and `{}` would no longer \
                 count what it answers.",
                route.path,
                facts::bytes(bytes),
                resource.field(counter).name
            ),
            Vec::new(),
        ),
        None => choice,
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, LINKS, check};
    use expect_test::expect;

    #[test]
    fn redirects_are_cached_but_what_must_be_true() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
            links.Link: in the process, 60 s, all but `hits`
              flips at `hits` in a resource of its own: `links.Link` is cached whole and 31.8 rps fewer reach the database
              flips at `cache: 64 min` instead of 60 s: half of the reads hit
        "#]],
        );
    }

    #[test]
    fn nobody_asked_so_nothing_is_reused() {
        check(&RULE, CLINIC, expect![[r#""#]]);
    }
}
