//! # E053 pattern that cannot be matched
//! A `pattern` or the pattern of `matches` is not valid in RE2's syntax.
//!
//! **Why**: patterns run on every write and must end in linear time, so look-around and
//! back-references do not exist; the whole text must match, so `^` and `$` are not needed.
//!
//! Wrong:
//! ```yaml
//! pattern: "[A-Z"
//! pattern: "(?=a)b"
//! ```
//! Right:
//! ```yaml
//! pattern: "[A-Z]{3}-[0-9]+"
//! ```

use super::place::Place;
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E053");

/// Why a pattern with `(?=`, `(?!`, `(?<=` or `(?<!` is refused.
const LOOK_AROUND: &str = "uses look-around, which RE2 does not have";

/// Repetitions that RE2 takes.
const REPEAT_MAX: u32 = 1_000;

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_000;

/// The pattern is at fault, for that reason.
pub(crate) fn fault(pattern: &str, why: &str, span: Span, place: Place<'_>) -> Diagnostic {
    let shown: String = pattern.chars().take(60).collect();
    let message = format!("the pattern `{shown}` in {place} {why}");
    let fault = Diagnostic::error(CODE, span, message)
        .why("patterns run on every write, in linear time and with RE2's syntax");
    if why == LOOK_AROUND {
        return fault.help("say what the text is, rather than what it is not: `[a-z][a-z0-9]*`");
    }
    fault
}

/// Reads a pattern far enough to refuse what RE2 refuses.
pub(crate) fn read(pattern: &str) -> Result<(), &'static str> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err("is longer than 1,000 bytes");
    }
    let letters: Vec<char> = pattern.chars().collect();
    let mut open = 0_u32;
    let mut repeatable = false;
    let mut at = 0;
    while at < letters.len() {
        let rest = &letters[at..];
        match letters[at] {
            '\\' => {
                at += escape(rest)?;
                repeatable = true;
                continue;
            }
            '[' => {
                at += class(rest)?;
                repeatable = true;
                continue;
            }
            '(' => {
                if rest.get(1) == Some(&'?') && !group(&rest[2..]) {
                    return Err(LOOK_AROUND);
                }
                open += 1;
                at += usize::from(rest.get(1) == Some(&'?')) * 2;
                at += skip_flags(&letters[at.min(letters.len())..]);
                repeatable = false;
            }
            ')' => {
                open = open.checked_sub(1).ok_or("closes a group that is not open")?;
                repeatable = true;
            }
            '*' | '+' | '?' => {
                if !repeatable {
                    return Err("repeats nothing: `*`, `+` or `?` has no part before it");
                }
                repeatable = false;
                at += usize::from(rest.get(1) == Some(&'?'));
            }
            '{' => {
                if let Some(length) = repetition(rest)? {
                    if !repeatable {
                        return Err("repeats nothing: `{…}` has no part before it");
                    }
                    at += length;
                    repeatable = false;
                    continue;
                }
                repeatable = true;
            }
            '|' => repeatable = false,
            _ => repeatable = true,
        }
        at += 1;
    }
    if open > 0 { Err("opens a group that is not closed") } else { Ok(()) }
}

/// Length of an escape.
fn escape(rest: &[char]) -> Result<usize, &'static str> {
    match rest.get(1) {
        None => Err("ends in a single `\\`"),
        Some('1'..='9') => Err("refers back to a group, which RE2 does not have"),
        Some('Z' | 'G' | 'K' | 'k' | 'R' | 'X') => Err("uses an escape that RE2 does not have"),
        Some('p' | 'P' | 'x') if rest.get(2) == Some(&'{') => {
            let end = rest.iter().position(|letter| *letter == '}');
            end.map(|end| end + 1).ok_or("opens `{` that is not closed")
        }
        Some(_) => Ok(2),
    }
}

