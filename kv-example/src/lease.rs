use std::time::Duration;

use storage_core::kv::{BackendError, BackendErrorKind, KeyRange, Lease, LeaseId, Op};
use tokio::time::Instant;

use crate::store::Store;

impl Store {
    pub(crate) fn grant(&mut self, ttl: Duration) -> Result<Lease, BackendError> {
        let too_long = || BackendError::new(BackendErrorKind::TooLarge, "a TTL that no clock can hold");
        let end = Instant::now().checked_add(ttl).ok_or_else(too_long)?;
        self.granted += 1;
        let id = LeaseId::new(self.granted).expect("counted from one");
        self.leases.insert(id, (ttl, end));
        Ok(Lease { id, ttl })
    }

    pub(crate) fn lease(&mut self, id: LeaseId) -> Result<&mut (Duration, Instant), BackendError> {
        self.leases.get_mut(&id).ok_or_else(|| BackendError::lease_not_found(id))
    }

    /// Ends a lease: its keys are deleted, in one revision.
    pub(crate) fn end_lease(&mut self, id: LeaseId) -> Result<(), BackendError> {
        self.lease(id)?;
        self.leases.remove(&id);
        let all = self.entries(&KeyRange::prefix(""), self.newest());
        let leased = all.filter(|entry| entry.lease == Some(id));
        self.change(leased.map(|entry| Op::Delete(entry.key.clone())).collect());
        Ok(())
    }

    /// Ends the leases whose time is over, and answers when the next one ends.
    pub(crate) fn expire(&mut self) -> Option<Instant> {
        loop {
            let (end, id) = self.leases.iter().map(|(id, (_, end))| (*end, *id)).min()?;
            if end > Instant::now() {
                return Some(end);
            }
            self.end_lease(id).expect("it is running");
        }
    }
}
