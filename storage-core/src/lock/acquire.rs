//! Taking a lock.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;

use super::guard::LockGuard;
use super::hold::Hold;
use super::local::Turn;
use super::name::LockName;
use super::options::LockOptions;
use super::place::{Asked, Patience, Place};
use super::queue::{Position, Queue};
use super::state::{FencingToken, LockState};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{Event, Key, KeyRange, KvBackend, Revision};
use crate::retry::Backoff;
use crate::storage::{InContext, Storage, unexpected_reply};

/// How often a waiter looks for itself, should its watch have gone silent. It only reads.
const SLOW_POLL: Duration = Duration::from_secs(10);

impl<B: KvBackend> Storage<B> {
    /// Takes a lock, after all who asked for it before: first come, first served, over all processes. Waiting costs the
    /// store no writes and no polling. As [`lock_with`](Self::lock_with) with the default options.
    ///
    /// # Errors
    ///
    /// Those of [`lock_with`](Self::lock_with), without `LockTimeout`.
    pub async fn lock(&self, name: &str) -> Result<LockGuard<B>> {
        self.lock_with(name, LockOptions::new()).await
    }

    /// Takes a lock, after all who asked for it before. The tasks of one process queue in the process, and have one
    /// place together in the store's queue; a lock is exclusive between them as between processes, and not reentrant.
    ///
    /// One round trip if the lock is free, once this storage has a session (two for making one). A short outage of the
    /// store while waiting is waited out; after one that has cost the session its lease the wait begins anew, at the end
    /// of the queue.
    ///
    /// Call it within a Tokio runtime that goes on as long as the lock is held: a task of it renews the session.
    ///
    /// # Errors
    ///
    /// `LockTimeout` at the deadline, `InvalidPath` for a name that is none (empty, over 1,024 bytes, or with a control
    /// character), `Closed` after [`close`](Self::close).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind, neither in this process nor in the store: a place in the queue is given
    /// up in the background.
    pub async fn lock_with(&self, name: &str, options: LockOptions) -> Result<LockGuard<B>> {
        let locked = async {
            let name = LockName::parse(name)?;
            self.in_time(options.deadline, self.acquire(&name, options.label.as_deref())).await
        };
        locked.await.in_context("lock", name)
    }

    /// Takes a lock if nobody holds it or waits for it, here or elsewhere; else `None`. As
    /// [`try_lock_with`](Self::try_lock_with) with the default options.
    ///
    /// # Errors
    ///
    /// Those of [`try_lock_with`](Self::try_lock_with), without `LockTimeout`.
    pub async fn try_lock(&self, name: &str) -> Result<Option<LockGuard<B>>> {
        self.try_lock_with(name, LockOptions::new()).await
    }

    /// Takes a lock if nobody holds it or waits for it, here or elsewhere; else `None`, and nothing is left in the queue.
    /// One round trip once this storage has a session, none if a task of this storage has the lock.
    ///
    /// # Errors
    ///
    /// `LockTimeout` when the store has not answered by the deadline, and those of [`lock_with`](Self::lock_with).
    ///
    /// # Cancel safety
    ///
    /// As for [`lock_with`](Self::lock_with).
    pub async fn try_lock_with(&self, name: &str, options: LockOptions) -> Result<Option<LockGuard<B>>> {
        let locked = async {
            let name = LockName::parse(name)?;
            self.in_time(options.deadline, self.acquire_if_free(&name, options.label.as_deref())).await
        };
        locked.await.in_context("try_lock", name)
    }

    /// Ends an acquisition at its deadline, and when the storage is closed.
    async fn in_time<T>(
        &self,
        deadline: Option<Duration>,
        lock: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let closing = self.client().background.closing();
        let lock = async {
            tokio::select! {
                locked = lock => locked,
                () = closing.cancelled() => Err(Error::new(ErrorKind::Closed)),
            }
        };
        let Some(deadline) = deadline else { return lock.await };
        let late = |_| Error::new(ErrorKind::LockTimeout).with_detail(format!("after {deadline:?}"));
        tokio::time::timeout(deadline, lock).await.map_err(late)?
    }

