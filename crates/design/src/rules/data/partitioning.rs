//! # D015 partitioning
//! Whether a table or the whole is cut into parts.
//!
//! **Why**: a partition that is dropped costs nothing, a million deleted rows cost a night; and one
//! node ends somewhere. **Cost**: every unique must hold the partition key, and a shard ends
//! transactions across. **Instead**: one table on one node, which is enough for longer than is
//! thought.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::draft::sizing;
use crate::draft::volume::Volume;
use crate::rules::Choice;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D015", name: "partitioning", stage: Stage::Data, each: false, decide };

/// Rows from which a table is easier to keep in parts.
const ROWS_MAX: f64 = 100_000_000.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let rows = |id: ir::domain::ResourceId| draft.volume(id).rows.value;
    let Some((largest, _)) = facts::most(draft, rows) else { return Vec::new() };
    let volume = draft.volume(largest);
    let name = draft.name(largest);
    let node = draft.catalog.value("tables_node_bytes");
    let bytes = draft.bytes();
    let choice = RULE
        .on("system", "does a table or the whole have to be cut into parts?")
        .number(volume.rows.clone())
        .number(share_of_node(draft, bytes))
        .driver("goals.growth")
        .driver(format!("contexts.{}.rows", name.replacen('.', ".resources.", 1)));
    let choice = if volume.rows.value > ROWS_MAX {
        parts(choice, draft, volume, &name)
    } else {
        choice
            .choose("one table each, on one node")
            .because(format!(
                "The largest table, `{name}`, has {} rows at the end of the horizon: {} of the {} \
                 from which parts are easier to keep.",
                facts::number(volume.rows.value),
                facts::about(volume.rows.value / ROWS_MAX),
                facts::number(ROWS_MAX)
            ))
            .alternative(
                format!("`{name}` by month"),
                format!(
                    "{} rows a month would make partitions too small to be worth a query that \
                     looks into each.",
                    facts::number(monthly_rows(draft, volume))
                ),
                Vec::new(),
            )
            .effect(Effect::RunsHere)
            .set("partitions", "none")
    };
    let choice = choice
        .alternative(
            if draft.tenants() { "shards by tenant" } else { "shards by key" },
            format!(
                "{} is {} of what one node holds, and its largest server would be {} busy: a \
                 shard would end transactions and uniques across for nothing.",
                facts::bytes(bytes),
                facts::about(bytes / node),
                facts::about(largest_busy(draft))
            ),
            Vec::new(),
        )
        .flips(if volume.rows.value > ROWS_MAX {
            format!("`{name}` below {} rows: one table again", facts::number(ROWS_MAX))
        } else {
            format!(
                "`{name}` above {} rows ({} times now): partitions",
                facts::number(ROWS_MAX),
                facts::number(ROWS_MAX / volume.rows.value.max(1.0))
            )
        })
        .flips(format!(
            "{} or more: shards {}",
            facts::bytes(node),
            if draft.tenants() { "by tenant" } else { "by key" }
        ));
    vec![choice.done(draft)]
}

fn parts(choice: Choice, draft: &Draft<'_>, volume: &Volume, name: &str) -> Choice {
    let resource = draft.domain.resource(volume.resource);
    let uniques: Vec<String> = resource
        .uniques
        .iter()
        .map(|unique| {
            let names = unique.fields.iter().map(|id| resource.field(*id).name.as_str());
            names.collect::<Vec<_>>().join(", ")
        })
        .collect();
    let days = monthly_rows(draft, volume) / 30.44;
    let choice = choice.effect(Effect::AdviceOnly);
    match uniques.first() {
        Some(unique) => {
            let parts = (volume.rows.value / 25_000_000.0).ceil().max(2.0).log2().ceil().exp2();
            choice
                .choose(format!(
                    "`{name}` in {} hash partitions of `{unique}`",
                    facts::number(parts)
                ))
                .because(format!(
                    "`{name}` reaches {} rows; `{unique}` must stay unique over all of them, and \
                     PostgreSQL keeps a unique only where it holds the partition key.",
                    facts::number(volume.rows.value)
                ))
                .alternative(
                    format!("`{name}` by month"),
                    format!(
                        "dropping a month would be free, but `{unique}` could then repeat from \
                         one month to the next.",
                    ),
                    Vec::new(),
                )
                .consequence(format!(
                    "Retention deletes {} rows a day in batches instead of dropping a partition.",
                    facts::number(days)
                ))
                .set("partitions", "hash")
        }
        None => choice
            .choose(format!("`{name}` in monthly partitions of `created_at`"))
            .because(format!(
                "`{name}` reaches {} rows and loses {} a day to retention: a month that is \
                 dropped costs nothing, deleting row by row costs as much as inserting did.",
                facts::number(volume.rows.value),
                facts::number(days)
            ))
            .alternative(
                "hash partitions of `id`",
                format!(
                    "every partition would have to be cleaned of {} rows a day.",
                    facts::number(days)
                ),
                Vec::new(),
            )
            .set("partitions", "month"),
    }
    .alternative(
        "one table",
        format!("vacuum and index builds of {} run for hours.", facts::bytes(volume.bytes.value)),
        Vec::new(),
    )
}

fn monthly_rows(draft: &Draft<'_>, volume: &Volume) -> f64 {
    let horizon = draft.inputs.horizon() / crate::draft::MONTH_SECONDS;
    volume.growth_rows.map_or(volume.rows.value / horizon, crate::draft::volume::a_month)
}

fn share_of_node(draft: &Draft<'_>, bytes: f64) -> Computed {
    let bytes =
        Term::input("bytes", bytes, Unit::Bytes, Grade::Assumed, "all tables at the horizon");
    (bytes / draft.fact("tables_node_bytes")).named("of one node", Unit::Share)
}

/// Utilisation of the largest server that is sold, at the end of the horizon.
fn largest_busy(draft: &Draft<'_>) -> f64 {
    let largest = sizing::DATABASE_SIZES[sizing::DATABASE_SIZES.len() - 1].1;
    sizing::database_cpu(draft).value * draft.value(Knob::Growth) / largest
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_unique_over_many_rows_asks_for_hash_partitions() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
            system: `links.Link` in 16 hash partitions of `code`
              flips at `links.Link` below 100,000,000 rows: one table again
              flips at 2 TB or more: shards by key
        "#]],
        );
    }

    #[test]
    fn millions_of_rows_stay_in_one_table() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: one table each, on one node
              flips at `ordering.OrderLine` above 100,000,000 rows (4.63 times now): partitions
              flips at 2 TB or more: shards by tenant
        "#]],
        );
    }
}
