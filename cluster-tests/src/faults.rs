//! A backend with faults that a test can ask for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cluster_tests::{At, Event};
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnOutcome, TxnReply, WatchStream,
};

use crate::report::report;

/// Which faults there are at present, and what is known of the lease.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    stops_before_next_txn: AtomicBool,
    is_lease_cut: AtomicBool,
    renewed: Mutex<Option<(At, Duration)>>,
}

impl Faults {
    pub(crate) fn stop_before_next_txn(&self) {
        self.stops_before_next_txn.store(true, Ordering::SeqCst);
    }

    pub(crate) fn cut_lease(&self) {
        self.is_lease_cut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn mend_lease(&self) {
        self.is_lease_cut.store(false, Ordering::SeqCst);
    }

    pub(crate) fn report_last_renewal(&self) {
        if let Some((sent, ttl)) = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) {
            let ttl_millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            report(Event::Renewed { sent, ttl_millis });
        }
    }

    fn note_renewal(&self, sent: At, ttl: Duration) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = Some((sent, ttl));
    }

    /// Makes a call about a lease, whose answer never comes while the lease is cut.
    async fn unless_cut<T>(&self, call: impl Future<Output = T>) -> T {
        if !self.is_lease_cut.load(Ordering::SeqCst) {
            let answer = call.await;
            if !self.is_lease_cut.load(Ordering::SeqCst) {
                return answer;
            }
        }
        std::future::pending().await
    }
}

/// A store, with faults.
pub(crate) struct FaultyBackend {
    store: Arc<dyn KvBackend>,
    faults: Arc<Faults>,
}

impl FaultyBackend {
    pub(crate) fn new(store: Arc<dyn KvBackend>, faults: Arc<Faults>) -> Self {
        Self { store, faults }
    }
}

#[async_trait]
impl KvBackend for FaultyBackend {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        self.store.range(request).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        if !self.faults.stops_before_next_txn.swap(false, Ordering::SeqCst) {
            return self.store.txn(txn).await;
        }
        stop_this_process();
        report(Event::Continued);
        let reply = self.store.txn(txn).await?;
        report(Event::Answered { is_applied: matches!(reply.outcome, TxnOutcome::Matched(_)) });
        Ok(reply)
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        let sent = At::now();
        let lease = self.faults.unless_cut(self.store.grant(ttl)).await?;
        self.faults.note_renewal(sent, lease.ttl);
        Ok(lease)
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let sent = At::now();
        let ttl = self.faults.unless_cut(self.store.keep_alive(lease)).await?;
        self.faults.note_renewal(sent, ttl);
        Ok(ttl)
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.store.time_to_live(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.faults.unless_cut(self.store.revoke(lease)).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        self.store.watch(range, after).await
    }
}

/// Returns when somebody has let the process go on.
fn stop_this_process() {
    let this = rustix::process::getpid();
    rustix::process::kill_process(this, rustix::process::Signal::STOP).expect("a process may stop itself");
}
