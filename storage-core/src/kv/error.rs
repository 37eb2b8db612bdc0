use std::error::Error as StdError;
use std::fmt;

use super::{LeaseId, Revision};

/// Why a call to a store failed.
///
/// Beside its kind it answers two questions, which are not the same: [`is_retryable`](Self::is_retryable) (may the
/// same call succeed if it is made again?) and [`is_maybe_applied`](Self::is_maybe_applied) (may the write have taken
/// effect although it failed?). A write that may have been applied must not be sent again blindly.
pub struct BackendError {
    inner: Box<Inner>,
}

struct Inner {
    kind: BackendErrorKind,
    message: String,
    retryable: bool,
    maybe_applied: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendErrorKind {
    /// The store cannot be reached, or is not able to serve now.
    Unavailable,
    /// There was no answer within the time allowed.
    Timeout,
    /// The revision asked for is no longer kept.
    Compacted,
    /// The revision asked for does not exist yet.
    FutureRevision,
    /// The lease has ended, or never was.
    LeaseNotFound,
    /// A value, a request or a list of operations is beyond a limit of the store.
    TooLarge,
    /// The answer is beyond what this client accepts.
    ReplyTooLarge,
    /// The request is malformed: a programming error on this side.
    InvalidRequest,
    /// The user may not do this.
    PermissionDenied,
    /// The store does not know the user, or the user's credentials are wrong.
    Unauthenticated,
    /// The store's disk or quota is full.
    NoSpace,
    /// Anything else.
    Internal,
}

impl BackendErrorKind {
    fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout)
    }

    /// Kinds that a store answers before it applies anything. Where that is not certain the answer is "maybe".
    fn is_maybe_applied(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::Timeout | Self::ReplyTooLarge | Self::NoSpace | Self::Internal
        )
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Unavailable => "store unavailable",
            Self::Timeout => "no answer in time",
            Self::Compacted => "revision compacted",
            Self::FutureRevision => "revision does not exist yet",
            Self::LeaseNotFound => "lease not found",
            Self::TooLarge => "beyond a limit of the store",
            Self::ReplyTooLarge => "answer too large",
            Self::InvalidRequest => "malformed request",
            Self::PermissionDenied => "permission denied",
            Self::Unauthenticated => "not authenticated",
            Self::NoSpace => "store is full",
            Self::Internal => "store failed",
        }
    }
}

impl BackendError {
    /// An error of this kind. Its two answers are the cautious ones of the kind: only kinds that a store answers
    /// before applying anything count as not applied.
    ///
    /// The message is a lower-case phrase with what varies last, without what the source says.
    pub fn new(kind: BackendErrorKind, message: impl Into<String>) -> Self {
        let inner = Inner {
            kind,
            message: message.into(),
            retryable: kind.is_retryable(),
            maybe_applied: kind.is_maybe_applied(),
            source: None,
        };
        Self { inner: Box::new(inner) }
    }

    /// What a read, a watch or a compaction fails with that names a revision before the oldest one kept.
    pub fn compacted(asked: Revision, compacted: Revision) -> Self {
        Self::new(BackendErrorKind::Compacted, format!("asked for {asked}, compacted up to {compacted}"))
    }

    /// What a call fails with that names a revision after the newest one.
    pub fn future_revision(asked: Revision, newest: Revision) -> Self {
        Self::new(BackendErrorKind::FutureRevision, format!("asked for {asked}, newest is {newest}"))
    }

    /// What a call fails with that names a lease that does not run.
    pub fn lease_not_found(lease: LeaseId) -> Self {
        Self::new(BackendErrorKind::LeaseNotFound, lease.to_string())
    }

    /// This error with its cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// This error, known to have changed nothing in the store.
    pub fn not_applied(mut self) -> Self {
        self.inner.maybe_applied = false;
        self
    }

    /// This error, with the write possibly applied.
    pub fn maybe_applied(mut self) -> Self {
        self.inner.maybe_applied = true;
        self
    }

    /// This error, worth another attempt.
    pub fn retryable(mut self) -> Self {
        self.inner.retryable = true;
        self
    }

    /// This error, which another attempt would only repeat.
    pub fn not_retryable(mut self) -> Self {
        self.inner.retryable = false;
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> BackendErrorKind {
        self.inner.kind
    }

    /// What was said about it.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Whether the same call may succeed when it is made again.
    pub fn is_retryable(&self) -> bool {
        self.inner.retryable
    }

    /// Whether a write that failed with this error may have taken effect. A backend that cannot tell says yes. For a
    /// read it means nothing.
    pub fn is_maybe_applied(&self) -> bool {
        self.inner.maybe_applied
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.inner.kind.describe())?;
        if !self.inner.message.is_empty() {
            write!(f, ": {}", self.inner.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendError")
            .field("kind", &self.inner.kind)
            .field("message", &self.inner.message)
            .field("retryable", &self.inner.retryable)
            .field("maybe_applied", &self.inner.maybe_applied)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for BackendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retrying_and_having_been_applied_are_separate_answers() {
        let refused = BackendError::new(BackendErrorKind::Unavailable, "connection refused").not_applied();
        assert!(refused.is_retryable() && !refused.is_maybe_applied());
        let full = BackendError::new(BackendErrorKind::NoSpace, "quota");
        assert!(!full.is_retryable() && full.is_maybe_applied());
    }

    #[test]
    fn display_is_one_line_that_does_not_repeat_the_source() {
        let error = BackendError::new(BackendErrorKind::Timeout, "after 5 s").with_source("inner cause");
        assert_eq!(error.to_string(), "no answer in time: after 5 s");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("inner cause"));
    }
}
