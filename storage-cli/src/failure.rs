//! Why the command failed: one line for the user, and the exit code.

use std::error::Error as StdError;
use std::fmt::Write;
use std::{io, iter};

use storage_core::{Error, ErrorKind};

use crate::exit::Exit;
use crate::store_url::Store;

/// Why the command, or one file's part of it, failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// What the user is told.
    Told { exit: Exit, kind: &'static str, message: String },
    /// Nobody reads standard output any more (`kvfs ls | head`): not a failure, only a reason to end.
    ReaderGone,
}

/// What is said of a lock has other hints than what is said of a file.
const LOCK: &str = "lock";
const TRY_LOCK: &str = "try-lock";
pub(crate) const BREAK: &str = "locks break";
const QUARANTINE: &str = "quarantine";

impl Failure {
    /// A failure that no kind of the storage's is for.
    pub(crate) fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self::Told { exit, kind, message: message.into() }
    }

    /// An operation of this command on this path failed in the storage.
    pub(crate) fn storage(command: &str, path: &str, error: &Error) -> Self {
        let message = format!("{command} {path:?}: {}", explained(command, path, error));
        Self::Told { exit: Exit::of(error.kind()), kind: error.kind().name(), message }
    }

    /// An operation on no path in particular failed in the storage.
    pub(crate) fn storage_at_large(command: &str, error: &Error) -> Self {
        Self::of_kind(error.kind(), format!("{command}: {}", explained(command, "", error)))
    }

    /// The store could not be opened.
    pub(crate) fn opening(
        store: &Store,
        to_check: &str,
        kind: ErrorKind,
        said: String,
        error: &dyn StdError,
    ) -> Self {
        let hint = match (store, Exit::of(kind)) {
            (Store::Etcd(_), Exit::Unavailable) => {
                format!("; is the server at {store} running? check {to_check}")
            }
            _ => format!("; check {to_check}"),
        };
        let message = format!("store {store}: {}{hint}", with_causes(said, error.source()));
        Self::Told { exit: Exit::of(kind), kind: kind.name(), message }
    }

    /// The failure that the storage would call by this kind, found without asking it.
    pub(crate) fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::Told { exit: Exit::of(kind), kind: kind.name(), message: message.into() }
    }

    /// The command was called in a way that cannot work.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Told { exit: Exit::Usage, kind: "usage", message: message.into() }
    }

    /// Reading or writing on this machine failed.
    pub(crate) fn local(what: impl AsRef<str>, error: &io::Error) -> Self {
        let message = format!("{}: {error}", what.as_ref());
        Self::Told { exit: Exit::Unavailable, kind: "local_io", message }
    }

    /// This failure as part of something that is said before it.
    pub(crate) fn within(mut self, what: &str) -> Self {
        if let Self::Told { message, .. } = &mut self {
            message.insert_str(0, &format!("{what}: "));
        }
        self
    }

    /// This failure with something more to know, said last.
    pub(crate) fn with_note(mut self, note: impl AsRef<str>) -> Self {
        if let Self::Told { message, .. } = &mut self {
            message.push_str("; ");
            message.push_str(note.as_ref());
        }
        self
    }

    /// A failure of the same kind with another message: the sum of several.
    pub(crate) fn retold(&self, message: String) -> Self {
        match self {
            Self::Told { exit, kind, .. } => Self::Told { exit: *exit, kind, message },
            Self::ReaderGone => Self::ReaderGone,
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Told { exit, .. } => *exit,
            Self::ReaderGone => Exit::Ok,
        }
    }
}

/// The text with every control character escaped: one line, and nothing that a terminal obeys.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_debug());
        } else {
            line.push(c);
        }
        line
    })
}

/// What was wrong, why, and what to do about it.
fn explained(command: &str, path: &str, error: &Error) -> String {
    let mut text = with_causes(described(path, error), error.source());
    if let Some(hint) = hint(command, error.kind()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "; {hint}");
    }
    text
}

/// The error without its operation, which the command names already, and without its path if that is the same.
fn described(path: &str, error: &Error) -> String {
    let same = |named: &str| named.trim_matches('/') == path.trim_matches('/');
    let whole = error.to_string();
    let whole = match error.operation() {
        Some(operation) => {
            whole.strip_prefix(operation).unwrap_or(&whole).trim_start_matches(": ").trim_start()
        }
        None => whole.as_str(),
    };
    match error.path() {
        Some(named) if same(named) => whole.strip_prefix(&format!("{named:?}: ")).unwrap_or(whole).to_owned(),
        _ => whole.to_owned(),
    }
}

