//! Watches of the tree that leave something out when connections break.

use futures::StreamExt;
use storage_core::kv::{BackendErrorKind, Event, KeyRange, RangeRequest, Revision};

use super::support::{is_of, newest};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Storage, ["FS-WATCH-1"], a_modified_file_is_a_created_one),
    saboteur!(Storage, ["FS-WATCH-3", "FS-WATCH-7"], a_watch_begins_a_change_too_late),
    saboteur!(Storage, ["FS-WATCH-6"], a_broken_watch_goes_on_with_what_comes),
    saboteur!(Storage, ["FS-WATCH-6"], a_broken_watch_is_not_resumed),
    saboteur!(Storage, ["FS-WATCH-8"], a_compacted_watch_goes_on_with_what_comes),
    saboteur!(Storage, ["FS-WATCH-9"], every_watch_is_opened_twice),
];

fn is_tree(range: &KeyRange) -> bool {
    range.as_single().is_none() && is_of(range.start(), "meta")
}

fn a_modified_file_is_a_created_one() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let changes = store.watch(range, after).await?;
        let created = changes.map(|item| {
            item.map(|mut batch| {
                for event in &mut batch.events {
                    if let Event::Put(entry) = event {
                        entry.create_revision = entry.mod_revision;
                    }
                }
                batch
            })
        });
        Ok(created.boxed())
    })
}

fn a_watch_begins_a_change_too_late() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let after = if is_tree(&range) { Revision(after.0 + 1) } else { after };
        store.watch(range, after).await
    })
}

fn a_broken_watch_goes_on_with_what_comes() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let now = newest(&store).await?;
        store.watch(range, after.max(now)).await
    })
}

fn a_broken_watch_is_not_resumed() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let changes = store.watch(range, after).await?;
        let silent = changes.take_while(|item| futures::future::ready(item.is_ok()));
        Ok(silent.chain(futures::stream::pending()).boxed())
    })
}

fn a_compacted_watch_goes_on_with_what_comes() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        // Whether it is compacted a read tells as well.
        let then = RangeRequest::new(range.clone()).with_revision(after);
        let is_compacted = matches!(
            store.range(then).await, Err(error) if error.kind() == BackendErrorKind::Compacted
        );
        let after = if is_compacted { newest(&store).await? } else { after };
        store.watch(range, after).await
    })
}

fn every_watch_is_opened_twice() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let spare = store.watch(range.clone(), after).await?;
        let changes = store.watch(range, after).await?;
        let both = changes.inspect(move |_| {
            let _kept = &spare;
        });
        Ok(both.boxed())
    })
}
