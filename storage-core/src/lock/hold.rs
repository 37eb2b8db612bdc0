//! A place in a queue, from when it is asked for until it is certainly gone.

use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::local::Turn;
use super::state::{FencingToken, LockState};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::Key;
use crate::retry::Backoff;
use crate::session::{Session, lock};

/// A place in the store's queue that this process has, or may have. Dropping it gives it up in the background.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) session: Arc<Session>,
    pub(super) key: Key,
    /// Kept until the place is gone, so that no other task of this process asks for one before.
    turn: Option<Turn>,
    /// Whether a transaction that puts the place was sent and never answered: it may yet come into being.
    pub(super) is_open: bool,
}

impl Place {
    pub(super) fn new(session: Arc<Session>, key: Key, turn: Turn) -> Self {
        Self { session, key, turn: Some(turn), is_open: false }
    }

    /// Takes the turn back from a place that never came into being.
    pub(super) fn into_turn(mut self) -> Turn {
        self.turn.take().expect("there until it is dropped")
    }

    /// Gives the place up, and answers whether it was there. What is left of it when that fails is done in the
    /// background, as it is when the future is dropped.
    async fn give_up(self) -> Result<bool> {
        let (answer, answered) = oneshot::channel();
        self.give_up_in_background(answer);
        answered.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::LockLost)))
    }

    fn give_up_in_background(mut self, answer: oneshot::Sender<Result<bool>>) {
        let Some(turn) = self.turn.take() else { return };
        let (session, key, is_open) = (Arc::clone(&self.session), self.key.clone(), self.is_open);
        self.session.spawn(async move {
            delete(&session, &key, is_open, answer).await;
            session.let_go(&key);
            drop(turn);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            let place = Self {
                session: Arc::clone(&self.session),
                key: self.key.clone(),
                turn: Some(turn),
                is_open: self.is_open,
            };
            place.give_up_in_background(oneshot::channel().0);
        }
    }
}

/// Deletes a place until that has succeeded or the session is over. The first answer is the caller's.
async fn delete(session: &Session, key: &Key, is_open: bool, answer: oneshot::Sender<Result<bool>>) {
    let mut answer = Some(answer);
    let mut backoff = Backoff::new();
    while !session.lost().is_cancelled() {
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

/// A lock that is held, as the process knows it: shared by the guard and by who looks for it by name.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(super) token: FencingToken,
    pub(super) key: Key,
    pub(super) session: Arc<Session>,
    pub(super) lost: CancellationToken,
    /// `None` once it was released.
    place: Mutex<Option<Place>>,
}

impl Hold {
    pub(super) fn new(place: Place, token: FencingToken) -> Self {
        let (session, key) = (Arc::clone(&place.session), place.key.clone());
        let lost = session.hold(&key);
        Self { token, key, session, lost, place: Mutex::new(Some(place)) }
    }

    pub(super) fn state(&self) -> LockState {
        let session = self.session.state();
        if self.lost.is_cancelled() { LockState::Lost } else { session }
    }

    /// Releases the lock.
    ///
    /// # Errors
    ///
    /// `NotHeld` when that was done before, `LockLost` when the lock was gone already, and what stands between here and
    /// the store: then it goes on in the background.
    pub(super) async fn release(&self) -> Result<()> {
        let place = lock(&self.place).take().ok_or_else(|| Error::new(ErrorKind::NotHeld))?;
        let was_lost = self.state() == LockState::Lost;
        self.lost.cancel();
        if place.give_up().await? && !was_lost { Ok(()) } else { Err(Error::new(ErrorKind::LockLost)) }
    }
}
