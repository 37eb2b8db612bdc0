use futures::stream::{self, StreamExt};
use storage_core::kv::{BackendError, Event, KeyRange, Revision, WatchBatch, WatchStream};

use crate::backend::ExampleBackend;
use crate::store::Store;

/// Follows the changes of a range from the first one after a revision.
pub(crate) fn stream(backend: ExampleBackend, range: KeyRange, after: Revision) -> WatchStream {
    let news = backend.store().news.subscribe();
    let watch = (backend, range, news, after);
    let batches = stream::try_unfold(watch, |(backend, range, mut news, mut after)| async move {
        loop {
            // Before the store is looked at: a change that comes right behind the look ends the wait at once.
            news.mark_unchanged();
            let (batch, newest, next_end) = {
                let mut store = backend.store();
                (store.change_after(&range, after)?, store.newest(), store.expire())
            };
            if let Some(batch) = batch {
                let seen = batch.revision;
                return Ok(Some((batch, (backend, range, news, seen))));
            }
            after = after.max(newest);
            // Nobody else may be there to look at the store when a lease ends.
            match next_end {
                None => drop(news.changed().await),
                Some(end) => drop(tokio::time::timeout_at(end, news.changed()).await),
            }
        }
    });
    batches.boxed()
}

impl Store {
    fn change_after(&self, range: &KeyRange, after: Revision) -> Result<Option<WatchBatch>, BackendError> {
        self.check_kept(after)?;
        let changes = (1..).map(Revision).zip(&self.changes).filter(|(revision, _)| *revision > after);
        let mut batches = changes.map(|(revision, keys)| {
            let events =
                keys.iter().filter(|key| range.contains(key)).map(|key| match self.entry(key, revision) {
                    Some(entry) => Event::Put(entry.clone()),
                    None => Event::Delete { key: key.clone(), revision },
                });
            WatchBatch { revision, events: events.collect() }
        });
        Ok(batches.find(|batch| !batch.events.is_empty()))
    }
}
