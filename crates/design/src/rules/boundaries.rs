//! What is one deployable unit, and what would leave first.

mod extraction;
mod units;

rules!["boundaries": units, extraction];
