use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::layout::KeyPrefix;

/// How a [`Storage`](crate::Storage) uses its store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageOptions {
    /// The prefix of all the tree's keys. Default: `/caddy`.
    pub prefix: KeyPrefix,
    /// How long a lock survives its holder's death, at least a second: the TTL of the session's lease, which is renewed
    /// well before. Default: 5 minutes. An outage of the store that is longer costs the holder its locks too.
    pub lock_timeout: Duration,
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

    /// These options with another lock timeout.
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        const SHORTEST: Duration = Duration::from_secs(1);
        if self.lock_timeout < SHORTEST {
            let detail = format!("lock_timeout is {:?}, it must be at least {SHORTEST:?}", self.lock_timeout);
            return Err(Error::new(ErrorKind::InvalidConfig).with_detail(detail));
        }
        Ok(())
    }
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self { prefix: KeyPrefix::default(), lock_timeout: Duration::from_secs(5 * 60) }
    }
}
