use std::collections::VecDeque;

use storage_core::kv::{Key, KeyRange, Revision};

/// Which keys every kept transaction changed.
///
/// Invariant: the records are those of the revisions behind the compacted one, one each and without a gap, so that
/// the newest revision is the compacted one plus their number. The keys of a record are in ascending order, each once.
#[derive(Debug, Default)]
pub(crate) struct Log {
    compacted: u64,
    records: VecDeque<Box<[Key]>>,
}

impl Log {
    /// The newest revision.
    pub(crate) fn revision(&self) -> Revision {
        Revision(self.compacted + self.len())
    }

    /// The oldest revision whose state is still kept. What led to it is not.
    pub(crate) fn compacted(&self) -> Revision {
        Revision(self.compacted)
    }

    /// How many transactions are kept.
    pub(crate) fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// Adds the next revision, which changed these keys (sorted, each once).
    pub(crate) fn push(&mut self, keys: Vec<Key>) {
        self.records.push_back(keys.into_boxed_slice());
    }

    /// Takes the oldest record out, whose revision is the compacted one from now on.
    pub(crate) fn pop(&mut self) -> Option<(Revision, Box<[Key]>)> {
        let keys = self.records.pop_front()?;
        self.compacted += 1;
        Some((Revision(self.compacted), keys))
    }

    /// The first change of the range after a revision that is not below the compacted one: its revision, and the keys
    /// in the range that it changed.
    pub(crate) fn next_change(&self, range: &KeyRange, after: Revision) -> Option<(Revision, &[Key])> {
        let seen = usize::try_from(after.0 - self.compacted).unwrap_or(usize::MAX);
        self.records.iter().enumerate().skip(seen).find_map(|(index, keys)| {
            let keys = keys_in(range, keys);
            (!keys.is_empty()).then_some((Revision(self.compacted + 1 + index as u64), keys))
        })
    }
}

/// The part of the sorted keys that lies in the range.
pub(crate) fn keys_in<'k>(range: &KeyRange, sorted: &'k [Key]) -> &'k [Key] {
    let behind_start = &sorted[sorted.partition_point(|key| key < range.start())..];
    &behind_start[..behind_start.partition_point(|key| range.contains(key))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&'static str]) -> Vec<Key> {
        names.iter().map(|name| Key::new(*name)).collect()
    }

    #[test]
    fn the_next_change_of_a_range_skips_what_was_seen_and_what_lies_elsewhere() {
        let mut log = Log::default();
        for changed in [&["a"][..], &["a", "b", "c"], &["d"], &["b"]] {
            log.push(keys(changed));
        }
        log.pop();
        let range = KeyRange::new(Key::new("b"), Key::new("d"));
        let next = |after| {
            log.next_change(&range, Revision(after)).map(|(revision, keys)| (revision.0, keys.to_vec()))
        };
        assert_eq!(next(1), Some((2, keys(&["b", "c"]))));
        assert_eq!(next(2), Some((4, keys(&["b"]))));
        assert_eq!(next(3), Some((4, keys(&["b"]))));
        assert_eq!(next(4), None);
        assert_eq!(next(u64::MAX), None);
    }

    #[test]
    fn no_key_is_in_a_range_that_ends_before_it_starts() {
        let range = KeyRange::new(Key::new("b"), Key::new("a"));
        assert!(keys_in(&range, &keys(&["a", "b", "c"])).is_empty());
    }
}
