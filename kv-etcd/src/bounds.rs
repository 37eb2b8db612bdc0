//! Key ranges as etcd writes them, and its answers as we do.

use bytes::Bytes;
use etcd_client::{GetOptions, KeyValue};
use storage_core::kv::{Entry, Key, KeyRange, LeaseId, Projection, Revision};

/// A range in etcd's words: a key and an end, in which an empty end stands for the one key, and a zero byte for "no end".
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) key: Vec<u8>,
    pub(crate) end: Vec<u8>,
}

impl Bounds {
    /// The first key that etcd allows, since it has no empty one; as an end it means that there is none.
    const FIRST: &[u8] = b"\0";

    pub(crate) fn of(range: &KeyRange) -> Self {
        // The same keys: the empty one is none.
        let range = range.starting_at(&Key::new(Self::FIRST));
        let key = range.start().as_bytes().to_vec();
        let end = match range.end() {
            _ if range.as_single().is_some() => Vec::new(),
            // From a key to itself. A lesser end will not do: the empty one and the zero byte mean something else, and the
            // latter may be the key.
            _ if range.is_empty() && key == Self::FIRST => {
                return Self { key: [0, 0].into(), end: [0, 0].into() };
            }
            _ if range.is_empty() => key.clone(),
            Some(end) => end.as_bytes().to_vec(),
            None => Self::FIRST.to_vec(),
        };
        Self { key, end }
    }
}

/// A read's options, apart from its range.
pub(crate) fn get_options(projection: Projection, limit: u32) -> GetOptions {
    let options = GetOptions::new().with_limit(i64::from(limit));
    match projection {
        Projection::KeysAndValues => options,
        Projection::KeysOnly => options.with_keys_only(),
    }
}

pub(crate) fn entry(found: KeyValue) -> Entry {
    let (create_revision, mod_revision) = (found.create_revision(), found.mod_revision());
    let lease = LeaseId::new(found.lease());
    let (key, value) = found.into_key_value();
    Entry {
        key: Key::new(key),
        value: Bytes::from(value),
        create_revision: revision(create_revision),
        mod_revision: revision(mod_revision),
        lease,
    }
}

/// etcd's revisions are never negative.
pub(crate) fn revision(number: i64) -> Revision {
    Revision(u64::try_from(number).unwrap_or(0))
}

/// A revision that etcd cannot write is beyond all it will ever have, as is the greatest that it can.
pub(crate) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(key: &[u8], end: &[u8]) -> Bounds {
        Bounds { key: key.to_vec(), end: end.to_vec() }
    }

    fn range(start: &'static str, end: &'static str) -> KeyRange {
        KeyRange::new(Key::new(start), Key::new(end))
    }

    #[test]
    fn each_kind_of_range_has_its_own_bounds() {
        assert_eq!(Bounds::of(&range("a", "b")), bounds(b"a", b"b"));
        assert_eq!(Bounds::of(&KeyRange::single(Key::new("a"))), bounds(b"a", b""));
        assert_eq!(Bounds::of(&KeyRange::from(Key::new("a"))), bounds(b"a", b"\0"));
        assert_eq!(Bounds::of(&KeyRange::prefix("a/")), bounds(b"a/", b"a0"));
        assert_eq!(Bounds::of(&KeyRange::prefix("")), bounds(b"\0", b"\0"));
        assert_eq!(Bounds::of(&range("", "b")), bounds(b"\0", b"b"));
    }

    #[test]
    fn an_empty_range_never_becomes_one_key_or_all_keys() {
        for end in ["", "\0", "a", "b"] {
            assert_eq!(Bounds::of(&range("b", end)), bounds(b"b", b"b"), "{end:?}");
        }
        for (start, end) in [("", ""), ("", "\0"), ("\0", ""), ("\0", "\0")] {
            assert_eq!(Bounds::of(&range(start, end)), bounds(b"\0\0", b"\0\0"), "{start:?} to {end:?}");
        }
    }
}