/// A message and the causes behind it, each unless it has been said already.
pub(crate) fn with_causes(mut text: String, source: Option<&(dyn StdError + 'static)>) -> String {
    for cause in iter::successors(source, |&cause| cause.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// What to do about an error of this kind.
fn hint(command: &str, kind: ErrorKind) -> Option<&'static str> {
    Some(match (kind, command) {
        (ErrorKind::NotFound, command) if command.starts_with(QUARANTINE) => {
            "`kvfs quarantine` shows what is there"
        }
        (ErrorKind::ChecksumMismatch | ErrorKind::Corrupt, command) if command.starts_with(QUARANTINE) => {
            "`kvfs quarantine get` saves what is there"
        }
        (ErrorKind::NotFound, _) => "`kvfs ls -r` shows what is there",
        (ErrorKind::AlreadyExists, _) => "choose another name, or remove it with `kvfs rm`",
        (ErrorKind::IsADirectory, "get") => "use `kvfs ls` to see what is in it, or `kvfs export`",
        (ErrorKind::IsADirectory, "rm") => "use `kvfs rm -r` to remove everything below it",
        (ErrorKind::IsADirectory, "mv") => "only files are moved",
        (ErrorKind::IsADirectory, _) => "files lie below it; name a file",
        (ErrorKind::NotADirectory, "ls") => "it is a file; use `kvfs stat` or `kvfs get`",
        (ErrorKind::NotADirectory, _) => "it is a file, so nothing can lie below it; choose another path",
        (ErrorKind::InvalidName, _) => "any other text of up to 1,024 bytes is one",
        (ErrorKind::InvalidPath, _) => "a path is like sites/example.com/cert.pem",
        (ErrorKind::TooLarge, LOCK | TRY_LOCK) => "choose a shorter label",
        (ErrorKind::TooLarge, _) => "kvfs is for small files",
        (ErrorKind::ChecksumMismatch | ErrorKind::Corrupt, _) => "replace it with `kvfs put` or remove it",
        (ErrorKind::Conflict, _) => "look at what is there now, then run it again",
        (ErrorKind::Unavailable | ErrorKind::Timeout, _) => "is the server running, and within reach?",
        (ErrorKind::LockTimeout, _) | (ErrorKind::OutcomeUnknown, LOCK | TRY_LOCK | BREAK) => {
            "`kvfs locks` shows who has the lock"
        }
        (ErrorKind::OutcomeUnknown, _) => "`kvfs stat` shows what is there; running it again is safe",
        (ErrorKind::NoSpace, _) => {
            "remove files with `kvfs rm`, then compact and defragment the store and disarm its alarm"
        }
        (ErrorKind::PermissionDenied | ErrorKind::Unauthenticated, _) => {
            "check the rights of the store's user on the tree's prefix"
        }
        (ErrorKind::Unsupported, _) => "it may need a newer kvfs",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage_core::kv::{BackendError, BackendErrorKind};
    use storage_core::{FilePath, Storage, StorageOptions};

    fn message(failure: Failure) -> String {
        match failure {
            Failure::Told { message, .. } => message,
            Failure::ReaderGone => panic!("nothing was told"),
        }
    }

    #[test]
    fn the_command_and_the_path_are_named_once() {
        let error = FilePath::parse("../x").unwrap_err();
        let message = message(Failure::storage("put", "../x", &error));
        let expected = r#"put "../x": invalid path: contains the component ".."; a path is like sites/example.com/cert.pem"#;
        assert_eq!(message, expected);
    }

    #[tokio::test]
    async fn another_path_that_the_error_names_is_kept() {
        let tree = Storage::open(kv_memory::MemoryBackend::new(), StorageOptions::new()).await.unwrap();
        tree.store("a", "x").await.unwrap();
        let error = tree.store("/a/b/c", "x").await.unwrap_err();
        let below_a_file = message(Failure::storage("put", "/a/b/c", &error));
        assert!(
            below_a_file.starts_with(r#"put "/a/b/c": "a": not a directory; it is a file"#),
            "{below_a_file}"
        );
        let error = tree.load("none").await.unwrap_err();
        let missing = message(Failure::storage("get", "/none", &error));
        assert!(missing.starts_with(r#"get "/none": not found; "#), "{missing}");
    }

    #[test]
    fn a_cause_that_has_been_said_is_not_repeated() {
        let error = BackendError::new(BackendErrorKind::Unavailable, "dns error").with_source("dns error");
        let message = message(Failure::opening(
            &"etcd://a".parse().unwrap(),
            "x",
            ErrorKind::Unavailable,
            error.to_string(),
            &error,
        ));
        assert_eq!(message.matches("dns error").count(), 1, "{message}");
        let error = BackendError::new(BackendErrorKind::Unavailable, "connecting").with_source("refused");
        assert!(with_causes(error.to_string(), error.source()).ends_with(": connecting: refused"));
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(one_line("a\nb\u{1b}[31m\"ä\""), "a\\nb\\u{1b}[31m\"ä\"");
    }
}
