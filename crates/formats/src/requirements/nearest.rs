//! The known word that a misspelt one was probably meant to be.

use ir::value::Currency;

/// The nearest of the known words, where it is near enough: a third of its letters may differ.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(WORD_CHARS_MAX + 1).collect();
    if word.len() > WORD_CHARS_MAX {
        return None;
    }
    let near = known.into_iter().map(|candidate| (distance(&word, candidate), candidate));
    let (distance, best) = near.min_by_key(|(distance, _)| *distance)?;
    let allowed = (best.chars().count().max(word.len()) / 3).max(1);
    (distance <= allowed && distance < word.len()).then_some(best)
}

/// The nearest code of a currency.
pub(crate) fn nearest_currency(code: &str) -> Option<&'static str> {
    let codes = [2, 0, 3, 4].into_iter().map(Currency::with_decimals);
    nearest(code, codes.flatten().copied())
}

/// Words longer than this are not compared.
const WORD_CHARS_MAX: usize = 60;

/// Letters to change, add, drop or swap with their neighbour; case alone costs nothing much.
fn distance(word: &[char], candidate: &str) -> usize {
    let other: Vec<char> = candidate.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in word.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, b) in other.iter().enumerate() {
            let same = a.eq_ignore_ascii_case(b);
            let mut best = last[column] + usize::from(!same);
            best = best.min(last[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && *a == other[column - 1] && word[row - 1] == *b {
                best = best.min(before[column - 1] + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["latency", "availability", "peak", "min", "max"];
        let cases = [
            ("latancy", Some("latency")),
            ("laetncy", Some("latency")),
            ("Peak", Some("peak")),
            ("mim", Some("min")),
            ("budget", None),
            ("x", None),
            ("", None),
        ];
        for (word, wanted) in cases {
            assert_eq!(nearest(word, known), wanted, "{word}");
        }
    }
}
