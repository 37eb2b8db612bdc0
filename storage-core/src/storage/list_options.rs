use std::fmt;
use std::sync::Arc;

use crate::metadata::{DirEntry, EntryKind};
use crate::path::FilePath;

/// What a listing shows.
///
/// Made with [`children`](Self::children) or [`descendants`](Self::descendants), then narrowed down.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListOptions {
    pub(super) depth: Depth,
    pub(super) metadata: WithMetadata,
    pub(super) filters: Vec<Filter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Children,
    Descendants,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WithMetadata {
    No,
    Yes,
}

impl ListOptions {
    /// The files and directories directly in the directory.
    pub fn children() -> Self {
        Self { depth: Depth::Children, metadata: WithMetadata::No, filters: Vec::new() }
    }

    /// All files and directories below the directory.
    pub fn descendants() -> Self {
        Self { depth: Depth::Descendants, ..Self::children() }
    }

    /// This listing with the metadata of files.
    pub fn with_metadata(mut self) -> Self {
        self.metadata = WithMetadata::Yes;
        self
    }

    /// This listing with one more filter. An entry is shown when it passes all of them.
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    pub(super) fn shows(&self, entry: &DirEntry) -> bool {
        self.filters.iter().all(|filter| filter.passes(entry))
    }

    pub(super) fn shows_directories(&self) -> bool {
        !self.filters.iter().any(|filter| matches!(filter, Filter::FilesOnly | Filter::ExactPrefix(_)))
    }
}

/// Which entries a listing shows.
#[derive(Clone)]
#[non_exhaustive]
pub enum Filter {
    /// The path itself and what lies below it, by component: `foo` shows `foo` and `foo/bar`, not `foobar`.
    Prefix(FilePath),
    /// The files directly in this directory.
    ExactPrefix(FilePath),
    /// Files, no directories.
    FilesOnly,
    /// What the function says yes to.
    Predicate(Arc<dyn Fn(&DirEntry) -> bool + Send + Sync>),
}

impl Filter {
    /// The entries that this function says yes to.
    pub fn predicate(shows: impl Fn(&DirEntry) -> bool + Send + Sync + 'static) -> Self {
        Self::Predicate(Arc::new(shows))
    }

    fn passes(&self, entry: &DirEntry) -> bool {
        match self {
            Self::Prefix(prefix) => *prefix == entry.path || prefix.is_above(&entry.path),
            Self::ExactPrefix(prefix) => {
                entry.kind == EntryKind::File && entry.path.parent().as_ref() == Some(prefix)
            }
            Self::FilesOnly => entry.kind == EntryKind::File,
            Self::Predicate(shows) => shows(entry),
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => f.debug_tuple("Prefix").field(prefix).finish(),
            Self::ExactPrefix(prefix) => f.debug_tuple("ExactPrefix").field(prefix).finish(),
            Self::FilesOnly => f.write_str("FilesOnly"),
            Self::Predicate(_) => f.debug_tuple("Predicate").finish_non_exhaustive(),
        }
    }
}
