use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::{self, StreamExt};
use storage_core::kv::{BackendError, Key, KeyRange, Revision, WatchBatch, WatchStream};
use tokio::sync::Notify;

use crate::history;
use crate::hub::Nudge;
use crate::store::Store;

/// Follows the changes of a range: what [`KvBackend::watch`](storage_core::kv::KvBackend::watch) answers.
pub(crate) fn stream(store: &Arc<Store>, range: KeyRange, after: Revision) -> WatchStream {
    let subscription = Subscription::new(store, range, after);
    let batches = stream::try_unfold(subscription, |mut subscription| async move {
        let batch = subscription.next().await?;
        Ok(Some((batch, subscription)))
    });
    batches.boxed()
}

/// The watches of an opened store.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<Watching>);

#[derive(Debug, Default)]
struct Watching {
    watchers: BTreeMap<u64, Arc<Watcher>>,
    registered: u64,
}

/// Where one watch stands. It owns no queue: it reads the log of changes, and is told when to look.
#[derive(Debug)]
struct Watcher {
    range: KeyRange,
    /// Everything in the range up to this revision has been read.
    position: AtomicU64,
    /// Holds a permit from the moment of a change until the watcher looks, so none is missed in between.
    changed: Notify,
}

/// A watcher's end of it.
struct Subscription {
    store: Arc<Store>,
    id: u64,
    watcher: Arc<Watcher>,
    /// What has been read and not been delivered.
    ready: VecDeque<WatchBatch>,
}

impl Subscription {
    fn new(store: &Arc<Store>, range: KeyRange, after: Revision) -> Self {
        let watcher = Arc::new(Watcher { range, position: AtomicU64::new(after.0), changed: Notify::new() });
        let id = store.watchers.register(Arc::clone(&watcher));
        store.nudge(Nudge::Look);
        Self { store: Arc::clone(store), id, watcher, ready: VecDeque::new() }
    }

    async fn next(&mut self) -> Result<WatchBatch, BackendError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(batch);
            }
            let after = Revision(self.watcher.position.load(Ordering::Acquire));
            let range = self.watcher.range.clone();
            let found = self
                .store
                .read("watch", move |connection| history::changes(connection, &range, after))
                .await?;
            // The hub may have moved it on meanwhile, past revisions in which nothing of the range has changed.
            self.watcher.position.fetch_max(found.seen.0, Ordering::AcqRel);
            self.ready.extend(found.batches);
            if self.ready.is_empty() && found.is_all {
                self.watcher.changed.notified().await;
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.store.watchers.lock().watchers.remove(&self.id);
    }
}

impl Watchers {
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().watchers.is_empty()
    }

    /// Tells of what has changed after one revision up to another. A watcher of other keys that has seen everything before it
    /// has also seen this: it sleeps on and still does not fall behind.
    pub(crate) fn tell(&self, from: Revision, to: Revision, changed: &[(Revision, Key)]) {
        for watcher in self.lock().watchers.values() {
            let position = watcher.position.load(Ordering::Acquire);
            let concerns = |(at, key): &(Revision, Key)| at.0 > position && watcher.range.contains(key);
            if position < from.0 || changed.iter().any(concerns) {
                watcher.changed.notify_one();
            } else {
                watcher.position.fetch_max(to.0, Ordering::AcqRel);
            }
        }
    }

    /// Lets all look for themselves.
    pub(crate) fn wake_all(&self) {
        for watcher in self.lock().watchers.values() {
            watcher.changed.notify_one();
        }
    }

    fn register(&self, watcher: Arc<Watcher>) -> u64 {
        let mut watching = self.lock();
        watching.registered += 1;
        let id = watching.registered;
        watching.watchers.insert(id, watcher);
        id
    }

    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
