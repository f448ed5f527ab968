//! Metrics for Prometheus.

/// An operation as metrics and the log know it: index in the registry of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub(crate) u16);

impl OperationId {
    /// What belongs to no operation of the contract: 404, broken requests.
    pub const OTHER: Self = Self(0);
}
