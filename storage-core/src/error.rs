use std::error::Error as StdError;
use std::sync::Arc;
use std::{fmt, io};

use crate::kv::{BackendError, BackendErrorKind};

/// The result of an operation on a [`Storage`](crate::Storage).
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed: its kind, the operation and the path it was about, and the cause behind it.
///
/// `Display` is one lower-case line without the cause; walk [`source`](StdError::source) for that.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    path: Option<String>,
    detail: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such file or directory.
    NotFound,
    /// There is a file or directory already.
    AlreadyExists,
    /// A file is needed, and the path is a directory.
    IsADirectory,
    /// A directory is needed, and the path is a file.
    NotADirectory,
    /// The path is not one that can be a file's.
    InvalidPath,
    /// The name is not one that can be a lock's.
    InvalidName,
    /// The content is not the one that was stored.
    ChecksumMismatch,
    /// The metadata record cannot be read, or is missing.
    Corrupt,
    /// Somebody else changed the file.
    Conflict,
    /// Beyond a limit of the store; nothing was sent.
    TooLarge,
    /// A lock was not to be had within the time allowed.
    LockTimeout,
    /// A lock was lost: its session ended.
    LockLost,
    /// This client does not hold the lock.
    NotHeld,
    /// The storage was closed.
    Closed,
    /// The store cannot be reached or cannot serve now. Nothing was changed.
    Unavailable,
    /// The store did not answer in time. Nothing was changed.
    Timeout,
    /// The store failed in the middle of a write: it may have been applied, or not, all of it or nothing.
    OutcomeUnknown,
    /// The store's user may not do this.
    PermissionDenied,
    /// The store does not know the user, or the credentials are wrong.
    Unauthenticated,
    /// The store is full. Nothing was changed.
    NoSpace,
    /// A setting is wrong.
    InvalidConfig,
    /// What is stored is of a kind or version that this library does not handle.
    Unsupported,
    /// Anything else: a failure of the store, or a mistake in this library.
    Internal,
}

