//! Page one: what cannot hold, what was decided, which assumptions matter.

use super::decision::{filled, grade, short, value};
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
        "Not said by the model; the last columns show what halving or doubling each does to the \
         monthly cost and the predicted p95.",
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

/// Every decision on the system as a whole, in one table.
fn decided(page: &mut Page, architecture: &Architecture) {
    let whole = architecture.decisions.iter().filter(|one| one.subject == "system");
    let rows: Vec<Vec<String>> = whole
        .map(|one| {
            let flips = one.flips_at.first().cloned().unwrap_or_default();
            let numbers: Vec<String> = one.numbers.iter().take(2).map(short).collect();
            vec![
                format!("{} {}", one.rule, one.name.replace('_', " ")),
                one.choice.clone(),
                numbers.join("; "),
                flips,
                grade(one.grade).to_owned(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        page.heading(3, "What was decided for the whole");
        page.table(&["Decision", "Choice", "Numbers", "Flips at", "Inputs"], rows);
    }
}
