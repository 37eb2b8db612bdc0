//! Watches that lose, double, mix up or invent changes.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use storage_core::kv::{BackendError, BackendErrorKind, Entry, Event, KeyRange, Revision, WatchBatch};
use tokio::sync::oneshot;

use super::support::{batches, newest, with_end, with_namesakes};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Store, ["KV-WATCH-1"], a_change_is_lost),
    saboteur!(Store, ["KV-WATCH-1"], a_change_is_delivered_twice),
    saboteur!(Store, ["KV-WATCH-1"], two_changes_change_places),
    saboteur!(Store, ["KV-WATCH-1"], a_watch_ends_without_a_word),
    saboteur!(Store, ["KV-WATCH-2"], a_transaction_is_a_batch_for_each_key),
    saboteur!(Store, ["KV-WATCH-2", "KV-WATCH-13"], a_batch_has_a_hundred_changes_at_most),
    saboteur!(Store, ["KV-WATCH-3"], the_end_of_a_range_is_watched_as_well),
    saboteur!(Store, ["KV-WATCH-3"], watching_foo_delivers_foobar),
    saboteur!(Store, ["KV-WATCH-4"], puts_are_delivered_without_values),
    saboteur!(Store, ["KV-WATCH-4"], puts_are_delivered_as_new_keys),
    saboteur!(Store, ["KV-WATCH-5"], deletions_are_not_delivered),
    saboteur!(Store, ["KV-WATCH-5"], deletions_have_the_revision_before),
    saboteur!(Store, ["KV-WATCH-6"], a_watch_begins_with_its_revision),
    saboteur!(Store, ["KV-WATCH-6"], a_watch_of_the_future_begins_now),
    saboteur!(Store, ["KV-WATCH-7", "KV-WATCH-12"], a_watch_after_the_past_begins_now),
    saboteur!(Store, ["KV-WATCH-8"], the_first_change_is_missed),
    saboteur!(Store, ["KV-WATCH-9"], a_new_watch_ends_the_one_before),
    saboteur!(Store, ["KV-WATCH-10"], progress_overtakes_the_change),
    saboteur!(Store, ["KV-WATCH-11"], a_compacted_watch_begins_now),
    saboteur!(Store, ["KV-WATCH-11"], a_compacted_watch_waits_in_silence),
    saboteur!(Store, ["KV-WATCH-14"], a_change_is_delivered_with_the_next_one),
    saboteur!(Store, ["KV-WATCH-16"], a_watch_of_an_empty_range_has_no_end),
    saboteur!(Store, ["KV-WATCH-16"], a_watch_without_end_follows_one_key),
    saboteur!(Store, ["KV-WATCH-16"], the_empty_key_is_watched_in_silence),
];

/// What a saboteur does with the number of a batch and the batch itself.
type Numbered = fn(usize, WatchBatch) -> Vec<WatchBatch>;

fn numbered_batches(change: Numbered) -> Twist {
    Twist::new().watch(move |store, (range, after)| async move {
        let changes = store.watch(range, after).await?.enumerate();
        let twisted = changes.flat_map(move |(number, item)| match item {
            Ok(batch) => stream::iter(change(number, batch).into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        });
        Ok(twisted.boxed())
    })
}

fn a_change_is_lost() -> Twist {
    numbered_batches(|number, batch| if number % 3 == 2 { Vec::new() } else { vec![batch] })
}

fn a_change_is_delivered_twice() -> Twist {
    numbered_batches(|number, batch| if number % 3 == 2 { vec![batch.clone(), batch] } else { vec![batch] })
}

fn two_changes_change_places() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let pairs = store.watch(range, after).await?.ready_chunks(2);
        let swapped = pairs.flat_map(|mut pair| {
            pair.reverse();
            stream::iter(pair)
        });
        Ok(swapped.boxed())
    })
}

fn a_watch_ends_without_a_word() -> Twist {
    Twist::new()
        .watch(|store, (range, after)| async move { Ok(store.watch(range, after).await?.take(2).boxed()) })
}

/// The changes of a batch in pieces of this size.
fn in_pieces(batch: &WatchBatch, size: usize) -> Vec<WatchBatch> {
    let piece = |events: &[Event]| WatchBatch { revision: batch.revision, events: events.to_vec() };
    batch.events.chunks(size).map(piece).collect()
}

fn a_transaction_is_a_batch_for_each_key() -> Twist {
    batches(|batch| in_pieces(&batch, 1))
}

fn a_batch_has_a_hundred_changes_at_most() -> Twist {
    batches(|batch| in_pieces(&batch, 100))
}

