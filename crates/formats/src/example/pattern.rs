//! A text that matches a pattern: for the plain parts of RE2's syntax.

/// Copies that open repetitions are tried with.
const COPIES_MAX: usize = 64;
/// Groups inside each other.
const DEPTH_MAX: u8 = 16;

/// A text of at least `min` and at most `max` characters that the whole pattern matches, another
/// one for each number as far as the pattern has room; none where the pattern uses what is not
/// understood here.
pub fn matching(pattern: &str, min: usize, max: usize, number: u64) -> Option<Box<str>> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut reader = Reader { letters: &letters, at: 0 };
    let tree = reader.either(0)?;
    if reader.at != letters.len() {
        return None;
    }
    let texts = || {
        (0..=COPIES_MAX).filter_map(|copies| {
            let mut writer = Writer { slots: Vec::new(), number, copies };
            tree.write(&mut writer);
            let length = writer.slots.len();
            (length >= min && length <= max && length > 0).then(|| writer.text())
        })
    };
    let distinct = texts().find(|(_, left)| *left == 0);
    distinct.or_else(|| texts().next()).map(|(text, _)| text)
}

enum Part {
    /// One of these letters.
    Class(Vec<char>),
    /// In order.
    All(Vec<Part>),
    /// One of these.
    Any(Vec<Part>),
    /// Between so many and so many times.
    Times(Box<Part>, usize, usize),
}

/// What a text is made of before its letters are chosen.
struct Writer<'a> {
    slots: Vec<&'a [char]>,
    /// What is left of the number: branches and letters are its digits.
    number: u64,
    copies: usize,
}

impl Writer<'_> {
    /// The text, and what of the number found no place in it.
    fn text(mut self) -> (Box<str>, u64) {
        let mut letters = Vec::with_capacity(self.slots.len());
        for (at, class) in self.slots.iter().enumerate().rev() {
            let digit = digit(&mut self.number, class.len());
            letters.push(class[(at + digit) % class.len()]);
        }
        (letters.into_iter().rev().collect::<String>().into_boxed_str(), self.number)
    }
}

/// The next digit of a number, where there are so many.
fn digit(number: &mut u64, many: usize) -> usize {
    let many = many.max(1) as u64;
    let digit = *number % many;
    *number /= many;
    usize::try_from(digit).unwrap_or(0)
}

impl Part {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        match self {
            Self::Class(letters) => to.slots.push(letters),
            Self::All(parts) => parts.iter().for_each(|part| part.write(to)),
            Self::Any(parts) => {
                let picked = digit(&mut to.number, parts.len());
                parts[picked].write(to);
            }
            Self::Times(part, least, most) => {
                for _ in 0..to.copies.clamp(*least, *most) {
                    part.write(to);
                }
            }
        }
    }
}

struct Reader<'a> {
    letters: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    fn eat(&mut self, letter: char) -> bool {
        let found = self.peek() == Some(letter);
        self.at += usize::from(found);
        found
    }

    fn either(&mut self, depth: u8) -> Option<Part> {
        let first = self.sequence(depth)?;
        let mut branches = vec![first];
        while self.eat('|') {
            branches.push(self.sequence(depth)?);
        }
        Some(if branches.len() == 1 { branches.remove(0) } else { Part::Any(branches) })
    }

    fn sequence(&mut self, depth: u8) -> Option<Part> {
        let mut parts = Vec::new();
        while let Some(letter) = self.peek() {
            if letter == '|' || letter == ')' {
                break;
            }
            self.at += 1;
            let part = match letter {
                '^' | '$' => continue,
                '(' if depth < DEPTH_MAX => {
                    if self.eat('?') && !self.eat(':') {
                        return None;
                    }
                    let inner = self.either(depth + 1)?;
                    if !self.eat(')') {
                        return None;
                    }
                    inner
                }
                '(' | '*' | '+' | '?' | '{' => return None,
                '[' => self.class()?,
                '\\' => Part::Class(self.escaped()?),
                '.' => Part::Class(vec!['a']),
                letter => Part::Class(vec![letter]),
            };
            parts.push(self.repeated(part)?);
        }
        Some(Part::All(parts))
    }

    fn repeated(&mut self, part: Part) -> Option<Part> {
        let (least, most) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => {
                self.at += 1;
                let least = self.number()?;
                let most = match self.next()? {
                    '}' => return Some(Part::Times(Box::new(part), least, least)),
                    ',' if self.peek() == Some('}') => usize::MAX,
                    ',' => self.number()?,
                    _ => return None,
                };
                (least, most)
            }
            _ => return Some(part),
        };
        self.at += 1;
        self.eat('?');
        (least <= most).then(|| Part::Times(Box::new(part), least, most))
    }

    fn number(&mut self) -> Option<usize> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        digits.parse().ok().filter(|number| *number <= 10_000)
    }

    fn escaped(&mut self) -> Option<Vec<char>> {
        Some(match self.next()? {
            'd' => ('0'..='9').collect(),
            'w' => ('a'..='z').collect(),
            's' => vec![' '],
            letter if letter.is_ascii_alphanumeric() => return None,
            letter => vec![letter],
        })
    }

    fn class(&mut self) -> Option<Part> {
        let negated = self.eat('^');
        let mut letters = Vec::new();
        let mut first = true;
        loop {
            let letter = self.next()?;
            match letter {
                ']' if !first => break,
                '[' => return None,
                '\\' => letters.extend(self.escaped()?),
                from if self.peek() == Some('-') && self.letters.get(self.at + 1) != Some(&']') => {
                    self.at += 1;
                    let to = self.next()?;
                    letters.extend((from..=to).take(64));
                }
                letter => letters.push(letter),
            }
            first = false;
        }
        if negated {
            letters =
                ['a', '0', '-', 'Z', ' '].into_iter().filter(|c| !letters.contains(c)).collect();
        }
        let mut seen = std::collections::BTreeSet::new();
        letters.retain(|letter| seen.insert(*letter));
        (!letters.is_empty()).then_some(Part::Class(letters))
    }
}

#[cfg(test)]
mod tests {
    use super::matching;

    #[test]
    fn plain_patterns_get_a_text_within_the_bounds() {
        let made = [
            ("[A-Z]{3}-[0-9]{4}", 0, 99),
            ("(?:draft|open)\\.x?", 0, 99),
            ("^[a-z0-9]+(-[a-z0-9]+)*$", 5, 9),
            ("\\d{2,4}", 4, 4),
        ]
        .map(|(pattern, min, max)| matching(pattern, min, max, 0));
        let texts: Vec<&str> = made.iter().map(|text| text.as_deref().unwrap_or("none")).collect();
        assert_eq!(texts, ["ABC-4567", "draft.", "ab-de-gh", "0123"]);
    }

    #[test]
    fn each_number_has_a_text_of_its_own_as_far_as_there_is_room() {
        for (pattern, room) in
            [("[A-Z]{3}-[0-9]{4}", 5_000), ("[a-z]+", 5_000), ("red|green|x[12]", 3), ("abc", 1)]
        {
            let made = (0..room).filter_map(|number| matching(pattern, 1, 40, number));
            let different: std::collections::BTreeSet<_> = made.collect();
            assert_eq!(different.len() as u64, room, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_understood_or_cannot_fit_gets_none() {
        for pattern in ["(?i)a", "\\p{L}", "[[:alpha:]]", "a{", "abc"] {
            assert_eq!(matching(pattern, 0, 2, 0), None, "{pattern}");
        }
    }
}
