use std::sync::Arc;
use std::time::Duration;

use crate::environment::{Environment, Surroundings};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{KeyPrefix, LayoutChoice};

/// How a [`Storage`](crate::Storage) uses its store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageOptions {
    /// The prefix of all the tree's keys. Default: `/caddy`.
    pub prefix: KeyPrefix,
    /// Which layout the tree has. Default: that of what is in it, and the native one for an empty tree.
    pub layout: LayoutChoice,
    /// How long a lock survives its holder's death, at least a second: the TTL of the session's lease, which is renewed
    /// well before. Default: 5 minutes. An outage of the store that is longer costs the holder its locks too.
    pub lock_timeout: Duration,
    /// How long a write may take, at least a second, with everything that is done to find out how it ended when its
    /// answer is lost. Default: 30 seconds. Reads take as long as the backend lets them.
    pub request_timeout: Duration,
    pub(crate) environment: Surroundings,
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

    /// These options with this layout, or with that of what is in the tree.
    pub fn with_layout(mut self, layout: impl Into<LayoutChoice>) -> Self {
        self.layout = layout.into();
        self
    }

    /// These options with another lock timeout.
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// These options with another request timeout.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// These options with clocks and chance that are not the machine's: for tests that do the same in every run.
    pub fn with_environment(mut self, environment: Arc<dyn Environment>) -> Self {
        self.environment = Surroundings(Some(environment));
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        const SHORTEST: Duration = Duration::from_secs(1);
        let timeouts = [("lock_timeout", self.lock_timeout), ("request_timeout", self.request_timeout)];
        match timeouts.into_iter().find(|(_, timeout)| *timeout < SHORTEST) {
            None => Ok(()),
            Some((name, timeout)) => Err(Error::new(ErrorKind::InvalidConfig)
                .with_detail(format!("{name} is {timeout:?}, it must be at least {SHORTEST:?}"))),
        }
    }
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            prefix: KeyPrefix::default(),
            layout: LayoutChoice::default(),
            lock_timeout: Duration::from_secs(5 * 60),
            request_timeout: Duration::from_secs(30),
            environment: Surroundings::default(),
        }
    }
}
