//! # D011 tenancy
//! How the rows of tenants are kept apart.
//!
//! **Why**: the mechanism decides what one mistake can reach, what a tenant can be given or taken
//! alone, and how many connections and migrations there are.
//! **Cost**: rows share everything; a database each multiplies connections, backups and migrations.
//! **Instead**: a column, a schema, or a database (on SQLite: a file) for each tenant.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, SYSTEM, pin};
use crate::rules::Choice;
use crate::rules::choice::{counted, listed, plain};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Setting, Stage};
use ir::domain::Tenancy;
use ir::model::{Isolation, Model};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D011", name: "tenancy", stage: Stage::Data, each: false, decide };

/// Connections that a database for a tenant keeps open from each node.
const CONNECTIONS_EACH: f64 = 2.0;
/// Tables in one catalogue above which every plan of PostgreSQL is slower.
const TABLES_MAX: f64 = 10_000.0;
/// Connections that one PostgreSQL server holds without a pooler in front.
const CONNECTIONS_MAX: f64 = 400.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let Some(tenancy) = &draft.domain.tenancy else { return Vec::new() };
    let claim = &tenancy.claim;
    let tenants = draft.input(Knob::Tenants);
    let choice = RULE
        .on("system", format!("how are the rows of {} kept apart?", tenants.print()))
        .driver("tenancy")
        .driver("goals.tenants")
        .effect(Effect::RunsHere);
    let choice = match tenancy.isolation {
        Isolation::Row => by_row(choice, draft, claim),
        Isolation::Schema => by_schema(choice, draft, tenancy),
        Isolation::Database => by_database(choice, draft, tenancy),
    };
    let mut decision = across(choice, draft).done(draft);
    // Not of the options: the tables were lowered by the same word before any rule ran.
    let files = isolation(draft.model, tenancy.isolation) != Isolation::Row;
    decision.settings.push(("tenant_files", Setting::Flag(files)));
    let word = match isolation(draft.model, tenancy.isolation) {
        Isolation::Row => "row",
        Isolation::Schema => "schema",
        Isolation::Database => "database",
    };
    decision.settings.push(("isolation", Setting::Word(word.to_owned())));
    decision.settings.push(("tenant_connections", Setting::Number(CONNECTIONS_EACH)));
    vec![decision]
}

/// The mechanism that is decided: the one asked for, unless the model pins another.
pub(crate) fn isolation(model: &Model, asked: Isolation) -> Isolation {
    let pin = pin(model, RULE.name, SYSTEM);
    pin.and_then(|pin| pinned_isolation(&pin.choose.value)).unwrap_or(asked)
}

/// The mechanism that a pin means.
pub(crate) fn pinned_isolation(choice: &str) -> Option<Isolation> {
    match plain(choice).split(' ').next() {
        Some("row") => Some(Isolation::Row),
        Some("schema") => Some(Isolation::Schema),
        Some("database") => Some(Isolation::Database),
        _ => None,
    }
}

fn by_row(choice: Choice, draft: &Draft<'_>, claim: &str) -> Choice {
    let tables = isolated_tables(draft);
    let largest = draft.input(Knob::Largest);
    let tenants = draft.input(Knob::Tenants);
    let heaviest = (draft.peak() * &largest).named("largest tenant's load", Unit::PerSecond);
    let choice = choice
        .choose(format!("row: column `{claim}` leads every key"))
        .because(format!(
            "{} share {}: one migration, one pool of connections, one backup.",
            tenants.print(),
            counted(tables as f64, "table", "tables")
        ))
        .because(format!(
            "The largest tenant makes {} of the load ({} at the peak): with a database each it \
             would still need the same server, and {} nearly idle ones beside it.",
            facts::share(largest.value()),
            facts::rps(heaviest.value),
            facts::number((tenants.value() - 1.0).max(0.0))
        ))
        .number(heaviest);
    let choice = without_schemas(without_databases(choice, draft), draft);
    choice
        .consequence(format!(
            "A query without `{claim}` would reach every tenant: the engine adds it to each, and \
             on PostgreSQL row-level security holds it a second time."
        ))
        .flips(
            "a contract that demands a database, a key or a region of its own: `tenancy: database`",
        )
}

