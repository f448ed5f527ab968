//! Short forms: one text becomes the same keys and values that the long form has, and back.

use super::construct::{Phrase, Takes, Word};
use super::faults::unknown_word;
use super::source::Slice;
use ir::{Diagnostic, Span};

/// A key of the construct and the part of the text that is its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'t> {
    pub(crate) key: &'static str,
    pub(crate) value: Slice<'t>,
    /// The whole of it, with the word that names the key.
    pub(crate) span: Span,
}

/// Reads a text as a short form; `place` names the element for messages.
pub(crate) fn read<'t>(
    phrase: &'static Phrase,
    text: Slice<'t>,
    place: &dyn Fn() -> String,
    faults: &mut Vec<Diagnostic>,
) -> Vec<Part<'t>> {
    let text = text.trim();
    let tokens = tokens(phrase, text);
    let mut reading = Reading { place, phrase, text, tokens, at: 0, parts: Vec::new(), faults };
    reading.heads();
    while reading.at < reading.tokens.len() {
        reading.word();
    }
    reading.parts
}

/// A word of the text: its bytes, a comma at its end left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token {
    start: usize,
    end: usize,
}

/// Words between white space; what stands in quotes, and signs such as `->`, are words too.
fn tokens(phrase: &Phrase, text: Slice<'_>) -> Vec<Token> {
    let signs = phrase.words.iter().filter(|word| !word.text.starts_with(char::is_alphabetic));
    let signs: Vec<&str> = signs.map(|word| word.text).filter(|sign| sign.len() > 1).collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(start) = text.text[at..].find(|c: char| !c.is_whitespace()).map(|n| at + n) {
        let rest = &text.text[start..];
        let sign = signs.iter().find(|sign| rest.starts_with(**sign));
        let length = match (sign, rest.chars().next()) {
            (Some(sign), _) => sign.len(),
            (None, Some(quote @ ('"' | '\''))) => {
                rest[1..].find(quote).map_or(rest.len(), |end| end + 2)
            }
            (None, _) => {
                let blank = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let next_sign = signs.iter().filter_map(|sign| rest.find(sign)).min();
                blank.min(next_sign.unwrap_or(blank))
            }
        };
        at = start + length;
        let end = if text.text[start..at].ends_with(',') && length > 1 { at - 1 } else { at };
        tokens.push(Token { start, end });
    }
    tokens
}

struct Reading<'t, 'f> {
    place: &'f dyn Fn() -> String,
    phrase: &'static Phrase,
    text: Slice<'t>,
    tokens: Vec<Token>,
    at: usize,
    parts: Vec<Part<'t>>,
    faults: &'f mut Vec<Diagnostic>,
}

