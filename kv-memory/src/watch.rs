use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use futures::stream::{self, StreamExt};
use storage_core::kv::{BackendError, Key, KeyRange, Revision, WatchBatch, WatchStream};
use tokio::sync::Notify;
use tokio::time::{self, Instant};

use crate::error;
use crate::log;
use crate::state::State;
use crate::store::Store;

/// Follows the changes of a range: what [`KvBackend::watch`](storage_core::kv::KvBackend::watch) answers.
pub(crate) fn stream(store: &Arc<Store>, range: KeyRange, after: Revision) -> WatchStream {
    let subscription = Subscription::new(store, range, after);
    let batches = stream::try_unfold(subscription, |subscription| async move {
        let batch = subscription.next().await?;
        Ok(Some((batch, subscription)))
    });
    batches.boxed()
}

/// The watchers that a commit has to tell.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    watching: BTreeMap<u64, Arc<Watcher>>,
    registered: u64,
}

/// Where one watcher stands. It owns no queue: it reads the store's log, and is told when to look.
#[derive(Debug)]
struct Watcher {
    range: KeyRange,
    /// Everything in the range up to this revision has been delivered. Changed only under the store's lock: by a
    /// commit, which holds it alone, and by the one stream behind the watcher, which shares it.
    position: AtomicU64,
    /// Holds a permit from the moment of a change until the watcher looks, so none is missed in between.
    changed: Notify,
}

/// A watcher's end of it. It must not keep the store alive: a task that waits for changes which nobody is left to make
/// would hold it, and itself, for ever.
struct Subscription {
    store: Weak<Store>,
    id: u64,
    watcher: Arc<Watcher>,
}

enum Step {
    Batch(WatchBatch),
    /// Nothing yet; at the deadline the next lease ends, and may take keys of the range along.
    Wait(Option<Instant>),
}

impl Subscription {
    fn new(store: &Arc<Store>, range: KeyRange, after: Revision) -> Self {
        let position = AtomicU64::new(after.0);
        let watcher = Arc::new(Watcher { range, position, changed: Notify::new() });
        let id = store.write().watchers.register(Arc::clone(&watcher));
        Self { store: Arc::downgrade(store), id, watcher }
    }

    async fn next(&self) -> Result<WatchBatch, BackendError> {
        loop {
            let step = {
                let store = self.store.upgrade().ok_or_else(error::store_dropped)?;
                self.watcher.step(&store.read())?
            };
            match step {
                Step::Batch(batch) => return Ok(batch),
                Step::Wait(None) => self.watcher.changed.notified().await,
                // At the deadline and after a change alike the next thing to do is to look. The deadline cannot come
                // too late: a lease whose end concerns this watcher got its key by a change that woke it.
                Step::Wait(Some(deadline)) => {
                    let _ = time::timeout_at(deadline, self.watcher.changed.notified()).await;
                }
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(store) = self.store.upgrade() {
            store.write().watchers.watching.remove(&self.id);
        }
    }
}

impl Watcher {
    /// The first change behind the position, which moves on.
    fn step(&self, state: &State) -> Result<Step, BackendError> {
        let after = Revision(self.position.load(Ordering::Relaxed));
        if after < state.log.compacted() {
            return Err(BackendError::compacted(after, state.log.compacted()));
        }
        let Some((revision, keys)) = state.log.next_change(&self.range, after) else {
            self.position.fetch_max(state.log.revision().0, Ordering::Relaxed);
            return Ok(Step::Wait(state.leases.next_deadline()));
        };
        self.position.store(revision.0, Ordering::Relaxed);
        let events = keys.iter().map(|key| state.versions.event(key, revision)).collect();
        Ok(Step::Batch(WatchBatch { revision, events }))
    }
}

impl Watchers {
    fn register(&mut self, watcher: Arc<Watcher>) -> u64 {
        self.registered += 1;
        self.watching.insert(self.registered, watcher);
        self.registered
    }

    /// Wakes the watchers of the keys that the next revision changes (sorted). A watcher of other keys that has seen
    /// everything before it has also seen this one: it sleeps on and still does not fall behind.
    pub(crate) fn tell(&self, revision: Revision, keys: &[Key]) {
        for watcher in self.watching.values() {
            if log::keys_in(&watcher.range, keys).is_empty() {
                let (seen, now) = (revision.0 - 1, revision.0);
                let _ = watcher.position.compare_exchange(seen, now, Ordering::Relaxed, Ordering::Relaxed);
            } else {
                watcher.changed.notify_one();
            }
        }
    }

    pub(crate) fn wake_all(&self) {
        for watcher in self.watching.values() {
            watcher.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::MemoryOptions;
    use bytes::Bytes;
    use futures::FutureExt;
    use std::num::NonZeroU64;

    fn store_that_keeps(history: u64) -> Arc<Store> {
        let history = NonZeroU64::new(history).unwrap();
        Arc::new(Store::new(MemoryOptions::default().with_history(history)))
    }

    fn put(store: &Store, key: &'static str) {
        let mut state = store.write();
        let mut change = state.change();
        change.put(Key::new(key), Bytes::new(), None);
        change.commit();
    }

    #[test]
    fn a_dropped_watch_leaves_nothing_behind_in_the_store() {
        let store = store_that_keeps(10);
        let (one, other) = (stream(&store, KeyRange::prefix("a"), Revision::ZERO), {
            stream(&store, KeyRange::prefix("b"), Revision::ZERO)
        });
        assert_eq!(store.read().watchers.watching.len(), 2);
        drop(one);
        assert_eq!(store.read().watchers.watching.len(), 1);
        drop(other);
        assert_eq!(store.read().watchers.watching.len(), 0);
        assert_eq!((Arc::strong_count(&store), Arc::weak_count(&store)), (1, 0));
    }

    #[test]
    fn a_watch_of_a_quiet_range_sleeps_through_any_number_of_revisions_and_does_not_fall_behind() {
        let store = store_that_keeps(2);
        let mut quiet = stream(&store, KeyRange::prefix("quiet"), Revision::ZERO);
        assert!(quiet.next().now_or_never().is_none());
        for _ in 0..100 {
            put(&store, "elsewhere");
        }
        put(&store, "quiet");
        let batch = quiet.next().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!((batch.revision, batch.events.len()), (Revision(101), 1));
        assert!(quiet.next().now_or_never().is_none());
    }
}
