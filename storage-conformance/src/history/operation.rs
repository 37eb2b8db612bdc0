use bytes::Bytes;
use storage_core::kv::Revision;
use storage_core::{EntryKind, Error, ErrorKind, Version};
use tokio::time::Instant;

/// What a client asked for, and what became of it, as the client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The number of the client.
    pub client: usize,
    /// What it asked for.
    pub call: Call,
    /// The token of the lock whose guard made the call.
    pub fence: Option<Revision>,
    /// When it asked.
    pub invoked: Moment,
    /// When it had an answer. `None` if it never had one: it was dropped, or its client died.
    pub returned: Option<Moment>,
    /// What it was told.
    pub outcome: Outcome,
}

/// A moment in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// Its number among all moments of the history, by which they are ordered: on a paused clock many share an instant.
    pub order: u64,
    /// When it was, for people.
    pub at: Instant,
}

/// A call of the file tree or of its locks. Paths are without slashes around them; the root is `""`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the arguments of the methods")]
pub enum Call {
    /// `store`, or `store_many`.
    Store { files: Vec<(String, Bytes)> },
    /// `create`.
    Create { path: String, content: Bytes },
    /// `store_if`.
    StoreIf { path: String, content: Bytes, version: Version },
    /// `load_or_store`.
    LoadOrStore { path: String, content: Bytes },
    /// `delete`; of the root, `delete_all`.
    Delete { path: String },
    /// `delete_file`.
    DeleteFile { path: String },
    /// `rename`.
    Rename { from: String, to: String },
    /// `load` or `load_file`.
    Load { path: String },
    /// `load_many`.
    LoadMany { paths: Vec<String> },
    /// `stat`.
    Stat { path: String },
    /// `exists`.
    Exists { path: String },
    /// `list` of all descendants, with metadata.
    List { path: String },
    /// `lock` or `try_lock`.
    Lock { name: String },
    /// The unlocking of the lock that was taken with this token.
    Unlock { name: String, token: Revision },
}

/// What a caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing: the call never returned. A write may have been applied, or may be later.
    Pending,
    /// A write was done, and this is the version of all its files.
    Wrote(Version),
    /// So many files were deleted.
    Deleted(u64),
    /// The file that `load` or `load_or_store` has found.
    Loaded(Loaded),
    /// What `load_many` has found, in the order asked; `None` where there was no file.
    LoadedMany(Vec<Option<Loaded>>),
    /// What `stat` has found.
    Stat(EntryKind, Version),
    /// What `exists` has answered.
    Exists(bool),
    /// The files that `list` has shown.
    Listed(Vec<(String, Version)>),
    /// A lock was taken, with this token.
    Acquired(Revision),
    /// `try_lock` found that somebody has the lock.
    NotFree,
    /// A lock was released, having been held until then.
    Released,
    /// The state of the tree, or of a lock, does not allow it: nothing was done.
    Refused {
        /// Why.
        kind: ErrorKind,
        /// The path that stands in the way.
        path: String,
    },
    /// It failed, and nothing was done.
    Failed {
        /// Why.
        kind: ErrorKind,
        /// The error and what is behind it.
        text: String,
    },
    /// It failed, and may have been applied, or may be later. The text is the error and what is behind it.
    Unknown(String),
    /// An answer that is wrong in every state of the tree, and why.
    Wrong(String),
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its version.
    pub version: Version,
    /// Its content.
    pub content: Bytes,
}

impl Call {
    /// Whether it can change the files of the tree.
    pub fn is_write(&self) -> bool {
        match self {
            Self::Store { .. }
            | Self::Create { .. }
            | Self::StoreIf { .. }
            | Self::LoadOrStore { .. }
            | Self::Delete { .. }
            | Self::DeleteFile { .. }
            | Self::Rename { .. } => true,
            Self::Load { .. }
            | Self::LoadMany { .. }
            | Self::Stat { .. }
            | Self::Exists { .. }
            | Self::List { .. }
            | Self::Lock { .. }
            | Self::Unlock { .. } => false,
        }
    }

    /// The paths that it names.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::Store { files } => files.iter().map(|(path, _)| path.as_str()).collect(),
            Self::LoadMany { paths } => paths.iter().map(String::as_str).collect(),
            Self::Rename { from, to } => vec![from, to],
            Self::Create { path, .. }
            | Self::StoreIf { path, .. }
            | Self::LoadOrStore { path, .. }
            | Self::Delete { path }
            | Self::DeleteFile { path }
            | Self::Load { path }
            | Self::Stat { path }
            | Self::Exists { path }
            | Self::List { path } => vec![path],
            Self::Lock { .. } | Self::Unlock { .. } => Vec::new(),
        }
    }
}

impl Outcome {
    /// How a call has failed: `call` spelled the path like this, should the error name none.
    pub fn of_error(error: &Error, path: &str) -> Self {
        let kind = error.kind();
        match kind {
            ErrorKind::OutcomeUnknown => Self::Unknown(with_sources(error)),
            ErrorKind::ChecksumMismatch | ErrorKind::Corrupt => Self::Wrong(with_sources(error)),
            ErrorKind::LockLost | ErrorKind::NotHeld => Self::refused(error, path),
            _ if error.is_conflict() || error.is_not_found() => Self::refused(error, path),
            kind => Self::Failed { kind, text: with_sources(error) },
        }
    }

    fn refused(error: &Error, path: &str) -> Self {
        let path = error.path().unwrap_or(path).trim_matches('/').to_owned();
        Self::Refused { kind: error.kind(), path }
    }

    /// Whether the caller was told of the store's troubles.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Unknown(_))
    }

    /// Whether it is open what became of the call.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Pending)
    }
}

impl Operation {
    /// Whether it changed files, and was told so.
    pub fn is_acknowledged_write(&self) -> bool {
        matches!(self.outcome, Outcome::Wrote(_) | Outcome::Deleted(_))
    }

    /// Whether it is a write that may have been applied, or may be later, without anybody having been told.
    pub fn is_open_write(&self) -> bool {
        self.call.is_write() && self.outcome.is_open()
    }

    /// Whether it had returned before another was invoked.
    pub fn is_before(&self, other: &Self) -> bool {
        self.returned.is_some_and(|returned| returned.order < other.invoked.order)
    }
}

/// What went wrong, and why.
fn with_sources(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
