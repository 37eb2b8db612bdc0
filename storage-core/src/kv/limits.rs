use std::time::Duration;

/// The numbers in which backends differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most compares, the most operations and the most reads of the other branch in a transaction (each list
    /// counts for itself).
    pub max_txn_ops: usize,
    /// The largest value in bytes.
    pub max_value_bytes: usize,
    /// The largest transaction in bytes, as [`Txn::request_bytes`](super::Txn::request_bytes) counts it.
    pub max_request_bytes: usize,
    /// The shortest lease; a shorter one asked for is granted with this TTL.
    pub min_lease_ttl: Duration,
}

impl Limits {
    /// What etcd allows with its default settings: 128 operations, requests of 1.5 MiB, leases from two seconds.
    ///
    /// The in-process backend has the same limits, so that a test on it refuses what production would refuse.
    pub const ETCD_DEFAULTS: Self = Self {
        max_txn_ops: 128,
        max_value_bytes: 1_572_864,
        max_request_bytes: 1_572_864,
        min_lease_ttl: Duration::from_secs(2),
    };

    /// These limits with another number of operations per transaction.
    pub const fn with_max_txn_ops(mut self, ops: usize) -> Self {
        self.max_txn_ops = ops;
        self
    }

    /// These limits with another largest value, in bytes.
    pub const fn with_max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// These limits with another largest transaction, in bytes.
    pub const fn with_max_request_bytes(mut self, bytes: usize) -> Self {
        self.max_request_bytes = bytes;
        self
    }

    /// These limits with another shortest lease.
    pub const fn with_min_lease_ttl(mut self, ttl: Duration) -> Self {
        self.min_lease_ttl = ttl;
        self
    }
}