impl ErrorKind {
    /// Its name in logs, metrics and JSON: `not_found`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::IsADirectory => "is_a_directory",
            Self::NotADirectory => "not_a_directory",
            Self::InvalidPath => "invalid_path",
            Self::InvalidName => "invalid_name",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::Corrupt => "corrupt",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::LockTimeout => "lock_timeout",
            Self::LockLost => "lock_lost",
            Self::NotHeld => "not_held",
            Self::Closed => "closed",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::PermissionDenied => "permission_denied",
            Self::Unauthenticated => "unauthenticated",
            Self::NoSpace => "no_space",
            Self::InvalidConfig => "invalid_config",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "exists already",
            Self::IsADirectory => "is a directory",
            Self::NotADirectory => "not a directory",
            Self::InvalidPath => "invalid path",
            Self::InvalidName => "invalid name of a lock",
            Self::ChecksumMismatch => "content does not match its checksum",
            Self::Corrupt => "metadata is damaged",
            Self::Conflict => "changed by somebody else",
            Self::TooLarge => "too large",
            Self::LockTimeout => "lock not acquired in time",
            Self::LockLost => "lock lost",
            Self::NotHeld => "lock not held",
            Self::Closed => "storage is closed",
            Self::Unavailable => "store unavailable",
            Self::Timeout => "store did not answer in time",
            Self::OutcomeUnknown => "outcome unknown, the write may or may not have been applied",
            Self::PermissionDenied => "permission denied by the store",
            Self::Unauthenticated => "not authenticated with the store",
            Self::NoSpace => "store is full",
            Self::InvalidConfig => "invalid configuration",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal error",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self { inner: Box::new(Inner { kind, operation: None, path: None, detail: None, source: None }) }
    }

    /// The error of a read that failed.
    pub(crate) fn of_read(error: BackendError) -> Self {
        Self::new(definite(error.kind())).with_source(error)
    }

    /// The same for an error that several get.
    pub(crate) fn of_shared(error: Arc<BackendError>) -> Self {
        Self::new(definite(error.kind())).with_source(error)
    }

    /// The error of a write that failed: unless the store is known to have refused it, the outcome is open.
    pub(crate) fn of_write(error: BackendError) -> Self {
        let kind = if error.is_maybe_applied() { ErrorKind::OutcomeUnknown } else { definite(error.kind()) };
        Self::new(kind).with_source(error)
    }

    /// This error of a write, which turned out to have changed nothing.
    pub(crate) fn that_changed_nothing(mut self) -> Self {
        self.inner.kind = self.backend().map_or(self.inner.kind, |error| definite(error.kind()));
        self
    }

    pub(crate) fn with_operation(mut self, operation: &'static str) -> Self {
        self.inner.operation.get_or_insert(operation);
        self
    }

    pub(crate) fn with_path(mut self, path: impl AsRef<str>) -> Self {
        self.inner.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.inner.detail = Some(detail.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Whether a backend failed with an error of this kind behind it.
    pub(crate) fn is_backend(&self, kind: BackendErrorKind) -> bool {
        self.backend().is_some_and(|error| error.kind() == kind)
    }

    /// Whether the store failed in a way in which it may not fail again.
    pub(crate) fn is_retryable(&self) -> bool {
        self.backend().is_some_and(BackendError::is_retryable)
    }

    fn backend(&self) -> Option<&BackendError> {
        self.inner.source.as_ref()?.downcast_ref()
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The operation that failed, such as `store`.
    pub fn operation(&self) -> Option<&'static str> {
        self.inner.operation
    }

    /// The path, or the name of the lock, that it was about. A path that was refused is given as it was spelled.
    pub fn path(&self) -> Option<&str> {
        self.inner.path.as_deref()
    }

    /// Whether there is no such file or directory.
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Whether stored data is damaged: content or metadata.
    pub fn is_damage(&self) -> bool {
        matches!(self.kind(), ErrorKind::ChecksumMismatch | ErrorKind::Corrupt)
    }

    /// Whether the content is not the one that was stored.
    pub fn is_checksum_mismatch(&self) -> bool {
        self.kind() == ErrorKind::ChecksumMismatch
    }

    /// Whether the tree is in a state that the operation does not allow: something is there already, is of the other
    /// kind, or was changed by somebody else.
    pub fn is_conflict(&self) -> bool {
        use ErrorKind::{AlreadyExists, Conflict, IsADirectory, NotADirectory};
        matches!(self.kind(), AlreadyExists | Conflict | IsADirectory | NotADirectory)
    }

    /// Whether it is about a lock.
    pub fn is_lock(&self) -> bool {
        matches!(self.kind(), ErrorKind::LockTimeout | ErrorKind::LockLost | ErrorKind::NotHeld)
    }

    /// Whether the store could not be reached, or did not answer as it should have.
    pub fn is_connection(&self) -> bool {
        matches!(self.kind(), ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::OutcomeUnknown)
    }

    /// Whether a write that failed with this error may have been applied.
    pub fn is_outcome_unknown(&self) -> bool {
        self.kind() == ErrorKind::OutcomeUnknown
    }
}

/// What a backend's error means when it is known that nothing was changed.
fn definite(kind: BackendErrorKind) -> ErrorKind {
    match kind {
        BackendErrorKind::Unavailable => ErrorKind::Unavailable,
        BackendErrorKind::Timeout => ErrorKind::Timeout,
        BackendErrorKind::TooLarge | BackendErrorKind::ReplyTooLarge => ErrorKind::TooLarge,
        BackendErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        BackendErrorKind::Unauthenticated => ErrorKind::Unauthenticated,
        BackendErrorKind::NoSpace => ErrorKind::NoSpace,
        BackendErrorKind::Compacted
        | BackendErrorKind::FutureRevision
        | BackendErrorKind::LeaseNotFound
        | BackendErrorKind::InvalidRequest
        | BackendErrorKind::Internal => ErrorKind::Internal,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.inner;
        match (inner.operation, &inner.path) {
            (Some(operation), Some(path)) => write!(f, "{operation} {path:?}: ")?,
            (Some(operation), None) => write!(f, "{operation}: ")?,
            (None, Some(path)) => write!(f, "{path:?}: ")?,
            (None, None) => {}
        }
        f.write_str(inner.kind.describe())?;
        inner.detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("operation", &self.inner.operation)
            .field("path", &self.inner.path)
            .field("detail", &self.inner.detail)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

impl From<Error> for io::Error {
    /// An `io::Error` of the kind that says the same, with this error inside.
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
            ErrorKind::IsADirectory => io::ErrorKind::IsADirectory,
            ErrorKind::NotADirectory => io::ErrorKind::NotADirectory,
            ErrorKind::InvalidPath | ErrorKind::InvalidName | ErrorKind::InvalidConfig => {
                io::ErrorKind::InvalidInput
            }
            ErrorKind::ChecksumMismatch | ErrorKind::Corrupt => io::ErrorKind::InvalidData,
            ErrorKind::TooLarge => io::ErrorKind::FileTooLarge,
            ErrorKind::LockTimeout | ErrorKind::Timeout => io::ErrorKind::TimedOut,
            ErrorKind::Unavailable => io::ErrorKind::NotConnected,
            ErrorKind::PermissionDenied | ErrorKind::Unauthenticated => io::ErrorKind::PermissionDenied,
            ErrorKind::NoSpace => io::ErrorKind::StorageFull,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::Conflict
            | ErrorKind::LockLost
            | ErrorKind::NotHeld
            | ErrorKind::Closed
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Internal => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_with_the_context_first_and_without_the_cause() {
        let cause = BackendError::new(BackendErrorKind::Timeout, "after 5 s").not_applied();
        let error = Error::of_write(cause).with_operation("store").with_path("a\nb");
        assert_eq!(error.to_string(), r#"store "a\nb": store did not answer in time"#);
        assert_eq!(error.source().unwrap().to_string(), "no answer in time: after 5 s");
    }

    #[test]
    fn the_name_of_a_kind_is_that_of_its_variant() {
        for kind in
            [ErrorKind::NotFound, ErrorKind::IsADirectory, ErrorKind::OutcomeUnknown, ErrorKind::Internal]
        {
            let mut name = String::new();
            for character in format!("{kind:?}").chars() {
                if character.is_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.extend(character.to_lowercase());
            }
            assert_eq!(kind.name(), name);
        }
    }

    #[test]
    fn a_write_that_may_have_been_applied_is_said_to_be_open() {
        let lost = || BackendError::new(BackendErrorKind::Unavailable, "connection lost");
        assert_eq!(Error::of_write(lost()).kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(Error::of_write(lost().not_applied()).kind(), ErrorKind::Unavailable);
        assert_eq!(Error::of_read(lost()).kind(), ErrorKind::Unavailable);
        let full = BackendError::new(BackendErrorKind::NoSpace, "");
        assert_eq!(Error::of_write(full).kind(), ErrorKind::OutcomeUnknown);
    }

    #[test]
    fn the_innermost_context_is_kept() {
        let error = Error::new(ErrorKind::NotADirectory).with_path("a").with_path("a/b");
        assert_eq!(error.path(), Some("a"));
    }

    #[test]
    fn an_io_error_keeps_the_kind_and_the_error() {
        let error: io::Error = Error::new(ErrorKind::NotFound).with_operation("load").with_path("x").into();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).unwrap();
        assert!(inner.is_not_found());
    }
}
