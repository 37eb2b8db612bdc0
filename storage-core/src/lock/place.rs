//! A place in a queue, from when it is asked for until it is certainly gone.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::local::Turn;
use super::name::LockName;
use super::queue::{Position, Queue};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::kv::{BackendErrorKind, Get, Key, KeyRange, KvBackend, Op, OpReply, Revision};
use crate::retry::Backoff;
use crate::session::Session;
use crate::storage::{Check, Storage, Write, Written, unexpected_reply};

/// A place in the store's queue that this process has, or may have. Dropping it gives it up in the background.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) session: Arc<Session>,
    pub(super) key: Key,
    /// Kept until the place is gone, so that no other task of this process asks for one before.
    turn: Option<Turn>,
    /// Whether a transaction that puts the place was sent and never answered: it may yet come into being.
    is_open: bool,
}

/// Whether an acquisition queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Queues,
    OnlyIfFree,
}

/// What became of asking for a place.
pub(super) enum Asked {
    /// There is a place, here.
    At(Place, Position),
    /// The lock was not free, and there is no place.
    NotFree,
    /// The session was over before there was a place.
    Over(Turn),
}

impl<B: KvBackend> Storage<B> {
    /// Asks for a place in the queue, in a task of its own: a transaction that has been sent cannot be called back, so
    /// somebody has to wait for its answer, whoever is dropped meanwhile.
    pub(super) async fn ask(
        &self,
        name: &LockName,
        session: Arc<Session>,
        turn: Turn,
        label: Option<&str>,
        patience: Patience,
    ) -> Result<Asked> {
        let key = self.layout().place(name, &session.id, session.next_place());
        let record = Identity::own(label, clock::wall_clock()).encode();
        let put = Op::Put { key: key.clone(), value: record, lease: Some(session.lease) };
        let queue = self.layout().queue(name);
        let (answer, answered) = oneshot::channel();
        let storage = self.clone();
        let runtime = Arc::clone(&session);
        runtime.spawn(async move {
            let place = Place { session, key, turn: Some(turn), is_open: false };
            let asked = storage.put_place(place, put, queue, patience, &answer).await;
            // If nobody waits any more the place is dropped, and with that given up.
            let _ = answer.send(asked);
        });
        answered.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed)))
    }

    /// Puts a place until it is known whether it is there. Repeating is harmless: a place that is put again keeps its
    /// position.
    async fn put_place(
        &self,
        mut place: Place,
        put: Op,
        queue: KeyRange,
        patience: Patience,
        caller: &oneshot::Sender<Result<Asked>>,
    ) -> Result<Asked> {
        let mut backoff = Backoff::new();
        loop {
            let session = &place.session;
            if session.lost().is_cancelled() {
                return Ok(Asked::Over(place.retire()));
            }
            let epoch = session.epoch();
            let mut checks = vec![Check::Epoch(session.key.clone(), epoch)];
            if patience == Patience::OnlyIfFree {
                checks.push(Check::Free(queue.clone()));
            }
            let ops = vec![put.clone(), Op::Get(Queue::get(&queue))];
            let otherwise = vec![Get::key(session.key.clone()), Queue::get(&queue)];
            // What is still on its way when the session is over cannot come into being any more, or ends with it.
            let written = tokio::select! {
                () = session.lost().cancelled() => continue,
                written = self.write(Write { checks, ops, otherwise }) => written,
            };
            match written {
                Ok(Written::Done(revision, mut replies)) => {
                    let Some(OpReply::Get(get)) = replies.pop() else { return Err(unexpected_reply()) };
                    let position = Queue::new(revision, get.entries).position(&place.key);
                    return Ok(Asked::At(place, position));
                }
                Ok(Written::Refused(_, found)) => {
                    let [own, queue] = found.try_into().unwrap_or_default();
                    match own.entries.first().map(|own| own.mod_revision) {
                        Some(current) if current == epoch => {}
                        Some(current) if current > epoch => {
                            session.learn_epoch(current);
                            continue;
                        }
                        // It is gone, or the store has gone back in time: this is not the session that was begun.
                        _ => {
                            session.lost().cancel();
                            continue;
                        }
                    }
                    // An attempt whose answer was lost may have taken the place.
                    match Queue::new(Revision::ZERO, queue.entries).position(&place.key) {
                        Position::Nowhere => {
                            drop(place.retire());
                            return Ok(Asked::NotFree);
                        }
                        position => return Ok(Asked::At(place, position)),
                    }
                }
                Err(error) if error.is_backend(BackendErrorKind::LeaseNotFound) => session.lost().cancel(),
                Err(error) => {
                    place.is_open |= error.is_outcome_unknown();
                    if patience == Patience::OnlyIfFree || !error.is_retryable() || caller.is_closed() {
                        return Err(error);
                    }
                    backoff.pause().await;
                }
            }
        }
    }
}

impl Place {
    /// The turn for another attempt, once the place is known not to be there.
    pub(super) fn retire(mut self) -> Turn {
        if self.is_open {
            self.begin_giving_up(None, None);
        }
        self.turn.take().expect("there until it is given up")
    }

    /// Gives the place up, and answers whether it was there. What is left of it when that fails is done in the
    /// background, as it is when the future is dropped.
    pub(super) async fn give_up(mut self) -> Result<bool> {
        let (answer, answered) = oneshot::channel();
        let turn = self.turn.take();
        self.begin_giving_up(turn, Some(answer));
        answered.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::LockLost)))
    }

    /// The turn is kept until the place is gone. The first answer of the store is handed on.
    fn begin_giving_up(&self, turn: Option<Turn>, answer: Option<oneshot::Sender<Result<bool>>>) {
        let (session, key, is_open) = (Arc::clone(&self.session), self.key.clone(), self.is_open);
        self.session.spawn(async move {
            let deleted = delete(&session, &key, is_open, answer);
            tokio::select! {
                () = session.lost().cancelled() => {}
                () = deleted => {}
            }
            session.let_go(&key);
            drop(turn);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.begin_giving_up(Some(turn), None);
        }
    }
}

/// Deletes a place until that has succeeded.
async fn delete(
    session: &Session,
    key: &Key,
    is_open: bool,
    mut answer: Option<oneshot::Sender<Result<bool>>>,
) {
    let mut backoff = Backoff::new();
    loop {
        let deleted = if is_open { session.fence_off(key).await } else { session.delete_place(key).await };
        let is_done = deleted.is_ok();
        if let Some(answer) = answer.take() {
            // Who does not wait for it has nothing to learn.
            let _ = answer.send(deleted.map(|count| count > 0).map_err(Error::of_write));
        }
        if is_done {
            return;
        }
        backoff.pause().await;
    }
}
