//! What holds for every document: its sections and their order, no empty section, every decision
//! once, what cannot hold first.

use super::{closing, write};
use crate::adr;
use crate::fixture::tasks;

/// The sections, in the order in which they are read.
const SECTIONS: [&str; 21] = [
    "Architecture assessment",
    "Context gathered",
    "Service overview",
    "API design",
    "Service architecture",
    "Data architecture",
    "Caching strategy",
    "Service communication",
    "Authentication and authorization",
    "Performance and scalability",
    "Resilience patterns",
    "Error handling",
    "Observability",
    "Technology recommendations",
    "Potential bottlenecks",
    "Scaling considerations",
    "Security considerations",
    "Cost",
    "Implementation roadmap",
    "Consultations needed",
    "Architecture decision records",
];

#[test]
fn the_sections_stand_in_their_order() {
    let text = write(&tasks());
    let sections: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(sections, SECTIONS);
}

#[test]
fn no_section_is_empty_with_or_without_decisions() {
    let mut bare = tasks();
    bare.decisions.clear();
    bare.model = ir::Valid::vouch(ir::Model::default());
    for text in [write(&tasks()), write(&bare)] {
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let depth = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
        for pair in lines.windows(2) {
            let (above, below) = (depth(pair[0]), depth(pair[1]));
            let empty = above > 0 && below > 0 && below <= above;
            assert!(!empty, "`{}` is empty", pair[0]);
        }
        assert_eq!(depth(lines[lines.len() - 1]), 0, "the last section is empty");
    }
}

#[test]
fn every_decision_is_printed_once_and_has_its_record() {
    let architecture = tasks();
    let text = write(&architecture);
    assert_eq!(closing::printed(&architecture), architecture.decisions.len());
    for (name, record) in adr::write(&architecture) {
        let links = text.matches(&format!("(decisions/{name})")).count();
        assert_eq!(links, 2, "{name}: once where it is decided, once in the list");
        assert!(record.contains("| `peak` | 10 rps | given | goals.peak |"), "{record}");
    }
}

#[test]
fn what_cannot_hold_is_said_before_anything_else() {
    let text = write(&tasks());
    let infeasible = text.find("### Infeasible: `goals.budget`").expect("it is said");
    let decided = text.find("### What was decided").expect("something was decided");
    assert!(infeasible < decided);
    assert!(text[infeasible..decided].contains("`budget: 30 USD per month`"));
}

#[test]
fn a_bar_in_a_sentence_does_not_cut_its_table() {
    let mut architecture = tasks();
    architecture.decisions[0].alternatives[0].lost = "a | b\nc".to_owned();
    assert!(write(&architecture).contains("| The big one | a \\| b c | load 20 rps |"));
}

#[test]
fn records_are_numbered_in_the_order_of_the_decisions() {
    let names: Vec<String> = adr::write(&tasks()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[0], "0001-boundaries-system.md");
    assert_eq!(names[2], "0003-cache-desk-task.md");
    assert_eq!(names.len(), 8);
}
