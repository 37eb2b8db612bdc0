use crate::kv::{Event, Revision, WatchBatch};
use crate::layout::Layout;
use crate::metadata::Version;
use crate::path::FilePath;

/// What a [`ChangeStream`](crate::ChangeStream) delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchEvent {
    /// A file has changed. Changes of one transaction have the same version and follow each other in the order of their
    /// paths: a rename is a deletion and a creation.
    #[non_exhaustive]
    Change {
        /// What has become of it.
        kind: ChangeKind,
        /// The file.
        path: FilePath,
        /// The version that it has now; of a deletion, the revision at which it was deleted.
        version: Version,
    },
    /// Changes up to this revision may be missing: the store has given them up, or this consumer was too slow. What is
    /// known from before is to be forgotten, and the path to be listed again; all changes after the revision follow, of
    /// which such a list may show some already (their versions tell).
    #[non_exhaustive]
    Resync {
        /// The revision.
        revision: Revision,
    },
}

/// What has become of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// It was stored again.
    Modified,
    /// It was deleted, or moved away.
    Deleted,
}

/// The change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    kind: ChangeKind,
    path: FilePath,
    version: Version,
}

impl Change {
    /// The changes of files in a batch, in the order of their paths. Keys that are no file's are passed over.
    pub(super) fn of_batch(batch: &WatchBatch, layout: &Layout) -> Vec<Self> {
        let change = |event: &Event| {
            let kind = match event {
                Event::Put(entry) if entry.create_revision == entry.mod_revision => ChangeKind::Created,
                Event::Put(_) => ChangeKind::Modified,
                Event::Delete { .. } => ChangeKind::Deleted,
            };
            let (path, version) = (layout.file(event.key())?, Version::new(event.revision()));
            Some(Self { kind, path, version })
        };
        let mut changes: Vec<_> = batch.events.iter().filter_map(change).collect();
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        changes
    }

    /// As an event for who watches this path.
    pub(super) fn seen_from(&self, watched: &FilePath) -> Option<WatchEvent> {
        let Self { kind, path, version } = self.clone();
        (path == *watched || watched.is_above(&path)).then_some(WatchEvent::Change { kind, path, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{Entry, Key};
    use crate::layout::{KeyPrefix, LayoutKind};

    fn put(key: &'static str, created: u64) -> Event {
        Event::Put(Entry {
            key: Key::new(key),
            value: bytes::Bytes::new(),
            create_revision: Revision(created),
            mod_revision: Revision(9),
            lease: None,
        })
    }

    #[test]
    fn changes_come_in_the_order_of_paths_whatever_order_the_store_has() {
        let layout = Layout::new(LayoutKind::Native, KeyPrefix::default());
        let events = vec![
            put("/caddy/meta/b", 9),
            Event::Delete { key: Key::new("/caddy/meta/c"), revision: Revision(9) },
            put("/caddy/meta/a/x", 3),
            put("/caddy/meta/a//x", 9),
            put("/caddy/meta/a-1", 9),
        ];
        let changes = Change::of_batch(&WatchBatch { revision: Revision(9), events }, &layout);
        let shown: Vec<_> = changes.iter().map(|change| (change.path.as_str(), change.kind)).collect();
        let expected = [
            ("a-1", ChangeKind::Created),
            ("a/x", ChangeKind::Modified),
            ("b", ChangeKind::Created),
            ("c", ChangeKind::Deleted),
        ];
        assert_eq!(shown, expected);
    }
}