    async fn acquire(&self, name: &LockName, label: Option<&str>) -> Result<LockGuard<B>> {
        let mut turn = Turn::wait(&self.client().locks, name).await;
        loop {
            let session = self.session().await?;
            let (place, position) = match self.ask(name, session, turn, label, Patience::Queues).await? {
                Asked::At(place, position) => (place, position),
                Asked::Over(back) => {
                    turn = back;
                    continue;
                }
                Asked::NotFree => return Err(unexpected_reply()),
            };
            match self.wait_in_queue(name, &place, position).await? {
                Some(token) if place.session.state() != LockState::Lost => {
                    return Ok(self.guard(name, place, token));
                }
                // The session was lost, or somebody deleted the place: at the end of the queue again.
                _ => turn = place.retire(),
            }
        }
    }

    async fn acquire_if_free(&self, name: &LockName, label: Option<&str>) -> Result<Option<LockGuard<B>>> {
        let Some(mut turn) = Turn::at_once(&self.client().locks, name) else { return Ok(None) };
        loop {
            let session = self.session().await?;
            match self.ask(name, session, turn, label, Patience::OnlyIfFree).await? {
                Asked::At(place, Position::First(created)) => {
                    return Ok(Some(self.guard(name, place, FencingToken(created.0))));
                }
                // Dropping the place gives it up.
                Asked::At(..) | Asked::NotFree => return Ok(None),
                Asked::Over(back) => turn = back,
            }
        }
    }

    fn guard(&self, name: &LockName, place: Place, token: FencingToken) -> LockGuard<B> {
        let hold = Hold::new(place, token);
        Turn::publish(&self.client().locks, name, &hold);
        LockGuard::new(self.clone(), name.clone(), hold)
    }

    /// Waits until the place is in front: the token. `None` when the place is gone or the session is lost.
    async fn wait_in_queue(
        &self,
        name: &LockName,
        place: &Place,
        mut position: Position,
    ) -> Result<Option<FencingToken>> {
        let backend = &*self.client().backend.0;
        let queue = self.layout().queue(name);
        loop {
            let (ahead, revision) = match position {
                Position::First(created) => return Ok(Some(FencingToken(created.0))),
                Position::Nowhere => return Ok(None),
                Position::Behind(ahead, revision) => (ahead, revision),
            };
            let mut is_gone = pin!(is_gone(backend, &ahead, revision));
            position = loop {
                let is_woken = tokio::select! {
                    () = place.session.lost().cancelled() => return Ok(None),
                    () = &mut is_gone => true,
                    () = tokio::time::sleep(SLOW_POLL) => false,
                };
                // Only the place ahead was watched. Whether the lock is free now, and whether this place is still there,
                // the store has to say: this one's lease may have ended too.
                let seen = look(backend, &queue, place).await?;
                if is_woken || !matches!(&seen, Position::Behind(key, _) if *key == ahead) {
                    break seen;
                }
            };
        }
    }
}

/// Waits until a place that was there at this revision is deleted; or until it cannot be told any more.
async fn is_gone(backend: &dyn KvBackend, place: &Key, mut seen: Revision) {
    let mut backoff = Backoff::new();
    loop {
        let error = match backend.watch(KeyRange::single(place.clone()), seen).await {
            Ok(mut changes) => loop {
                match changes.next().await {
                    Some(Ok(batch)) => {
                        if batch.events.iter().any(|event| matches!(event, Event::Delete { .. })) {
                            return;
                        }
                        seen = batch.revision;
                    }
                    Some(Err(error)) => break Some(error),
                    None => break None,
                }
            },
            Err(error) => Some(error),
        };
        if error.is_some_and(|error| !error.is_retryable()) {
            return;
        }
        backoff.pause().await;
    }
}

/// Where the place is now. An outage is waited out as long as the session lasts.
async fn look(backend: &dyn KvBackend, queue: &KeyRange, place: &Place) -> Result<Position> {
    let mut backoff = Backoff::new();
    while !place.session.lost().is_cancelled() {
        match Queue::read(backend, queue).await {
            Ok(queue) => return Ok(queue.position(&place.key)),
            Err(error) if error.is_retryable() => backoff.pause().await,
            Err(error) => return Err(Error::of_read(error)),
        }
    }
    Ok(Position::Nowhere)
}
