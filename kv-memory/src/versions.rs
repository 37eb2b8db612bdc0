use std::cmp::Ordering;
use std::collections::VecDeque;
use std::collections::btree_map::{self, BTreeMap};
use std::ops::Bound;

use bytes::Bytes;
use storage_core::kv::{Entry, Event, Key, KeyRange, LeaseId, Projection, Revision};

/// All keys, as they are and as they were.
///
/// What exists now is apart from what was superseded: a read of the newest state, which nearly every read is, never
/// walks over keys deleted long ago, and a key that was put only once costs nothing beside its entry.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    newest: BTreeMap<Key, Version>,
    /// Ascending for each key; no list is empty.
    superseded: BTreeMap<Key, VecDeque<Superseded>>,
}

/// A value as it was put.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) value: Bytes,
    pub(crate) create_revision: Revision,
    pub(crate) mod_revision: Revision,
    pub(crate) lease: Option<LeaseId>,
}

/// A version that was in force before `until`, when the key was put again or deleted.
#[derive(Debug)]
struct Superseded {
    version: Version,
    until: Revision,
}

impl Versions {
    /// What the key holds now.
    pub(crate) fn newest(&self, key: &Key) -> Option<&Version> {
        self.newest.get(key)
    }

    /// What lies in the range now, in key order.
    pub(crate) fn range(&self, range: &KeyRange) -> impl Iterator<Item = (&Key, &Version)> {
        in_range(&self.newest, range)
    }

    /// The keys that lie in the range or did so once, in key order, each with what it held at the revision. That must
    /// not be below the compacted one.
    pub(crate) fn range_at(
        &self,
        range: &KeyRange,
        at: Revision,
    ) -> impl Iterator<Item = (&Key, Option<&Version>)> {
        let mut newest = in_range(&self.newest, range).peekable();
        let mut superseded = in_range(&self.superseded, range).peekable();
        std::iter::from_fn(move || {
            let order = match (newest.peek(), superseded.peek()) {
                (Some((new, _)), Some((old, _))) => new.cmp(old),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let now = if order.is_le() { newest.next() } else { None };
            let before = if order.is_ge() { superseded.next() } else { None };
            let key = now.map(|(key, _)| key).or(before.map(|(key, _)| key))?;
            let now = now.map(|(_, version)| version).filter(|version| version.mod_revision <= at);
            Some((key, now.or_else(|| before.and_then(|(_, versions)| in_force(versions, at)))))
        })
    }

    /// What happened to the key at a revision that changed it and is kept.
    pub(crate) fn event(&self, key: &Key, revision: Revision) -> Event {
        let newest = self.newest.get(key).filter(|version| version.mod_revision <= revision);
        let version = newest.or_else(|| in_force(self.superseded.get(key)?, revision));
        match version {
            Some(version) => Event::Put(version.entry(key, Projection::KeysAndValues)),
            None => Event::Delete { key: key.clone(), revision },
        }
    }

    /// Puts a value and answers the version that it supersedes.
    pub(crate) fn put(
        &mut self,
        key: &Key,
        value: Bytes,
        lease: Option<LeaseId>,
        revision: Revision,
    ) -> Option<&Version> {
        let version = Version { value, create_revision: revision, mod_revision: revision, lease };
        match self.newest.entry(key.clone()) {
            btree_map::Entry::Vacant(entry) => {
                entry.insert(version);
                None
            }
            btree_map::Entry::Occupied(mut entry) => {
                let create_revision = entry.get().create_revision;
                let before = entry.insert(Version { create_revision, ..version });
                self.supersede(key, before, revision)
            }
        }
    }

    /// Deletes a key and answers its last version, or `None` if it was not there.
    pub(crate) fn delete(&mut self, key: &Key, revision: Revision) -> Option<&Version> {
        let before = self.newest.remove(key)?;
        self.supersede(key, before, revision)
    }

    fn supersede(&mut self, key: &Key, version: Version, until: Revision) -> Option<&Version> {
        let versions = self.superseded.entry(key.clone()).or_default();
        versions.push_back(Superseded { version, until });
        versions.back().map(|superseded| &superseded.version)
    }

    /// Drops what the key held before the revision.
    pub(crate) fn forget_before(&mut self, key: &Key, revision: Revision) {
        let Some(versions) = self.superseded.get_mut(key) else { return };
        while versions.front().is_some_and(|oldest| oldest.until <= revision) {
            versions.pop_front();
        }
        if versions.is_empty() {
            self.superseded.remove(key);
        }
    }
}

impl Version {
    pub(crate) fn entry(&self, key: &Key, projection: Projection) -> Entry {
        let value = match projection {
            Projection::KeysAndValues => self.value.clone(),
            Projection::KeysOnly => Bytes::new(),
        };
        Entry {
            key: key.clone(),
            value,
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            lease: self.lease,
        }
    }
}

/// The version that was in force at the revision, if there was one.
fn in_force(versions: &VecDeque<Superseded>, at: Revision) -> Option<&Version> {
    let following = versions.partition_point(|superseded| superseded.until <= at);
    versions.get(following).map(|superseded| &superseded.version).filter(|version| version.mod_revision <= at)
}

fn in_range<'m, V>(map: &'m BTreeMap<Key, V>, range: &KeyRange) -> impl Iterator<Item = (&'m Key, &'m V)> {
    let end = match range.end() {
        // A map panics at a range that ends before it starts.
        Some(end) => Bound::Excluded(end.max(range.start())),
        None => Bound::Unbounded,
    };
    map.range::<Key, _>((Bound::Included(range.start()), end))
}

#[cfg(test)]
impl Versions {
    /// How many keys exist, and how many superseded versions are kept.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.newest.len(), self.superseded.values().map(VecDeque::len).sum())
    }
}
