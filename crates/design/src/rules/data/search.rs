//! # D019 search
//! How `q=` finds rows.
//!
//! **Why**: all words, each as a prefix, on a folded copy of the field needs no second store and is
//! right the moment the row is committed.
//! **Cost**: a shadow column and its index. **Instead**: the database's full text, or an engine.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::ResourceId;
use ir::quantity::{Computed, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D019", name: "search", stage: Stage::Data, each: true, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for (id, resource) in draft.domain.roots() {
        let fields = resource.fields.iter().filter(|field| field.search);
        let fields: Vec<String> = fields.map(|field| format!("`{}`", field.name)).collect();
        if fields.is_empty() {
            continue;
        }
        decisions.push(on(draft, id, &fields));
    }
    decisions
}

fn on(draft: &Draft<'_>, id: ResourceId, fields: &[String]) -> Decision {
    let name = draft.name(id);
    let rows = facts::reach(draft, id);
    let most = draft.catalog.value("search_rows");
    let scan = (Term::from(&rows) * draft.fact("word_scan")).named("one search", Unit::Seconds);
    let small = rows.value <= most;
    let choice = RULE
        .on(&name, format!("how does `q=` find a `{name}`?"))
        .choose(if small {
            "prefix match on a folded column"
        } else {
            "the database's full-text index"
        })
        .because_if(!small && !widest(draft, id).is_empty(), || {
            format!(
                "{} may search all rows; whoever sees only its own searches few.",
                widest(draft, id)
            )
        })
        .because(format!(
            "{} of up to {} rows in one caller's reach: a search reads them in about {}.",
            listed(fields),
            facts::number(rows.value),
            facts::time(scan.value)
        ))
        .number(rows.clone())
        .number(scan.clone())
        .driver(format!("contexts.{}.fields", name.replacen('.', ".resources.", 1)))
        .flips(if small {
            format!(
                "above {} rows in reach ({} times now), or a wish for ranking: full text",
                facts::number(most),
                facts::number(most / rows.value.max(1.0))
            )
        } else {
            format!("below {} rows in one caller's reach: prefix match", facts::number(most))
        })
        .effect(if small { Effect::RunsHere } else { Effect::AdviceOnly });
    others(choice, draft, &rows, &scan, small).done(draft)
}

fn others(
    choice: Choice,
    draft: &Draft<'_>,
    rows: &Computed,
    scan: &Computed,
    small: bool,
) -> Choice {
    let engine = (draft.fact("search_node") * crate::draft::sizing::hours() * 2.0)
        .named("monthly cost", crate::draft::sizing::money(draft));
    choice
        .alternative(
            "a search engine beside the database",
            format!(
                "{} for two nodes, an index that lags behind each write, and a second place where \
                 a row must be erased.",
                facts::money(draft, engine.value)
            ),
            vec![engine],
        )
        .alternative(
            if small {
                "the database's full-text index"
            } else {
                "prefix match on a folded column"
            },
            if small {
                format!(
                    "stems and ranks, differently on SQLite and PostgreSQL; {} rows need neither.",
                    facts::number(rows.value)
                )
            } else {
                format!("{} a search.", facts::time(scan.value))
            },
            vec![scan.clone()],
        )
}

/// The callers without a condition, who may search everything.
fn widest(draft: &Draft<'_>, id: ResourceId) -> String {
    let grants = draft.domain.resource(id).access.read.iter();
    let wide = grants.filter(|grant| grant.when.is_none());
    let names: Vec<String> = wide.map(|grant| format!("`{}`", grant.text)).collect();
    listed(&names)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{KIOSK, LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_tenant_s_rows_are_few_enough_for_prefixes() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            catalog.Product: prefix match on a folded column
              flips at above 5,000,000 rows in reach (3.33 times now), or a wish for ranking: full text
        "#]],
        );
    }

    #[test]
    fn hundreds_of_millions_are_not() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
            links.Link: the database's full-text index
              flips at below 5,000,000 rows in one caller's reach: prefix match
        "#]],
        );
    }

    #[test]
    fn without_searched_fields_there_is_no_question() {
        check(&RULE, KIOSK, expect![[r#""#]]);
    }
}
