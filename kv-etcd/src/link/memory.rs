use std::sync::{Mutex, PoisonError};

use super::refusal::Refusal;

/// What went wrong with the newest connection before it carried anything.
///
/// HTTP/2 keeps of an error below it only the kind. What a member says in TLS after the handshake, which is when it
/// refuses a client without certificate in TLS 1.3, would be lost on the way up.
#[derive(Default)]
pub(super) struct Memory {
    refusal: Mutex<Option<Refusal>>,
}

impl Memory {
    pub(super) fn note(&self, refusal: Refusal) {
        *self.lock() = Some(refusal);
    }

    /// A new attempt, or a connection that works: what was wrong before explains nothing any more.
    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    pub(super) fn recall(&self) -> Option<Refusal> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
