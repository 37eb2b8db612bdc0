use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    BackendError, KeyRange, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn, TxnReply,
    WatchStream,
};

/// A transactional key-value store: what [`Storage`](crate::Storage) is built on.
///
/// The trait is object-safe and is implemented for `Arc<B>`, so a program may use `Storage<EtcdBackend>` or choose its
/// store at run time with `Storage<Arc<dyn KvBackend>>`.
///
/// `docs/writing-a-backend.md` implements it step by step, in a complete backend of some 270 lines. What each method must
/// do is `docs/kv-contract.md`, clause by clause; `storage-conformance` checks it, and has it in its documentation.
///
/// # What every method promises
///
/// - **Atomic and ordered.** Every transaction that changes something gets a revision of its own, greater than all
///   before it, over the whole store.
/// - **Linearizable**, unless a [`RangeRequest`] asks for less.
/// - **Bounded.** A call returns by the backend's own deadline; a store that does not answer is an error.
/// - **Cancel-safe.** Dropping a future leaks nothing on this side. Dropping a write that was already sent leaves open
///   whether it is applied, as a lost answer does.
/// - **Honest about failure.** See [`BackendError`]: "may I retry?" and "may it have been applied?" are two questions.
#[async_trait]
pub trait KvBackend: Send + Sync + 'static {
    /// The numbers in which backends differ. They do not change while the backend lives.
    fn limits(&self) -> Limits;

    /// Reads a page of a key range, in key order.
    ///
    /// A page may hold fewer entries than asked for, or none, although more follow: only
    /// [`RangePage::next`] says whether the range is exhausted. A range of one key is always one page.
    ///
    /// # Errors
    ///
    /// `Compacted` when the revision asked for is no longer kept, `FutureRevision` when it does not exist yet,
    /// `InvalidRequest` for an empty key, and whatever stands between here and the store.
    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError>;

    /// Runs a transaction: if all compares hold its operations, else its list of reads; atomically, at one revision.
    ///
    /// A compare that does not hold is an answer ([`TxnOutcome::NotMatched`](super::TxnOutcome)), not an error.
    ///
    /// # Errors
    ///
    /// `TooLarge` and `InvalidRequest` as [`Txn::check`] says, before anything is sent;
    /// `LeaseNotFound` for a put with a lease that has ended; and whatever stands between here and the store, in
    /// which case [`BackendError::is_maybe_applied`] says whether the operations may have taken effect.
    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError>;

    /// Makes a lease that runs for `ttl` unless renewed. The TTL granted may be longer than the one asked for.
    ///
    /// # Errors
    ///
    /// Whatever stands between here and the store. A grant whose answer is lost leaves at most an unused lease, which
    /// ends by itself.
    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError>;

    /// Renews a lease once and answers the TTL that now runs.
    ///
    /// # Errors
    ///
    /// `LeaseNotFound` when the lease has ended.
    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError>;

    /// How long a lease still runs unless it is renewed. Asking renews nothing.
    ///
    /// A backend may count in whole seconds and leave the fraction out, so a lease in its last second may have zero left.
    ///
    /// # Errors
    ///
    /// `LeaseNotFound` when the lease has ended.
    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError>;

    /// Ends a lease and deletes every key attached to it, in one revision.
    ///
    /// # Errors
    ///
    /// `LeaseNotFound` when it has ended already.
    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError>;

    /// Follows the changes of a key range from the first one after revision `after`: in order, none left out, none
    /// twice, those of one transaction together.
    ///
    /// The stream goes on until it is dropped or yields an error, which is its last item. After a retryable error the
    /// caller can watch again after the last revision it has seen; after `Compacted` it has to read the range anew.
    ///
    /// # Errors
    ///
    /// Those of connecting. A revision that was compacted away may be reported here or as the stream's first item.
    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError>;
}

#[async_trait]
impl<B: KvBackend + ?Sized> KvBackend for Arc<B> {
    fn limits(&self) -> Limits {
        (**self).limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        (**self).range(request).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        (**self).txn(txn).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        (**self).grant(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        (**self).keep_alive(lease).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        (**self).time_to_live(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        (**self).revoke(lease).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        (**self).watch(range, after).await
    }
}
