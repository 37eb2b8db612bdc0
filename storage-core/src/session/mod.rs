//! A client's session: one lease, renewed in the background, to which everything that must not outlive the client is
//! attached.

mod keeper;
mod life;
mod open;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::life::Life;
use crate::environment::Surroundings;
use crate::kv::{BackendError, BackendErrorKind, Key, KvBackend, LeaseId, Op, Revision, Txn, TxnReply};
use crate::lock::{Gate, Hold, LockState};
use crate::retry::Backoff;

pub(crate) use open::Sessions;

/// A lease of this client's, as long as it lasts. A session that is lost is never found again: the next one has a lease,
/// a name and keys of its own.
#[derive(Debug)]
pub(crate) struct Session {
    backend: BackendHandle,
    pub(crate) id: String,
    pub(crate) lease: LeaseId,
    /// The session's own key. Who deletes it ends the session; who puts it makes the session look after its locks.
    pub(crate) key: Key,
    record: Bytes,
    /// How long a lock counts as held among members that do not know the session.
    pub(crate) lock_timeout: Duration,
    /// How long a release may take that somebody waits for.
    pub(crate) request_timeout: Duration,
    /// The revision at which the own key was last put, as far as it is known: the session's epoch. A transaction that
    /// compares it can no longer be applied once the key is put again, however late it arrives.
    epoch: AtomicU64,
    /// How many places in queues this session has asked for.
    places: AtomicU64,
    life: Mutex<Life>,
    lost: CancellationToken,
    /// The places that hold a lock, each with whom to tell when it is lost.
    held: Mutex<BTreeMap<Key, Weak<Hold>>>,
    /// Holds a permit when there is a reason to look whether they are still there.
    doubt: Notify,
    runtime: Handle,
    tasks: TaskTracker,
    surroundings: Surroundings,
}

/// A backend of any kind, which `Debug` passes over.
#[derive(Clone)]
pub(crate) struct BackendHandle(pub(crate) Arc<dyn KvBackend>);

impl Session {
    /// Whether the lease is known to run. Past its local deadline a session is lost, whatever the store would say.
    pub(crate) fn state(&self) -> LockState {
        let life = lock(&self.life).clone();
        if self.lost.is_cancelled() {
            return LockState::Lost;
        }
        if life.left().is_zero() {
            self.lost.cancel();
            return LockState::Lost;
        }
        if life.suspect { LockState::Suspect } else { LockState::Held }
    }

    /// Tells when the session is lost.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    pub(crate) fn backend(&self) -> &dyn KvBackend {
        &*self.backend.0
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(&self.surroundings)
    }

    pub(crate) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    pub(crate) fn epoch(&self) -> Revision {
        Revision(self.epoch.load(Ordering::Acquire))
    }

    /// Takes note of the revision at which the own key was put. Revisions only grow.
    pub(crate) fn learn_epoch(&self, revision: Revision) {
        self.epoch.fetch_max(revision.0, Ordering::AcqRel);
    }

    /// A number for a place in a queue, never given out before.
    pub(crate) fn next_place(&self) -> u64 {
        self.places.fetch_add(1, Ordering::Relaxed)
    }

    /// Watches over a place that holds a lock: the holder is told when the place or the session is gone.
    pub(crate) fn hold(&self, place: &Key, hold: &Arc<Hold>) {
        lock(&self.held).insert(place.clone(), Arc::downgrade(hold));
        // It may have been over before.
        if self.lost.is_cancelled() {
            hold.lose();
        }
    }

    pub(crate) fn let_go(&self, place: &Key) {
        lock(&self.held).remove(place);
    }

    fn holds(&self) -> Vec<(Key, Weak<Hold>)> {
        lock(&self.held).iter().map(|(place, hold)| (place.clone(), Weak::clone(hold))).collect()
    }

    /// Runs a task on the runtime of the session, from wherever it is called. When that runtime is gone nothing happens.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.tasks.spawn_on(task, &self.runtime));
    }

    /// Deletes a place, if it is there: how many places that were. To be repeated until it succeeds: no place is used
    /// twice, so it harms nobody however often it is done. With a gate the key that stands for it goes too.
    pub(crate) async fn delete_place(&self, place: &Key, gate: Option<&Gate>) -> Result<u64, BackendError> {
        Ok(self.run(Txn::new().then(Op::Delete(place.clone())), gate).await?.deleted())
    }

    /// Deletes a place that may yet come into being, since a transaction that puts it was sent and its answer was lost:
    /// in a new epoch, in which that transaction can no longer be applied. To be repeated as well.
    pub(crate) async fn fence_off(&self, place: &Key, gate: Option<&Gate>) -> Result<u64, BackendError> {
        let put = Op::Put { key: self.key.clone(), value: self.record.clone(), lease: Some(self.lease) };
        match self.run(Txn::new().then(put).then(Op::Delete(place.clone())), gate).await {
            Ok(reply) => {
                self.learn_epoch(reply.revision);
                Ok(reply.deleted())
            }
            // A full store puts nothing any more, and what it had put when it answered so it will not put later.
            // Whether it has deleted the place before cannot be told: it counts as having been there, as it does when an
            // answer is lost.
            Err(error) if error.kind() == BackendErrorKind::NoSpace => {
                Ok(self.delete_place(place, gate).await?.max(1))
            }
            Err(error) => {
                if error.kind() == BackendErrorKind::LeaseNotFound {
                    self.lost.cancel();
                }
                Err(error)
            }
        }
    }

    async fn run(&self, txn: Txn, gate: Option<&Gate>) -> Result<TxnReply, BackendError> {
        match gate {
            Some(gate) => gate.delete_with(self.backend(), txn).await,
            None => self.backend.0.txn(txn).await,
        }
    }
}

/// The data behind a lock that is never held while anything can fail.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for BackendHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KvBackend")
    }
}

#[cfg(test)]
mod tests;
