use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;

use crate::checksum::Sha1Digest;
use crate::error::Error;
use crate::kv::Revision;
use crate::path::FilePath;

/// The revision at which a file was last written. It changes with every write, so it tells whether a file is still the
/// one that was read: see [`Storage::store_if`](crate::Storage::store_if).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(Revision);

impl Version {
    /// The version that was written at this revision.
    pub const fn new(revision: Revision) -> Self {
        Self(revision)
    }

    /// The revision.
    pub const fn revision(self) -> Revision {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory: it exists while a file lies below it.
    Directory,
}

/// What is known of a file or a directory without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// Its path.
    pub path: FilePath,
    /// Whether it is a file or a directory.
    pub kind: EntryKind,
    /// The content's length in bytes; of a directory, the sum over all files below it.
    pub size: u64,
    /// When it was written, by the writer's clock (UTC, nanoseconds); of a directory, its newest file's time. The Unix
    /// epoch for a root with nothing in it.
    pub modified: SystemTime,
    /// The SHA-1 of the content; `None` for a directory.
    pub sha1: Option<Sha1Digest>,
    /// When it was last written, in revisions; of a directory, its newest file's version.
    pub version: Version,
}

impl Metadata {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == EntryKind::Directory
    }
}

/// A file as one snapshot showed it: its content, verified, and its metadata.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct File {
    /// The content.
    pub content: Bytes,
    /// Its metadata.
    pub metadata: Metadata,
}

impl fmt::Debug for File {
    /// Without the content, which may be a private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

/// A file or directory in a listing.
#[derive(Debug)]
#[non_exhaustive]
pub struct DirEntry {
    /// Its path in the tree.
    pub path: FilePath,
    /// Whether it is a file or a directory.
    pub kind: EntryKind,
    /// A file's metadata if the listing was asked for it: read, or the error of its damaged record. `None` for
    /// directories, whose sums only [`Storage::stat`](crate::Storage::stat) works out.
    pub metadata: Option<Result<Metadata, Error>>,
}
