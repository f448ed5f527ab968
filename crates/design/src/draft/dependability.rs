//! How much of the time the compositions are there, from planning figures of the catalogue.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, MONTH_SECONDS};
use ir::quantity::{Computed, Grade, Unit};

fn month() -> Term {
    Term::input("month", MONTH_SECONDS, Unit::Seconds, Grade::Derived, "a mean month")
}

/// How a release reaches callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Replica by replica, to everybody.
    Rolling,
    /// To a few callers first, judged by their failures.
    Canary,
    /// Beside the old one, checked, then switched.
    BlueGreen,
}

/// Requests in ten minutes that a canary must see to be judged by.
const CANARY_REQUESTS: f64 = 400.0;

/// The careful release that this traffic allows: a canary that sees too few requests tells nothing.
pub fn careful(draft: &Draft<'_>) -> Release {
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    let seen = mean * draft.catalog.value("canary_share") * 600.0;
    if seen > CANARY_REQUESTS { Release::Canary } else { Release::BlueGreen }
}

/// What releases that must be taken back cost.
pub fn release_loss(draft: &Draft<'_>, release: Release) -> Computed {
    let bad = draft.fact("releases_a_month") * draft.fact("bad_release_share");
    let lost = bad * draft.fact("rollback");
    let lost = match release {
        Release::Rolling => lost,
        Release::Canary => lost * draft.fact("canary_share"),
        Release::BlueGreen => lost * draft.fact("unnoticed_share"),
    };
    (lost / month()).named("lost to bad releases", Unit::Share)
}

/// One machine with the database on it: it is down until a person has repaired it.
pub fn one_node(draft: &Draft<'_>) -> Computed {
    let between = draft.fact("node_between_failures");
    let repair = draft.fact("data_node_repair");
    let up = between.clone() / (between + repair);
    let releases = Term::from(&release_loss(draft, Release::Rolling));
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

/// Two regions, of which one is enough; a bad release still reaches both.
pub fn regions(draft: &Draft<'_>) -> Computed {
    let (nodes, database) = (app_pair(draft), database_pair(draft));
    let one = draft.fact("balancer_availability") * Term::from(&nodes) * Term::from(&database);
    let down = Term::from((Term::number(1.0) - one).named("region down", Unit::Share));
    let releases = Term::from(&release_loss(draft, careful(draft)));
    (Term::number(1.0) - down.clone() * down - releases)
        .named("availability of two regions", Unit::Share)
}

/// A system of balancer, application nodes and database server.
pub fn composed(draft: &Draft<'_>, pair: bool, standby: bool, release: Release) -> Computed {
    let nodes = if pair { app_pair(draft) } else { app_single(draft) };
    let database = if standby { database_pair(draft) } else { database_single(draft) };
    let product = draft.fact("balancer_availability") * Term::from(&nodes) * Term::from(&database);
    let releases = Term::from(&release_loss(draft, release));
    (product - releases).named("availability", Unit::Share)
}
