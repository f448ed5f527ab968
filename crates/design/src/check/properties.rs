//! What holds of every model, however broken: checking ends, tells the same twice, points into the
//! file, and whatever it lets pass can be lowered.

use super::check;
use super::testing::example;
use ir::Sources;

/// Checks one text, also where the reader found faults already.
fn holds(text: &str) -> bool {
    let sources = Sources::one("mainstay.yaml", text);
    let (model, _) = formats::requirements::read(&sources);
    let (valid, found) = check(model.clone());
    assert_eq!(check(model).1, found, "checking twice tells the same");
    for fault in &found {
        let places = fault.secondary.iter().chain([&fault.primary]);
        for span in places.map(|label| label.span) {
            let inside = span.file == 0 && span.start <= span.end;
            assert!(inside && span.end as usize <= text.len(), "{fault:?}");
        }
        assert!(!fault.message.is_empty() && !fault.message.ends_with('.'), "{fault:?}");
        let ticks = fault.message.matches('`').count();
        assert!(ticks.is_multiple_of(2), "{fault:?}");
    }
    assert_eq!(valid.is_none(), ir::diagnostic::has_errors(&found));
    if let Some(valid) = &valid {
        let domain = crate::lower::domain(valid);
        assert_eq!(domain, crate::lower::domain(valid), "lowering twice gives the same");
    }
    valid.is_some()
}

fn text_of(name: &str) -> String {
    let (sources, _, _) = example(name);
    sources.files[0].text.clone()
}

const EXAMPLES: [&str; 4] = ["shop", "links", "clinic", "kiosk"];

#[test]
fn a_model_without_any_one_of_its_lines_is_checked_to_the_end() {
    let (mut valid, mut broken) = (0, 0);
    for name in EXAMPLES {
        let text = text_of(name);
        let lines: Vec<&str> = text.lines().collect();
        for left_out in 0..lines.len() {
            let kept = lines.iter().enumerate().filter(|(at, _)| *at != left_out);
            let kept: Vec<&str> = kept.map(|(_, line)| *line).collect();
            if holds(&(kept.join("\n") + "\n")) {
                valid += 1;
            } else {
                broken += 1;
            }
        }
    }
    assert!(valid > 50 && broken > 50, "{valid} valid and {broken} broken");
}

#[test]
fn a_model_with_any_one_word_in_the_place_of_another_is_checked_to_the_end() {
    let mut broken = 0;
    for (seed, name) in EXAMPLES.into_iter().enumerate() {
        let text = text_of(name);
        let words = words(&text);
        for (at, (start, end)) in words.iter().enumerate().skip(seed).step_by(3) {
            let (from, to) = words[(at * 7 + 13) % words.len()];
            let other = &text[from..to];
            let changed = format!("{}{other}{}", &text[..*start], &text[*end..]);
            broken += usize::from(!holds(&changed));
        }
    }
    assert!(broken > 200, "{broken} broken");
}

/// Where the words of a text stand.
fn words(text: &str) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, letter) in text.char_indices() {
        let inside = letter.is_alphanumeric() || letter == '_';
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    words
}

#[test]
fn a_hundred_contexts_with_a_thousand_resources_are_valid() {
    assert!(holds(&large(100, 10)));
}

#[test]
fn a_large_rule_that_is_used_everywhere_ends_at_the_limit_of_the_model() {
    let rule = vec!["count == 1"; 60].join(" || ");
    let mut text =
        String::from("system: test\nactors: { user: oidc }\ncontexts:\n  desk:\n    resources:\n");
    for at in 0..160 {
        let grants = vec!["user when all"; 20].join(", ");
        text.push_str(&format!(
            "      R{at}:
        rules: {{ some: {rule}, all: some || some }}
        fields: {{ count: int }}
        allow: {{ read: [{grants}], write: user }}
"
        ));
    }
    let (model, _) = formats::requirements::read(&Sources::one("mainstay.yaml", &text));
    let (valid, found) = check(model);
    let codes: Vec<&str> = found.iter().map(|fault| fault.code.0).collect();
    assert_eq!((valid.is_some(), codes), (false, vec!["E052"]));
}

/// A model of that many contexts with so many resources each, all of whose constructs are used.
pub(crate) fn large(contexts: usize, resources: usize) -> String {
    let mut text =
        String::from("system: large\nactors: { user: oidc, staff: oidc roles a | b }\ncontexts:\n");
    for context in 0..contexts {
        text.push_str(&format!("  c{context}:\n    resources:\n"));
        for at in 0..resources {
            let name = format!("R{context}X{at}");
            let other = format!("c{}.R{}X{at}", (context + 1) % contexts, (context + 1) % contexts);
            text.push_str(&format!(
                "      {name}:
        rules: {{ own: owner == me }}
        fields:
          owner: actor user
          code: string max 40 unique
          other: {other} optional
          copied: string max 40 optional = other.code at write
          count: int 0..99 = 1
          twice: int = count * 2
          state: open | closed
        commands:
          close: {{ require: count > 0, state: open -> closed, by: user when own }}
        allow: {{ read: [user when own, staff], write: user when own && state == open }}
"
            ));
        }
    }
    text
}
