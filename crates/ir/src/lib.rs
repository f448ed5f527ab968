//! The nouns of Mainstay: what was asked ([`model`]), what was decided ([`architecture`]) and what
//! was found wrong ([`diagnostic`]). No logic lives here but the invariants of the types.
//!
//! A value flows one way: text → [`model::Model`] → [`architecture::Architecture`] → everything
//! else.

pub mod architecture;
pub mod contract;
pub mod decision;
pub mod demand;
pub mod diagnostic;
pub mod domain;
pub mod expr;
pub mod migration;
pub mod model;
pub mod quantity;
pub mod schema;
pub mod source;
pub mod valid;
pub mod value;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use model::Model;
pub use source::{Name, Sources, Span, Spanned};
pub use valid::Valid;
