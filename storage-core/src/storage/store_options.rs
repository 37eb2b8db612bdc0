use std::time::SystemTime;

/// How [`Storage::store_with`](crate::Storage::store_with) stores a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// When the file counts as written: its [`modified`](crate::Metadata::modified) time, to the nanosecond. Default:
    /// now, which also takes the place of a time before the year 0 or after the year 9999, which no record can hold.
    pub modified: Option<SystemTime>,
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
}
