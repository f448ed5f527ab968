//! Did-you-mean: the nearest of the names that would have been right.

use ir::source::Name;
use ir::{Code, Diagnostic};
use std::cell::Cell;

/// Names looked up for one model; beyond it a fault is told without a suggestion, so that a file
/// of nothing but unknown names still ends at once.
const SUGGESTIONS_MAX: u32 = 200;

/// Names that one is compared with.
const COMPARED_NAMES_MAX: usize = 2_000;

/// Longest name that is compared, in characters.
const COMPARED_CHARS_MAX: usize = 64;

/// Names that are listed where none is near.
const LISTED_NAMES_MAX: usize = 16;

/// Constants of one model that are tried on the pattern of their field.
const PATTERNS_MAX: u32 = 100;

/// What is left of [`SUGGESTIONS_MAX`] and of [`PATTERNS_MAX`].
#[derive(Debug)]
pub(crate) struct Budget {
    suggestions: Cell<u32>,
    patterns: Cell<u32>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { suggestions: Cell::new(SUGGESTIONS_MAX), patterns: Cell::new(PATTERNS_MAX) }
    }
}

impl Budget {
    fn spend(&self) -> bool {
        spend(&self.suggestions)
    }

    /// True while there is something left for another pattern.
    pub(crate) fn spend_pattern(&self) -> bool {
        spend(&self.patterns)
    }
}

fn spend(left: &Cell<u32>) -> bool {
    let before = left.get();
    left.set(before.saturating_sub(1));
    before > 0
}

/// The candidate nearest to `name`, where one is near enough to be meant.
pub(crate) fn nearest<'n>(
    name: &str,
    candidates: impl Iterator<Item = &'n str>,
) -> Option<&'n str> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    if wanted.len() > COMPARED_CHARS_MAX {
        return None;
    }
    let near = match wanted.len() {
        0..=3 => 1,
        4..=6 => 2,
        length => length / 3,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        if letters.len().abs_diff(wanted.len()) > near || letters.len() > COMPARED_CHARS_MAX {
            continue;
        }
        let distance = distance(&wanted, &letters);
        let close = distance <= near && distance < wanted.len().max(letters.len());
        if close && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edits between two words: insert, delete, replace, swap of neighbours.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut line = vec![row + 1; right.len() + 1];
        for (column, &b) in right.iter().enumerate() {
            let replaced = above[column] + usize::from(a != b);
            let mut least = replaced.min(above[column + 1] + 1).min(line[column] + 1);
            let swapped = row > 0 && column > 0 && a == right[column - 1] && left[row - 1] == b;
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            line[column + 1] = least;
        }
        before = std::mem::replace(&mut above, line);
    }
    above[right.len()]
}

/// A fault ``unknown role `clark` of `staff` in …`` (for `role of `staff``) that names the nearest
/// candidate, else some of them.
pub(crate) fn unknown<'n>(
    code: Code,
    what: &str,
    name: &Name,
    place: impl std::fmt::Display,
    candidates: impl Iterator<Item = &'n str>,
    budget: &Budget,
) -> Diagnostic {
    let message = match what.split_once(" of ") {
        Some((what, of)) => format!("unknown {what} `{name}` of {of} in {place}"),
        None => format!("unknown {what} `{name}` in {place}"),
    };
    let fault = Diagnostic::error(code, name.span, message);
    if !budget.spend() {
        return fault;
    }
    let candidates: Vec<&str> = candidates.take(COMPARED_NAMES_MAX).collect();
    if let Some(nearest) = nearest(name.as_str(), candidates.iter().copied()) {
        return fault.help(format!("did you mean `{nearest}`?")).fix(nearest);
    }
    match listed(&candidates) {
        Some(list) => fault.help(format!("known here: {list}")),
        None => fault,
    }
}

/// ``a`, `b` and 3 more`; none for no names.
pub(crate) fn listed(names: &[&str]) -> Option<String> {
    let shown: Vec<String> =
        names.iter().take(LISTED_NAMES_MAX).map(|name| format!("`{name}`")).collect();
    let rest = names.len() - shown.len();
    match (shown.is_empty(), rest) {
        (true, _) => None,
        (false, 0) => Some(shown.join(", ")),
        (false, rest) => Some(format!("{} and {rest} more", shown.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["shopper", "staff", "partner"];
        let near = |name| nearest(name, names.into_iter());
        assert_eq!(near("shoper"), Some("shopper"));
        assert_eq!(near("Staff"), Some("staff"));
        assert_eq!(near("satff"), Some("staff"));
        assert_eq!(near("warehouse"), None);
        assert_eq!(near("x"), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("order"), &chars("oredr")), 1);
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
    }
}
