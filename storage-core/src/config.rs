use crate::layout::KeyPrefix;

/// How a [`Storage`](crate::Storage) uses its store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageOptions {
    /// The prefix of all the tree's keys. Default: `/caddy`.
    pub prefix: KeyPrefix,
}

impl StorageOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// These options with another prefix.
    pub fn with_prefix(mut self, prefix: KeyPrefix) -> Self {
        self.prefix = prefix;
        self
    }
}
