use std::time::SystemTime;

use super::check::Check;
use crate::metadata::Version;
use crate::path::FilePath;

/// How [`Storage::store_with`](crate::Storage::store_with) stores a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// When the file counts as written: its [`modified`](crate::Metadata::modified) time, to the nanosecond. Default:
    /// now, which also takes the place of a time before the year 0 or after the year 9999, which no record can hold.
    pub modified: Option<SystemTime>,
    /// What the file may take the place of. Default: whatever is there.
    pub replaces: Replaces,
}

/// What a file may take the place of when it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replaces {
    /// Whatever file is at the path, or none.
    #[default]
    Anything,
    /// Nothing: there must be no file yet, as with [`create`](crate::Storage::create).
    Nothing,
    /// The file of this version, as with [`store_if`](crate::Storage::store_if).
    Version(Version),
}

impl StoreOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// These options with a time at which the file counts as written: for copies that keep the time of the original.
    pub fn with_modified(mut self, modified: SystemTime) -> Self {
        self.modified = Some(modified);
        self
    }

    /// These options for a file that may take the place of this only.
    pub fn with_replaces(mut self, replaces: Replaces) -> Self {
        self.replaces = replaces;
        self
    }
}

impl Replaces {
    /// What must hold of the path.
    pub(super) fn checks(self, path: &FilePath) -> Vec<Check> {
        match self {
            Self::Anything => Check::file_may_be_at(path).collect(),
            Self::Nothing => Check::file_may_be_at(path).chain([Check::Absent(path.clone())]).collect(),
            // A file that is there has no file above it and nothing below it.
            Self::Version(version) => vec![Check::Version(path.clone(), version)],
        }
    }
}
