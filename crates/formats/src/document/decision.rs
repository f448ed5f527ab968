//! A decision as the document prints it, and which section it stands in.

use super::page::{Page, capital};
use crate::adr;
use ir::architecture::Architecture;
use ir::decision::{Authority, Decision, Effect, Stage};
use ir::quantity::{Computed, Grade};

/// The sections that decisions stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
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
}

/// Rules that stand elsewhere than their stage says.
const ELSEWHERE: [(&str, Section); 15] = [
    ("errors", Section::Errors),
    ("cache", Section::Caching),
    ("rate_limits", Section::Api),
    ("audit", Section::Security),
    ("compliance", Section::Security),
    ("personal_data", Section::Security),
    ("secrets", Section::Security),
    ("threats", Section::Security),
    ("bottlenecks", Section::Bottlenecks),
    ("horizons", Section::Scaling),
    ("cost", Section::Cost),
    ("compute", Section::Technology),
    ("deployment", Section::Technology),
    ("schema_change", Section::Data),
    ("roadmap", Section::Roadmap),
];

/// The section of a decision.
pub(crate) fn section(decision: &Decision) -> Section {
    if let Some((_, section)) = ELSEWHERE.iter().find(|(name, _)| *name == decision.name) {
        return *section;
    }
    match decision.stage {
        Stage::Boundaries => Section::Services,
        Stage::Contracts => Section::Api,
        Stage::Data => Section::Data,
        Stage::Communication => Section::Communication,
        Stage::Security => Section::Access,
        Stage::Resilience => Section::Resilience,
        Stage::Capacity => Section::Performance,
        Stage::Operations => Section::Observability,
    }
}

/// The decisions of a section in their order.
pub(crate) fn of(architecture: &Architecture, wanted: Section) -> impl Iterator<Item = &Decision> {
    architecture.decisions.iter().filter(move |decision| section(decision) == wanted)
}

/// Prints every decision of a section; false where there is none.
pub(crate) fn write_all(page: &mut Page, architecture: &Architecture, section: Section) -> bool {
    let mut any = false;
    for decision in of(architecture, section) {
        write(page, architecture, decision);
        any = true;
    }
    any
}

/// One decision: question, choice, why, what else there was, numbers, what follows.
pub(crate) fn write(page: &mut Page, architecture: &Architecture, decision: &Decision) {
    page.heading(3, &capital(&decision.question));
    let pinned = decision.pinned.as_ref().map(|pin| {
        let because = if pin.because.is_empty() { "no reason given" } else { pin.because.as_str() };
        format!(
            " Pinned by the model ({because}) instead of {}; it costs: {}",
            pin.instead_of, pin.cost
        )
    });
    let pinned = pinned.unwrap_or_default();
    page.text(format!("**{}.**{pinned}", capital(&decision.choice)));
    page.bullets(&decision.because);
    let lost = |alternative: &ir::decision::Alternative| {
        let numbers: Vec<String> = alternative.numbers.iter().map(short).collect();
        vec![capital(&alternative.name), alternative.lost.clone(), numbers.join("; ")]
    };
    page.table(
        &["Instead", "Why it lost here", "Its numbers"],
        decision.alternatives.iter().map(lost),
    );
    page.table(
        &["Number", "Value", "From"],
        decision
            .numbers
            .iter()
            .map(|number| vec![number.name.clone(), value(number), filled(number)]),
    );
    page.bullets(decision.consequences.iter().map(|text| format!("Follows: {text}")));
    if !decision.flips_at.is_empty() {
        page.text(format!("Flips at: {}.", decision.flips_at.join("; ")));
    }
    page.text(footer(architecture, decision));
}

/// `D010 · advises · inputs catalogue · files only · [0010](…)`
fn footer(architecture: &Architecture, decision: &Decision) -> String {
    let mut parts = vec![
        decision.rule.to_owned(),
        authority(decision.authority).to_owned(),
        format!("inputs {}", grade(decision.grade)),
        effect(decision.effect).to_owned(),
    ];
    if !decision.drivers.is_empty() {
        let drivers: Vec<String> =
            decision.drivers.iter().map(|path| format!("`{path}`")).collect();
        parts.push(format!("driven by {}", drivers.join(", ")));
    }
    if let Some(file) = adr::file_of(architecture, decision) {
        parts.push(format!("[record](decisions/{file})"));
    }
    format!("<sub>{}</sub>", parts.join(" · "))
}

/// `monthly cost 173 USD/month`
pub(crate) fn short(number: &Computed) -> String {
    format!("{} {}", number.name, value(number))
}

/// The value with its unit.
pub(crate) fn value(number: &Computed) -> String {
    ir::quantity::print(number.value, &number.unit)
}

/// The formula with its names, then with its values.
pub(crate) fn filled(number: &Computed) -> String {
    let counted = number.inputs.is_empty() && number.formula == number.name.replace(' ', "_");
    let whole = if counted { String::new() } else { number.to_string() };
    match whole.split_once(" = ") {
        Some((_, formula)) => formula.to_owned(),
        None => whole,
    }
}

/// How far the architect's word goes.
pub(crate) fn authority(authority: Authority) -> &'static str {
    match authority {
        Authority::Owns => "owns",
        Authority::Advises => "advises",
        Authority::Validates => "validates",
    }
}

/// Where an input came from.
pub(crate) fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Measured => "measured",
        Grade::Given => "given",
        Grade::Derived => "derived",
        Grade::Catalogue => "catalogue",
        Grade::Assumed => "assumed",
    }
}

/// Where a decision takes effect.
pub(crate) fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::RunsHere => "runs here",
        Effect::FilesOnly => "files only",
        Effect::AdviceOnly => "advice only",
    }
}
