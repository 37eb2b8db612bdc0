//! Backends and harnesses that the suite's own tests hold against it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use storage_core::kv::{
    BackendError, BackendErrorKind, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest,
    Revision, Txn, TxnOutcome, TxnReply, WatchStream,
};

use crate::{Harness, TestStore, Time};

/// A harness whose stores all have the same backend.
pub(crate) struct Fake<B> {
    backend: B,
    missing: Option<String>,
    /// How many of its stores were torn down.
    pub(crate) torn_down: Arc<AtomicUsize>,
}

impl<B> Fake<B> {
    pub(crate) fn new(backend: B) -> Self {
        Self { backend, missing: None, torn_down: Arc::default() }
    }
}

pub(crate) fn harness(backend: impl KvBackend + Clone) -> Arc<dyn Harness> {
    Arc::new(Fake::new(backend))
}

pub(crate) fn missing_harness() -> Arc<dyn Harness> {
    Arc::new(Fake { missing: Some("not installed".to_owned()), ..Fake::new(Outage) })
}

#[async_trait]
impl<B: KvBackend + Clone> Harness for Fake<B> {
    fn name(&self) -> String {
        "fake".to_owned()
    }

    fn time(&self) -> Time {
        Time::Paused
    }

    fn missing(&self) -> Option<String> {
        self.missing.clone()
    }

    async fn fresh(&self) -> Box<dyn TestStore> {
        Box::new(FakeStore { backend: self.backend.clone(), torn_down: Arc::clone(&self.torn_down) })
    }
}

struct FakeStore<B> {
    backend: B,
    torn_down: Arc<AtomicUsize>,
}

#[async_trait]
impl<B: KvBackend + Clone> TestStore for FakeStore<B> {
    async fn client(&self) -> Arc<dyn KvBackend> {
        Arc::new(self.backend.clone())
    }

    fn prefix(&self) -> String {
        "fake/".to_owned()
    }

    async fn compact(&self, _revision: Revision) {}
}

impl<B> Drop for FakeStore<B> {
    fn drop(&mut self) {
        assert!(tokio::runtime::Handle::try_current().is_ok(), "torn down outside its runtime");
        self.torn_down.fetch_add(1, Relaxed);
    }
}

/// Fails every call.
#[derive(Clone)]
pub(crate) struct Outage;

impl Outage {
    fn error() -> BackendError {
        BackendError::new(BackendErrorKind::Unavailable, "fake")
            .with_source(io::Error::other("the cable is cut"))
    }
}

#[async_trait]
impl KvBackend for Outage {
    fn limits(&self) -> Limits {
        Limits::ETCD_DEFAULTS
    }

    async fn range(&self, _request: RangeRequest) -> Result<RangePage, BackendError> {
        Err(Self::error())
    }

    async fn txn(&self, _txn: Txn) -> Result<TxnReply, BackendError> {
        Err(Self::error())
    }

    async fn grant(&self, _ttl: Duration) -> Result<Lease, BackendError> {
        Err(Self::error())
    }

    async fn keep_alive(&self, _lease: LeaseId) -> Result<Duration, BackendError> {
        Err(Self::error())
    }

    async fn time_to_live(&self, _lease: LeaseId) -> Result<Duration, BackendError> {
        Err(Self::error())
    }

    async fn revoke(&self, _lease: LeaseId) -> Result<(), BackendError> {
        Err(Self::error())
    }

    async fn watch(&self, _range: KeyRange, _after: Revision) -> Result<WatchStream, BackendError> {
        Err(Self::error())
    }
}

/// Says yes to everything: what the laziest stub of a backend would do.
#[derive(Clone)]
pub(crate) struct Forgetful;

#[async_trait]
impl KvBackend for Forgetful {
    fn limits(&self) -> Limits {
        Limits::ETCD_DEFAULTS
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        Ok(RangePage { revision: request.at.unwrap_or(Revision(1)), entries: Vec::new(), next: None })
    }

    async fn txn(&self, _txn: Txn) -> Result<TxnReply, BackendError> {
        Ok(TxnReply { revision: Revision(1), outcome: TxnOutcome::Matched(Vec::new()) })
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        Ok(Lease { id: LeaseId::new(1).expect("not zero"), ttl })
    }

    async fn keep_alive(&self, _lease: LeaseId) -> Result<Duration, BackendError> {
        Ok(Duration::from_secs(3600))
    }

    async fn time_to_live(&self, _lease: LeaseId) -> Result<Duration, BackendError> {
        Ok(Duration::from_secs(3600))
    }

    async fn revoke(&self, _lease: LeaseId) -> Result<(), BackendError> {
        Ok(())
    }

    async fn watch(&self, _range: KeyRange, _after: Revision) -> Result<WatchStream, BackendError> {
        Ok(Box::pin(futures::stream::pending()))
    }
}
