//! The parts of a tree, as somebody sees them who looks at all of its keys.

use super::Layout;
use crate::kv::{Key, KeyRange};
use crate::path::FilePath;

/// One of the two values that are a file together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// Its content.
    Data,
    /// Its metadata record.
    Meta,
}

impl Layout {
    /// This half of all files below a path.
    pub(crate) fn below(&self, half: Half, path: &FilePath) -> KeyRange {
        match half {
            Half::Data => self.data_below(path),
            Half::Meta => self.meta_below(path),
        }
    }

    /// This half of the file at a path.
    pub(crate) fn half(&self, half: Half, path: &FilePath) -> Key {
        match half {
            Half::Data => self.data(path),
            Half::Meta => self.meta(path),
        }
    }

    /// What a key has behind that which all keys of its half have in common. The halves of a file have the same there, and
    /// it orders files as their paths do.
    pub(crate) fn rest<'k>(&self, half: Half, key: &'k Key) -> Option<&'k [u8]> {
        key.as_bytes().strip_prefix(self.below(half, &FilePath::root()).start().as_bytes())
    }

    /// The key of this half that has this behind what they have in common.
    pub(crate) fn with_rest(&self, half: Half, rest: &[u8]) -> Key {
        Key::new([self.below(half, &FilePath::root()).start().as_bytes(), rest].concat())
    }

    /// The file whose halves have this rest; `None` if no path is mapped to it.
    pub(crate) fn file_of_rest(&self, rest: &[u8]) -> Option<FilePath> {
        self.file(&self.with_rest(Half::Meta, rest))
    }

    /// The records of all sessions.
    pub(crate) fn sessions(&self) -> KeyRange {
        KeyRange::prefix(format!("{}/session/", self.prefix()))
    }

    /// Whether this is the key of a session.
    pub(crate) fn is_session(&self, key: &Key) -> bool {
        let id = key.as_bytes().strip_prefix(self.sessions().start().as_bytes());
        id.is_some_and(|id| !id.is_empty() && !id.contains(&b'/'))
    }

    /// What lies below the prefix and is of no part of the tree, in the order of keys.
    pub(crate) fn elsewhere(&self) -> Vec<KeyRange> {
        let all = KeyRange::prefix(format!("{}/", self.prefix()));
        let root = FilePath::root();
        let mut parts = [
            self.data_below(&root),
            KeyRange::single(self.deletions()),
            KeyRange::single(self.format()),
            self.locks(),
            self.meta_below(&root),
            self.quarantine(),
            self.sessions(),
        ];
        parts.sort_by(|one, other| one.start().cmp(other.start()));
        let mut gaps = Vec::with_capacity(parts.len() + 1);
        let mut from = all.start().clone();
        for part in parts {
            gaps.push(KeyRange::new(from, part.start().clone()));
            from = part.end().expect("a prefix that does not end in 0xff has an end").clone();
        }
        gaps.push(all.starting_at(&from));
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }

    /// The key cut behind its first component below the prefix, with the slash if there is one: what to call a key that is
    /// of no part of the tree together with its neighbours.
    pub(crate) fn component(&self, key: &Key) -> Key {
        let below = self.prefix().as_str().len() + 1;
        let rest = key.as_bytes().get(below..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'/').map_or(rest.len(), |slash| slash + 1);
        Key::new(key.as_bytes()[..(below + end).min(key.as_bytes().len())].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::KeyPrefix;

    fn layout(prefix: &str) -> Layout {
        Layout::new(KeyPrefix::parse(prefix).unwrap())
    }

    #[test]
    fn the_halves_of_a_file_have_one_rest() {
        let layout = layout("/caddy");
        let path = FilePath::parse("a/b").unwrap();
        for half in [Half::Data, Half::Meta] {
            let key = layout.half(half, &path);
            assert_eq!(layout.rest(half, &key), Some(&b"a/b"[..]));
            assert_eq!(layout.with_rest(half, b"a/b"), key);
        }
        assert_eq!(layout.rest(Half::Data, &layout.meta(&path)), None);
        assert_eq!(layout.file_of_rest(b"a/b"), Some(path));
        for foreign in [&b""[..], b"a//b", b"a/", b"\xff", b"a\nb"] {
            assert_eq!(layout.file_of_rest(foreign), None);
        }
    }

    #[test]
    fn what_is_elsewhere_is_all_but_the_parts_of_the_tree() {
        for prefix in ["/caddy", "/"] {
            let layout = layout(prefix);
            let is_elsewhere = |rest: &str| {
                let key = Key::new(format!("{}/{rest}", layout.prefix()));
                layout.elsewhere().iter().any(|range| range.contains(&key))
            };
            for part in
                ["data/a", "meta/a", "meta/", "deleted", "format", "lock/a/b-1", "session/0", "quarantine/x"]
            {
                assert!(!is_elsewhere(part), "{prefix} {part}");
            }
            for other in [
                "", "\0", "data", "data.x", "deletedx", "format/", "formats", "lock", "zzz", "\u{7f}",
                "meta0",
            ] {
                assert!(is_elsewhere(other), "{prefix} {other:?}");
            }
        }
        let key = Key::new("/caddy-prod/x");
        assert!(!layout("/caddy").elsewhere().iter().any(|range| range.contains(&key)));
    }

    #[test]
    fn a_foreign_key_is_called_by_its_first_component() {
        let layout = layout("/caddy");
        for (key, component) in [("notes", "notes"), ("notes/a/b", "notes/"), ("", ""), ("/x", "/")] {
            let key = Key::new(format!("/caddy/{key}"));
            assert_eq!(layout.component(&key), Key::new(format!("/caddy/{component}")));
        }
    }

    #[test]
    fn sessions_are_known_by_their_keys() {
        let layout = layout("/caddy");
        assert!(layout.is_session(&layout.session("0123456789abcdef")));
        for other in ["/caddy/session/", "/caddy/session/a/b", "/caddy/sessions"] {
            assert!(!layout.is_session(&Key::new(other)), "{other}");
        }
    }
}
