//! Page one: what cannot hold, what was decided, which assumptions matter.

use super::decision::{filled, grade, value};
use super::page::{Page, capital, coded, count, listed};
use ir::architecture::Architecture;
use ir::decision::{Assumption, Decision, Infeasible};

/// Assumptions that page one names at most.
const ASSUMPTIONS_MAX: usize = 5;

pub(super) fn write(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Architecture assessment");
    for infeasible in &architecture.infeasible {
        cannot_hold(page, infeasible);
    }
    summary(page, architecture);
    assumptions(page, architecture);
    decided(page, architecture);
}

fn cannot_hold(page: &mut Page, infeasible: &Infeasible) {
    page.heading(3, &format!("Infeasible: `{}`", infeasible.goal));
    page.text(&infeasible.claim);
    page.table(
        &["Number", "Value", "From"],
        infeasible
            .numbers
            .iter()
            .map(|number| vec![number.name.clone(), value(number), filled(number)]),
    );
    if !infeasible.cures.is_empty() {
        page.text("Change one of these, cheapest first:");
        page.bullets(&infeasible.cures);
    }
}

/// The system in its own numbers.
fn summary(page: &mut Page, architecture: &Architecture) {
    let domain = &architecture.domain;
    let contexts: Vec<&str> = domain.contexts.iter().map(|one| one.name.as_str()).collect();
    let roots = domain.roots().count();
    let public = architecture.contract.operations.iter().filter(|one| !one.internal).count();
    let chosen = |name: &str| {
        let system = |one: &&Decision| one.name == name && one.subject == "system";
        architecture.decisions.iter().find(system).map(|one| one.choice.clone())
    };
    let mut text = format!(
        "{} in {} ({}), {} over {}",
        count(roots, "aggregate", "aggregates"),
        count(contexts.len(), "context", "contexts"),
        listed(&coded(&contexts)),
        count(public, "public operation", "public operations"),
        count(architecture.schema.tables.len(), "table", "tables"),
    );
    for name in ["boundaries", "database", "tenancy"] {
        if let Some(choice) = chosen(name) {
            text.push_str("; ");
            text.push_str(&choice);
        }
    }
    page.text(format!("{}.", capital(&text)));
}

fn assumptions(page: &mut Page, architecture: &Architecture) {
    let all = &architecture.assumptions;
    if all.is_empty() {
        return;
    }
    page.heading(3, "Assumptions that matter most");
    page.text(
        "Not said by the model, or said in two ways that do not agree; the last columns show what \
         halving or doubling each (or following the other) does to the monthly cost and the \
         predicted p95.",
    );
    let rows = all.iter().take(ASSUMPTIONS_MAX).map(row);
    page.table(&["Say it as", "Assumed", "Moves cost", "Moves p95", "Flips"], rows);
    if all.len() > ASSUMPTIONS_MAX {
        let more = all.len() - ASSUMPTIONS_MAX;
        page.text(format!("{more} more stand under Context gathered."));
    }
}

pub(super) fn row(assumption: &Assumption) -> Vec<String> {
    let (cost, latency) = assumption.moves;
    vec![
        format!("`{}`", assumption.path),
        assumption.value.clone(),
        share(cost),
        share(latency),
        assumption.flips.join("; "),
    ]
}

/// `±12 %`; a dash where it moves nothing that is seen.
fn share(share: f64) -> String {
    let percent = (share.abs() * 100.0).round();
    if !percent.is_finite() {
        "without bound".to_owned()
    } else if percent < 1.0 {
        String::new()
    } else {
        format!("±{percent:.0} %")
    }
}

/// What page one tells of: the shape of the system, then whether it holds and what it costs.
const FIRST: [&str; 12] = [
    "boundaries",
    "database",
    "tenancy",
    "broker",
    "compute",
    "replicas",
    "latency",
    "bottlenecks",
    "availability",
    "recovery",
    "cost",
    "roadmap",
];

fn decided(page: &mut Page, architecture: &Architecture) {
    let row = |one: &Decision| {
        let flips = one.flips_at.first().cloned().unwrap_or_default();
        vec![
            capital(&one.question),
            one.choice.clone(),
            flips,
            format!("{}, inputs {}", one.rule, grade(one.grade)),
        ]
    };
    let named = |name: &'static str| {
        let decisions = architecture.decisions.iter();
        decisions.filter(move |one| one.name == name && one.subject == "system")
    };
    let rows: Vec<Vec<String>> = FIRST.into_iter().flat_map(named).map(row).collect();
    if rows.is_empty() {
        return;
    }
    page.heading(3, "What was decided");
    let more = architecture.decisions.len() - rows.len();
    page.table(&["Question", "Choice", "Flips at", "Decision"], rows);
    if more > 0 {
        page.text(format!("{more} more are listed under Architecture decision records."));
    }
}
