//! A place in a queue, from when it is asked for until it is certainly gone.

use std::sync::Arc;

use super::gate::{Gate, Passage};
use super::local::Turn;
use super::name::LockName;
use super::queue::{Position, Queue};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::kv::{BackendError, BackendErrorKind, Get, Key, KvBackend, Op, OpReply, Revision};
use crate::retry::Backoff;
use crate::session::Session;
use crate::storage::{Check, Storage, Write, Written, unexpected_reply};

/// A place in the store's queue that this process has, or may have. Dropping it gives it up in the background.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) session: Arc<Session>,
    pub(super) key: Key,
    /// What else the lock takes, where members share it that do not know the queue.
    pub(super) gate: Option<Arc<Gate>>,
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
    /// Asks for a place in the queue until it is known whether there is one. Repeating is harmless: a place that is put
    /// again keeps its position. If the future is dropped the place is, and with that given up.
    pub(super) async fn ask(
        &self,
        name: &LockName,
        session: Arc<Session>,
        turn: Turn,
        label: Option<&str>,
        patience: Patience,
    ) -> Result<Asked> {
        let key = self.keyspace().place(name, &session.id, session.next_place());
        let record = Identity::own(label, self.surroundings().wall_clock()).encode();
        let put = Op::Put { key: key.clone(), value: record, lease: Some(session.lease) };
        let queue = self.keyspace().queue(name);
        let gate = self.keyspace().go_lock(name);
        let gate = gate.map(|gate| Arc::new(Gate::new(gate, name.as_str(), self.surroundings())));
        let mut place = Place { session, key, gate, turn: Some(turn), is_open: false };
        let mut backoff = Backoff::new(self.surroundings());
        while !place.session.lost().is_cancelled() {
            let session = Arc::clone(&place.session);
            let epoch = session.epoch();
            let mut checks = vec![Check::Epoch(session.key.clone(), epoch)];
            if patience == Patience::OnlyIfFree {
                checks.push(Check::Free(queue.clone()));
            }
            let ops = vec![put.clone(), Op::Get(Queue::get(&queue))];
            let otherwise = vec![Get::key(session.key.clone()), Queue::get(&queue)];
            let write = Write { checks, ops, otherwise, ..Write::default() };
            let was_open = place.is_open;
            // Until there is an answer; it is what counts should the future be dropped.
            place.is_open = true;
            let written = tokio::select! {
                biased;
                () = session.lost().cancelled() => break,
                written = self.attempt(&write) => written,
            };
            place.is_open = was_open || written.as_ref().is_err_and(Error::is_outcome_unknown);
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
                            break;
                        }
                    }
                    // An attempt whose answer was lost may have taken the place.
                    match Queue::new(Revision::ZERO, queue.entries).position(&place.key) {
                        // An attempt that may yet take it keeps the turn until it cannot any more.
                        Position::Nowhere if place.is_open => return Ok(Asked::NotFree),
                        Position::Nowhere => {
                            drop(place.retire());
                            return Ok(Asked::NotFree);
                        }
                        position => return Ok(Asked::At(place, position)),
                    }
                }
                Err(error) if error.is_backend(BackendErrorKind::LeaseNotFound) => session.lost().cancel(),
                // Who does not wait for the lock does not wait for a store that is not there either; but it has to find
                // out what it has asked for.
                Err(error)
                    if !error.is_retryable()
                        || (patience == Patience::OnlyIfFree && !error.is_outcome_unknown()) =>
                {
                    return Err(error);
                }
                Err(_) => backoff.pause().await,
            }
        }
        Ok(Asked::Over(place.retire()))
    }
}

impl Place {
    /// Takes what else the lock takes, for a place that is first in the queue.
    pub(super) async fn pass_gate(&self, patience: Patience) -> Result<Passage> {
        match &self.gate {
            Some(gate) => gate.pass(&self.session, &self.key, patience).await,
            None => Ok(Passage::Passed),
        }
    }

    /// The turn for another attempt, once the place is known not to be there.
    pub(super) fn retire(mut self) -> Turn {
        let turn = self.turn.take().expect("there until it is given up");
        if self.is_open || self.gate.as_ref().is_some_and(|gate| gate.may_be_put()) {
            self.give_up_in_background(None);
        }
        turn
    }

    /// Gives the place up, and answers whether it was there until then. If the store cannot be reached, or the future is
    /// dropped, it is done in the background: a place can be deleted any number of times.
    pub(super) async fn give_up(mut self) -> Result<bool> {
        let limit = self.session.request_timeout;
        let was_there = tokio::select! {
            biased;
            () = self.session.lost().cancelled() => Err(Error::new(ErrorKind::LockLost)),
            deleted = tokio::time::timeout(limit, self.delete_until_answered()) => {
                let late = |_| Error::new(ErrorKind::OutcomeUnknown).with_detail(format!("after {limit:?}"));
                deleted.map_err(late).and_then(|deleted| deleted.map_err(released_with))
            }
        }?;
        self.session.let_go(&self.key);
        self.turn = None;
        Ok(was_there)
    }

    /// The turn is kept until the place is gone, or the session.
    fn give_up_in_background(&mut self, turn: Option<Turn>) {
        let (session, key) = (Arc::clone(&self.session), self.key.clone());
        let place = Self { session, key, gate: self.gate.clone(), turn: None, is_open: self.is_open };
        self.session.spawn(async move {
            tokio::select! {
                biased;
                () = place.session.lost().cancelled() => {}
                () = place.delete_until_done() => {}
            }
            place.session.let_go(&place.key);
            drop(turn);
        });
    }

    /// Whether the place was there; or was when its deletion was asked for, and no answer came.
    async fn delete_until_answered(&self) -> Result<bool, BackendError> {
        let mut was_asked = false;
        let mut backoff = self.session.backoff();
        loop {
            match self.delete().await {
                Ok(count) => return Ok(count > 0 || was_asked),
                Err(error) if error.is_maybe_applied() && error.is_retryable() => was_asked = true,
                Err(error) => return Err(error),
            }
            backoff.pause().await;
        }
    }

    async fn delete_until_done(&self) {
        let mut backoff = self.session.backoff();
        while self.delete().await.is_err() {
            backoff.pause().await;
        }
    }

    async fn delete(&self) -> Result<u64, BackendError> {
        let gate = self.gate.as_deref();
        if self.is_open {
            self.session.fence_off(&self.key, gate).await
        } else {
            self.session.delete_place(&self.key, gate).await
        }
    }
}

/// The error of a release. Without its lease there is no place to be released.
fn released_with(error: BackendError) -> Error {
    match error.kind() {
        BackendErrorKind::LeaseNotFound => Error::new(ErrorKind::LockLost).with_source(error),
        _ => Error::of_write(error),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.give_up_in_background(Some(turn));
        }
    }
}
