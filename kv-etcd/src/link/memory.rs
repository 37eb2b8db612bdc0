use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::refusal::Refusal;

/// What is known of the newest connection: above all what went wrong before it carried anything.
///
/// HTTP/2 keeps of an error below it only the kind. What a member says in TLS after the handshake, which is when it
/// refuses a client without certificate in TLS 1.3, would be lost on the way up.
#[derive(Default)]
pub(super) struct Memory {
    refusal: Mutex<Option<Refusal>>,
    certificate_end: Mutex<Option<SystemTime>>,
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

    /// Notes until when the certificate of the member is valid.
    pub(super) fn certificate_ends(&self, end: Option<SystemTime>) {
        *self.certificate_end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    pub(super) fn certificate_end(&self) -> Option<SystemTime> {
        *self.certificate_end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
