use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::place::Place;
use super::state::{FencingToken, LockState};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::Key;
use crate::session::{Session, lock};

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
