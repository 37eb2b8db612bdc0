use cluster_tests::{Event, Fence};
use storage_core::{LockGuard, Result, Storage};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

use crate::faults::FaultyBackend;
use crate::holder::Order;
use crate::report::{failure, report, report_failure};

/// A file to be written while a lock is held.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) path: String,
    pub(crate) content: String,
    pub(crate) fence: Fence,
}

impl Work {
    pub(crate) async fn store(self, storage: &Storage<FaultyBackend>, guard: &LockGuard<FaultyBackend>) {
        let stored = self.write(storage, guard, self.content.clone()).await;
        if report_failure("store", stored).is_some() {
            report(Event::Stored { path: self.path });
        }
    }

    /// Writes as fast as it can, without a look at the lock: whoever is stopped in it is stopped at any point of a write.
    pub(crate) async fn keep_storing(
        self,
        storage: &Storage<FaultyBackend>,
        guard: &LockGuard<FaultyBackend>,
        orders: &mut UnboundedReceiver<Order>,
    ) {
        let mut writes = 0;
        let refusal = loop {
            match self.write(storage, guard, format!("{} {writes}", self.content)).await {
                Ok(()) => writes += 1,
                Err(error) => break Some(failure("store", &error)),
            }
            if writes == 1 {
                report(Event::Writing { path: self.path.clone() });
            }
            match orders.try_recv() {
                Err(TryRecvError::Empty) => {}
                Ok(_) | Err(TryRecvError::Disconnected) => break None,
            }
        };
        report(Event::Wrote { path: self.path, writes, refusal });
    }

    async fn write(
        &self,
        storage: &Storage<FaultyBackend>,
        guard: &LockGuard<FaultyBackend>,
        content: String,
    ) -> Result<()> {
        let stored = match self.fence {
            Fence::Fenced => guard.store(&self.path, content).await,
            Fence::Unfenced => storage.store(&self.path, content).await,
        };
        stored.map(drop)
    }
}