/// Watches another range than the one asked for.
fn ranges(change: fn(&KeyRange) -> KeyRange) -> Twist {
    Twist::new().watch(move |store, (range, after)| async move { store.watch(change(&range), after).await })
}

fn the_end_of_a_range_is_watched_as_well() -> Twist {
    ranges(with_end)
}

fn watching_foo_delivers_foobar() -> Twist {
    ranges(with_namesakes)
}

fn a_watch_of_an_empty_range_has_no_end() -> Twist {
    ranges(|range| if range.is_empty() { KeyRange::from(range.start().clone()) } else { range.clone() })
}

fn a_watch_without_end_follows_one_key() -> Twist {
    ranges(|range| match range.end() {
        None => KeyRange::single(range.start().successor()),
        Some(_) => range.clone(),
    })
}

fn the_empty_key_is_watched_in_silence() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        match store.watch(range, after).await {
            Err(error) if error.kind() == BackendErrorKind::InvalidRequest => Ok(stream::pending().boxed()),
            result => result,
        }
    })
}

/// Changes every put that is delivered.
fn puts(change: fn(&mut Entry)) -> Twist {
    Twist::new().watch(move |store, (range, after)| async move {
        let changes = store.watch(range, after).await?;
        let twisted = changes.map(move |item| {
            item.map(|mut batch| {
                for event in &mut batch.events {
                    if let Event::Put(entry) = event {
                        change(entry);
                    }
                }
                batch
            })
        });
        Ok(twisted.boxed())
    })
}

fn puts_are_delivered_without_values() -> Twist {
    puts(|entry| entry.value = Bytes::new())
}

fn puts_are_delivered_as_new_keys() -> Twist {
    puts(|entry| entry.create_revision = entry.mod_revision)
}

fn deletions_are_not_delivered() -> Twist {
    batches(|mut batch| {
        batch.events.retain(|event| matches!(event, Event::Put(_)));
        vec![batch]
    })
}

fn deletions_have_the_revision_before() -> Twist {
    batches(|mut batch| {
        for event in &mut batch.events {
            if let Event::Delete { revision, .. } = event {
                revision.0 -= 1;
            }
        }
        vec![batch]
    })
}

fn a_watch_begins_with_its_revision() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        store.watch(range, Revision(after.0.saturating_sub(1))).await
    })
}

fn a_watch_of_the_future_begins_now() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let now = newest(&store).await?;
        store.watch(range, after.min(now)).await
    })
}

fn a_watch_after_the_past_begins_now() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let now = newest(&store).await?;
        store.watch(range, after.max(now)).await
    })
}

fn the_first_change_is_missed() -> Twist {
    Twist::new()
        .watch(|store, (range, after)| async move { Ok(store.watch(range, after).await?.skip(1).boxed()) })
}

fn a_new_watch_ends_the_one_before() -> Twist {
    let newest: Arc<Mutex<Option<oneshot::Sender<()>>>> = Arc::default();
    Twist::new().watch(move |store, (range, after)| {
        let (ends, ended) = oneshot::channel();
        // Dropping the sender of the one before ends it.
        drop(newest.lock().expect("not poisoned").replace(ends));
        async move { Ok(store.watch(range, after).await?.take_until(ended).boxed()) }
    })
}

fn progress_overtakes_the_change() -> Twist {
    batches(|batch| vec![WatchBatch { revision: batch.revision, events: Vec::new() }, batch])
}

fn a_compacted_watch_begins_now() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let mut changes = store.watch(range.clone(), after).await?.peekable();
        let is_compacted = |item: &Result<WatchBatch, BackendError>| {
            item.as_ref().is_err_and(|error| error.kind() == BackendErrorKind::Compacted)
        };
        let first = futures::FutureExt::now_or_never(std::pin::Pin::new(&mut changes).peek()).flatten();
        if first.is_some_and(is_compacted) {
            let now = newest(&store).await?;
            return store.watch(range, now).await;
        }
        Ok(changes.boxed())
    })
}

fn a_compacted_watch_waits_in_silence() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let changes = store.watch(range, after).await?;
        let silenced = changes.flat_map(|item| match item {
            Err(error) if error.kind() == BackendErrorKind::Compacted => stream::pending().boxed(),
            item => stream::iter([item]).boxed(),
        });
        Ok(silenced.boxed())
    })
}

fn a_change_is_delivered_with_the_next_one() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let changes = store.watch(range, after).await?;
        let late = stream::unfold((changes, None), |(mut changes, mut held)| async move {
            loop {
                let next = changes.next().await?;
                if let Some(before) = held.replace(next) {
                    return Some((before, (changes, held)));
                }
            }
        });
        Ok(late.boxed())
    })
}
