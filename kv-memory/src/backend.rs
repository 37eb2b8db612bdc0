use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnReply, WatchStream,
};
use tokio::task::coop;
use tokio::time::Instant;

use crate::options::MemoryOptions;
use crate::store::Store;
use crate::{page, txn, watch};

/// A client of a store in this process.
///
/// Clones are clients of the same store, which lives as long as one of them does. See the [crate] for what is
/// kept, and for how long.
#[derive(Clone)]
pub struct MemoryBackend {
    store: Arc<Store>,
}

impl MemoryBackend {
    /// The client of a new, empty store.
    pub fn new() -> Self {
        Self::with_options(MemoryOptions::default())
    }

    /// The client of a new, empty store that is set up like this.
    pub fn with_options(options: MemoryOptions) -> Self {
        Self { store: Arc::new(Store::new(options)) }
    }

    /// Forgets what the store held before `revision`. Older states can no longer be read and older changes no longer
    /// watched; both answer `Compacted`. The state at `revision` and all changes after it are kept.
    ///
    /// A revision that is compacted already changes nothing.
    ///
    /// # Errors
    ///
    /// `FutureRevision` when the revision does not exist yet; nothing is forgotten then.
    pub fn compact(&self, revision: Revision) -> Result<(), BackendError> {
        self.store.write().compact(revision)
    }

    /// The store, in turn with the other tasks of the runtime: no call here ever has to wait, so a loop around one
    /// would leave a single-threaded runtime's other tasks (watchers above all) no time.
    async fn store(&self) -> &Arc<Store> {
        coop::consume_budget().await;
        &self.store
    }
}

#[async_trait]
impl KvBackend for MemoryBackend {
    fn limits(&self) -> Limits {
        self.store.options.limits
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        request.range.check()?;
        page::range(&self.store().await.read(), &request)
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        txn.check(&self.limits())?;
        txn::run(self.store().await, txn)
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        let ttl = self.limits().granted_ttl(ttl)?;
        Ok(self.store().await.write().leases.grant(ttl, Instant::now()))
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.store().await.write().leases.renew(lease, Instant::now())
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.store().await.read().leases.time_to_live(lease, Instant::now())
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.store().await.write().end_lease(lease)
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        range.check()?;
        Ok(watch::stream(self.store().await, range, after))
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackend").field("options", &self.store.options).finish_non_exhaustive()
    }
}
