//! The key by which members that run the Go module caddy-etcd take the same lock.
//!
//! They know nothing of the queue. So who is first in the queue has the lock only once it has this key too: it waits until
//! nobody else's is there or the one that is there has grown old, puts its own, with the session's lease, and renews it as
//! long as the lock is held. See decision 16.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::{Mutex, MutexGuard};

use super::place::Patience;
use super::wait::SLOW_POLL;
use crate::clock::Moment;
use crate::environment::Surroundings;
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{
    BackendError, BackendErrorKind, Compare, Entry, Get, GetReply, Key, KeyRange, KvBackend, KvBackendExt,
    Op, OpReply, Revision, Txn, TxnOutcome, TxnReply,
};
use crate::layout::go::LockRecord;
use crate::session::Session;
use crate::storage::{Check, unexpected_reply};

/// The key, and what this place has done to it.
#[derive(Debug)]
pub(crate) struct Gate {
    key: Key,
    /// The name of the lock.
    name: String,
    /// Nobody else's: it tells which key is this place's.
    token: String,
    /// The revision at which it was last put by this place, as far as that is known; 0 if it was not.
    put: AtomicU64,
    /// Whether a transaction that puts it was ever sent.
    was_asked: AtomicBool,
    /// Whether the answer to the last renewal was lost, so that the revision may be another one.
    is_open: AtomicBool,
    /// Held by who renews the key or compares it.
    steady: Mutex<()>,
}

/// Who has the key.
#[derive(Debug)]
enum Standing {
    /// Nobody who counts: it may be put if this still holds.
    Free(Compare),
    /// Another member, for so long at most unless it is renewed, put at this revision.
    Taken(Duration, Revision),
}

/// What came of putting it.
enum Put {
    Passage(Passage),
    /// It was not as it was thought to be, but this.
    Other(Option<Entry>),
    /// There was no answer: the next look tells.
    Open,
}

/// What came of wanting to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Passed,
    /// A member has it that runs the Go module.
    Taken,
    /// The place is gone, or the session.
    Nowhere,
}

impl Gate {
    pub(super) fn new(key: Key, name: &str, surroundings: &Surroundings) -> Self {
        let token = BASE64_STANDARD.encode([surroundings.random(), surroundings.random()].concat());
        Self {
            key,
            name: name.to_owned(),
            token,
            put: AtomicU64::new(0),
            was_asked: AtomicBool::new(false),
            is_open: AtomicBool::new(false),
            steady: Mutex::default(),
        }
    }

    /// Puts the key for a place that is first in its queue, once no other member has it. One transaction if nobody has.
    ///
    /// Dropping the future is safe: who gives the place up deletes the key too.
    pub(super) async fn pass(&self, session: &Session, place: &Key, patience: Patience) -> Result<Passage> {
        let mut seen: Option<(Revision, Moment)> = None;
        // Mostly there is none.
        let mut entry: Option<Entry> = None;
        loop {
            match self.standing(session, entry.as_ref(), &mut seen) {
                Standing::Free(compare) => match self.put(session, place, compare).await? {
                    Put::Passage(passage) => return Ok(passage),
                    Put::Other(found) => {
                        entry = found;
                        continue;
                    }
                    Put::Open => {}
                },
                Standing::Taken(..) if patience == Patience::OnlyIfFree => return Ok(Passage::Taken),
                Standing::Taken(left, revision) => tokio::select! {
                    biased;
                    () = session.lost().cancelled() => return Ok(Passage::Nowhere),
                    () = self.changes(session, revision) => {}
                    () = tokio::time::sleep(left.min(SLOW_POLL)) => {}
                },
            }
            match self.read(session).await? {
                Some(found) => entry = found.into_iter().next(),
                None => return Ok(Passage::Nowhere),
            }
        }
    }

    /// Puts the key again with the time that it is now, so that other members do not take it for abandoned. Whether it
    /// still was this place's; what is not known counts as yes.
    pub(crate) async fn renew(&self, session: &Session) -> bool {
        let _steady = self.steady.lock().await;
        self.renew_steadily(session).await.unwrap_or(true)
    }