fn without_databases(choice: Choice, draft: &Draft<'_>) -> Choice {
    let lost = format!(
        "{} and {} for each release, for tenants of whom the mean one makes {}.",
        counted(connections(draft).value, "connection", "connections"),
        counted(migrations(draft).value, "statement", "statements"),
        facts::rps(draft.value(Knob::Peak) / draft.value(Knob::Tenants).max(1.0))
    );
    let numbers = vec![connections(draft), migrations(draft)];
    choice.alternative("database for each tenant", lost, numbers)
}

fn without_schemas(choice: Choice, draft: &Draft<'_>) -> Choice {
    let lost = format!(
        "{} tables in one catalogue: {} statements for each release and planning that slows with \
         them.",
        facts::number(draft.value(Knob::Tenants) * isolated_tables(draft) as f64),
        facts::number(migrations(draft).value)
    );
    choice.alternative("schema for each tenant", lost, vec![migrations(draft)])
}

fn by_database(choice: Choice, draft: &Draft<'_>, tenancy: &Tenancy) -> Choice {
    let tenants = draft.input(Knob::Tenants);
    let open = connections(draft);
    let limit = CONNECTIONS_MAX / (CONNECTIONS_EACH * 2.0);
    let regimes: Vec<&str> =
        draft.model.constraints.compliance.iter().map(|name| name.as_str()).collect();
    let choice = choice
        .choose("a database for each tenant; on SQLite a file for each")
        .because(format!(
            "`tenancy: database by {}` asks for it: a query can only reach the tenant whose \
             database is open, whatever it forgot.",
            tenancy.claim
        ))
        .because_if(!regimes.is_empty(), || {
            format!(
                "Under {} a tenant's data is handed over, restored or erased as one file or \
                 database, without touching the other {}.",
                listed(&regimes),
                facts::number((tenants.value() - 1.0).max(0.0))
            )
        })
        .because(format!(
            "{} keep {} open from two nodes on PostgreSQL, of {} that a server holds without a \
             pooler.",
            tenants.print(),
            counted(open.value, "connection", "connections"),
            facts::number(CONNECTIONS_MAX)
        ))
        .number(open)
        .number(migrations(draft))
        .alternative(
            "row: a column in each table",
            format!(
                "{} instead of {} statements a release, but one missing condition shows a tenant \
                 another's rows, and one tenant cannot be restored alone.",
                facts::number(isolated_tables(draft) as f64),
                facts::number(migrations(draft).value)
            ),
            vec![],
        );
    without_schemas(choice, draft)
        .consequence(format!(
            "`up` keeps `<data>/<service>/<{}>.db`: one writer for each tenant, so tenants do not \
             wait for each other's commits.",
            tenancy.claim
        ))
        .consequence(
            "A migration runs tenant by tenant and may be half done: every release must work with \
             the schema before and after it.",
        )
        .flips(if tenants.value() <= limit {
            format!(
                "more than {} tenants: a pooler in front, or rows instead of databases",
                facts::number(limit)
            )
        } else {
            format!("{} tenants or fewer: no pooler in front", facts::number(limit))
        })
}

fn by_schema(choice: Choice, draft: &Draft<'_>, tenancy: &Tenancy) -> Choice {
    let tables = draft.value(Knob::Tenants) * isolated_tables(draft) as f64;
    let choice = choice
        .choose("a schema for each tenant; on SQLite a file for each")
        .because(format!(
            "`tenancy: schema by {}` asks for it; SQLite has no schemas, so the embedded database \
             answers with a file for each tenant, which parts them further.",
            tenancy.claim
        ))
        .number(migrations(draft))
        .alternative(
            "row: a column in each table",
            format!(
                "{} tables fewer in the catalogue.",
                facts::number(tables - isolated_tables(draft) as f64)
            ),
            vec![],
        );
    without_databases(choice, draft).flips(if tables <= TABLES_MAX {
        format!(
            "more than {} tables ({} now): rows, for PostgreSQL's catalogue slows every plan",
            facts::number(TABLES_MAX),
            facts::number(tables)
        )
    } else {
        format!(
            "fewer than {} tables ({} now): PostgreSQL plans over them as over few",
            facts::number(TABLES_MAX),
            facts::number(tables)
        )
    })
}

