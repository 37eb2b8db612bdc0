use futures::stream::BoxStream;

use super::{BackendError, Entry, Key, Revision};

/// The changes of a watched range: see [`KvBackend::watch`](super::KvBackend::watch).
pub type WatchStream = BoxStream<'static, Result<WatchBatch, BackendError>>;

/// The changes that one transaction made to the watched range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchBatch {
    /// The revision of the changes. Everything up to it has now been delivered, so a watch that is resumed after it
    /// misses nothing.
    pub revision: Revision,
    /// The changes, in any order. Empty when the backend only says how far it has come.
    pub events: Vec<Event>,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The key was put. It is new when its create and mod revisions are equal.
    Put(Entry),
    /// The key was deleted, or its lease ended.
    Delete {
        /// The key.
        key: Key,
        /// The revision of its deletion.
        revision: Revision,
    },
}

impl Event {
    /// The key that changed.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Delete { key, .. } => key,
        }
    }

    /// The revision of the change.
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put(entry) => entry.mod_revision,
            Self::Delete { revision, .. } => *revision,
        }
    }
}
