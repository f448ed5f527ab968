//! Architecture decision records: one file a decision, with every number and its sources.

use crate::document::decision::{authority, effect, filled, grade, value};
use crate::document::page::{Page, capital};
use ir::architecture::Architecture;
use ir::decision::Decision;
use ir::quantity::{Computed, print};

/// All records: file name (`0001-boundaries-system.md`) and text, in the order of the decisions.
pub fn write(architecture: &Architecture) -> Vec<(String, String)> {
    let decisions = architecture.decisions.iter().enumerate();
    decisions.map(|(at, decision)| (file(at, decision), record(at, decision))).collect()
}

/// The file of a decision, if it is one of the architecture's.
pub(crate) fn file_of(architecture: &Architecture, decision: &Decision) -> Option<String> {
    let same = |other: &&Decision| std::ptr::eq(*other, decision);
    let at = architecture.decisions.iter().position(|other| same(&other))?;
    Some(file(at, decision))
}

fn file(at: usize, decision: &Decision) -> String {
    let slug = |text: &str| {
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' }
        };
        let text: String = text.chars().map(plain).collect();
        let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
        words.join("-")
    };
    format!("{:04}-{}-{}.md", at + 1, slug(decision.name), slug(&decision.subject))
}

fn record(at: usize, decision: &Decision) -> String {
    let mut page = Page::default();
    page.heading(1, &format!("{:04} {}", at + 1, capital(&decision.question)));
    let status = if decision.pinned.is_some() { "pinned by the model" } else { "decided" };
    page.table(
        &["Status", "Subject", "Rule", "Authority", "Inputs", "Takes effect"],
        [vec![
            status.to_owned(),
            format!("`{}`", decision.subject),
            format!("{} `{}`", decision.rule, decision.name),
            authority(decision.authority).to_owned(),
            grade(decision.grade).to_owned(),
            effect(decision.effect).to_owned(),
        ]],
    );
    if !decision.drivers.is_empty() {
        page.heading(2, "Driven by");
        page.bullets(decision.drivers.iter().map(|path| format!("`{path}`")));
    }
    page.heading(2, "Decision");
    page.text(format!("{}.", capital(&decision.choice)));
    page.bullets(&decision.because);
    if let Some(pin) = &decision.pinned {
        page.heading(2, "Pinned");
        page.text(&pin.because);
        page.text(format!("Instead of {}. Cost: {}", pin.instead_of, pin.cost));
    }
    numbers(&mut page, 2, "Numbers", &decision.numbers);
    if !decision.alternatives.is_empty() {
        page.heading(2, "Alternatives");
    }
    for alternative in &decision.alternatives {
        page.heading(3, &capital(&alternative.name));
        page.text(format!("Lost: {}", alternative.lost));
        numbers(&mut page, 4, "Its numbers", &alternative.numbers);
    }
    if !decision.consequences.is_empty() {
        page.heading(2, "Consequences");
        page.bullets(&decision.consequences);
    }
    if !decision.flips_at.is_empty() {
        page.heading(2, "Flips at");
        page.bullets(&decision.flips_at);
    }
    if let Some(whom) = &decision.consult {
        page.heading(2, "To be asked");
        page.text(whom);
    }
    page.finish()
}

/// Numbers with their formulas, then every input with its grade and source.
fn numbers(page: &mut Page, depth: usize, title: &str, numbers: &[Computed]) {
    if numbers.is_empty() {
        return;
    }
    page.heading(depth, title);
    let row = |number: &Computed| vec![number.name.clone(), value(number), filled(number)];
    page.table(&["Number", "Value", "From"], numbers.iter().map(row));
    let mut seen: Vec<(&str, String)> = Vec::new();
    let mut rows = Vec::new();
    for input in numbers.iter().flat_map(|number| &number.inputs) {
        let shown = print(input.value, &input.unit);
        if !seen.contains(&(&input.name, shown.clone())) {
            let name = format!("`{}`", input.name);
            rows.push(vec![name, shown.clone(), grade(input.grade).into(), input.source.clone()]);
            seen.push((&input.name, shown));
        }
    }
    page.table(&["Input", "Value", "Grade", "Source"], rows);
}
