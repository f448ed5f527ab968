//! Decisions for a terminal.

use super::paint;
use ir::decision::Decision;
use std::fmt::Write as _;

/// Width that running text is broken at.
const COLUMNS: usize = 96;

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
