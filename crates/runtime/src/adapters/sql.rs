//! SQL that no dialect owns: statements of a schema, conditions of expressions, pages of lists.
//!
//! Text is made once per table when the plan is built; the text of a list is made per call from
//! its shape alone (values are parameters), so that stores can keep prepared statements by text.
//! What needs exact arithmetic is a call of a function `mainstay_…` that each store brings along.

pub mod compare;
pub mod condition;
pub mod demand;
pub mod dialect;
pub(crate) mod events;
pub(crate) mod journal;
pub mod list;
pub mod plan;
pub mod shape;
pub mod term;
pub(crate) mod transfer;

#[cfg(test)]
mod tests;
