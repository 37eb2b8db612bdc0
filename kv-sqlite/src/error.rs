use std::path::Path;

use rusqlite::ErrorCode;
use storage_core::kv::{BackendError, BackendErrorKind};

/// Why work on the database has stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An answer rather than a fault, given before anything was written.
    Refused(BackendError),
    Sqlite(rusqlite::Error),
    /// The database holds what this crate never writes: it says what.
    Damaged(&'static str),
}

impl Failure {
    /// Whether another connection is in the way, which will have gone in a moment.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_busy(error))
    }

    /// What the caller is told, where nothing has been applied.
    pub(crate) fn into_error(self) -> BackendError {
        match self {
            Self::Refused(error) => error,
            Self::Sqlite(error) => translate(error).not_applied(),
            Self::Damaged(what) => damaged(what).not_applied(),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::QueryReturnedNoRows => Self::Damaged("a row is not what it should be"),
            other => Self::Sqlite(other),
        }
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::Refused(error)
    }
}

/// Whether the same statement may succeed in a moment: a lock is held, another process recovers the write-ahead log, or a
/// snapshot was overtaken between reading and locking.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed)
    )
}

/// What a failure of `COMMIT` leaves open. A full disk did not take the last page of the transaction, the one that makes it
/// valid; after any other error that may have been written.
pub(crate) fn of_commit(error: rusqlite::Error) -> BackendError {
    let error = translate(error);
    match error.kind() {
        BackendErrorKind::NoSpace => error.not_applied(),
        _ => error.maybe_applied(),
    }
}

fn translate(error: rusqlite::Error) -> BackendError {
    use BackendErrorKind::{Internal, NoSpace, PermissionDenied, TooLarge, Unavailable};
    let Some(code) = error.sqlite_error_code() else {
        return BackendError::new(Internal, "unexpected error of the SQLite library").with_source(error);
    };
    let translated = match code {
        ErrorCode::DiskFull => BackendError::new(NoSpace, "no room for the database"),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            BackendError::new(PermissionDenied, "the database cannot be written")
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => damaged("SQLite finds its file malformed"),
        ErrorCode::CannotOpen => {
            BackendError::new(Unavailable, "cannot open the database or a file beside it")
        }
        ErrorCode::SystemIoFailure => BackendError::new(Unavailable, "input or output failed"),
        ErrorCode::OutOfMemory => BackendError::new(Unavailable, "out of memory"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            BackendError::new(BackendErrorKind::Timeout, "another process keeps the database locked")
        }
        ErrorCode::TooBig => BackendError::new(TooLarge, "more than SQLite takes"),
        _ => BackendError::new(Internal, "unexpected error of the SQLite library"),
    };
    translated.with_source(error)
}

fn damaged(what: &str) -> BackendError {
    let message = format!(
        "the database is damaged, {what}: restore a backup, or save what can be read with `sqlite3 FILE .recover`"
    );
    BackendError::new(BackendErrorKind::Internal, message)
}

/// The time is over and the work has not begun, or was only reading.
pub(crate) fn timeout(call: &str) -> BackendError {
    let message = format!("{call}: the database was locked or busy all the time");
    BackendError::new(BackendErrorKind::Timeout, message).not_applied()
}

/// The time is over, and the work goes on.
pub(crate) fn timeout_under_way(call: &str) -> BackendError {
    BackendError::new(BackendErrorKind::Timeout, format!("{call}: the disk takes too long")).maybe_applied()
}

/// The file that is open is not the one at the path any more: what is written to it would be lost.
pub(crate) fn replaced(path: &Path) -> BackendError {
    let message = format!("the store was removed or replaced while it was open: {}", path.display());
    BackendError::new(BackendErrorKind::Unavailable, message).not_applied().not_retryable()
}

/// A thread of the store is gone, which only a mistake in this crate can bring about.
pub(crate) fn ended(what: &str) -> BackendError {
    BackendError::new(BackendErrorKind::Internal, format!("{what} has ended")).maybe_applied()
}

/// The same error with the path of the store that could not be opened.
pub(crate) fn at(path: &Path, error: &BackendError) -> BackendError {
    with_message(error, format!("{}: {}", error.message(), path.display()))
}

/// The path is not that of a store, and cannot become one.
pub(crate) fn unusable(path: &Path, why: &str) -> BackendError {
    BackendError::new(BackendErrorKind::InvalidRequest, format!("{why}: {}", path.display()))
}

/// The system does not let us at the files of the store.
pub(crate) fn io(path: &Path, error: std::io::Error) -> BackendError {
    use std::io::ErrorKind as Io;
    let (kind, why) = match error.kind() {
        Io::NotFound => (BackendErrorKind::InvalidRequest, "no such directory"),
        Io::NotADirectory => (BackendErrorKind::InvalidRequest, "not a directory"),
        Io::PermissionDenied => (BackendErrorKind::PermissionDenied, "no permission"),
        Io::ReadOnlyFilesystem => (BackendErrorKind::PermissionDenied, "the file system is read-only"),
        Io::StorageFull | Io::QuotaExceeded => (BackendErrorKind::NoSpace, "no room"),
        _ => (BackendErrorKind::Unavailable, "cannot open"),
    };
    BackendError::new(kind, format!("{why}: {}", path.display())).with_source(error).not_applied()
}

/// The same error for another caller.
pub(crate) fn again(error: &BackendError) -> BackendError {
    with_message(error, error.message().to_owned())
}

fn with_message(error: &BackendError, message: String) -> BackendError {
    let mut again = BackendError::new(error.kind(), message);
    again = if error.is_maybe_applied() { again.maybe_applied() } else { again.not_applied() };
    again = if error.is_retryable() { again.retryable() } else { again.not_retryable() };
    match std::error::Error::source(error) {
        Some(source) => again.with_source(source.to_string()),
        None => again,
    }
}
