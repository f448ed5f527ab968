//! Cuts an expression into tokens.

use super::{Fault, refuse};
use crate::requirements::faults::bad_expression;
use crate::requirements::source::Slice;
use ir::Diagnostic;
use ir::expr::Operator;

/// A token and its bytes within the expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The kinds of token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Name(String),
    /// Digits without `_`; at most 28.
    Int(i128),
    Decimal {
        digits: i128,
        scale: u8,
    },
    Text(String),
    Operator(Operator),
    /// The word `not`.
    Not,
    /// The sign `!`.
    Bang,
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Dot,
    End,
}

/// Digits of a number, before and after its point.
const DIGITS_MAX: usize = 28;

/// All tokens, the last of them [`Kind::End`].
pub(super) fn tokens(slice: Slice<'_>) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { slice, at: 0, tokens: Vec::new() };
    while lexer.token()? {}
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    slice: Slice<'t>,
    at: usize,
    tokens: Vec<Token>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.slice.text[self.at..]
    }

    /// Reads one token; false at the end.
    fn token(&mut self) -> Result<bool, Fault> {
        let blank = self.rest().len() - self.rest().trim_start().len();
        self.at += blank;
        let Some(c) = self.rest().chars().next() else {
            self.push(Kind::End, 0);
            return Ok(false);
        };
        match c {
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            '0'..='9' => self.number()?,
            '\'' | '"' => self.text(c)?,
            _ => self.sign(c)?,
        }
        Ok(true)
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let start = self.at;
        self.at += length;
        self.tokens.push(Token { kind, start, end: self.at });
    }

    fn fault(&self, length: usize, message: &str) -> Diagnostic {
        bad_expression::at(self.slice.span_of(self.at, self.at + length), message)
    }

    fn word(&mut self) {
        let rest = self.rest();
        let word = &rest[..name_length(rest)];
        let kind = match word {
            "and" => Kind::Operator(Operator::And),
            "or" => Kind::Operator(Operator::Or),
            "in" => Kind::Operator(Operator::In),
            "not" => Kind::Not,
            _ => Kind::Name(word.to_owned()),
        };
        self.push(kind, word.len());
    }

    fn number(&mut self) -> Result<(), Fault> {
        let rest = self.rest();
        let digits_end = |from: usize| {
            let more = rest[from..].bytes().take_while(|b| b.is_ascii_digit() || *b == b'_');
            from + more.count()
        };
        let mut end = digits_end(0);
        let mut scale = 0;
        if rest[end..].starts_with('.') && rest[end + 1..].starts_with(|c: char| c.is_ascii_digit())
        {
            let point = end;
            end = digits_end(point + 1);
            scale = rest[point + 1..end].bytes().filter(u8::is_ascii_digit).count();
        }
        let unit = name_length(&rest[end..]);
        if unit > 0 {
            let whole = &rest[..end + unit];
            let fault = self.fault(end + unit, &format!("`{whole}` is no number"));
            return refuse(
                fault.help(format!("a length of time is written `duration('{whole}')`")),
            );
        }
        if rest[..end].ends_with('_') || rest[..end].contains("__") {
            return refuse(self.fault(end, "`_` stands between two digits of a number"));
        }
        let digits: String = rest[..end].chars().filter(char::is_ascii_digit).collect();
        if digits.trim_start_matches('0').len() > DIGITS_MAX || scale > DIGITS_MAX {
            let text = format!("a number has at most {DIGITS_MAX} digits");
            return refuse(self.fault(end, &text));
        }
        let digits = digits.parse().expect("at most 28 digits fit");
        let kind = match u8::try_from(scale) {
            Ok(scale) if scale > 0 => Kind::Decimal { digits, scale },
            _ => Kind::Int(digits),
        };
        self.push(kind, end);
        Ok(())
    }

    fn text(&mut self, quote: char) -> Result<(), Fault> {
        let rest = self.rest();
        let mut value = String::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.push(Kind::Text(value), at + 1);
                    return Ok(());
                }
                '\\' => {
                    match chars.next().map(|(_, escaped)| escaped) {
                        Some('n') => value.push('\n'),
                        Some('t') => value.push('\t'),
                        Some('r') => value.push('\r'),
                        Some(same @ ('\\' | '\'' | '"')) => value.push(same),
                        Some(other) => {
                            let start = self.at + at;
                            let span = self.slice.span_of(start, start + 1 + other.len_utf8());
                            let message = format!("`\\{other}` is no escape");
                            let fault = bad_expression::at(span, &message);
                            return refuse(fault.help(format!(
                                "a backslash itself is written twice: `\\\\{other}`"
                            )));
                        }
                        None => break,
                    }
                }
                c => value.push(c),
            }
        }
        let fault = self.fault(rest.len(), &format!("this text has no closing {quote}"));
        refuse(fault.label("begins here"))
    }

    fn sign(&mut self, c: char) -> Result<(), Fault> {
        const SIGNS: [(&str, Kind); 19] = [
            ("||", Kind::Operator(Operator::Or)),
            ("&&", Kind::Operator(Operator::And)),
            ("==", Kind::Operator(Operator::Equal)),
            ("!=", Kind::Operator(Operator::NotEqual)),
            ("<=", Kind::Operator(Operator::LessEqual)),
            (">=", Kind::Operator(Operator::GreaterEqual)),
            ("<", Kind::Operator(Operator::Less)),
            (">", Kind::Operator(Operator::Greater)),
            ("+", Kind::Operator(Operator::Add)),
            ("-", Kind::Operator(Operator::Subtract)),
            ("*", Kind::Operator(Operator::Multiply)),
            ("/", Kind::Operator(Operator::Divide)),
            ("%", Kind::Operator(Operator::Remainder)),
            ("!", Kind::Bang),
            ("(", Kind::Open),
            (")", Kind::Close),
            ("[", Kind::OpenList),
            ("]", Kind::CloseList),
            (",", Kind::Comma),
        ];
        if c == '.' {
            self.push(Kind::Dot, 1);
            return Ok(());
        }
        let rest = self.rest();
        if let Some((sign, kind)) = SIGNS.into_iter().find(|(sign, _)| rest.starts_with(sign)) {
            self.push(kind, sign.len());
            return Ok(());
        }
        if let Some((_, right)) =
            [("=>", ">="), ("=<", "<=")].iter().find(|(wrong, _)| rest.starts_with(wrong))
        {
            let wrong = &rest[..2];
            let fault = self.fault(2, &format!("`{wrong}` has no meaning in an expression"));
            return refuse(fault.help(format!("write `{right}`")).fix(*right));
        }
        let fault = self.fault(c.len_utf8(), &format!("`{c}` has no meaning in an expression"));
        refuse(match c {
            '=' => fault.help("equality is written `==`").fix("=="),
            '&' => fault.help("both of two conditions are written `a && b`").fix("&&"),
            '|' => fault.help("either of two conditions is written `a || b`").fix("||"),
            '?' | ':' => fault.help("a choice is written `if(condition, then, otherwise)`"),
            '{' | '}' => fault.help("there are no maps in expressions"),
            _ => fault,
        })
    }
}

/// Bytes of the name that a text begins with.
pub(super) fn name_length(text: &str) -> usize {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.bytes().take_while(|b| is_name(*b)).count()
}