impl<'t> Reading<'t, '_> {
    fn token(&self, at: usize) -> &'t str {
        self.tokens.get(at).map_or("", |token| &self.text.text[token.start..token.end])
    }

    /// The known word that begins at that token: the longest that fits.
    fn known(&self, at: usize) -> Option<&'static Word> {
        let fits = |word: &&Word| {
            let words = word.text.split(' ').enumerate();
            words.clone().all(|(offset, part)| self.token(at + offset) == part)
        };
        self.phrase.words.iter().filter(fits).max_by_key(|word| word.text.len())
    }

    /// Tokens `from..to` as a part of the text.
    fn slice(&self, from: usize, to: usize) -> Slice<'t> {
        let start = self.tokens[from].start;
        self.text.part(start, self.tokens[to.max(from + 1) - 1].end)
    }

    fn heads(&mut self) {
        let last = self.phrase.heads.len() - 1;
        for (position, (key, takes)) in self.phrase.heads.iter().enumerate() {
            if self.at >= self.tokens.len() || (position > 0 && self.known(self.at).is_some()) {
                return;
            }
            if position == 0 && self.known(self.at).is_some() && self.tokens.len() > 1 {
                return;
            }
            let end = match takes {
                Takes::Words if position == last => self.words_end(self.at),
                Takes::Words | Takes::One | Takes::Nothing | Takes::Rest => self.one_end(self.at),
            };
            self.put(key, self.slice(self.at, end), self.at, end);
            self.at = end;
        }
    }

    /// One past the token at `from` and those that are joined to it.
    fn one_end(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            let (here, next) = (self.token(at), self.token(at + 1));
            let is_currency = next.len() == 3 && next.bytes().all(|b| b.is_ascii_uppercase());
            let joined = match here {
                "of" | "list" | "actor" | "many" => !next.is_empty() && at - from < 6,
                "money" => is_currency,
                _ => here.ends_with('|') && !next.is_empty(),
            };
            if !joined && !next.starts_with('|') {
                return at + 1;
            }
            at += 1;
        }
    }

    /// The first token at or after `from` with a known word, or the end.
    fn words_end(&self, from: usize) -> usize {
        let rest = from + 1..self.tokens.len();
        rest.into_iter().find(|at| self.known(*at).is_some()).unwrap_or(self.tokens.len())
    }

    /// Where an expression ends: before known words with their values that stand at the very end.
    fn rest_end(&self, from: usize) -> usize {
        let mut end = self.tokens.len();
        while end >= from + 3 {
            let tail = self.known(end - 2).filter(|word| word.takes == Takes::One);
            let pair = self.known(end - 3).filter(|word| word.takes == Takes::One);
            match (tail, pair) {
                (Some(word), _) if !word.text.contains(' ') => end -= 2,
                (_, Some(word)) if word.text.contains(' ') && end >= from + 4 => end -= 3,
                _ => break,
            }
        }
        end
    }

    fn word(&mut self) {
        let from = self.at;
        let Some(word) = self.known(from) else {
            return self.bare_word();
        };
        let first = from + word.text.split(' ').count();
        let end = match word.takes {
            Takes::Nothing => first,
            Takes::One => self.one_end(first),
            Takes::Words => self.words_end(first),
            Takes::Rest => self.rest_end(first),
        };
        if word.takes == Takes::Nothing {
            self.put(word.key, self.slice(from, first), from, first);
        } else if first >= self.tokens.len() || end <= first {
            let example = self.phrase.examples.iter().find(|text| text.contains(word.text));
            let example = example.or(self.phrase.examples.first()).unwrap_or(&"");
            let span = self.slice(from, first).span();
            self.faults.push(unknown_word::bare(span, word.text, example));
        } else {
            self.put(word.key, self.slice(first, end), from, end);
        }
        self.at = end.max(first);
    }

    /// A range, or a word that nobody knows.
    fn bare_word(&mut self) {
        let from = self.at;
        self.at += 1;
        let slice = self.slice(from, from + 1);
        if self.phrase.range
            && let Some((low, high)) = slice.split_once("..")
        {
            self.put("min", low, from, from + 1);
            self.put("max", high, from, from + 1);
            return;
        }
        let known = self.phrase.words.iter().map(|word| word.text);
        self.faults.push(unknown_word::at(slice.span(), slice.text, &(self.place)(), known));
        while self.at < self.tokens.len() && self.known(self.at).is_none() {
            self.at += 1;
        }
    }

    fn put(&mut self, key: &'static str, value: Slice<'t>, from: usize, to: usize) {
        let span = self.slice(from, to).span();
        if let Some(first) = self.parts.iter().find(|part| part.key == key) {
            self.faults.push(unknown_word::twice(span, key, first.span));
            return;
        }
        self.parts.push(Part { key, value, span });
    }
}

/// Prints keys and values in the short form, in the order given; `None` where it can't hold them.
pub(crate) fn print(phrase: &Phrase, values: &[(&str, String)]) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    let value_of = |key: &str| values.iter().find(|(of, _)| *of == key).map(|(_, text)| text);
    for (position, (key, _)) in phrase.heads.iter().enumerate() {
        match value_of(key) {
            Some(text) => words.push(text.clone()),
            None if position == 0 => return None,
            None => break,
        }
    }
    let range = phrase.range.then(|| Some((value_of("min")?, value_of("max")?))).flatten();
    let mut rests: Vec<String> = Vec::new();
    let mut tails: Vec<String> = Vec::new();
    for (key, text) in values {
        if phrase.heads.iter().any(|(head, _)| head == key) {
            continue;
        }
        if let Some((low, high)) = range.filter(|_| matches!(*key, "min" | "max")) {
            if *key == "min" {
                words.push(format!("{low}..{high}"));
            }
            continue;
        }
        let word = phrase.words.iter().find(|word| word.key == *key)?;
        let has_rest = phrase.words.iter().any(|other| {
            other.takes == Takes::Rest && values.iter().any(|(key, _)| *key == other.key)
        });
        if let (true, Some(last)) = (word.comma, words.last_mut()) {
            last.push(',');
        }
        match word.takes {
            Takes::Nothing if text == "true" => words.push(word.text.to_owned()),
            Takes::Nothing => return None,
            Takes::Rest => rests.push(format!("{} {text}", word.text)),
            Takes::One if word.key == "at" && has_rest => tails.push(format!("at {text}")),
            Takes::One | Takes::Words => words.push(format!("{} {text}", word.text)),
        }
    }
    words.extend(rests);
    words.extend(tails);
    Some(words.join(" "))
}
