//! What verifying a tree can find.

use std::fmt;

use crate::kv::{Key, Revision};
use crate::metadata::Metadata;
use crate::path::FilePath;

/// What [`Storage::verify`](crate::Storage::verify) yields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyItem {
    /// This file is whole: its content is the one that was stored.
    Whole(Metadata),
    /// Something is wrong.
    Problem(Problem),
}

/// Something that is wrong with a tree: what, and where. Its text is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// What is wrong.
    pub kind: ProblemKind,
    /// The file that it is about; `None` for keys that are no file's.
    pub path: Option<FilePath>,
    /// The key that it is about: the file's metadata record, or its content where there is nothing else. Of
    /// [`UnknownKeys`](ProblemKind::UnknownKeys) what they begin with.
    pub key: Key,
    /// More of what is wrong, if more is known.
    pub detail: Option<String>,
    pub(crate) halves: Halves,
}

/// The revisions at which the two values of a file were put, if they are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Halves {
    pub(crate) data: Option<Revision>,
    pub(crate) meta: Option<Revision>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The content of a file is of the right size, and is not the one that was stored.
    ChecksumMismatch,
    /// The content of a file has another size than what was stored.
    SizeMismatch {
        /// The bytes that were stored.
        stored: u64,
        /// The bytes that are there.
        found: u64,
    },
    /// The metadata record of a file cannot be read.
    MetadataUnreadable,
    /// The metadata record of a file is of a version that only a later library reads. The file may be whole.
    MetadataLater {
        /// The version of the record.
        version: u64,
    },
    /// There is content without a metadata record.
    ContentAlone,
    /// There is a key without a metadata record in the [layout of caddy-etcd](crate::LayoutKind::CaddyEtcd): the content of
    /// a file, or a key of another tree or program.
    ContentUnclaimed,
    /// There is a metadata record without content.
    MetadataAlone,
    /// The path is a file, and files lie below it.
    FileAndDirectory,
    /// A key among files, locks or sessions that is none.
    UnknownKey,
    /// Keys below the prefix that are of no part of the tree, named by their first component. They may be another
    /// tree's, or another program's.
    UnknownKeys {
        /// How many.
        count: u64,
    },
    /// The record of a session, of a place in the queue of a lock, or of the last deletion cannot be read. It is for
    /// people only.
    RecordUnreadable,
    /// A place in the queue of a lock that is bound to no lease: it stays until somebody breaks the lock.
    LockWithoutLease,
}

impl ProblemKind {
    /// Its name in records and in JSON: `checksum_mismatch`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::SizeMismatch { .. } => "size_mismatch",
            Self::MetadataUnreadable => "metadata_unreadable",
            Self::MetadataLater { .. } => "metadata_later",
            Self::ContentAlone => "content_alone",
            Self::ContentUnclaimed => "content_unclaimed",
            Self::MetadataAlone => "metadata_alone",
            Self::FileAndDirectory => "file_and_directory",
            Self::UnknownKey => "unknown_key",
            Self::UnknownKeys { .. } => "unknown_keys",
            Self::RecordUnreadable => "record_unreadable",
            Self::LockWithoutLease => "lock_without_lease",
        }
    }

    /// Whether a file cannot be trusted, or not be read by this library. All else is worth knowing, and harms no file.
    pub fn is_damage(self) -> bool {
        let stays =
            matches!(self, Self::MetadataLater { .. } | Self::FileAndDirectory | Self::ContentUnclaimed);
        stays || self.is_movable()
    }

    /// Whether [`Storage::quarantine`](crate::Storage::quarantine) moves it away. It does not move what may be whole: that
    /// is up to people.
    pub fn is_movable(self) -> bool {
        matches!(
            self,
            Self::ChecksumMismatch
                | Self::SizeMismatch { .. }
                | Self::MetadataUnreadable
                | Self::ContentAlone
                | Self::MetadataAlone
        )
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChecksumMismatch => f.write_str("content does not match its checksum"),
            Self::SizeMismatch { stored, found } => {
                write!(f, "content is {found} bytes long, {stored} were stored")
            }
            Self::MetadataUnreadable => f.write_str("metadata cannot be read"),
            Self::MetadataLater { version } => {
                write!(f, "metadata is of version {version}, which a later kvfs has written")
            }
            Self::ContentAlone => f.write_str("content without metadata"),
            Self::ContentUnclaimed => {
                f.write_str("content without metadata, or a key of another tree or program")
            }
            Self::MetadataAlone => f.write_str("metadata without content"),
            Self::FileAndDirectory => f.write_str("both a file and a directory"),
            Self::UnknownKey => f.write_str("a key that is no file's, lock's or session's"),
            Self::UnknownKeys { count: 1 } => f.write_str("a key that is of no part of the tree"),
            Self::UnknownKeys { count } => write!(f, "{count} keys that are of no part of the tree"),
            Self::RecordUnreadable => f.write_str("a record that cannot be read"),
            Self::LockWithoutLease => f.write_str("a place in the queue of a lock without a lease"),
        }
    }
}

impl Problem {
    pub(crate) fn of_file(kind: ProblemKind, path: FilePath, key: Key, halves: Halves) -> Self {
        Self { kind, path: Some(path), key, detail: None, halves }
    }

    pub(crate) fn of_key(kind: ProblemKind, key: Key) -> Self {
        Self { kind, path: None, key, detail: None, halves: Halves::default() }
    }

    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{path:?}: {}", self.kind)?,
            None => write!(f, "key {:?}: {}", self.key, self.kind)?,
        }
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_on_one_line() {
        let path = FilePath::parse("a/b").unwrap();
        let kind = ProblemKind::SizeMismatch { stored: 3, found: 4 };
        let problem = Problem::of_file(kind, path, Key::new("x"), Halves::default());
        assert_eq!(problem.to_string(), r#""a/b": content is 4 bytes long, 3 were stored"#);
        let problem = Problem::of_key(ProblemKind::UnknownKeys { count: 2 }, Key::new("/caddy/x\n/"));
        assert_eq!(problem.to_string(), r#"key "/caddy/x\n/": 2 keys that are of no part of the tree"#);
    }

    #[test]
    fn what_is_moved_is_damage() {
        for (kind, is_damage, is_movable) in [
            (ProblemKind::ChecksumMismatch, true, true),
            (ProblemKind::SizeMismatch { stored: 1, found: 2 }, true, true),
            (ProblemKind::MetadataUnreadable, true, true),
            (ProblemKind::ContentAlone, true, true),
            (ProblemKind::MetadataAlone, true, true),
            (ProblemKind::ContentUnclaimed, true, false),
            (ProblemKind::MetadataLater { version: 2 }, true, false),
            (ProblemKind::FileAndDirectory, true, false),
            (ProblemKind::UnknownKey, false, false),
            (ProblemKind::UnknownKeys { count: 1 }, false, false),
            (ProblemKind::RecordUnreadable, false, false),
            (ProblemKind::LockWithoutLease, false, false),
        ] {
            assert_eq!((kind.is_damage(), kind.is_movable()), (is_damage, is_movable), "{kind:?}");
        }
    }
}
