use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::hold::Hold;
use super::name::LockName;
use super::state::{FencingToken, LockState};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::KvBackend;
use crate::metadata::Metadata;
use crate::observe::operation;
use crate::storage::{Check, Storage, collect};

/// A lock that is held. Dropping it releases the lock in the background; [`unlock`](Self::unlock) waits for that, and
/// says whether the lock was held until then.
///
/// It is held as long as the lease of the storage's session runs, which a task renews. When that fails for too long (the
/// store cannot be reached, the process or its machine was stopped), the lock is lost: it counts as lost here before the
/// store gives it to anybody else, by a clock that goes on while the machine sleeps, *provided that this process gets to
/// run and looks*. A process that is stopped between looking and acting acts too late. So:
///
/// - Files that the lock protects are written through the guard: [`store`](Self::store),
///   [`store_many`](Self::store_many), [`delete`](Self::delete), [`rename`](Self::rename) hold in one transaction that
///   the lock is still held, and fail with `LockLost` otherwise. That is safe under all circumstances.
/// - Whatever else it protects can check its [`token`](Self::token), or it is not protected from an old holder that was
///   stopped. [`lost`](Self::lost) tells early, to stop work that has become pointless.
///
/// Its futures may be dropped as those of [`Storage`] may: a write that was sent is applied whole or not at all, and a
/// release goes on in the background.
///
/// Dropping it is safe anywhere, outside a runtime and while the runtime shuts down too; then the lock becomes free at
/// the end of the session's lease.
#[must_use = "dropping the guard releases the lock"]
pub struct LockGuard<B: KvBackend> {
    storage: Storage<B>,
    name: LockName,
    hold: Arc<Hold>,
}

impl<B: KvBackend> LockGuard<B> {
    pub(super) fn new(storage: Storage<B>, name: LockName, hold: Arc<Hold>) -> Self {
        Self { storage, name, hold }
    }

    /// The name of the lock.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The number of this acquisition: greater than that of every holder before.
    pub fn token(&self) -> FencingToken {
        self.hold.token
    }

    /// How sure it is that the lock is held. Asks nobody: it is what this process knows.
    pub fn state(&self) -> LockState {
        self.hold.state()
    }

    /// Whether the lock is held, as far as this process knows: its state is not `Lost`.
    pub fn is_held(&self) -> bool {
        self.state() != LockState::Lost
    }

    /// Waits until the lock is lost: its session has ended, or may have; somebody broke it; or it was released by
    /// [`Storage::unlock`]. Never resolves while the lock is held. From then on others can have the lock, other tasks of
    /// this process too, although the guard is still there.
    ///
    /// When the machine has slept it may take a second after waking; [`state`](Self::state) knows at once.
    ///
    /// Dropping the future is safe.
    pub async fn lost(&self) {
        self.hold.lost.cancelled().await;
    }

    /// Renews the session now, beside the renewals in the background: before a long step that must not be interrupted,
    /// for instance. One round trip.
    ///
    /// Dropping the future is safe.
    ///
    /// # Errors
    ///
    /// `LockLost` when the lock is lost; `Unavailable`, `Timeout` and the like when the store did not answer, after
    /// which the lock is `Suspect`.
    pub async fn renew(&self) -> Result<()> {
        let renewed = async {
            self.check_held()?;
            let renewed = self.hold.session.renew().await;
            self.check_held()?;
            renewed.map_err(Error::of_read)
        };
        operation("renew", self.name(), renewed).await
    }

    /// Releases the lock. One round trip.
    ///
    /// Dropping the future is safe: the release goes on in the background.
    ///
    /// # Errors
    ///
    /// `LockLost` when the lock had been lost before, so that what was done last may not have been done alone. `NotHeld`
    /// when [`Storage::unlock`] has released it. Those of every write when the store did not answer: the release is
    /// tried again in the background, at the latest until the lease ends.
    pub async fn unlock(self) -> Result<()> {
        operation("unlock", self.name(), self.hold.release()).await
    }

    /// Stores a file as [`Storage::store`] does, if the lock is still held. One round trip.
    ///
    /// # Errors
    ///
    /// `LockLost`, and those of [`Storage::store`].
    pub async fn store(&self, path: &str, content: impl Into<Bytes> + Send) -> Result<Metadata> {
        let content = content.into();
        let stored = self.fenced(async |fence| self.storage.store_under(fence, path, content).await);
        operation("store", path, stored).await
    }

    /// Stores several files as [`Storage::store_many`] does, if the lock is still held. One round trip.
    ///
    /// # Errors
    ///
    /// `LockLost`, and those of [`Storage::store_many`].
    pub async fn store_many<P, C>(
        &self,
        files: impl IntoIterator<Item = (P, C)> + Send,
    ) -> Result<Vec<Metadata>>
    where
        P: AsRef<str>,
        C: Into<Bytes>,
    {
        let files = collect(self.storage.keyspace(), self.storage.surroundings(), files);
        let stored = self.fenced(async |fence| self.storage.store_group(fence, files?).await);
        operation("store_many", None, stored).await
    }

    /// Deletes a file or directory as [`Storage::delete`] does, if the lock is still held. One round trip.
    ///
    /// # Errors
    ///
    /// `LockLost`, and those of [`Storage::delete`].
    pub async fn delete(&self, path: &str) -> Result<u64> {
        let deleted = self.fenced(async |fence| self.storage.delete_under(fence, path).await);
        operation("delete", path, deleted).await
    }

    /// Moves a file as [`Storage::rename`] does, if the lock is still held. Two round trips.
    ///
    /// # Errors
    ///
    /// `LockLost`, and those of [`Storage::rename`].
    pub async fn rename(&self, from: &str, to: &str) -> Result<Metadata> {
        let renamed = self.fenced(async |fence| self.storage.rename_under(fence, from, to).await);
        operation("rename", from, renamed).await
    }

    /// Runs a write that compares the lock's keys.
    async fn fenced<T>(&self, write: impl AsyncFnOnce(Vec<Check>) -> Result<T>) -> Result<T> {
        self.check_held()?;
        let written = async {
            let mut checks = vec![Check::Held(self.hold.key.clone())];
            let Some(gate) = &self.hold.gate else { return write(checks).await };
            let (check, _steady) = gate.fence(&self.hold.session).await?;
            checks.push(check);
            write(checks).await
        };
        let written = written.await;
        if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::LockLost) {
            self.hold.lose();
        }
        written
    }

    fn check_held(&self) -> Result<()> {
        if self.is_held() { Ok(()) } else { Err(Error::new(ErrorKind::LockLost)) }
    }
}

impl<B: KvBackend> Storage<B> {
    /// Releases the lock of this name that a task of this storage holds, whichever it is; its guard is `Lost` then. For
    /// callers who cannot keep the guard. One round trip.
    ///
    /// Dropping the future is safe: the release goes on in the background.
    ///
    /// # Errors
    ///
    /// `NotHeld` when no task of this storage holds it: somebody else's lock is never touched. Else those of
    /// [`LockGuard::unlock`].
    pub async fn unlock(&self, name: &str) -> Result<()> {
        let unlocked = async {
            let hold = self.client().locks.held(&self.lock_name(name)?);
            hold.ok_or_else(|| Error::new(ErrorKind::NotHeld))?.release().await
        };
        operation("unlock", name, unlocked).await
    }
}

impl<B: KvBackend> fmt::Debug for LockGuard<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("name", &self.name)
            .field("token", &self.hold.token)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
