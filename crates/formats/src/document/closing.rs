//! Technology, limits, growth, security, cost, order of work, whom to ask, and the records.

#[cfg(test)]
use super::decision::of;
use super::decision::{Section, authority, section, short, write_all};
use super::page::{Page, capital, listed};
use crate::adr;
use ir::architecture::Architecture;
use ir::decision::{Authority, Decision};

pub(super) fn technology(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Technology recommendations");
    write_all(page, architecture, Section::Technology);
    let advised = |one: &&Decision| {
        let names = ["database", "broker", "cache", "search"];
        let tool = !matches!(section(one), Section::Services | Section::Technology);
        tool && (one.authority == Authority::Advises || names.contains(&one.name))
    };
    let row = |one: &Decision| {
        let lost: Vec<&str> = one.alternatives.iter().map(|other| other.name.as_str()).collect();
        vec![
            format!("{}, `{}`", one.name.replace('_', " "), one.subject),
            one.choice.clone(),
            one.because.first().cloned().unwrap_or_default(),
            listed(&lost),
        ]
    };
    let rows: Vec<Vec<String>> = architecture.decisions.iter().filter(advised).map(row).collect();
    if rows.is_empty() {
        page.text("The design asks for no technology beside Mainstay itself.");
    }
    page.table(&["For", "Choice", "Rationale", "Alternatives weighed"], rows);
}

pub(super) fn bottlenecks(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Potential bottlenecks");
    if !write_all(page, architecture, Section::Bottlenecks) {
        page.text(
            "Unknown: no load was computed against a capacity; name `goals.peak` and `workload`.",
        );
    }
}

pub(super) fn scaling(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Scaling considerations");
    if !write_all(page, architecture, Section::Scaling) {
        page.text("Unknown: name `goals.growth` and `goals.peak`.");
    }
}

pub(super) fn security(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Security considerations");
    if !write_all(page, architecture, Section::Security) {
        page.text("Unknown: the model names no caller.");
    }
}

pub(super) fn cost(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Cost");
    if !write_all(page, architecture, Section::Cost) {
        page.text("Unknown: no load is known that capacity could be bought for.");
    }
}

pub(super) fn roadmap(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Implementation roadmap");
    if !write_all(page, architecture, Section::Roadmap) {
        page.text("Nothing to order: the model has one thing to build.");
    }
}

pub(super) fn consultations(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Consultations needed");
    let rows: Vec<Vec<String>> = architecture
        .decisions
        .iter()
        .filter_map(|one| {
            let whom = one.consult.as_ref()?;
            let about = format!("{} `{}`: {}", one.rule, one.subject, one.choice);
            Some(vec![whom.clone(), about, authority(one.authority).to_owned()])
        })
        .collect();
    if rows.is_empty() {
        page.text("No decision here goes beyond what a backend architect owns.");
    }
    page.table(&["Whom, and what", "Decision", "The architect"], rows);
}

pub(super) fn records(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Architecture decision records");
    if architecture.decisions.is_empty() {
        page.text("No question arose that had more than one answer.");
    }
    let row = |one: &Decision| {
        let file = adr::file_of(architecture, one).unwrap_or_default();
        let number = file.get(..4).unwrap_or_default();
        let numbers: Vec<String> = one.numbers.iter().take(1).map(short).collect();
        vec![
            format!("[{number}](decisions/{file})"),
            capital(&one.question),
            one.choice.clone(),
            numbers.join(""),
        ]
    };
    page.table(
        &["Record", "Question", "Choice", "First number"],
        architecture.decisions.iter().map(row),
    );
}

/// The sections that hold decisions are all written: none is lost.
#[cfg(test)]
pub(super) fn printed(architecture: &Architecture) -> usize {
    use Section::*;
    let sections = [
        Services,
        Api,
        Data,
        Caching,
        Communication,
        Access,
        Performance,
        Resilience,
        Errors,
        Observability,
        Technology,
        Bottlenecks,
        Scaling,
        Security,
        Cost,
        Roadmap,
    ];
    sections.into_iter().map(|section| of(architecture, section).count()).sum()
}
