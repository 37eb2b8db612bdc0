use storage_core::kv::{
    BackendError, Cursor, Entry, Get, GetReply, Key, Projection, RangePage, RangeRequest,
};

use crate::state::State;
use crate::versions::Version;

/// How many entries a page holds unless the request says it.
const DEFAULT_PAGE: usize = 1_000;

/// How many keys that did not exist at its revision a page walks over before it ends early, so that no page takes
/// long, whatever the history of its range.
const MOST_SKIPPED: usize = 1_000;

/// Reads a page; the request is well formed.
pub(crate) fn range(state: &State, request: &RangeRequest) -> Result<RangePage, BackendError> {
    let newest = state.log.revision();
    let revision = request.at.unwrap_or(newest);
    if revision > newest {
        return Err(BackendError::future_revision(revision, newest));
    }
    if revision < state.log.compacted() {
        return Err(BackendError::compacted(revision, state.log.compacted()));
    }
    let range = request.remaining();
    let limit = request.limit.map_or(DEFAULT_PAGE, |limit| as_count(limit.get()));
    let (entries, next) = if revision == newest {
        let keys = state.versions.range(&range).map(|(key, version)| (key, Some(version)));
        page(keys, limit, request.projection)
    } else {
        page(state.versions.range_at(&range, revision), limit, request.projection)
    };
    Ok(RangePage { revision, entries, next })
}

/// Reads inside a transaction, in the state as it is.
pub(crate) fn get(state: &State, get: &Get) -> GetReply {
    let limit = get.limit.map_or(usize::MAX, |limit| as_count(limit.get()));
    let mut found = state.versions.range(&get.range);
    let entries =
        found.by_ref().take(limit).map(|(key, version)| version.entry(key, get.projection)).collect();
    GetReply { entries, more: found.next().is_some() }
}

fn page<'v>(
    keys: impl Iterator<Item = (&'v Key, Option<&'v Version>)>,
    limit: usize,
    projection: Projection,
) -> (Vec<Entry>, Option<Cursor>) {
    let mut entries = Vec::new();
    let mut skipped = 0;
    let mut last: Option<&Key> = None;
    for (key, version) in keys {
        let is_full = version.is_some() && entries.len() == limit;
        if is_full || skipped == MOST_SKIPPED {
            return (entries, last.map(|key| Cursor::at(key.successor())));
        }
        match version {
            Some(version) => entries.push(version.entry(key, projection)),
            None => skipped += 1,
        }
        last = Some(key);
    }
    (entries, None)
}

fn as_count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use storage_core::kv::{KeyRange, Revision};

    fn key(number: u64) -> Key {
        Key::new(number.to_be_bytes().to_vec())
    }

    /// So many keys at revision 1, of which the first half is deleted in revision 2.
    fn half_deleted(keys: u64) -> State {
        let mut state = State::new(10);
        let mut change = state.change();
        for number in 0..keys {
            change.put(key(number), Bytes::new(), None);
        }
        change.commit();
        let mut change = state.change();
        change.delete_range(&KeyRange::new(key(0), key(keys / 2)));
        change.commit();
        state
    }

    #[test]
    fn a_page_walks_no_further_than_it_has_to() {
        const KEYS: u64 = 200_000;
        let state = half_deleted(KEYS);
        let all = KeyRange::prefix(Bytes::new());

        let mut steps = 0;
        let newest =
            state.versions.range(&all).inspect(|_| steps += 1).map(|(key, version)| (key, Some(version)));
        let (entries, next) = page(newest, 100, Projection::KeysOnly);
        assert_eq!((entries.len(), entries[0].key.clone()), (100, key(KEYS / 2)));
        assert_eq!(next, Some(Cursor::at(key(KEYS / 2 + 99).successor())));
        assert_eq!(steps, 101);
    }

    #[test]
    fn a_page_of_the_past_ends_early_rather_than_walk_over_everything_that_was_not_there_yet() {
        let mut state = State::new(10);
        for numbers in [0..1, 1..50_000, 50_000..50_002] {
            let mut change = state.change();
            numbers.for_each(|number| change.put(key(number), Bytes::new(), None));
            change.commit();
        }
        let mut request = RangeRequest::new(KeyRange::prefix(Bytes::new())).with_revision(Revision(1));
        let mut entries = Vec::new();
        let mut pages = 0;
        loop {
            let page = range(&state, &request).unwrap();
            entries.extend(page.entries);
            pages += 1;
            let Some(cursor) = page.next else { break };
            request = request.with_cursor(cursor);
        }
        assert_eq!(entries.len(), 1);
        assert_eq!(pages, 51);
    }
}
