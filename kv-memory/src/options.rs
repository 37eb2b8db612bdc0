use std::num::NonZeroU64;

use storage_core::kv::Limits;

/// How a [`MemoryBackend`](crate::MemoryBackend) is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// How many of the newest revisions are kept; older ones are compacted away by the writes that follow.
    pub history: NonZeroU64,
    /// What the backend refuses, and the shortest lease it grants.
    pub limits: Limits,
}

impl MemoryOptions {
    /// How many revisions are kept unless something else is asked for.
    const DEFAULT_HISTORY: NonZeroU64 = NonZeroU64::new(10_000).expect("not zero");

    /// These options with another number of revisions kept.
    pub const fn with_history(mut self, revisions: NonZeroU64) -> Self {
        self.history = revisions;
        self
    }

    /// These options with other limits.
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Default for MemoryOptions {
    /// 10,000 revisions, and the limits of an etcd with its default settings.
    fn default() -> Self {
        Self { history: Self::DEFAULT_HISTORY, limits: Limits::ETCD_DEFAULTS }
    }
}
