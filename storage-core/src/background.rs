use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The tasks that a storage runs beside its callers, and the word that ends them.
///
/// The word is given by [`close`](Self::close), and when the last handle of the storage is dropped: no task may hold on
/// to the storage longer than its own work takes.
#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) tasks: TaskTracker,
    closing: CancellationToken,
    _closes_when_dropped: DropGuard,
}

impl Background {
    pub(crate) fn new() -> Self {
        let closing = CancellationToken::new();
        let guard = closing.clone().drop_guard();
        Self { tasks: TaskTracker::new(), closing, _closes_when_dropped: guard }
    }

    /// The word: long-running tasks end at it.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Gives the word, and waits until every task has ended.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
