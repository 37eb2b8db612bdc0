use storage_core::kv::Limits;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many bytes of content may be in memory at the same time.
pub(super) struct Budget(Semaphore);

/// The largest file that is moved where no store sets a limit, and the most bytes in memory.
pub(super) const MOST: usize = 64 * 1024 * 1024;

const UNIT: u64 = 1024;

impl Budget {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(MOST / 1024))
    }

    /// Waits until there is room for a content of this size. A larger one than all the room gets all of it.
    pub(super) async fn room_for(&self, size: u64) -> SemaphorePermit<'_> {
        let units = (size / UNIT + 1).min(MOST as u64 / UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        self.0.acquire_many(units).await.expect("the semaphore is never closed")
    }
}

/// The largest content that may go to a place with these limits.
pub(super) fn largest(limits: Option<Limits>) -> usize {
    limits.map_or(MOST, |limits| limits.max_value_bytes)
}
