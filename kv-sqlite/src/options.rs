use std::num::NonZeroU64;
use std::time::Duration;

use storage_core::kv::Limits;

/// How a [`SqliteBackend`](crate::SqliteBackend) is set up.
///
/// The options are those of a process, not of the file: processes that share a store may differ in them. The history is then
/// the shortest that any of those who write asks for, and each process has the durability of its own writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// How many of the newest revisions are kept; older ones are compacted away by the writes that follow.
    pub history: NonZeroU64,
    /// What the backend refuses, and the shortest lease it grants.
    pub limits: Limits,
    /// How long a call may take, waiting for other processes included.
    pub request_timeout: Duration,
    /// What an acknowledged write has survived.
    pub durability: Durability,
}

/// What an acknowledged write has survived. Either way it survives the end of its process, however sudden, and no loss of
/// power damages the store or leaves half of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk: it survives the loss of power, as far as the disk keeps what it says. One `fsync` for all the
    /// transactions that are committed together.
    #[default]
    Full,
    /// It is with the operating system. The transactions of the last moments before a loss of power, or a crash of the
    /// system, may be gone together, the newest ones first; none in between is left out. Many times faster.
    Normal,
}

impl SqliteOptions {
    /// How many revisions are kept unless something else is asked for.
    const DEFAULT_HISTORY: NonZeroU64 = NonZeroU64::new(10_000).expect("not zero");

    const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

    /// Fewer revisions than this are never kept: readers of several pages, and watches, need some room (`KV-SNAP-8`).
    pub(crate) const SHORTEST_HISTORY: u64 = 1_000;

    /// These options with another number of revisions kept. With less than 1,000 it is 1,000.
    pub const fn with_history(mut self, revisions: NonZeroU64) -> Self {
        self.history = revisions;
        self
    }

    /// These options with other limits.
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// These options with another time that a call may take.
    pub const fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// These options with another durability.
    pub const fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }
}

impl Default for SqliteOptions {
    /// 10,000 revisions, the limits of an etcd with its default settings, 30 seconds, and [`Durability::Full`].
    fn default() -> Self {
        Self {
            history: Self::DEFAULT_HISTORY,
            limits: Limits::ETCD_DEFAULTS,
            request_timeout: Self::DEFAULT_REQUEST_TIMEOUT,
            durability: Durability::default(),
        }
    }
}
