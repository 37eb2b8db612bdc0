use std::time::Duration;

use super::{BackendError, BackendErrorKind};

/// The longest lease in seconds: etcd's, some 285 years.
const LONGEST_TTL: u64 = 9_000_000_000;

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

    /// The TTL to grant where this one is asked for, as etcd grants it: whole seconds, at least one, and not below the
    /// shortest.
    ///
    /// # Errors
    ///
    /// `TooLarge` beyond 9,000,000,000 seconds, which are some 285 years.
    pub fn granted_ttl(&self, asked: Duration) -> Result<Duration, BackendError> {
        let ttl = asked.max(self.min_lease_ttl);
        let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)).max(1);
        if seconds > LONGEST_TTL {
            let message = format!("ttl in seconds: {seconds}, at most {LONGEST_TTL}");
            return Err(BackendError::new(BackendErrorKind::TooLarge, message));
        }
        Ok(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(asked: Duration, shortest: Duration) -> Result<Duration, BackendError> {
        Limits::ETCD_DEFAULTS.with_min_lease_ttl(shortest).granted_ttl(asked)
    }

    #[test]
    fn a_ttl_is_rounded_up_to_seconds_and_raised_to_the_shortest() {
        let (ms, secs) = (Duration::from_millis, Duration::from_secs);
        for (asked, shortest, expected) in [
            (secs(5), secs(1), secs(5)),
            (ms(5_001), secs(1), secs(6)),
            (ms(300), secs(10), secs(10)),
            (ms(300), ms(2_500), secs(3)),
            (Duration::ZERO, Duration::ZERO, secs(1)),
        ] {
            assert_eq!(granted(asked, shortest).unwrap(), expected, "{asked:?}, {shortest:?}");
        }
    }

    #[test]
    fn a_ttl_that_no_clock_can_hold_is_refused() {
        assert!(granted(Duration::from_secs(LONGEST_TTL), Duration::ZERO).is_ok());
        for ttl in [Duration::from_secs(LONGEST_TTL) + Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(granted(ttl, Duration::ZERO).unwrap_err().kind(), BackendErrorKind::TooLarge);
        }
    }
}
