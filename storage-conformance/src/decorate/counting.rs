use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnReply, WatchStream,
};

/// Counts the calls that reach a backend, and does nothing else.
///
/// A call counts when it is made, whether or not it succeeds or is waited for. [`limits`](KvBackend::limits) costs
/// nothing and is not counted.
#[derive(Debug, Default)]
pub struct Counting<B> {
    backend: B,
    range: AtomicU64,
    txn: AtomicU64,
    grant: AtomicU64,
    keep_alive: AtomicU64,
    time_to_live: AtomicU64,
    revoke: AtomicU64,
    watch: AtomicU64,
}

/// How many calls of each method were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls of [`KvBackend::range`].
    pub range: u64,
    /// Calls of [`KvBackend::txn`].
    pub txn: u64,
    /// Calls of [`KvBackend::grant`].
    pub grant: u64,
    /// Calls of [`KvBackend::keep_alive`].
    pub keep_alive: u64,
    /// Calls of [`KvBackend::time_to_live`].
    pub time_to_live: u64,
    /// Calls of [`KvBackend::revoke`].
    pub revoke: u64,
    /// Calls of [`KvBackend::watch`].
    pub watch: u64,
}

impl Calls {
    /// The calls of all methods together: the round trips.
    pub fn total(&self) -> u64 {
        self.range + self.txn + self.grant + self.keep_alive + self.time_to_live + self.revoke + self.watch
    }
}

impl<B> Counting<B> {
    /// Counts the calls to this backend from now on.
    pub fn new(backend: B) -> Self {
        Self {
            backend,
            range: AtomicU64::new(0),
            txn: AtomicU64::new(0),
            grant: AtomicU64::new(0),
            keep_alive: AtomicU64::new(0),
            time_to_live: AtomicU64::new(0),
            revoke: AtomicU64::new(0),
            watch: AtomicU64::new(0),
        }
    }

    /// The calls so far.
    pub fn calls(&self) -> Calls {
        Calls {
            range: self.range.load(Relaxed),
            txn: self.txn.load(Relaxed),
            grant: self.grant.load(Relaxed),
            keep_alive: self.keep_alive.load(Relaxed),
            time_to_live: self.time_to_live.load(Relaxed),
            revoke: self.revoke.load(Relaxed),
            watch: self.watch.load(Relaxed),
        }
    }

    /// The calls since the counts were last taken; they begin at zero again.
    pub fn take(&self) -> Calls {
        Calls {
            range: self.range.swap(0, Relaxed),
            txn: self.txn.swap(0, Relaxed),
            grant: self.grant.swap(0, Relaxed),
            keep_alive: self.keep_alive.swap(0, Relaxed),
            time_to_live: self.time_to_live.swap(0, Relaxed),
            revoke: self.revoke.swap(0, Relaxed),
            watch: self.watch.swap(0, Relaxed),
        }
    }
}

#[async_trait]
impl<B: KvBackend> KvBackend for Counting<B> {
    fn limits(&self) -> Limits {
        self.backend.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        self.range.fetch_add(1, Relaxed);
        self.backend.range(request).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        self.txn.fetch_add(1, Relaxed);
        self.backend.txn(txn).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        self.grant.fetch_add(1, Relaxed);
        self.backend.grant(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.keep_alive.fetch_add(1, Relaxed);
        self.backend.keep_alive(lease).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.time_to_live.fetch_add(1, Relaxed);
        self.backend.time_to_live(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.revoke.fetch_add(1, Relaxed);
        self.backend.revoke(lease).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        self.watch.fetch_add(1, Relaxed);
        self.backend.watch(range, after).await
    }
}

#[cfg(test)]
mod tests {
    use storage_core::kv::Key;

    use super::*;
    use crate::fakes::Outage;

    #[tokio::test]
    async fn every_call_is_counted_where_it_belongs_even_if_it_fails() {
        let counting = Counting::new(Outage);
        let range = KeyRange::single(Key::new(&b"k"[..]));
        let lease = LeaseId::new(1).unwrap();
        for _ in 0..2 {
            counting.range(RangeRequest::new(range.clone())).await.unwrap_err();
        }
        for _ in 0..3 {
            counting.txn(Txn::new()).await.unwrap_err();
        }
        for _ in 0..4 {
            counting.grant(Duration::ZERO).await.unwrap_err();
        }
        for _ in 0..5 {
            counting.keep_alive(lease).await.unwrap_err();
        }
        for _ in 0..8 {
            counting.time_to_live(lease).await.unwrap_err();
        }
        for _ in 0..6 {
            counting.revoke(lease).await.unwrap_err();
        }
        for _ in 0..7 {
            assert!(counting.watch(range.clone(), Revision::ZERO).await.is_err());
        }
        let expected =
            Calls { range: 2, txn: 3, grant: 4, keep_alive: 5, time_to_live: 8, revoke: 6, watch: 7 };
        assert_eq!((counting.calls(), counting.calls().total()), (expected, 35));
        assert_eq!(counting.take(), expected);
        assert_eq!(counting.calls(), Calls::default());
    }
}
