use std::fmt;

use bytes::Bytes;

/// A key of the store: bytes, in byte order. The empty key is no key, and every backend refuses it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its bytes, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The first key after this one: itself with a zero byte behind.
    pub fn successor(&self) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len() + 1);
        bytes.extend_from_slice(&self.0);
        bytes.push(0);
        Self(bytes.into())
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A half-open range of keys: from `start`, which belongs to it, to `end`, which does not.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyRange {
    start: Key,
    end: Option<Key>,
}

impl KeyRange {
    /// All keys from `start` up to, but without, `end`. It is empty when `end` is not greater than `start`.
    pub fn new(start: Key, end: Key) -> Self {
        Self { start, end: Some(end) }
    }

    /// All keys from `start` on.
    pub fn from(start: Key) -> Self {
        Self { start, end: None }
    }

    /// The range of one key.
    pub fn single(key: Key) -> Self {
        let end = key.successor();
        Self::new(key, end)
    }

    /// All keys that begin with these bytes; with none, all keys of the store.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let start = Key::new(prefix);
        let end = prefix_end(start.as_bytes());
        Self { start, end }
    }

    /// The first key that may lie in the range.
    pub fn start(&self) -> &Key {
        &self.start
    }

    /// The first key behind the range, or `None` when it has no end.
    pub fn end(&self) -> Option<&Key> {
        self.end.as_ref()
    }

    /// Whether the key lies in the range.
    pub fn contains(&self, key: &Key) -> bool {
        *key >= self.start && self.end.as_ref().is_none_or(|end| key < end)
    }

    /// Whether no key at all can lie in the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// The one key that this range consists of, if it is a range of one key.
    pub fn as_single(&self) -> Option<&Key> {
        let (start, end) = (self.start.as_bytes(), self.end.as_ref()?.as_bytes());
        let is_successor = end.len() == start.len() + 1 && end.starts_with(start) && end.ends_with(&[0]);
        is_successor.then_some(&self.start)
    }

    /// What is left of the range from `start` on.
    pub fn starting_at(&self, start: &Key) -> Self {
        Self { start: start.max(&self.start).clone(), end: self.end.clone() }
    }
}

impl fmt::Debug for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            Some(end) => write!(f, "[{:?}, {end:?})", self.start),
            None => write!(f, "[{:?}, ..)", self.start),
        }
    }
}

/// The first key behind all that begin with `prefix`: its last byte that can be raised is raised, what follows cut.
fn prefix_end(prefix: &[u8]) -> Option<Key> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(Key::new(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: &'static [u8]) -> Key {
        Key::new(bytes)
    }

    #[test]
    fn a_prefix_covers_what_begins_with_it_and_nothing_else() {
        let range = KeyRange::prefix(&b"a/"[..]);
        assert!(range.contains(&key(b"a/")) && range.contains(&key(b"a/\xff\xff")));
        assert!(!range.contains(&key(b"a")) && !range.contains(&key(b"a0")) && !range.contains(&key(b"b")));
    }

    #[test]
    fn a_prefix_that_ends_in_ff_is_cut_before_it() {
        assert_eq!(KeyRange::prefix(&b"a\xff"[..]).end(), Some(&key(b"b")));
        assert_eq!(KeyRange::prefix(&b"\xff\xff"[..]).end(), None);
        assert_eq!(KeyRange::prefix(Bytes::new()).end(), None);
    }

    #[test]
    fn the_range_of_one_key_is_recognised() {
        let range = KeyRange::single(key(b"k"));
        assert!(range.contains(&key(b"k")) && !range.contains(&key(b"k\0")));
        assert_eq!(range.as_single(), Some(&key(b"k")));
        assert_eq!(KeyRange::prefix(&b"k"[..]).as_single(), None);
        assert_eq!(KeyRange::new(key(b"k"), key(b"k\0\0")).as_single(), None);
    }

    #[test]
    fn a_range_never_grows_when_it_is_cut_from_the_left() {
        let range = KeyRange::new(key(b"b"), key(b"d"));
        assert_eq!(range.starting_at(&key(b"a")), range);
        assert_eq!(range.starting_at(&key(b"c")), KeyRange::new(key(b"c"), key(b"d")));
        assert!(range.starting_at(&key(b"e")).is_empty());
    }
}
