//! # D010 database
//! Which database holds the rows.
//!
//! **Why**: an embedded database has no second process, no network and no bill, and one writer on
//! one machine; a server can have a standby. The availability goal decides more often than load.
//! **Cost** of a server: a node, twice with a standby, and a network trip for each query.
//! **Instead**: SQLite in the process, PostgreSQL beside it, or a key-value store.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::load::Work;
use crate::draft::{Draft, MONTH_SECONDS, dependability, sizing};
use crate::rules::Choice;
use crate::rules::choice::Settings;
use crate::rules::choice::counted;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Setting, Stage};
use ir::model::Isolation;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D010", name: "database", stage: Stage::Data, each: false, decide };

/// Share of the time that SQLite's single writer may be busy at the horizon.
const WRITER_BUSY_MAX: f64 = 0.6;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let reasons = against_embedded(draft);
    let wish = draft.preferred("database");
    let sqlite_wished = wish == Some("sqlite");
    let server_wished = wish.is_some_and(|wish| wish != "sqlite");
    let banned = draft.forbidden("database", "sqlite");
    let server = (!reasons.is_empty() || server_wished || banned)
        && !(sqlite_wished || draft.forbidden("database", "postgresql"));
    let mut choice = RULE.on("system", "which database holds the rows?");
    choice = choice
        .driver("goals.availability")
        .driver("goals.recovery")
        .driver("workload")
        .authority(Authority::Advises)
        .number(writer_busy(draft))
        .number(dependability::one_node(draft))
        .number(bytes(draft));
    let vote = match wish {
        Some(wish) => {
            choice = choice.driver("constraints.prefer");
            wished(draft, wish, &reasons)
        }
        None => None,
    };
    choice =
        if server { postgresql(choice, draft, &reasons) } else { sqlite(choice, draft, &reasons) };
    if let Some(vote) = vote {
        choice = choice.because(vote);
    }
    vec![key_value(flips(choice, draft, &reasons), draft).done(draft)]
}

/// Why SQLite in one process does not do, each with its numbers; none where it does.
fn against_embedded(draft: &Draft<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    let goal = draft.input(Knob::Availability);
    let one = dependability::one_node(draft);
    if goal.value() > one.value {
        reasons.push(format!(
            "The goal of {} cannot be met by one machine: {} failures a year and {} to repair \
             each, and the releases, leave {}, and about {} requests a month unanswered.",
            facts::share(goal.value()),
            facts::number(
                crate::draft::YEAR_SECONDS / draft.catalog.value("node_between_failures")
            ),
            facts::time(draft.catalog.value("data_node_repair")),
            facts::share(one.value),
            facts::number(refused(draft, one.value))
        ));
    }
    let rpo = draft.input(Knob::Rpo);
    if rpo.value() <= 0.0 {
        reasons.push(format!(
            "`rpo: 0 s` means that each of {} of writes is on two machines before it is answered: \
             an embedded file is on one.",
            facts::rps(draft.load.writes())
        ));
    }
    let busy = writer_busy(draft);
    if busy.value > WRITER_BUSY_MAX {
        reasons.push(format!(
            "SQLite's one writer would be busy {} of the time at the end of the horizon.",
            facts::about(busy.value)
        ));
    }
    let bytes = draft.bytes();
    let file = draft.catalog.value("tables_embedded_bytes");
    let files = if draft.tenants() { draft.value(Knob::Tenants).max(1.0) } else { 1.0 };
    if bytes / files > file {
        reasons.push(format!(
            "{} at the end of the horizon is more than one file should hold ({}).",
            facts::bytes(bytes),
            facts::bytes(file)
        ));
    }
    reasons
}

/// Requests a month that meet a system that is down.
fn refused(draft: &Draft<'_>, available: f64) -> f64 {
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    (mean * MONTH_SECONDS * (1.0 - available)).round()
}

fn wished(draft: &Draft<'_>, wish: &str, against: &[String]) -> Option<String> {
    match wish {
        "postgresql" if against.is_empty() => Some(
            "The team prefers PostgreSQL (`constraints.prefer`); the goals alone would be met by \
             SQLite on one machine."
                .to_owned(),
        ),
        "postgresql" => Some(format!(
            "The team of {} prefers PostgreSQL (`constraints.prefer`), and {} agree.",
            draft.input(Knob::Team).print(),
            counted(against.len() as f64, "reason above", "reasons above")
        )),
        "sqlite" if against.is_empty() => None,
        "sqlite" => Some(format!(
            "The team prefers SQLite (`constraints.prefer`) against {}.",
            counted(against.len() as f64, "reason", "reasons")
        )),
        other => Some(format!(
            "`constraints.prefer` asks for {other}, for which there is no adapter: PostgreSQL is \
             the nearest that runs {}.",
            draft.domain.system
        )),
    }
}

