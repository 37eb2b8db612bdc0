use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnReply, WatchStream,
};
use tokio::time::Instant;

use crate::store::Store;
use crate::watch;

/// A client of a store in this process. Clones are clients of the same store.
#[derive(Clone, Debug, Default)]
pub struct ExampleBackend {
    store: Arc<Mutex<Store>>,
}

impl ExampleBackend {
    /// Gives up all states before a revision that exists.
    pub fn compact(&self, revision: Revision) {
        let mut store = self.store();
        store.compacted = store.compacted.max(revision);
    }

    /// The store, for this caller alone, and without the leases whose time is over.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.expire();
        store
    }
}

#[async_trait]
impl KvBackend for ExampleBackend {
    fn limits(&self) -> Limits {
        Limits::ETCD_DEFAULTS.with_max_value_bytes(1 << 20).with_min_lease_ttl(Duration::from_secs(1))
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        request.range.check()?;
        self.store().page(&request)
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        txn.check(&self.limits())?;
        self.store().txn(txn)
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        self.store().grant(ttl.max(self.limits().min_lease_ttl))
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let mut store = self.store();
        let (ttl, end) = store.lease(lease)?;
        *end = Instant::now() + *ttl;
        Ok(*ttl)
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        Ok(self.store().lease(lease)?.1 - Instant::now())
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.store().end_lease(lease)
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        range.check()?;
        Ok(watch::stream(self.clone(), range, after))
    }
}
