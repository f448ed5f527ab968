//! design

pub mod lower;