fn postgresql(choice: Choice, draft: &Draft<'_>, reasons: &[String]) -> Choice {
    let standby = needs_standby(draft);
    let mut choice = choice
        .choose(if standby {
            "PostgreSQL, primary and synchronous standby"
        } else {
            "PostgreSQL, one server"
        })
        .number(server_price(draft, standby))
        .effect(Effect::FilesOnly)
        .set("database", "postgresql")
        .set("standby", standby);
    for reason in reasons {
        choice = choice.because(reason.clone());
    }
    let lost = match reasons {
        [] => "meets the goals too; the team's preference decides.".to_owned(),
        [_, ..] => format!(
            "{} above {} it out, for {} less beside the application.",
            counted(reasons.len() as f64, "reason", "reasons"),
            if reasons.len() == 1 { "rules" } else { "rule" },
            facts::money(draft, server_price(draft, standby).value - embedded_price(draft).value)
        ),
    };
    let embedded = settings("sqlite", false);
    let choice =
        choice.option("SQLite, in the process", lost, vec![embedded_price(draft)], embedded);
    let choice = if standby {
        let alone = dependability::composed(draft, true, false, dependability::careful(draft));
        let lost = format!(
            "half the price; {} down each time its machine fails, and {} in all.",
            facts::time(draft.catalog.value("data_node_repair")),
            facts::share_beside(alone.value, draft.value(Knob::Availability))
        );
        let numbers = vec![server_price(draft, false), alone];
        choice.option("PostgreSQL, one server", lost, numbers, settings("postgresql", false))
    } else {
        let lost = "twice the price for goals that one server meets.".to_owned();
        let numbers = vec![server_price(draft, true)];
        let name = "PostgreSQL, primary and synchronous standby";
        choice.option(name, lost, numbers, settings("postgresql", true))
    };
    choice.consequence(format!(
        "`mainstay up` runs the same tables on SQLite in one process on one machine: for \
         development and trials. {} what production loads.",
        facts::schema_files(draft)
    ))
}

fn sqlite(choice: Choice, draft: &Draft<'_>, reasons: &[String]) -> Choice {
    let busy = writer_busy(draft);
    let one = dependability::one_node(draft);
    let goal = draft.input(Knob::Availability);
    let standby = needs_standby(draft);
    let price = server_price(draft, standby);
    let mut choice = choice
        .choose("SQLite, in the process")
        .number(embedded_price(draft))
        .effect(Effect::RunsHere)
        .set("database", "sqlite")
        .set("standby", false);
    choice = if reasons.is_empty() {
        choice.because(format!(
            "{} of writes keep the one writer busy {} of the time at the end of the horizon, and \
             one machine repaired within {} reaches {} against {} asked.",
            facts::rps(draft.load.writes()),
            facts::about(busy.value),
            facts::time(draft.catalog.value("data_node_repair")),
            facts::share(one.value),
            goal.print()
        ))
    } else {
        reasons.iter().fold(choice, |choice, reason| {
            choice.consequence(format!("Against it: {}", lower_first(reason)))
        })
    };
    let settings = settings("postgresql", standby);
    let lost = format!(
        "a second process and a network trip of {} for each query, for goals that one file meets.",
        facts::time(draft.catalog.value("network_trip"))
    );
    choice.option("PostgreSQL", lost, vec![price], settings).consequence(
        "One machine: it is down while it is repaired, and a second node needs PostgreSQL first.",
    )
}

fn settings(database: &str, standby: bool) -> Settings {
    vec![("database", Setting::Word(database.to_owned())), ("standby", Setting::Flag(standby))]
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let proper = text.starts_with("SQLite") || text.starts_with('`');
    match chars.next() {
        Some(first) if !proper => first.to_lowercase().chain(chars).collect(),
        Some(_) | None => text.to_owned(),
    }
}

/// A standby is needed where one database server does not reach the goals.
fn needs_standby(draft: &Draft<'_>) -> bool {
    let goal = draft.value(Knob::Availability);
    let alone = dependability::composed(draft, true, false, dependability::careful(draft)).value;
    let by_hand = draft.catalog.value("promote_by_hand");
    goal > alone || draft.value(Knob::Rpo) <= 0.0 || draft.value(Knob::Rto) < by_hand
}

fn flips(choice: Choice, draft: &Draft<'_>, reasons: &[String]) -> Choice {
    let one = dependability::one_node(draft).value;
    let busy = writer_busy(draft).value;
    let mut choice = choice;
    if reasons.is_empty() {
        choice = choice.flips(format!(
            "availability above {}: PostgreSQL with a standby",
            facts::share((one * 1e4).floor() / 1e4)
        ));
    } else if draft.value(Knob::Availability) > one && draft.preferred("database").is_none() {
        let also = if draft.value(Knob::Rpo) <= 0.0 { " and an rpo above 0 s" } else { "" };
        choice = choice.flips(format!(
            "availability of {} or less{also}: SQLite on one machine does",
            facts::share((one * 1e4).floor() / 1e4)
        ));
    }
    if busy > 0.0 {
        choice = choice.flips(facts::peak_flip(
            draft,
            draft.value(Knob::Peak) * WRITER_BUSY_MAX / busy,
            "SQLite's single writer is full whatever the other goals say",
            "SQLite's single writer would carry it",
        ));
    }
    choice
}

