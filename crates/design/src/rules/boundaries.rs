//! What is one deployable unit, and what would leave first.

mod boundaries;
mod extraction;

rules!["boundaries": boundaries, extraction];
