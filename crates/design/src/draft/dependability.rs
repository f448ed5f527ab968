//! How much of the time the compositions are there, from planning figures of the catalogue.

use crate::capacity::Term;
use crate::draft::{Draft, MONTH_SECONDS};
use ir::quantity::{Computed, Grade, Unit};

fn month() -> Term {
    Term::input("month", MONTH_SECONDS, Unit::Seconds, Grade::Derived, "a mean month")
}

/// What releases that must be taken back cost, when they reach that share of the traffic.
pub fn release_loss(draft: &Draft<'_>, canary: bool) -> Computed {
    let bad = draft.fact("releases_a_month") * draft.fact("bad_release_share");
    let lost = bad * draft.fact("rollback");
    let lost = if canary { lost * draft.fact("canary_share") } else { lost };
    (lost / month()).named("lost to bad releases", Unit::Share)
}

/// One machine with the database on it: it is down until a person has repaired it.
pub fn one_node(draft: &Draft<'_>) -> Computed {
    let between = draft.fact("node_between_failures");
    let repair = draft.fact("data_node_repair");
    let up = between.clone() / (between + repair);
    let releases = Term::from(&release_loss(draft, false));
    (up - releases).named("availability on one node", Unit::Share)
}

/// A pair of stateless nodes, of which one is enough; some failures take both.
pub fn app_pair(draft: &Draft<'_>) -> Computed {
    let down = Term::from(&stateless_down(draft));
    let common = draft.fact("common_cause");
    let both = down.clone() * &down + common * down;
    (Term::number(1.0) - both).named("application nodes", Unit::Share)
}

fn stateless_down(draft: &Draft<'_>) -> Computed {
    let between = draft.fact("node_between_failures");
    let repair = draft.fact("node_repair");
    (repair.clone() / (between + repair)).named("node down", Unit::Share)
}

/// One stateless node that is replaced without a person.
pub fn app_single(draft: &Draft<'_>) -> Computed {
    let down = Term::from(&stateless_down(draft));
    (Term::number(1.0) - down).named("application node", Unit::Share)
}

/// A database with a synchronous standby: down while it fails over, or when both are hit.
pub fn database_pair(draft: &Draft<'_>) -> Computed {
    let between = draft.fact("node_between_failures");
    let failover = draft.fact("failover") / &between;
    let both = draft.fact("common_cause") * draft.fact("data_node_repair") / between;
    (Term::number(1.0) - failover - both).named("database with standby", Unit::Share)
}

/// A database server alone.
pub fn database_single(draft: &Draft<'_>) -> Computed {
    let between = draft.fact("node_between_failures");
    let repair = draft.fact("data_node_repair");
    (between.clone() / (between + repair)).named("database alone", Unit::Share)
}

/// A system of balancer, application nodes and database server.
pub fn composed(draft: &Draft<'_>, pair: bool, standby: bool, canary: bool) -> Computed {
    let nodes = if pair { app_pair(draft) } else { app_single(draft) };
    let database = if standby { database_pair(draft) } else { database_single(draft) };
    let product = draft.fact("balancer_availability") * Term::from(&nodes) * Term::from(&database);
    let releases = Term::from(&release_loss(draft, canary));
    (product - releases).named("availability", Unit::Share)
}
