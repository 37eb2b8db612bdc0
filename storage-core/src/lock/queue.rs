//! A lock's queue in the store: who holds it, who waits behind whom.

use crate::kv::{BackendError, Entry, Get, Key, KeyRange, KvBackend, Projection, RangeRequest, Revision};

/// A queue as one snapshot showed it: the places by the order in which they came into being. The first holds the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    revision: Revision,
    places: Vec<(Revision, Key)>,
}

/// Where a place is in its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// In front: it holds the lock since it came into being at this revision.
    First(Revision),
    /// Directly behind this one, which was still there at the revision.
    Behind(Key, Revision),
    /// It is not in the queue.
    Nowhere,
}

impl Queue {
    pub(super) fn new(revision: Revision, entries: Vec<Entry>) -> Self {
        let mut places: Vec<_> =
            entries.into_iter().map(|entry| (entry.create_revision, entry.key)).collect();
        places.sort_unstable();
        Self { revision, places }
    }

    /// The read that shows a queue within a transaction.
    pub(super) fn get(range: &KeyRange) -> Get {
        Get::range(range.clone()).with_projection(Projection::KeysOnly)
    }

    /// Reads a queue as it is now.
    pub(super) async fn read(backend: &dyn KvBackend, range: &KeyRange) -> Result<Self, BackendError> {
        let mut request = RangeRequest::new(range.clone()).with_projection(Projection::KeysOnly);
        let mut entries = Vec::new();
        loop {
            let mut page = backend.range(request.clone()).await?;
            entries.append(&mut page.entries);
            match page.next {
                Some(cursor) => request = request.with_cursor(cursor).with_revision(page.revision),
                None => return Ok(Self::new(page.revision, entries)),
            }
        }
    }

    pub(super) fn position(&self, place: &Key) -> Position {
        match self.places.iter().position(|(_, key)| key == place) {
            None => Position::Nowhere,
            Some(0) => Position::First(self.places[0].0),
            Some(index) => Position::Behind(self.places[index - 1].1.clone(), self.revision),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn places_are_ordered_by_when_they_came_into_being() {
        let entry = |key: &'static str, created: u64| Entry {
            key: Key::new(key),
            value: Bytes::new(),
            create_revision: Revision(created),
            mod_revision: Revision(created + 10),
            lease: None,
        };
        let queue = Queue::new(Revision(30), vec![entry("a", 9), entry("b", 7), entry("c", 8)]);
        assert_eq!(queue.position(&Key::new("b")), Position::First(Revision(7)));
        assert_eq!(queue.position(&Key::new("c")), Position::Behind(Key::new("b"), Revision(30)));
        assert_eq!(queue.position(&Key::new("a")), Position::Behind(Key::new("c"), Revision(30)));
        assert_eq!(queue.position(&Key::new("d")), Position::Nowhere);
    }
}
