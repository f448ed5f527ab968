//! # D051 pools
//! How many connections to the database each node keeps.
//!
//! **Why**: by Little's law the connections in use are queries a second times the seconds of each.
//! More than the database has cores for only moves the queue into it, where it is dearer.
//! **Cost** of too few: a wait for a connection. **Instead**: a round number.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::load::Work;
use crate::draft::{Draft, sizing};
use crate::rules::Choice;
use crate::rules::choice::counted;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D051", name: "pools", stage: Stage::Capacity, each: false, decide };

/// Connections below which a pool is not worth shrinking: they idle cheaply, and are there when a
/// disk that syncs slowly, or a node that carries the load of another, keeps more of them busy.
const LEAST: f64 = 24.0;
/// What many nodes are shrunk to at most.
const FEWEST: f64 = 4.0;
/// Connections that a server takes as it comes (100), less what administrators and probes need.
const USUAL: f64 = 90.0;

/// The floor of a node: all of them fit into a server as it comes, where that is enough.
fn least(nodes: f64) -> f64 {
    (USUAL / nodes.max(1.0)).floor().clamp(FEWEST, LEAST)
}

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let choice = RULE
        .on("system", "how many connections to the database?")
        .driver("goals.peak")
        .driver("workload");
    let choice = match sizing::store(draft) {
        sizing::Store::Embedded => embedded(choice, draft),
        sizing::Store::Server if draft.word("isolation") == "database" => tenants(choice, draft),
        sizing::Store::Server => server(choice, draft),
    };
    vec![choice.done(draft)]
}

fn embedded(choice: Choice, draft: &Draft<'_>) -> Choice {
    let reads = draft.load.clients() * draft.load.reads();
    let rate =
        Term::input("reads", reads, Unit::PerSecond, Grade::Derived, "workload at goals.peak");
    let (flight, _) = sizing::pool(&rate, &draft.fact("list_embedded"));
    let writes = sizing::rate(draft, Work::Write);
    let busy = (writes * draft.fact("writer_embedded")).named("writer busy", Unit::Share);
    let share = busy.value;
    choice
        .choose("one that reads on each core, one that writes")
        .because(format!(
            "{} of reads keep {} connections busy in the mean; a reader on each core never waits \
             for another core.",
            facts::rps(reads),
            facts::number(flight.value)
        ))
        .because(format!(
            "SQLite has one writer: {} keep it busy {} of the time, gathered into groups of one \
             commit.",
            facts::rps(draft.load.writes()),
            facts::about(busy.value)
        ))
        .number(flight)
        .number(busy)
        .alternative(
            "several writers",
            "each would wait for the same lock and answer `database is locked`.",
            vec![],
        )
        .flips(facts::peak_flip(
            draft,
            draft.value(Knob::Peak) / share.max(1e-9),
            "the writer is full, and PostgreSQL with a pool comes first",
            "the writer carries it",
        ))
        .effect(Effect::RunsHere)
        .set("readers_per_core", 1.0)
}

fn server(choice: Choice, draft: &Draft<'_>) -> Choice {
    let replicas = super::replicas::replicas(draft);
    let times = times(draft);
    let rate = queries(draft);
    let (flight, all) = sizing::pool(&rate, &Term::from(&times));
    let least = least(replicas.value);
    let each = (f64::from(all) / replicas.value).ceil().max(least);
    let pool = Term::function("erlang_b_places", vec![Term::from(&flight)], f64::from(all));
    let pool = (pool / Term::from(&replicas)).ceil().max(Term::number(least));
    let pool = pool.named("connections of a node", Unit::Count("connections".to_owned()));
    let size = sizing::database_size(draft, sizing::database_cpu(draft).value, draft.bytes());
    let cores = size.1.max(2.0);
    let open = each * replicas.value;
    choice
        .choose(format!("{} for each node, {} in all", facts::number(each), facts::number(open)))
        .because(format!(
            "{} of queries at {} each keep {} connections busy (Little); {} leave one in a \
             thousand without a free one (Erlang B).",
            facts::rps(rate.value()),
            facts::time(times.value),
            facts::number(flight.value),
            facts::number(f64::from(all))
        ))
        .because_if(f64::from(all) / replicas.value <= least - 1.0, || {
            format!(
                "{} each is a floor over the {} that {} ask for: a disk that syncs ten times as \
                 slowly keeps ten times as many busy, and one that idles costs the server 10 MB.",
                facts::number(least),
                facts::number(f64::from(all) / replicas.value),
                facts::rps(rate.value())
            )
        })
        .number(flight)
        .number(pool)
        .alternative(
            "100 for each node",
            format!(
                "{} open connections on {} cores: they queue in the database, and each costs it \
                 10 MB.",
                facts::number(100.0 * replicas.value),
                facts::number(cores)
            ),
            vec![memory(replicas.value)],
        )
        .alternative(
            "a pooler in front",
            format!("{} connections are far below what one server holds.", facts::number(open)),
            vec![],
        )
        .flips(pooler(open))
        .effect(Effect::RunsHere)
        .set("database_connections", each)
}

