use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::time::Instant;

use crate::options::MemoryOptions;
use crate::state::State;

/// The state behind its lock.
///
/// Both ways in end the leases whose time is over first, so that nobody ever sees a key that should be gone.
///
/// A poisoned lock is taken all the same: this crate's own code has no panic between the first and the last step of a
/// change, so nothing half-done is left. The one piece of a caller's code that may run under the lock is the drop of a
/// buffer of the caller's own kind (`Bytes::from_owner`), which is not supposed to panic, nor to call the store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) options: MemoryOptions,
    state: RwLock<State>,
}

impl Store {
    pub(crate) fn new(options: MemoryOptions) -> Self {
        Self { options, state: RwLock::new(State::new(options.history.get())) }
    }

    /// The state, shared with other readers.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.leases.due(Instant::now()).is_none() {
            return state;
        }
        drop(state);
        drop(self.write());
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, for this caller alone.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.expire(Instant::now());
        state
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner).watchers.wake_all();
    }
}
