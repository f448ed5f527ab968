//! What a user is told, as text for a terminal and as JSON for a program.

mod json;
mod lines;
mod terminal;
#[cfg(test)]
mod tests;

pub use json::json;
pub use terminal::terminal;

use ir::Diagnostic;

/// Diagnostics in the order of the files and of the places in them; equal places keep their order.
pub fn in_order(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| (diagnostic.primary.span, diagnostic.code));
    sorted
}