/// Length of `[…]`.
fn class(rest: &[char]) -> Result<usize, &'static str> {
    let mut at = 1 + usize::from(rest.get(1) == Some(&'^'));
    at += usize::from(rest.get(at) == Some(&']'));
    while let Some(letter) = rest.get(at) {
        match letter {
            ']' => return Ok(at + 1),
            '\\' => at += escape(&rest[at..])?,
            '[' if rest.get(at + 1) == Some(&':') => {
                let end = rest[at..].windows(2).position(|pair| pair == [':', ']']);
                at += end.map(|end| end + 2).ok_or("opens `[:` that is not closed")?;
            }
            low => {
                let range = rest.get(at + 1) == Some(&'-');
                let high = rest.get(at + 2).filter(|high| range && !matches!(high, ']' | '\\'));
                if high.is_some_and(|high| high < low) {
                    return Err("has a range that runs backwards");
                }
                at += 1;
            }
        }
    }
    Err("opens `[` that is not closed")
}

/// After `(?`: a plain, named or flagged group.
fn group(rest: &[char]) -> bool {
    match rest.first() {
        Some(':' | 'i' | 'm' | 's' | 'U' | '-') => true,
        Some('P') => rest.get(1) == Some(&'<'),
        Some('<') => !matches!(rest.get(1), Some('=' | '!')),
        _ => false,
    }
}

/// Letters of `i-s:` or `P<name>` after `(?`; none in other places.
fn skip_flags(rest: &[char]) -> usize {
    if rest.first() == Some(&'(') {
        return 0;
    }
    let end = rest.iter().position(|letter| matches!(letter, ':' | '>' | ')'));
    end.map_or(0, |end| end.saturating_sub(usize::from(rest[end] == ')')))
}

/// Length of `{3}`, `{1,}` or `{1,3}`; none where `{` is a plain letter.
fn repetition(rest: &[char]) -> Result<Option<usize>, &'static str> {
    let Some(end) = rest.iter().position(|letter| *letter == '}') else { return Ok(None) };
    let inner: String = rest[1..end].iter().collect();
    let (low, high) = inner.split_once(',').unwrap_or((&inner, &inner));
    let digits = |text: &str| text.chars().all(|letter| letter.is_ascii_digit());
    if low.is_empty() || !digits(low) || !digits(high) {
        return Ok(None);
    }
    let number = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
    let (low, high) = (number(low), if high.is_empty() { number(low) } else { number(high) });
    match (low > high, high > REPEAT_MAX) {
        (true, _) => Err("repeats at least more often than at most"),
        (_, true) => Err("repeats more than 1,000 times"),
        (false, false) => Ok(Some(end + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn what_re2_takes_is_taken() {
        let right = [
            "",
            "[A-Z]{3}-[0-9]+",
            "(a|b)*c?",
            "(?i)abc",
            "(?:ab)+",
            "(?P<year>[0-9]{4})",
            "a{",
            r"\d+\.\d{2}",
            "[]a]",
            "[^]]",
            "[[:alpha:]]+",
            r"\p{Greek}",
            "a{1,}",
            "[a-]",
            "a|",
            "[A-Za-z0-9_-]+",
            "(?<name>x)",
            "x*?",
        ];
        for pattern in right {
            assert_eq!(read(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        let wrong = [
            "[A-Z", "(a", "a)", "*a", "a**", "(?=a)b", "(?!a)", "(?<=a)b", r"(a)\1", "a{3,2}",
            "a{2000}", "\\", "[z-a]", "a|*",
        ];
        for pattern in wrong {
            assert!(read(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_is_not_closed() {
        let resource = "
            Part:
              fields: { code: { type: string, pattern: \"[A-Z{3}\" } }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E053]: the pattern `[A-Z{3}` in `code` of `Part` opens `[` that is not closed
             --> mainstay.yaml:7:51
              |
            7 |         fields: { code: { type: string, pattern: "[A-Z{3}" } }
              |                                                   ^^^^^^^
              = why: patterns run on every write, in linear time and with RE2's syntax
        "#]],
        );
    }
}
