//! The requirements file: read into [`ir::Model`], printed in its short form, described as a
//! JSON Schema.
//!
//! Text becomes a spanned tree (`tree`), the files of a directory one tree (`merge`), and the tree
//! a model by one table of constructs (`construct`), which also drives `fmt` and the schema.

mod belongs;
mod bytes;
mod construct;
mod environment;
pub mod expression;
pub(crate) mod faults;
mod form;
mod format;
#[cfg(test)]
mod hostile;
mod leaf;
mod merge;
mod names;
mod nearest;
mod notation;
mod phrase;
mod read;
mod scalars;
mod schema;
mod source;
pub(crate) mod tree;

pub use belongs::{belongs, names_system};
pub use bytes::sources_from_bytes;
pub use faults::PAGES;
pub use format::format;
pub use notation::{notation, topic, topics};
pub use read::{is_partial, read, read_with_environment};
pub use schema::json_schema;

/// Bytes of one file.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of all files of a directory.
pub const DIRECTORY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Files of a directory.
pub const DIRECTORY_FILES_MAX: usize = 1_000;
/// Mappings and lists inside each other.
pub const DEPTH_MAX: usize = 64;
/// Keys, scalars, mappings and lists of a model, all its files together: an ordinary resource has
/// about fifty.
pub const VALUES_MAX: usize = 200_000;
/// Bytes of one scalar.
pub const SCALAR_BYTES_MAX: usize = 16 * 1024;
/// Faults that are given for one model.
pub const FAULTS_MAX: usize = 200;
