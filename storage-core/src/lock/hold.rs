use std::mem;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::place::Place;
use super::state::{FencingToken, LockState};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::Key;
use crate::session::{Session, lock};

/// A lock that is held, as the process knows it: shared by the guard, by who looks for it by name, and by the session.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(super) token: FencingToken,
    pub(super) key: Key,
    pub(super) session: Arc<Session>,
    pub(super) lost: CancellationToken,
    pub(super) gate: Option<Arc<Gate>>,
    claim: Mutex<Claim>,
}

/// What has become of the place.
#[derive(Debug)]
enum Claim {
    Held(Place),
    Lost,
    Released,
}

impl Hold {
    pub(super) fn new(place: Place, token: FencingToken) -> Arc<Self> {
        let (session, key, gate) = (Arc::clone(&place.session), place.key.clone(), place.gate.clone());
        let lost = session.lost().child_token();
        let hold = Arc::new(Self { token, key, session, lost, gate, claim: Mutex::new(Claim::Held(place)) });
        hold.session.hold(&hold.key, &hold);
        hold
    }

    pub(super) fn state(&self) -> LockState {
        let session = self.session.state();
        if self.lost.is_cancelled() { LockState::Lost } else { session }
    }

    /// Tells members that do not know the queue that the lock is still held. Whether it is, as far as they go.
    pub(crate) async fn renew_gate(&self) -> bool {
        match &self.gate {
            Some(gate) if !self.lost.is_cancelled() => gate.renew(&self.session).await,
            _ => true,
        }
    }

    /// Takes note that the lock is lost. Others can have it from now on, the tasks of this process as well, although the
    /// guard is still there.
    pub(crate) fn lose(&self) {
        self.lost.cancel();
        let mut claim = lock(&self.claim);
        if matches!(&*claim, Claim::Held(_)) {
            let place = mem::replace(&mut *claim, Claim::Lost);
            drop(claim);
            drop(place);
        }
    }

    /// Releases the lock.
    ///
    /// # Errors
    ///
    /// `NotHeld` when that was done before, `LockLost` when the lock was gone already, and what stands between here and
    /// the store: then it goes on in the background.
    pub(super) async fn release(&self) -> Result<()> {
        let was_lost = self.state() == LockState::Lost;
        let claim = mem::replace(&mut *lock(&self.claim), Claim::Released);
        self.lost.cancel();
        let place = match claim {
            Claim::Held(place) => place,
            Claim::Lost => return Err(Error::new(ErrorKind::LockLost)),
            Claim::Released => return Err(Error::new(ErrorKind::NotHeld)),
        };
        if place.give_up().await? && !was_lost { Ok(()) } else { Err(Error::new(ErrorKind::LockLost)) }
    }
}
