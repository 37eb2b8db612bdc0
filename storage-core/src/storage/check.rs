use std::num::NonZeroU32;

use crate::error::{Error, ErrorKind};
use crate::kv::{Compare, Entry, Get, Key, KeyRange, Projection, Revision};
use crate::layout::Layout;
use crate::metadata::Version;
use crate::path::FilePath;

pub(crate) const ONE: NonZeroU32 = NonZeroU32::MIN;

/// Something that must hold of the tree for a write: a compare of its transaction, and a read that tells what stood in the
/// way.
///
/// Where a file may lie has to be checked for every file, several times, and hardly ever stands in the way. So what reads of
/// that is read only then, in a call of its own; the other reads are in the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// The path is no file, so that files may lie below it.
    NotAFile(FilePath),
    /// Nothing lies below the path, so that it may be a file.
    NotADirectory(FilePath),
    /// There is no file yet.
    Absent(FilePath),
    /// The file is the one that was last seen.
    Version(FilePath, Version),
    /// The lock with this place in its queue is held: the place is there. It can be there only as long as its session
    /// is, and no place that was in front is ever overtaken.
    Held(Key),
    /// The lock is held by this client too where members look that do not know the queue: the key is as it was put last.
    Gate(Key, Revision),
    /// The session with this key is in this epoch.
    Epoch(Key, Revision),
    /// Nobody holds the lock of this queue, or waits for it.
    Free(KeyRange),
    /// The key of this file was last put at this revision, or is not there.
    Unchanged(Key, Option<Revision>, FilePath),
}

impl Check {
    /// What every new file needs: no file above it, and nothing below it.
    pub(super) fn file_may_be_at(path: &FilePath) -> impl Iterator<Item = Self> {
        path.ancestors().map(Self::NotAFile).chain([Self::NotADirectory(path.clone())])
    }

    /// Whether it is about where a file may lie.
    pub(super) fn is_of_place(&self) -> bool {
        matches!(self, Self::NotAFile(_) | Self::NotADirectory(_))
    }

    /// What is compared.
    pub(super) fn compare(&self, layout: &Layout) -> Compare {
        match self {
            Self::NotAFile(path) | Self::Absent(path) => Compare::Absent(layout.meta(path)),
            Self::Version(path, version) => Compare::ModRevision(layout.meta(path), version.revision()),
            Self::NotADirectory(path) => Compare::RangeEmpty(layout.meta_below(path)),
            Self::Free(queue) => Compare::RangeEmpty(queue.clone()),
            Self::Held(place) => Compare::Present(place.clone()),
            Self::Gate(key, revision)
            | Self::Epoch(key, revision)
            | Self::Unchanged(key, Some(revision), _) => Compare::ModRevision(key.clone(), *revision),
            Self::Unchanged(key, None, _) => Compare::Absent(key.clone()),
        }
    }

    /// What is read.
    pub(super) fn read(&self, layout: &Layout) -> Get {
        let get = match self {
            Self::NotAFile(path) | Self::Absent(path) | Self::Version(path, _) => Get::key(layout.meta(path)),
            Self::NotADirectory(path) => Get::range(layout.meta_below(path)).with_limit(ONE),
            Self::Free(queue) => Get::range(queue.clone()).with_limit(ONE),
            Self::Held(key) | Self::Gate(key, _) | Self::Epoch(key, _) | Self::Unchanged(key, ..) => {
                Get::key(key.clone())
            }
        };
        get.with_projection(Projection::KeysOnly)
    }

    /// The error if what was read is not what must hold.
    pub(super) fn violation(&self, found: Option<&Entry>) -> Option<Error> {
        match (self, found) {
            (Self::NotAFile(path), Some(_)) => Some(Error::new(ErrorKind::NotADirectory).with_path(path)),
            (Self::NotADirectory(path), Some(_)) => Some(Error::new(ErrorKind::IsADirectory).with_path(path)),
            (Self::Absent(path), Some(_)) => Some(Error::new(ErrorKind::AlreadyExists).with_path(path)),
            (Self::Version(path, _), None) => Some(Error::new(ErrorKind::NotFound).with_path(path)),
            (Self::Version(path, version), Some(entry)) if entry.mod_revision != version.revision() => {
                let detail = format!("it is of version {}, not {version}", entry.mod_revision);
                Some(Error::new(ErrorKind::Conflict).with_path(path).with_detail(detail))
            }
            (Self::Held(_) | Self::Gate(..) | Self::Epoch(..), None) => Some(Error::new(ErrorKind::LockLost)),
            (Self::Gate(_, revision), Some(entry)) if entry.mod_revision != *revision => Some(
                Error::new(ErrorKind::LockLost).with_detail("a member that runs caddy-etcd has taken it"),
            ),
            (Self::Epoch(_, epoch), Some(entry)) if entry.mod_revision != *epoch => {
                Some(Error::new(ErrorKind::Conflict))
            }
            (Self::Free(_), Some(_)) => Some(Error::new(ErrorKind::Conflict)),
            (Self::Unchanged(_, seen, path), entry) => {
                let current = entry.map(|entry| entry.mod_revision);
                (current != *seen).then(|| Error::new(ErrorKind::Conflict).with_path(path))
            }
            (Self::NotAFile(_) | Self::NotADirectory(_) | Self::Absent(_) | Self::Free(_), None)
            | (Self::Version(..) | Self::Held(_) | Self::Gate(..) | Self::Epoch(..), Some(_)) => None,
        }
    }
}
