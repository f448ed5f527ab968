//! What the API promises its callers.

mod concurrency;
mod errors;
mod idempotency;
mod limits;
mod pagination;
mod protocols;
mod versioning;

rules!["contracts": protocols, versioning, pagination, errors, idempotency, concurrency, limits];
