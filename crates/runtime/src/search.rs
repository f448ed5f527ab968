//! Folding of searched text: one function for what is stored and for what is asked.

use unicode_normalization::UnicodeNormalization;

/// Words of a question at most; one with more is refused.
pub const WORDS_MAX: usize = 16;

/// Combining marks that a search passes over, so that `creme` finds `Crème`.
const MARKS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';

/// The words of a text, folded: compatibility decomposition, no accents, no case, letters and
/// digits alone.
pub fn words(text: &str) -> Vec<String> {
    let folded: String = text
        .nfkd()
        .filter(|c| !MARKS.contains(c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|c| !MARKS.contains(c))
        .collect();
    folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What the shadow column of a searched field holds: each word with a space before it, so that
/// `" sho"` finds the beginning of a word.
pub fn fold(text: &str) -> String {
    words(text).iter().fold(String::with_capacity(text.len() + 1), |mut all, word| {
        all.push(' ');
        all.push_str(word);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_and_compatibility_forms_are_folded() {
        assert_eq!(fold("Crème BRÛLÉE"), " creme brulee");
        assert_eq!(fold("Straße ﬁne Ⅳ"), " strasse fine iv");
        assert_eq!(fold("ΟΔΟΣ οδός"), " οδοσ οδοσ");
    }

    #[test]
    fn only_letters_and_digits_make_words() {
        assert_eq!(words("ABC-123 / x_y"), ["abc", "123", "x", "y"]);
        assert_eq!(words("  —  "), Vec::<String>::new());
    }
}
