use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Bound;
use std::time::Duration;

use storage_core::kv::{
    BackendError, Cursor, Entry, Get, GetReply, Key, KeyRange, LeaseId, Projection, RangePage, RangeRequest,
    Revision,
};
use tokio::sync::watch::Sender;
use tokio::time::Instant;

/// What all clients share.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// What each key has held, oldest first, and since when; `None` since it was deleted.
    pub(crate) versions: BTreeMap<Key, Vec<(Revision, Option<Entry>)>>,
    /// The keys that each change has touched. The first change is revision 1.
    pub(crate) changes: Vec<Vec<Key>>,
    pub(crate) compacted: Revision,
    /// The leases that run: for how long each was granted, and when it ends.
    pub(crate) leases: BTreeMap<LeaseId, (Duration, Instant)>,
    /// How many leases there have been.
    pub(crate) granted: i64,
    /// Tells the watches of every new revision.
    pub(crate) news: Sender<Revision>,
}

impl Store {
    pub(crate) fn newest(&self) -> Revision {
        Revision(self.changes.len() as u64)
    }

    /// What a key held right after the change of a revision.
    pub(crate) fn entry(&self, key: &Key, at: Revision) -> Option<&Entry> {
        self.entries(&KeyRange::single(key.clone()), at).next()
    }

    /// What a range held right after the change of a revision, in key order.
    pub(crate) fn entries(&self, range: &KeyRange, at: Revision) -> impl Iterator<Item = &Entry> + use<'_> {
        // A map panics at an end before the start.
        let end = range.end().map(|end| Bound::Excluded(end.max(range.start()).clone()));
        let bounds = (Bound::Included(range.start().clone()), end.unwrap_or(Bound::Unbounded));
        let versions = self.versions.range(bounds).map(|(_, versions)| versions);
        versions.filter_map(move |of| of.iter().rev().find(|(since, _)| *since <= at)?.1.as_ref())
    }

    pub(crate) fn page(&self, request: &RangeRequest) -> Result<RangePage, BackendError> {
        let revision = request.at.unwrap_or(self.newest());
        if revision > self.newest() {
            return Err(BackendError::future_revision(revision, self.newest()));
        }
        self.check_kept(revision)?;
        let found = self.entries(&request.remaining(), revision);
        let (entries, left_out) = first(found, request.limit.or(NonZeroU32::new(1_000)), request.projection);
        Ok(RangePage { revision, entries, next: left_out.map(|entry| Cursor::at(entry.key.clone())) })
    }

    /// A read within a transaction, which sees what has been done so far.
    pub(crate) fn get(&self, get: &Get) -> GetReply {
        let found = self.entries(&get.range, self.newest());
        let (entries, left_out) = first(found, get.limit, get.projection);
        GetReply { entries, more: left_out.is_some() }
    }

    pub(crate) fn check_kept(&self, revision: Revision) -> Result<(), BackendError> {
        if revision < self.compacted {
            return Err(BackendError::compacted(revision, self.compacted));
        }
        Ok(())
    }
}

/// As many entries as the limit allows, and the first that it leaves out.
fn first<'s>(
    mut found: impl Iterator<Item = &'s Entry>,
    limit: Option<NonZeroU32>,
    projection: Projection,
) -> (Vec<Entry>, Option<&'s Entry>) {
    let limit = limit.map_or(usize::MAX, |limit| limit.get() as usize);
    let mut entries: Vec<Entry> = found.by_ref().take(limit).cloned().collect();
    if projection == Projection::KeysOnly {
        for entry in &mut entries {
            entry.value.clear();
        }
    }
    (entries, found.next())
}