fn key_value(choice: Choice, draft: &Draft<'_>) -> Choice {
    let seconds =
        Term::input("month", MONTH_SECONDS, Unit::Seconds, Grade::Derived, "a mean month");
    let mean = |work: f64, name: &str| {
        Term::input(name, work, Unit::PerSecond, Grade::Derived, "workload at goals.peak")
            / draft.input(Knob::PeakToMean)
            * &seconds
    };
    let writes = draft.load.writes();
    let reads = draft.load.rate_of(Work::Get)
        + draft.load.rate_of(Work::Redirect)
        + 20.0 * draft.load.rate_of(Work::List);
    let price = mean(writes, "writes") * draft.fact("key_value_write")
        + mean(reads, "rows_read") * draft.fact("key_value_read");
    let price = price.named(PRICE, sizing::money(draft));
    let uniques: usize = draft.domain.resources.iter().map(|one| one.uniques.len()).sum();
    let filters: usize = draft.contract.operations.iter().map(|one| one.filters.len()).sum();
    let parents = draft.domain.resources.iter().filter(|one| one.owner.is_some()).count();
    let mut wants = Vec::new();
    if uniques > 0 {
        wants.push(counted(uniques as f64, "unique constraint", "unique constraints"));
    }
    if filters > 0 {
        wants.push(counted(filters as f64, "filter and sort key", "filters and sort keys"));
    }
    if parents > 0 {
        wants.push(
            counted(parents as f64, "owned child written", "owned children written")
                + " in one transaction",
        );
    }
    let lost = format!(
        "{} would each become code, a second table or a scan.",
        crate::rules::choice::listed(&wants)
    );
    choice.alternative("a key-value store, on demand", lost, vec![price])
}

/// Share of the time that SQLite's single writer is busy at the end of the horizon.
fn writer_busy(draft: &Draft<'_>) -> Computed {
    let writes = sizing::rate(draft, Work::Write);
    let busy = writes * draft.input(Knob::Growth) * draft.fact("writer_embedded");
    let tenancy = draft.domain.tenancy.as_ref();
    let isolation = tenancy.map(|one| super::isolation(draft.model, one.isolation));
    let spread = match isolation {
        // A file each, so a writer each: the largest tenant's is the busiest.
        Some(Isolation::Database | Isolation::Schema) => busy * draft.input(Knob::Largest),
        Some(Isolation::Row) | None => busy,
    };
    spread.named("writer busy", Unit::Share)
}

fn bytes(draft: &Draft<'_>) -> Computed {
    let source = "rows and widths of all resources at the end of the horizon";
    let all = Term::input("widths", draft.bytes(), Unit::Bytes, Grade::Assumed, source);
    let formula = format!("sum over {} tables", draft.volumes.len());
    Term::told(draft.bytes(), &formula, vec![all]).named("bytes at the horizon", Unit::Bytes)
}

/// Beside the application, whose machine is paid for whatever holds the rows.
const PRICE: &str = "monthly cost beside the application";

fn embedded_price(draft: &Draft<'_>) -> Computed {
    let disk = gigabytes(draft) * draft.fact("machine_disk_gb");
    disk.named(PRICE, sizing::money(draft))
}

fn server_price(draft: &Draft<'_>, standby: bool) -> Computed {
    let size = sizing::database_size(draft, sizing::database_cpu(draft).value, draft.bytes());
    let node = draft.fact(size.0) * sizing::hours();
    let disk = gigabytes(draft) * draft.fact("database_disk_gb");
    let price = node + disk;
    let price = if standby { Term::number(2.0) * price } else { price };
    price.named(PRICE, sizing::money(draft))
}

/// Gigabytes to buy: at least 20.
fn gigabytes(draft: &Draft<'_>) -> Term {
    let unit = Unit::Count("GB".to_owned());
    let source = "all tables at the end of the horizon, 20 at least";
    let value = (draft.bytes() / 1e9).max(20.0).ceil();
    Term::input("gigabytes", value, unit, Grade::Assumed, source)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check, with};
    use expect_test::expect;

    #[test]
    fn an_availability_goal_asks_for_a_second_machine() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: PostgreSQL, primary and synchronous standby
              flips at peak above 18,667 rps: SQLite's single writer is full whatever the other goals say
        "#]],
        );
    }

    #[test]
    fn without_goals_a_file_on_one_machine_does() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
            system: SQLite, in the process
              flips at availability above 99.88 %: PostgreSQL with a standby
              flips at peak above 30,000 rps: SQLite's single writer is full whatever the other goals say
        "#]],
        );
    }

    #[test]
    fn a_wish_for_sqlite_is_kept_against_the_goals() {
        check(
            &RULE,
            &with(SHOP, "prefer: { database: postgresql }", "prefer: { database: sqlite }"),
            expect![[r#"
            system: SQLite, in the process
              flips at peak above 18,667 rps: SQLite's single writer is full whatever the other goals say
        "#]],
        );
    }
}
