//! Waiting in a queue.

use std::time::Duration;

use futures::StreamExt;

use super::place::Place;
use super::queue::{Position, Queue};
use super::state::FencingToken;
use crate::error::{Error, Result};
use crate::kv::{BackendError, Event, Key, KeyRange, KvBackend, Revision, WatchStream};
use crate::retry::Backoff;

/// How often a waiter looks for itself, should its watch have gone silent. It only reads.
pub(super) const SLOW_POLL: Duration = Duration::from_secs(10);

impl Place {
    /// Waits until the place is in front: the token. `None` when the place is gone or the session is lost.
    pub(super) async fn wait_until_first(
        &self,
        queue: &KeyRange,
        mut position: Position,
    ) -> Result<Option<FencingToken>> {
        loop {
            let (ahead, revision) = match position {
                Position::First(created) => return Ok(Some(FencingToken(created.0))),
                Position::Nowhere => return Ok(None),
                Position::Behind(ahead, revision) => (ahead, revision),
            };
            let mut departure = Departure::of(ahead, revision, self.session.backoff());
            position = loop {
                let is_woken = tokio::select! {
                    biased;
                    () = self.session.lost().cancelled() => return Ok(None),
                    () = departure.wait(self.session.backend()) => true,
                    () = tokio::time::sleep(SLOW_POLL) => false,
                };
                // Only the place ahead was watched. Whether the lock is free now, and whether this place is still there,
                // the store has to say: this one's lease may have ended too.
                let seen = self.look(queue).await?;
                if is_woken || !matches!(&seen, Position::Behind(key, _) if *key == departure.place) {
                    break seen;
                }
            };
        }
    }

    /// Where the place is now. An outage is waited out as long as the session lasts.
    async fn look(&self, queue: &KeyRange) -> Result<Position> {
        let mut backoff = self.session.backoff();
        while !self.session.lost().is_cancelled() {
            match Queue::read(self.session.backend(), queue).await {
                Ok(queue) => return Ok(queue.position(&self.key)),
                Err(error) if error.is_retryable() => backoff.pause().await,
                Err(error) => return Err(Error::of_read(error)),
            }
        }
        Ok(Position::Nowhere)
    }
}

/// The end of the place ahead. Its watch is kept until the waiter has looked: ending a call costs the connection time that
/// the look would wait for.
struct Departure {
    place: Key,
    /// Everything up to here is known.
    seen: Revision,
    changes: Option<WatchStream>,
    backoff: Backoff,
}

impl Departure {
    /// Of a place that was there at this revision.
    fn of(place: Key, revision: Revision, backoff: Backoff) -> Self {
        Self { place, seen: revision, changes: None, backoff }
    }

    /// Waits until the place is deleted, or until it cannot be told any more.
    ///
    /// Dropping the future is safe: the next one goes on.
    async fn wait(&mut self, backend: &dyn KvBackend) {
        loop {
            match self.next(backend).await {
                Some(Ok(())) => return,
                Some(Err(error)) if !error.is_retryable() => return,
                Some(Err(_)) | None => {
                    self.changes = None;
                    self.backoff.pause().await;
                }
            }
        }
    }

    /// The deletion; `None` when the watch has ended without it.
    async fn next(&mut self, backend: &dyn KvBackend) -> Option<Result<(), BackendError>> {
        let changes = match &mut self.changes {
            Some(changes) => changes,
            none => match backend.watch(KeyRange::single(self.place.clone()), self.seen).await {
                Ok(changes) => none.insert(changes),
                Err(error) => return Some(Err(error)),
            },
        };
        loop {
            match changes.next().await? {
                Ok(batch) if batch.events.iter().any(|event| matches!(event, Event::Delete { .. })) => {
                    return Some(Ok(()));
                }
                Ok(batch) => self.seen = batch.revision,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
