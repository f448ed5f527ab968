//! Text to and from the nouns of `ir`: the only crate that knows syntax. Writing can't fail;
//! reading never stops at the first fault.

pub mod adr;
pub mod asyncapi;
pub mod cedar;
pub mod diagnostic;
pub mod document;
pub mod event_schema;
pub mod machine;
pub mod mermaid;
pub mod openapi;
pub mod published;
pub mod requirements;
pub mod seed;
pub mod sql;

mod bodies;
mod example;
mod files;
#[cfg(test)]
mod fixture;
mod tree;

pub use example::matching;
pub use files::write_architecture;
