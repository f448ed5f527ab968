//! From what was asked to what is decided: [`check`] tells every fault of meaning and is the only
//! maker of a valid model, [`lower`] resolves it, [`design()`] makes an architecture of it by the
//! rules in [`rules`].

pub mod capacity;
pub mod catalog;
pub mod check;
pub mod compatibility;
mod design;
pub mod draft;
pub mod lower;
pub mod migrate;
pub mod naming;
pub mod rules;
pub mod stages;
#[cfg(test)]
pub(crate) mod tests;

pub use catalog::Catalog;
pub use design::{design, design_to_run, design_with};
