use std::fmt;
use std::num::NonZeroI64;
use std::time::Duration;

/// The name of a lease in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub NonZeroI64);

impl LeaseId {
    /// The lease with this number, or `None` for zero, which names no lease.
    pub fn new(id: i64) -> Option<Self> {
        NonZeroI64::new(id).map(Self)
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0.get()
    }
}

impl fmt::Display for LeaseId {
    /// Sixteen hexadecimal digits, as etcd's own tools write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A lease as it was granted: the keys attached to it are deleted when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// How long it runs unless it is renewed; at least what was asked for.
    pub ttl: Duration,
}
