use storage_core::kv::{BackendError, BackendErrorKind};

/// A watch does not keep the store alive, and has outlived its last client.
pub(crate) fn store_dropped() -> BackendError {
    let message = "the last client of the in-process store was dropped";
    BackendError::new(BackendErrorKind::Unavailable, message).not_applied().not_retryable()
}
