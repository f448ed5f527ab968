//! # D053 bottlenecks
//! What fills up first as the load grows, and at which load.
//!
//! **Why**: only the first limit matters until it is lifted; then the second does. Each is a demand
//! of the peak against what there is of it, and the load at which it is full follows.
//! **Cost**: none. **Instead**: adding nodes and hoping.

use crate::capacity::{Term, cache::Zipf};
use crate::draft::inputs::Knob;
use crate::draft::load::Work;
use crate::draft::{Draft, outside, sizing};
use crate::rules::choice::counted;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D053", name: "bottlenecks", stage: Stage::Capacity, each: false, decide };

/// Share of the first limit's use below which another is not worth a line.
const WORTH: f64 = 0.001;

/// A limit: what it is, the share of it that the peak uses, what to do when it is full.
struct Limit {
    what: String,
    used: f64,
    cure: String,
}

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut limits = limits(draft);
    let busiest = limits.iter().map(|limit| limit.used).fold(0.0, f64::max);
    limits.retain(|limit| limit.used > busiest * WORTH);
    limits.sort_by(|a, b| b.used.total_cmp(&a.used));
    let Some(first) = limits.first() else { return Vec::new() };
    let peak = draft.value(Knob::Peak);
    let mut choice = RULE
        .on("system", "what fills up first?")
        .choose(format!("{}, at {}", first.what, facts::rps(peak / first.used)))
        .authority(Authority::Validates)
        .driver("goals.peak")
        .driver("workload");
    for (rank, limit) in limits.iter().take(6).enumerate() {
        choice = choice.number(saturates(draft, limit)).because(format!(
            "{}. {}: {} used at the peak, full at {}. {}",
            rank + 1,
            limit.what,
            facts::about(limit.used),
            facts::rps(peak / limit.used),
            limit.cure
        ));
    }
    if let Some(second) = limits.get(1) {
        choice = choice.alternative(
            second.what.clone(),
            format!("fills up at {}, after it.", facts::rps(peak / second.used)),
            vec![saturates(draft, second)],
        );
        choice = choice.flips(format!("{} lifted: {} is next", first.what, second.what));
    }
    vec![choice.set("saturation_rps", peak / first.used).done(draft)]
}

fn saturates(draft: &Draft<'_>, limit: &Limit) -> Computed {
    let used = Term::input("used", limit.used, Unit::Share, Grade::Catalogue, &limit.what);
    (draft.peak() / used).named(&format!("full: {}", limit.what), Unit::PerSecond)
}

fn limits(draft: &Draft<'_>) -> Vec<Limit> {
    let mut limits = Vec::new();
    let store = sizing::store(draft);
    let cpu = sizing::app_cpu(draft, store);
    let replicas = super::replicas::replicas(draft).value;
    match store {
        sizing::Store::Server => {
            limits.push(Limit {
                what: format!(
                    "cores of {}",
                    counted(replicas, "application node", "application nodes")
                ),
                used: cpu.value / (replicas * draft.catalog.value("replica_vcpu")),
                cure: "Add a node: they hold no state.".to_owned(),
            });
            let demand = sizing::database_cpu(draft).value;
            let size = sizing::database_size(draft, demand, draft.bytes());
            limits.push(Limit {
                what: format!("database CPU ({} vCPU sustained)", facts::number(size.1)),
                used: demand / size.1,
                cure: match sizing::database_full(draft) {
                    Some(full) => format!(
                        "The next size; the largest that is sold carries {} at {}.",
                        facts::rps(full),
                        facts::about(draft.catalog.value("utilisation_target"))
                    ),
                    None => "The next size.".to_owned(),
                },
            });
        }
        sizing::Store::Embedded => {
            let cores = draft.number("machine_vcpu", "system").unwrap_or(2.0);
            limits.push(Limit {
                what: format!("the machine's {} vCPU", facts::number(cores)),
                used: cpu.value / cores,
                cure: "A larger machine, then PostgreSQL and more nodes.".to_owned(),
            });
            limits.push(Limit {
                what: "SQLite's single writer".to_owned(),
                used: draft.load.writes() * draft.catalog.value("writer_embedded"),
                cure: "PostgreSQL.".to_owned(),
            });
        }
    }
    hot_rows(draft, &mut limits);
    for integration in &draft.model.integrations {
        let name = integration.name.as_str();
        if let Some(limit) = &integration.limit {
            limits.push(Limit {
                what: format!("`{name}`, which takes {}", facts::rps(limit.value)),
                used: outside::calls(draft, name).value() / limit.value,
                cure: "Ask for more; above it workflows wait.".to_owned(),
            });
        }
    }
    limits
}

/// The row that is changed most: each change holds its lock for a commit.
fn hot_rows(draft: &Draft<'_>, limits: &mut Vec<Limit>) {
    let changed = |id| {
        let own = if facts::edited_by_its_owner(draft, id) { draft.load.edits(id) } else { 0.0 };
        draft.load.on(id, Work::Write) - draft.load.creates(id) - own
    };
    let Some((id, rate)) = facts::most(draft, changed) else { return };
    let rows = draft.volume(id).rows.value;
    let top = Zipf::new(rows, draft.value(Knob::Popularity)).top();
    let commit = if draft.flag("standby") { "sync_write" } else { "local_sync" };
    limits.push(Limit {
        what: format!("the most popular row of `{}`", draft.name(id)),
        used: rate * top * draft.catalog.value(commit),
        cure: format!(
            "It takes {} of the changes; a row is changed by one transaction at a time, however \
             many nodes there are.",
            facts::about(top)
        ),
    });
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{KIOSK, SHOP, check};
    use expect_test::expect;

    #[test]
    fn the_database_fills_first() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: database CPU (0.4 vCPU sustained), at 2,144 rps
              flips at database CPU (0.4 vCPU sustained) lifted: cores of 2 application nodes is next
        "#]],
        );
    }

    #[test]
    fn an_outside_limit_fills_before_anything() {
        check(
            &RULE,
            KIOSK,
            expect![[r#"
            system: `terminal`, which takes 5 rps, at 38.3 rps
              flips at `terminal`, which takes 5 rps lifted: database CPU (0.2 vCPU sustained) is next
        "#]],
        );
    }
}
