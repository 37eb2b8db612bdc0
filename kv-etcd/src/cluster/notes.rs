use std::error::Error as StdError;
use std::iter;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use storage_core::kv::{BackendError, BackendErrorKind};

use crate::observe;

/// What is to be told of a call: in the end, and if its time runs out.
pub(super) struct Notes {
    pub(super) name: &'static str,
    attempts: AtomicU32,
    /// The last failure of each member that was asked, the latest one last.
    failures: Mutex<Vec<(String, BackendErrorKind, String)>>,
    /// Whether it has begun, and for a write whether an attempt is under way.
    is_sent: AtomicBool,
}

impl Notes {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            attempts: AtomicU32::new(0),
            failures: Mutex::default(),
            is_sent: AtomicBool::new(false),
        }
    }

    /// Notes that one more attempt is made.
    pub(super) fn attempt(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Notes that an attempt has failed, or is silent, and the call goes on.
    pub(super) fn failed(&self, endpoint: &str, error: &BackendError) {
        observe::repeated(endpoint, error);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|(known, ..)| known != endpoint);
        failures.push((endpoint.to_owned(), error.kind(), text(error)));
    }

    /// Whether something may have been applied from now on.
    pub(super) fn sent(&self, is_sent: bool) {
        self.is_sent.store(is_sent, Ordering::Relaxed);
    }

    pub(super) fn at_deadline(&self, limit: Duration) -> BackendError {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = failures.last().map_or(BackendErrorKind::Timeout, |(_, kind, _)| *kind);
        let said: Vec<_> = failures.iter().map(|(endpoint, _, said)| format!("{endpoint}: {said}")).collect();
        let mut message = format!("{}, after {limit:?}", self.name);
        if !said.is_empty() {
            message = format!("{message}: {}", said.join("; "));
        }
        let error = BackendError::new(kind, message).retryable();
        if self.is_sent.load(Ordering::Relaxed) { error.maybe_applied() } else { error.not_applied() }
    }
}

/// An error and its innermost cause.
pub(super) fn text(error: &BackendError) -> String {
    let causes = iter::successors(error.source(), |&error| error.source());
    causes.last().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    fn refused() -> BackendError {
        BackendError::new(BackendErrorKind::Unavailable, "why").with_source("cause").not_applied()
    }

    #[test]
    fn it_tells_the_last_failure_of_each_member_and_the_kind_of_the_last_of_all() {
        let notes = Notes::new("put");
        assert_eq!(notes.at_deadline(LIMIT).to_string(), "no answer in time: put, after 2s");
        notes.failed("http://a:1", &refused());
        notes.failed("http://b:2", &BackendError::new(BackendErrorKind::Timeout, "1s"));
        notes.failed("http://a:1", &refused());
        let error = notes.at_deadline(LIMIT);
        assert_eq!(error.kind(), BackendErrorKind::Unavailable);
        let said =
            "put, after 2s: http://b:2: no answer in time: 1s; http://a:1: store unavailable: why: cause";
        assert_eq!(error.message(), said);
        assert!(error.is_retryable());
    }

    #[test]
    fn a_write_may_be_applied_exactly_if_it_was_sent() {
        let notes = Notes::new("put");
        notes.failed("http://a:1", &refused());
        assert!(!notes.at_deadline(LIMIT).is_maybe_applied());
        notes.sent(true);
        assert!(notes.at_deadline(LIMIT).is_maybe_applied());
        notes.sent(false);
        assert!(!notes.at_deadline(LIMIT).is_maybe_applied());
    }
}