fn across(choice: Choice, draft: &Draft<'_>) -> Choice {
    let actors = draft.domain.actors.iter().filter(|actor| actor.across_tenants);
    let actors: Vec<String> = actors.map(|actor| format!("`{}`", actor.name)).collect();
    let shared = draft.domain.resources.iter().filter(|one| one.shared && one.owner.is_none());
    let shared: Vec<String> = shared.map(|one| format!("`{}`", one.name)).collect();
    let choice = if shared.is_empty() {
        choice
    } else {
        choice.consequence(format!("{} belong to no tenant and are kept once.", listed(&shared)))
    };
    if actors.is_empty() {
        return choice;
    }
    choice.consequence(format!(
        "{} may act in every tenant, one at a time; each such access is written to the audit log.",
        listed(&actors)
    ))
}

fn isolated_tables(draft: &Draft<'_>) -> usize {
    draft.domain.resources.iter().filter(|one| !one.shared).count()
}

fn connections(draft: &Draft<'_>) -> Computed {
    let each = Term::input(
        "each",
        CONNECTIONS_EACH,
        Unit::One,
        Grade::Derived,
        "one that reads, one that writes",
    );
    let nodes = Term::input("nodes", 2.0, Unit::One, Grade::Derived, "two application nodes");
    let open = draft.input(Knob::Tenants) * each * nodes;
    open.named("connections", Unit::Count("connections".to_owned()))
}

fn migrations(draft: &Draft<'_>) -> Computed {
    let tables = isolated_tables(draft) as f64;
    let tables = Term::input("tables", tables, Unit::One, Grade::Derived, "schema");
    let all = draft.input(Knob::Tenants) * tables;
    all.named("statements if a release touches each table", Unit::Count("statements".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, LINKS, SHOP, check, designed, with};
    use expect_test::expect;

    #[test]
    fn rows_share_their_tables() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: row: column `org` leads every key
              flips at a contract that demands a database, a key or a region of its own: `tenancy: database`
        "#]],
        );
    }

    #[test]
    fn a_database_each_becomes_a_file_each() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
            system: a database for each tenant; on SQLite a file for each
              flips at more than 100 tenants: a pooler in front, or rows instead of databases
        "#]],
        );
    }

    #[test]
    fn the_tables_follow_what_is_decided_whatever_was_asked() {
        for asked in ["row", "schema", "database"] {
            for pinned in ["row", "schema", "database", "A database for each tenant"] {
                let system = with(
                    SHOP,
                    "tenancy: row",
                    &format!(
                        "decisions: {{ tenancy: {{ choose: {pinned}, because: a contract }} }}\n\
                         tenancy: {asked}"
                    ),
                );
                let made = designed(&system);
                let rows = pinned == "row";
                let told = format!("{asked} pinned to {pinned}");
                assert_eq!(made.settings.tenant_files, !rows, "{told}");
                let mut tables = made.schema.tables.iter();
                assert_eq!(tables.any(|table| table.tenant.is_some()), rows, "{told}");
                let mut decisions = made.decisions.iter().filter(|one| one.rule == RULE.id);
                let choice = decisions.next().map(|one| one.choice.as_str()).unwrap_or_default();
                let kind = pinned.rsplit_once("database").map_or(pinned, |_| "database");
                assert!(choice.trim_start_matches("a ").starts_with(kind), "{told}: {choice}");
                let pinned = made.decisions.iter().find_map(|one| one.pinned.as_ref());
                let cost = pinned.map(|pinned| pinned.cost.as_str()).unwrap_or_default();
                assert!(!cost.contains("unknown"), "{told}: {cost}");
            }
        }
    }

    #[test]
    fn no_tenants_no_question() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