    /// What a write has to compare beside the place, and what keeps that from changing meanwhile.
    ///
    /// # Errors
    ///
    /// `LockLost`, and those of the store if it is not known at which revision the key is.
    pub(super) async fn fence(&self, session: &Session) -> Result<(Check, MutexGuard<'_, ()>)> {
        let steady = self.steady.lock().await;
        // One that is still on its way must not move the key under the write.
        if self.is_open.load(Ordering::Acquire)
            && !self.renew_steadily(session).await.map_err(Error::of_read)?
        {
            return Err(Error::new(ErrorKind::LockLost));
        }
        Ok((Check::Gate(self.key.clone(), self.known().unwrap_or_default()), steady))
    }

    async fn renew_steadily(&self, session: &Session) -> Result<bool, BackendError> {
        let Some(mut revision) = self.known() else { return Ok(true) };
        loop {
            let txn = Txn::new()
                .when(Compare::ModRevision(self.key.clone(), revision))
                .then(self.op(session))
                .otherwise(Get::key(self.key.clone()));
            let answer = session.backend().txn(txn).await;
            self.is_open.store(
                answer.as_ref().is_err_and(BackendError::is_maybe_applied)
                    || (answer.is_err() && self.is_open.load(Ordering::Acquire)),
                Ordering::Release,
            );
            let reply = answer?;
            let found = match reply.outcome {
                TxnOutcome::Matched(_) => {
                    self.put.store(reply.revision.0, Ordering::Release);
                    return Ok(true);
                }
                TxnOutcome::NotMatched(found) => first(found),
            };
            // An earlier renewal, whose answer was lost, may have been applied.
            match found.filter(|entry| self.is_own(entry) && entry.mod_revision > revision) {
                Some(entry) => revision = entry.mod_revision,
                None => return Ok(false),
            }
        }
    }

    /// Whether the key may be there, or yet come into being.
    pub(super) fn may_be_put(&self) -> bool {
        self.was_asked.load(Ordering::Acquire)
    }

    /// Runs a transaction that deletes the place, and with it the key if it is this place's.
    pub(crate) async fn delete_with(
        &self,
        backend: &dyn KvBackend,
        txn: Txn,
    ) -> Result<TxnReply, BackendError> {
        if !self.may_be_put() {
            return backend.txn(txn).await;
        }
        let absent = || (Compare::Absent(self.key.clone()), false);
        let mut expected =
            self.known().map_or_else(absent, |put| (Compare::ModRevision(self.key.clone(), put), true));
        loop {
            let (compare, is_own) = expected;
            let mut txn = txn.clone().when(compare).otherwise(Get::key(self.key.clone()));
            if is_own {
                txn = txn.then(Op::Delete(self.key.clone()));
            }
            let mut reply = backend.txn(txn).await?;
            match &mut reply.outcome {
                TxnOutcome::Matched(replies) => {
                    if is_own {
                        replies.pop();
                    } else if self.known().is_some() {
                        // Somebody has overtaken the holder: the place alone was no lock any more.
                        replies.pop();
                        replies.push(OpReply::Deleted(0));
                    }
                    return Ok(reply);
                }
                TxnOutcome::NotMatched(found) => {
                    expected = first(std::mem::take(found)).map_or_else(absent, |entry| {
                        (Compare::ModRevision(self.key.clone(), entry.mod_revision), self.is_own(&entry))
                    });
                }
            }
        }
    }

    /// What is there, if anything is. `None` when the session is lost.
    async fn read(&self, session: &Session) -> Result<Option<Vec<Entry>>> {
        let mut backoff = session.backoff();
        while !session.lost().is_cancelled() {
            match session.backend().get(self.key.clone()).await {
                Ok(entry) => return Ok(Some(entry.into_iter().collect())),
                Err(error) if error.is_retryable() => backoff.pause().await,
                Err(error) => return Err(Error::of_read(error)),
            }
        }
        Ok(None)
    }

