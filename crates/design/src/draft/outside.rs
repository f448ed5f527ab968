//! What integrations promise, and what is assumed of those that promise nothing.

use crate::capacity::Term;
use crate::draft::Draft;
use ir::domain::Integration;
use ir::quantity::{Grade, Unit};

/// Share of the time that it is there where it does not say.
const AVAILABILITY: f64 = 0.999;

/// The 95th percentile of a call: promised, or half a second.
pub fn p95(draft: &Draft<'_>, integration: &str) -> Term {
    let name = format!("{integration}_p95");
    let stated = draft.integration(integration).and_then(ir::model::Integration::p95_seconds);
    let path = format!("integrations.{integration}.expects");
    match stated {
        Some(seconds) => Term::input(&name, seconds, Unit::Seconds, Grade::Given, &path),
        None => Term::input(
            &name,
            Integration::P95_SECONDS,
            Unit::Seconds,
            Grade::Assumed,
            "half a second, until it is measured",
        ),
    }
}

/// The share of the time that it is there: promised, or 99.9 %.
pub fn availability(draft: &Draft<'_>, integration: &str) -> Term {
    let name = format!("{integration}_availability");
    let stated = draft.integration(integration).and_then(|one| one.availability.as_ref());
    let path = format!("integrations.{integration}.expects");
    match stated {
        Some(share) => Term::input(&name, share.value, Unit::Share, Grade::Given, &path),
        None => Term::input(
            &name,
            AVAILABILITY,
            Unit::Share,
            Grade::Assumed,
            "99.9 %, until it is measured",
        ),
    }
}

/// Calls a second to it at the peak.
pub fn calls(draft: &Draft<'_>, integration: &str) -> Term {
    let calls = draft.load.to_integration(integration);
    Term::input("calls", calls, Unit::PerSecond, Grade::Derived, "workload at goals.peak")
}
