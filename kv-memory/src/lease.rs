use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use storage_core::kv::{BackendError, Key, Lease, LeaseId};
use tokio::time::Instant;

use crate::error;

/// The longest lease in seconds: etcd's, some 285 years.
const LONGEST_TTL: u64 = 9_000_000_000;

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
    /// Makes a lease with a TTL as [`granted_ttl`] answers it.
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
        let lease = self.running.get_mut(&id).ok_or_else(|| error::lease_not_found(id))?;
        self.deadlines.remove(&(lease.deadline, id));
        lease.deadline = now + lease.ttl;
        self.deadlines.insert((lease.deadline, id));
        Ok(lease.ttl)
    }

    /// How long a lease still runs unless it is renewed.
    pub(crate) fn time_to_live(&self, id: LeaseId, now: Instant) -> Result<Duration, BackendError> {
        let lease = self.running.get(&id).ok_or_else(|| error::lease_not_found(id))?;
        Ok(lease.deadline.saturating_duration_since(now))
    }

    /// Forgets a lease and answers the keys that were attached to it, for deletion.
    pub(crate) fn end(&mut self, id: LeaseId) -> Result<BTreeSet<Key>, BackendError> {
        let lease = self.running.remove(&id).ok_or_else(|| error::lease_not_found(id))?;
        self.deadlines.remove(&(lease.deadline, id));
        Ok(lease.keys)
    }

    pub(crate) fn require(&self, id: LeaseId) -> Result<(), BackendError> {
        self.running.contains_key(&id).then_some(()).ok_or_else(|| error::lease_not_found(id))
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

/// The TTL to grant where this one is asked for: whole seconds, at least one, and not below the shortest.
pub(crate) fn granted_ttl(asked: Duration, shortest: Duration) -> Result<Duration, BackendError> {
    let ttl = asked.max(shortest);
    let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)).max(1);
    if seconds > LONGEST_TTL {
        return Err(error::ttl_too_large(seconds, LONGEST_TTL));
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage_core::kv::BackendErrorKind;

    #[test]
    fn a_ttl_is_rounded_up_to_seconds_and_raised_to_the_shortest() {
        let granted = |asked, shortest| granted_ttl(asked, shortest).unwrap();
        let (ms, secs) = (Duration::from_millis, Duration::from_secs);
        assert_eq!(granted(secs(5), secs(1)), secs(5));
        assert_eq!(granted(ms(5_001), secs(1)), secs(6));
        assert_eq!(granted(ms(300), secs(10)), secs(10));
        assert_eq!(granted(ms(300), ms(2_500)), secs(3));
        assert_eq!(granted(Duration::ZERO, Duration::ZERO), secs(1));
    }

    #[test]
    fn a_ttl_that_no_clock_can_hold_is_refused() {
        assert!(granted_ttl(Duration::from_secs(LONGEST_TTL), Duration::ZERO).is_ok());
        for ttl in [Duration::from_secs(LONGEST_TTL) + Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(granted_ttl(ttl, Duration::ZERO).unwrap_err().kind(), BackendErrorKind::TooLarge);
        }
    }
}