    /// Who has it. A key that has not changed for as long as a lock may be held is abandoned, whatever it says: the clock
    /// of its member may be wrong, and what cannot be read has no time.
    fn standing(
        &self,
        session: &Session,
        entry: Option<&Entry>,
        seen: &mut Option<(Revision, Moment)>,
    ) -> Standing {
        let Some(entry) = entry else { return Standing::Free(Compare::Absent(self.key.clone())) };
        let revision = entry.mod_revision;
        let free = Standing::Free(Compare::ModRevision(self.key.clone(), revision));
        if self.is_own(entry) {
            return free;
        }
        if seen.as_ref().is_none_or(|(last, _)| *last != revision) {
            *seen = Some((revision, Moment::now(session.surroundings())));
        }
        let unchanged = seen.as_ref().map(|(_, since)| since.elapsed()).unwrap_or_default();
        let left = session.lock_timeout.saturating_sub(unchanged);
        let left = match LockRecord::decode(&entry.value) {
            Some(record) => left.min(left_of(&record, session.lock_timeout, session.surroundings())),
            None => left,
        };
        if left.is_zero() { free } else { Standing::Taken(left, revision) }
    }

    /// Puts the key if the place is there and the key is as it was seen.
    async fn put(&self, session: &Session, place: &Key, compare: Compare) -> Result<Put> {
        let txn = Txn::new()
            .when(Compare::Present(place.clone()))
            .when(compare)
            .then(self.op(session))
            .otherwise(Get::key(place.clone()))
            .otherwise(Get::key(self.key.clone()));
        self.was_asked.store(true, Ordering::Release);
        let reply = match session.backend().txn(txn).await {
            Ok(reply) => reply,
            Err(error) if error.kind() == BackendErrorKind::LeaseNotFound => {
                session.lost().cancel();
                return Ok(Put::Passage(Passage::Nowhere));
            }
            Err(error) if error.is_retryable() => {
                session.backoff().pause().await;
                return Ok(Put::Open);
            }
            Err(error) => return Err(Error::of_write(error)),
        };
        let found = match reply.outcome {
            TxnOutcome::Matched(_) => {
                self.put.store(reply.revision.0, Ordering::Release);
                return Ok(Put::Passage(Passage::Passed));
            }
            TxnOutcome::NotMatched(found) => found,
        };
        let [place, key] = found.try_into().map_err(|_| unexpected_reply())?;
        if place.entries.is_empty() {
            return Ok(Put::Passage(Passage::Nowhere));
        }
        Ok(Put::Other(key.entries.into_iter().next()))
    }

    fn op(&self, session: &Session) -> Op {
        Op::Put { key: self.key.clone(), value: self.record(session), lease: Some(session.lease) }
    }

    fn record(&self, session: &Session) -> Bytes {
        let record = LockRecord {
            token: self.token.clone(),
            obtained: session.surroundings().wall_clock(),
            key: self.name.clone(),
            lease: Some(session.lease),
        };
        record.encode()
    }

    fn is_own(&self, entry: &Entry) -> bool {
        LockRecord::decode(&entry.value).is_some_and(|record| record.token == self.token)
    }

    fn known(&self) -> Option<Revision> {
        Some(Revision(self.put.load(Ordering::Acquire))).filter(|revision| *revision != Revision::ZERO)
    }

    /// Waits until the key may have changed since this revision.
    async fn changes(&self, session: &Session, after: Revision) {
        let watch = session.backend().watch(KeyRange::single(self.key.clone()), after).await;
        let Ok(mut changes) = watch else { return pending().await };
        while let Some(Ok(batch)) = changes.next().await {
            if !batch.events.is_empty() {
                return;
            }
        }
        // Who waits looks for itself now and then.
        pending::<()>().await;
    }
}

/// How long a lock still counts as held, by this machine's clock.
pub(super) fn left_of(record: &LockRecord, lock_timeout: Duration, surroundings: &Surroundings) -> Duration {
    match surroundings.wall_clock().duration_since(record.obtained) {
        Ok(age) => lock_timeout.saturating_sub(age),
        Err(ahead) => lock_timeout.saturating_add(ahead.duration()),
    }
}

fn first(found: Vec<GetReply>) -> Option<Entry> {
    found.into_iter().next()?.entries.into_iter().next()
}