/// Connections that one PostgreSQL server holds without a pooler in front.
const CONNECTIONS_MAX: f64 = 400.0;

fn pooler(open: f64) -> String {
    let most = facts::number(CONNECTIONS_MAX);
    if open <= CONNECTIONS_MAX {
        format!("more than {most} connections in all: a pooler in front")
    } else {
        format!("{most} connections or fewer in all: no pooler in front")
    }
}

/// A database for each tenant has connections of its own: a pool cannot be shared among them.
fn tenants(choice: Choice, draft: &Draft<'_>) -> Choice {
    let replicas = super::replicas::replicas(draft);
    let each = draft.number("tenant_connections", "system").unwrap_or(2.0);
    let unit = || Unit::Count("connections".to_owned());
    let source = "the tenancy decision";
    let each_term = Term::input("each_tenant", each, unit(), Grade::Derived, source);
    let node = (draft.input(Knob::Tenants) * each_term).named("connections of a node", unit());
    let open = (Term::from(&node) * Term::from(&replicas)).named("connections in all", unit());
    let (flight, _) = sizing::pool(&queries(draft), &Term::from(&times(draft)));
    let least = open.value;
    choice
        .choose(format!(
            "{} for each tenant's database on each node, {} in all",
            facts::number(each),
            facts::number(least)
        ))
        .because(format!(
            "{} have databases of their own, and a connection belongs to one: {} that reads and \
             one that writes for each are {} on a node and {} on {}.",
            draft.input(Knob::Tenants).print(),
            facts::number(each - 1.0),
            facts::number(node.value),
            facts::number(least),
            counted(replicas.value, "node", "nodes")
        ))
        .because(format!(
            "{} of queries keep {} of them busy in the mean (Little): the number follows the \
             tenants, not the load.",
            facts::rps(queries(draft).value()),
            facts::number(flight.value)
        ))
        .number(flight)
        .number(node.clone())
        .number(open)
        .alternative(
            "opened when a tenant calls",
            "each first call of a quiet tenant waits for a connection to be made.",
            vec![],
        )
        .alternative(
            "a pooler in front",
            format!("{} connections are below what one server holds.", facts::number(least)),
            vec![],
        )
        .flips(pooler(least))
        .effect(Effect::FilesOnly)
}

/// Statements a second that reach the database.
fn queries(draft: &Draft<'_>) -> Term {
    let reads = sizing::reaching_database(draft, Work::Get)
        + sizing::reaching_database(draft, Work::Redirect)
        + draft.load.rate_of(Work::List);
    let rate = reads + draft.load.writes();
    Term::input(
        "queries",
        rate,
        Unit::PerSecond,
        Grade::Derived,
        "workload at goals.peak, behind the caches",
    )
}

/// Seconds that a query holds its connection: network, CPU, and the commit of a write.
fn times(draft: &Draft<'_>) -> Computed {
    let writes = draft.load.writes();
    let all = queries(draft).value().max(1e-9);
    let share = (writes / all).min(1.0);
    let share = Term::input("write_share", share, Unit::Share, Grade::Derived, "workload");
    let commit = if draft.flag("standby") { "sync_write" } else { "local_sync" };
    let cpu = sizing::database_cpu(draft).value / all;
    let cpu =
        Term::input("query_cpu", cpu, Unit::Seconds, Grade::Catalogue, "database CPU over queries");
    (draft.fact("network_trip") + cpu + share * draft.fact(commit)).named("a query", Unit::Seconds)
}

fn memory(replicas: f64) -> Computed {
    let open =
        Term::input("open", 100.0 * replicas, Unit::One, Grade::Derived, "100 for each node");
    let each = Term::input("each", 10e6, Unit::Bytes, Grade::Catalogue, "a PostgreSQL backend");
    (open * each).named("memory of connections", Unit::Bytes)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn connections_follow_from_little() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: 24 for each node, 48 in all
                  flips at more than 400 connections in all: a pooler in front
            "#]],
        );
    }

    #[test]
    fn a_file_has_one_writer() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: one that reads on each core, one that writes
                  flips at peak above 100,000 rps: the writer is full, and PostgreSQL with a pool comes first
            "#]],
        );
    }
}
