//! The verbs: one file each, one function each, which returns data and prints nothing.

pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod export;
