//! Decisions for a terminal.

use super::{count, paint};
use crate::commands::design::Written;
use ir::decision::{Decision, Infeasible};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Width that running text is broken at.
const COLUMNS: usize = 96;

/// The summary of a design: goals that can't hold first, then what was decided, by stage.
pub(super) fn design(written: &Written, colour: bool) -> String {
    let architecture = &written.designed.architecture;
    let mut text = String::new();
    for infeasible in &architecture.infeasible {
        write_infeasible(&mut text, infeasible, colour);
    }
    let domain = &architecture.domain;
    let _ = writeln!(
        text,
        "{}: {} in {}, {}",
        paint(colour, "1", &domain.system),
        count(architecture.services.len(), "service"),
        count(domain.contexts.len(), "context"),
        count(architecture.decisions.len(), "decision"),
    );
    let mut stage = None;
    for decision in &architecture.decisions {
        if stage != Some(decision.stage) {
            stage = Some(decision.stage);
            let name = format!("{:?}", decision.stage).to_lowercase();
            let _ = writeln!(text, "\n{}", paint(colour, "1", &name));
        }
        let name = decision.name.replace('_', " ");
        let subject = match decision.subject.as_str() {
            "system" => String::new(),
            subject => format!(" ({subject})"),
        };
        let head = format!("  {} {name}{subject}: {}", decision.rule, decision.choice);
        let _ = writeln!(text, "{}", broken(&head, "       "));
    }
    text.push('\n');
    text
}

fn write_infeasible(text: &mut String, infeasible: &Infeasible, colour: bool) {
    let word = paint(colour, "1;31", "infeasible");
    let _ = writeln!(text, "{word} `{}`: {}", infeasible.goal, infeasible.claim);
    for number in &infeasible.numbers {
        let _ = writeln!(text, "  {}: {number}", number.name);
    }
    for (at, cure) in infeasible.cures.iter().enumerate() {
        let lead = if at == 0 { "change one of:" } else { "              " };
        let _ = writeln!(text, "  {} {cure}", paint(colour, "1;36", lead));
    }
    text.push('\n');
}

/// The same for programs, with the files.
pub(super) fn design_json(written: &Written, check: bool) -> Value {
    let architecture = &written.designed.architecture;
    let decisions: Vec<Value> = architecture.decisions.iter().map(short).collect();
    let changes: Vec<Value> = written
        .changes
        .iter()
        .map(|(path, change)| json!({ "path": path, "change": change }))
        .collect();
    json!({
        "system": architecture.domain.system,
        "out": written.out,
        "written": !check,
        "files": written.files,
        "changes": changes,
        "infeasible": architecture.infeasible,
        "decisions": decisions,
        "warnings": written.designed.warnings,
    })
}

fn short(decision: &Decision) -> Value {
    json!({
        "rule": decision.rule,
        "name": decision.name,
        "subject": decision.subject,
        "choice": decision.choice,
        "flips_at": decision.flips_at,
    })
}

/// Decisions in full.
pub(super) fn decisions(decisions: &[Decision], colour: bool) -> String {
    let mut text = String::new();
    for (at, decision) in decisions.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        write_decision(&mut text, decision, colour);
    }
    text
}

fn write_decision(text: &mut String, decision: &Decision, colour: bool) {
    let bold = |word: &str| paint(colour, "1", word);
    let head = format!("{} {}", decision.rule, decision.name.replace('_', " "));
    let _ = writeln!(text, "{} ({})", bold(&head), decision.subject);
    let _ = writeln!(text, "{}", broken(&format!("  {}", decision.question), "  "));
    let _ = writeln!(text, "{}", broken(&format!("  -> {}", decision.choice), "     "));
    for because in &decision.because {
        let _ = writeln!(text, "{}", broken(&format!("  {because}"), "  "));
    }
    for number in &decision.numbers {
        let _ = writeln!(text, "  {}: {number}", number.name);
    }
    for alternative in &decision.alternatives {
        let lost = format!("  not {}: {}", alternative.name, alternative.lost);
        let _ = writeln!(text, "{}", broken(&lost, "      "));
        for number in &alternative.numbers {
            let _ = writeln!(text, "      {}: {number}", number.name);
        }
    }
    if let Some(pinned) = &decision.pinned {
        let pin = format!(
            "  pinned instead of {}: {}; it costs {}",
            pinned.instead_of, pinned.because, pinned.cost
        );
        let _ = writeln!(text, "{}", broken(&pin, "  "));
    }
    for flip in &decision.flips_at {
        let _ = writeln!(text, "{}", broken(&format!("  flips at {flip}"), "    "));
    }
    if !decision.drivers.is_empty() {
        let _ = writeln!(text, "  driven by {}", decision.drivers.join(", "));
    }
}

/// Lines of at most so many columns, further ones indented.
fn broken(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let lead = text.len() - text.trim_start().len();
    let mut line = text[..lead].to_owned();
    for word in text[lead..].split_whitespace() {
        let blank = line.trim().is_empty();
        let width = line.chars().count() + word.chars().count() + usize::from(!blank);
        if width > COLUMNS && !blank {
            lines.push_str(&line);
            lines.push('\n');
            line = indent.to_owned();
        } else if !blank {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_and_indented() {
        let words = ["alpha"; 20].join(" ");
        let lines = broken(&format!("  {words}"), "    ");
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  alpha") && lines[0].len() <= COLUMNS);
        assert!(lines[1].starts_with("    alpha"));
        assert_eq!(broken("  -> short", "     "), "  -> short");
    }
}
