use storage_core::kv::{BackendError, BackendErrorKind, LeaseId, Revision};

// Whatever fails here fails before it changes anything, and would fail again.

pub(crate) fn compacted(asked: Revision, compacted: Revision) -> BackendError {
    BackendError::new(BackendErrorKind::Compacted, format!("asked for {asked}, compacted up to {compacted}"))
}

pub(crate) fn future_revision(asked: Revision, newest: Revision) -> BackendError {
    BackendError::new(BackendErrorKind::FutureRevision, format!("asked for {asked}, newest is {newest}"))
}

pub(crate) fn lease_not_found(lease: LeaseId) -> BackendError {
    BackendError::new(BackendErrorKind::LeaseNotFound, lease.to_string())
}

pub(crate) fn ttl_too_large(seconds: u64, most: u64) -> BackendError {
    BackendError::new(BackendErrorKind::TooLarge, format!("ttl in seconds: {seconds}, at most {most}"))
}

/// A watch does not keep the store alive, and has outlived its last client.
pub(crate) fn store_dropped() -> BackendError {
    let message = "the last client of the in-process store was dropped";
    BackendError::new(BackendErrorKind::Unavailable, message).not_applied().not_retryable()
}
