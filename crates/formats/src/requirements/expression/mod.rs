//! The expression language of conditions, guards and computed fields: CEL's syntax on the common
//! part, read into [`ir::expr::Tree`] with the place of every node.
//!
//! From the loosest to the tightest: `||` or `or` · `&&` or `and` · `not x` · `== != < <= > >= in`
//! (which do not chain) · `+ -` · `* / %` · `-x` and `!x` · calls and members. The word `not` takes
//! the whole comparison after it, as in SQL; the sign `!` only the operand, as in CEL.

mod lexer;
mod parser;
mod print;
#[cfg(test)]
mod tests;

pub use print::print;

use super::source::{Offsets, Slice};
use ir::expr::Expression;
use ir::{Diagnostic, Span};

/// Bytes of one expression.
pub const EXPRESSION_BYTES_MAX: usize = 4_096;
/// Operators that may stand above each other in the tree, whatever the order of writing; keeps
/// every later walk over the tree within a small stack.
pub const EXPRESSION_HEIGHT_MAX: usize = 64;

/// Boxed, for a diagnostic is larger than what is read.
type Fault = Box<Diagnostic>;

fn refuse<T>(fault: Diagnostic) -> Result<T, Fault> {
    Err(Box::new(fault))
}

/// Reads an expression that stands at `at`, byte for byte.
///
/// # Errors
/// The first fault of the text, `E015` or `E016`, at its place.
pub fn parse(text: &str, at: Span) -> Result<Expression, Box<Diagnostic>> {
    let offsets = Offsets::Shift(at.start);
    parse_slice(Slice::new(text, at.file, &offsets))
}

/// Reads an expression that is part of a scalar.
pub(crate) fn parse_slice(slice: Slice<'_>) -> Result<Expression, Fault> {
    let slice = slice.trim();
    let tree = parser::parse(slice)?;
    Ok(Expression { text: slice.text.to_owned(), span: slice.span(), tree })
}
