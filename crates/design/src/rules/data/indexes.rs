//! # D013 indexes
//! Which indexes a table has, and what each costs.
//!
//! **Why**: each list, unique and rule that the API offers is a query; an index is kept only for a
//! query that exists, and names it.
//! **Cost**: an entry for each row, and another page touched by each write. **Instead**: a scan.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};
use ir::schema::{Index, Table};

pub(super) const RULE: Rule =
    Rule { id: "D013", name: "indexes", stage: Stage::Data, each: true, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    // A view has the index of its key and no choice about it.
    let chosen = |table: &&Table| {
        !table.indexes.is_empty() && draft.domain.view_of(table.resource).is_none()
    };
    let tables = draft.schema.tables.iter().filter(chosen);
    tables.map(|table| on(draft, table)).collect()
}

fn on(draft: &Draft<'_>, table: &Table) -> Decision {
    let name = draft.name(table.resource);
    let volume = draft.volume(table.resource);
    let indexes = table.indexes.len() as f64;
    let size = Term::from(&volume.rows)
        * Term::input("indexes", indexes, Unit::One, Grade::Derived, "schema")
        * Term::input("entry_bytes", 48.0, Unit::Bytes, Grade::Assumed, "a key and a row pointer");
    let size = size.named("bytes of its indexes", Unit::Bytes);
    let scan = scan(draft, table);
    let rows = facts::reach(draft, table.resource).value;
    let root = draft.domain.resource(table.resource).owner.map_or(table.resource, |(id, _)| id);
    let mut choice = RULE
        .on(&name, format!("which queries of `{name}` does an index serve?"))
        .choose(shown(table))
        .number(size.clone())
        .number(scan.clone())
        .driver(format!("contexts.{}", name.replacen('.', ".resources.", 1)))
        .effect(Effect::RunsHere);
    for index in table.indexes.iter().filter(|index| !index.needed_by.is_empty()).take(6) {
        choice = choice.because(format!("({}) for {}.", columns(index), listed(&index.needed_by)));
    }
    choice = choice.alternative(
        "primary key alone",
        format!(
            "a list or a check would read {} rows, about {} of CPU each time.",
            facts::number(rows),
            facts::time(scan.value)
        ),
        vec![scan.clone()],
    );
    let few = draft.catalog.value("list_database") / draft.catalog.value("row_skip");
    choice = choice.flips(if rows >= few {
        format!(
            "fewer than {} rows in one caller's reach ({} now): a scan costs no more than a page",
            facts::number(few.round()),
            facts::number(rows)
        )
    } else {
        "a contract without the lists and checks named here: no query needs them".to_owned()
    });
    let new = facts::new_rows(draft, root);
    if new.rate > 0.0 {
        choice = choice.consequence(format!(
            "Each of {} of new rows at the peak{} touches {} beside its own page.",
            facts::rps(new.rate),
            new.by,
            counted(indexes, "index page", "index pages")
        ));
    }
    if scan.value < draft.catalog.value("list_database") {
        choice = choice.consequence(format!(
            "At {} rows a scan would cost less than a page does: the indexes are there for what \
             the table becomes, not for today.",
            facts::number(rows)
        ));
    }
    choice.done(draft)
}

fn shown(table: &Table) -> String {
    let all: Vec<String> = table
        .indexes
        .iter()
        .map(|index| {
            let unique = if index.unique.is_some() { "unique " } else { "" };
            format!("{unique}({})", columns(index))
        })
        .collect();
    listed(&all)
}

fn columns(index: &Index) -> String {
    let names = index.columns.iter();
    let names: Vec<String> = names
        .map(|(name, down)| if *down { format!("{name} desc") } else { name.clone() })
        .collect();
    names.join(", ")
}

fn scan(draft: &Draft<'_>, table: &Table) -> Computed {
    let rows = Term::from(&facts::reach(draft, table.resource));
    (rows * draft.fact("row_skip")).named("scan instead", Unit::Seconds)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn each_index_serves_a_query() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                catalog.Product: unique (org, sku) and (org, id, name_search)
                  flips at fewer than 840 rows in one caller's reach (1,500,000 now): a scan costs no more than a page
                ordering.Order: (org, shopper, id) and (org, status, id)
                  flips at fewer than 840 rows in one caller's reach (1,800,000 now): a scan costs no more than a page
                ordering.OrderLine: (org, order_id, position)
                  flips at fewer than 840 rows in one caller's reach (5,400,000 now): a scan costs no more than a page
                notifications.Message: (org, shopper, id)
                  flips at fewer than 840 rows in one caller's reach (3,600,000 now): a scan costs no more than a page
            "#]],
        );
    }

    #[test]
    fn a_table_of_one_key_needs_none() {
        check(&RULE, NOTES, expect![[r#""#]]);
    }
}
