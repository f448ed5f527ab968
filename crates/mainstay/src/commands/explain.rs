//! `mainstay explain`: the page of a code, a topic of the notation, or what was decided about a
//! part of the model.

mod rule;

use crate::failure::{Failure, Outcome};
use crate::pipeline;
use formats::requirements;
use ir::decision::Decision;
use ir::diagnostic::Page;
use std::path::Path;

/// What is explained.
#[derive(Debug)]
pub(crate) enum Explanation {
    /// A code, as Markdown.
    Page {
        /// The code in capitals.
        code: &'static str,
        /// Its page.
        markdown: String,
    },
    /// A section of the notation's reference, as Markdown.
    Topic {
        /// Its name.
        topic: String,
        /// Its text.
        markdown: String,
    },
    /// Everything that can be named without a model.
    Index {
        /// The codes with their titles.
        codes: Vec<(&'static str, String)>,
        /// The topics of the notation.
        topics: Vec<String>,
    },
    /// The decisions about a part of the model, by stage.
    Decisions {
        /// The part as it was named.
        part: String,
        /// What was decided.
        decisions: Vec<Decision>,
    },
}

/// All pages there are, by code.
pub(crate) fn pages() -> Vec<Page> {
    let mut pages = [formats::requirements::PAGES, design::check::PAGES].concat();
    pages.extend(design::rules::pages().map(|(code, source)| Page { code, source }));
    pages.sort_by_key(|page| page.code);
    pages
}

/// Explains a code, a topic of the notation, or a part of the model at `path`; what there is where
/// nothing is named.
pub(crate) fn explain(what: Option<&str>, path: &Path) -> Outcome<Explanation> {
    let Some(what) = what else { return Ok(index()) };
    if let Some(markdown) = requirements::topic(what) {
        return Ok(Explanation::Topic { topic: what.to_lowercase(), markdown });
    }
    if is_code(what) {
        let code = what.to_ascii_uppercase();
        let page = pages().into_iter().find(|page| page.code == code);
        return page
            .map(|page| Explanation::Page { code: page.code, markdown: page.markdown() })
            .ok_or_else(|| unknown_code(&code));
    }
    let designed = pipeline::design(path, None)?;
    if let Some(markdown) = rule::explain(&designed.architecture.domain, what) {
        return Ok(Explanation::Topic { topic: what.to_owned(), markdown });
    }
    let mut decisions = designed.architecture.into_inner().decisions;
    let subjects: Vec<String> = decisions.iter().map(|decision| decision.subject.clone()).collect();
    decisions.retain(|decision| concerns(decision, what));
    if decisions.is_empty() {
        let failure = Failure::new(format!("nothing was decided about `{what}`"));
        return Err(failure.hint(match nearest(what, &subjects) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "name a code (`E012`), a topic (`types`), a resource (`ordering.Order`) or a goal \
                     (`goals.peak`)"
                    .to_owned()
            }
        }));
    }
    Ok(Explanation::Decisions { part: what.to_owned(), decisions })
}

fn index() -> Explanation {
    let title = |page: &Page| {
        let first = page.source.lines().next().unwrap_or_default();
        first.trim_start_matches("//! # ").trim_start_matches(page.code).trim().to_owned()
    };
    let codes = pages().iter().map(|page| (page.code, title(page))).collect();
    Explanation::Index { codes, topics: requirements::topics() }
}

fn is_code(what: &str) -> bool {
    let mut characters = what.chars();
    let letter = characters.next().is_some_and(|c| c.is_ascii_alphabetic());
    letter && what.len() == 4 && characters.all(|c| c.is_ascii_digit())
}

fn unknown_code(code: &str) -> Failure {
    let known: Vec<&str> = pages().iter().map(|page| page.code).collect();
    let of_letter: Vec<&str> =
        known.iter().filter(|known| known[..1] == code[..1]).copied().collect();
    let hint = match (of_letter.first(), of_letter.last()) {
        (Some(first), Some(last)) => format!("codes go from `{first}` to `{last}`"),
        _ => "codes begin with `E` (a fault of the model) or `D` (a decision)".to_owned(),
    };
    Failure::new(format!("there is no code `{code}`")).hint(hint)
}

/// A part is named whole (`ordering.Order`), by its last word (`Order`), or by a driver.
fn concerns(decision: &Decision, part: &str) -> bool {
    let subject = decision.subject.as_str();
    subject == part
        || subject.rsplit('.').next() == Some(part)
        || subject.strip_prefix(part).is_some_and(|rest| rest.starts_with('.'))
        || decision.drivers.iter().any(|driver| driver == part)
        || decision.name == part
}

/// The subject that is written most alike, if any is.
fn nearest<'a>(word: &str, subjects: &'a [String]) -> Option<&'a String> {
    let distance = |subject: &&String| distance(&word.to_lowercase(), &subject.to_lowercase());
    subjects.iter().min_by_key(distance).filter(|near| distance(near) <= word.len() / 3)
}

/// Edits from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, c) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_letter_and_three_digits() {
        assert!(is_code("E012") && is_code("d003"));
        assert!(!is_code("E12") && !is_code("Order") && !is_code("Eé12"));
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(distance("ordr", "order"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn each_code_has_one_page_with_a_title() {
        let pages = pages();
        for (page, next) in pages.iter().zip(pages.iter().skip(1)) {
            assert_ne!(page.code, next.code, "two pages of one code");
        }
        for page in &pages {
            assert!(page.source.starts_with(&format!("//! # {} ", page.code)), "{}", page.code);
            assert!(page.markdown().lines().count() > 2, "{} says nothing", page.code);
        }
    }
}
