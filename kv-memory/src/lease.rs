use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use storage_core::kv::{BackendError, Key, Lease, LeaseId};
use tokio::time::Instant;

/// The leases that run, and the keys attached to them.
///
/// Nothing ends a lease in the background: whoever looks at the store next ends those that are due.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    running: BTreeMap<LeaseId, Running>,
    /// One for each running lease.
    deadlines: BTreeSet<(Instant, LeaseId)>,
    granted: i64,
}

#[derive(Debug)]
struct Running {
    ttl: Duration,
    deadline: Instant,
    keys: BTreeSet<Key>,
}

impl Leases {
    /// Makes a lease with a TTL as [`Limits::granted_ttl`](storage_core::kv::Limits::granted_ttl) answers it.
    pub(crate) fn grant(&mut self, ttl: Duration, now: Instant) -> Lease {
        self.granted += 1;
        let id = LeaseId::new(self.granted).expect("counted from one");
        let deadline = now + ttl;
        self.running.insert(id, Running { ttl, deadline, keys: BTreeSet::new() });
        self.deadlines.insert((deadline, id));
        Lease { id, ttl }
    }

    /// Gives a lease its whole TTL again, and answers it.
    pub(crate) fn renew(&mut self, id: LeaseId, now: Instant) -> Result<Duration, BackendError> {
        let lease = self.running.get_mut(&id).ok_or_else(|| BackendError::lease_not_found(id))?;
        self.deadlines.remove(&(lease.deadline, id));
        lease.deadline = now + lease.ttl;
        self.deadlines.insert((lease.deadline, id));
        Ok(lease.ttl)
    }

    /// How long a lease still runs unless it is renewed.
    pub(crate) fn time_to_live(&self, id: LeaseId, now: Instant) -> Result<Duration, BackendError> {
        let lease = self.running.get(&id).ok_or_else(|| BackendError::lease_not_found(id))?;
        Ok(lease.deadline.saturating_duration_since(now))
    }

    /// Forgets a lease and answers the keys that were attached to it, for deletion.
    pub(crate) fn end(&mut self, id: LeaseId) -> Result<BTreeSet<Key>, BackendError> {
        let lease = self.running.remove(&id).ok_or_else(|| BackendError::lease_not_found(id))?;
        self.deadlines.remove(&(lease.deadline, id));
        Ok(lease.keys)
    }

    pub(crate) fn require(&self, id: LeaseId) -> Result<(), BackendError> {
        self.running.contains_key(&id).then_some(()).ok_or_else(|| BackendError::lease_not_found(id))
    }

    pub(crate) fn attach(&mut self, id: LeaseId, key: Key) {
        if let Some(lease) = self.running.get_mut(&id) {
            lease.keys.insert(key);
        }
    }

    pub(crate) fn detach(&mut self, id: LeaseId, key: &Key) {
        if let Some(lease) = self.running.get_mut(&id) {
            lease.keys.remove(key);
        }
    }

    /// When the next lease ends unless it is renewed.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The lease that ended first of those whose time is over.
    pub(crate) fn due(&self, now: Instant) -> Option<LeaseId> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }
}
