//! Taking a lock.

use std::time::Duration;

use tokio::time::Instant;

use super::gate::Passage;
use super::guard::LockGuard;
use super::hold::Hold;
use super::local::Turn;
use super::name::LockName;
use super::options::LockOptions;
use super::place::{Asked, Patience, Place};
use super::queue::Position;
use super::state::{FencingToken, LockState};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::KvBackend;
use crate::observe::{self, operation};
use crate::storage::{Storage, unexpected_reply};

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
    /// `LockTimeout` at the deadline, `InvalidName` for a name that is none (see [`LockName`]), `Closed` after
    /// [`close`](Self::close).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind, neither in this process nor in the store: a place in the queue is given
    /// up in the background.
    pub async fn lock_with(&self, name: &str, options: LockOptions) -> Result<LockGuard<B>> {
        let locked = async {
            let name = self.lock_name(name)?;
            by_deadline(options.deadline, self.acquire(&name, options.label.as_deref())).await
        };
        operation("lock", name, locked).await
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
            let name = self.lock_name(name)?;
            let locked = by_deadline(options.deadline, self.acquire_if_free(&name, options.label.as_deref()));
            let limit = self.client().request_timeout;
            let late = |_| Error::new(ErrorKind::Timeout).with_detail(format!("after {limit:?}"));
            tokio::time::timeout(limit, locked).await.map_err(late)?
        };
        operation("try_lock", name, locked).await
    }

    /// The name of a lock that can be in this tree.
    pub(super) fn lock_name(&self, name: &str) -> Result<LockName> {
        let name = LockName::parse(name)?;
        self.keyspace().check_lock(&name)?;
        Ok(name)
    }

    async fn acquire(&self, name: &LockName, label: Option<&str>) -> Result<LockGuard<B>> {
        let asked = Instant::now();
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
            if let Some(token) = place.wait_until_first(&self.keyspace().queue(name), position).await?
                && place.pass_gate(Patience::Queues).await? == Passage::Passed
                && place.session.state() != LockState::Lost
            {
                return Ok(self.guard(name, place, token, asked));
            }
            // The session was lost, or somebody deleted the place: at the end of the queue again.
            turn = place.retire();
        }
    }

    async fn acquire_if_free(&self, name: &LockName, label: Option<&str>) -> Result<Option<LockGuard<B>>> {
        let asked = Instant::now();
        let Some(mut turn) = Turn::at_once(&self.client().locks, name) else { return Ok(None) };
        loop {
            let session = self.session().await?;
            match self.ask(name, session, turn, label, Patience::OnlyIfFree).await? {
                Asked::At(place, Position::First(created)) => {
                    match place.pass_gate(Patience::OnlyIfFree).await? {
                        Passage::Passed => {
                            return Ok(Some(self.guard(name, place, FencingToken(created.0), asked)));
                        }
                        Passage::Taken => {
                            // Nothing is left in the queue when this has answered.
                            place.give_up().await?;
                            return Ok(None);
                        }
                        Passage::Nowhere => turn = place.retire(),
                    }
                }
                // Dropping the place gives it up.
                Asked::At(..) | Asked::NotFree => return Ok(None),
                Asked::Over(back) => turn = back,
            }
        }
    }

    fn guard(&self, name: &LockName, place: Place, token: FencingToken, asked: Instant) -> LockGuard<B> {
        let hold = Hold::new(place, token);
        Turn::publish(&self.client().locks, name, &hold);
        observe::lock_taken(name.as_str(), asked.elapsed());
        LockGuard::new(self.clone(), name.clone(), hold)
    }
}

async fn by_deadline<T>(deadline: Option<Duration>, lock: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(deadline) = deadline else { return lock.await };
    let late = |_| Error::new(ErrorKind::LockTimeout).with_detail(format!("after {deadline:?}"));
    tokio::time::timeout(deadline, lock).await.map_err(late)?
}
