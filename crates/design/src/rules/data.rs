//! How it is stored.

mod cache;
mod counters;
mod database;
mod exclusion;
mod identifiers;
mod indexes;
mod partitioning;
mod read_models;
mod retention;
mod search;
mod storage;
mod tenancy;

pub(super) use storage::{differing, differs};
pub(crate) use tenancy::{isolation, pinned_isolation};

rules!["data":
    database, tenancy, identifiers, indexes, storage, partitioning, retention, cache, counters,
    search, exclusion, read_models,
];
