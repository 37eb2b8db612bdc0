//! The parts of a tree, as somebody sees them who looks at all of its keys.

use super::{Layout, LayoutKind};
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
    /// This half of all files below a path, in the order of keys.
    pub(crate) fn below(&self, half: Half, path: &FilePath) -> Vec<KeyRange> {
        match half {
            Half::Data => self.data_below(path),
            Half::Meta => vec![self.meta_below(path)],
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
        key.as_bytes().strip_prefix(self.half(half, &FilePath::root()).as_bytes())
    }

    /// The key of this half that has this behind what they have in common.
    pub(crate) fn with_rest(&self, half: Half, rest: &[u8]) -> Key {
        Key::new([self.half(half, &FilePath::root()).as_bytes(), rest].concat())
    }

    /// The file whose halves have this rest; `None` if no path is mapped to it.
    pub(crate) fn file_of_rest(&self, rest: &[u8]) -> Option<FilePath> {
        self.file(&self.with_rest(Half::Meta, rest))
    }

    /// The records of all sessions.
    pub(crate) fn sessions(&self) -> KeyRange {
        KeyRange::prefix(self.own("session/").into_bytes())
    }

    /// Whether this is the key of a session.
    pub(crate) fn is_session(&self, key: &Key) -> bool {
        let id = key.as_bytes().strip_prefix(self.sessions().start().as_bytes());
        id.is_some_and(|id| !id.is_empty() && !id.contains(&b'/'))
    }

    /// What lies where our own keys are and is of no part of the tree, in the order of keys.
    pub(crate) fn elsewhere(&self) -> Vec<KeyRange> {
        let mut parts = vec![
            KeyRange::single(self.deletions()),
            KeyRange::single(self.format()),
            self.locks(),
            self.quarantine(),
            self.sessions(),
        ];
        // In the layout of caddy-etcd the files are not there, and whatever lies among them is one.
        if self.kind() == LayoutKind::Native {
            let root = FilePath::root();
            parts.extend(self.data_below(&root));
            parts.push(self.meta_below(&root));
        }
        without(&self.all_own(), parts)
    }

    /// Where only members that run the Go module put locks.
    pub(crate) fn locks_of_go(&self) -> Vec<KeyRange> {
        self.go_locks().map_or_else(Vec::new, |locks| without(&locks, vec![self.all_own()]))
    }

    /// The key cut behind its first component where our own keys are, with the slash if there is one: what to call a key
    /// that is of no part of the tree together with its neighbours.
    pub(crate) fn component(&self, key: &Key) -> Key {
        let before = self.own("").as_bytes().len();
        let rest = key.as_bytes().get(before..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'/').map_or(rest.len(), |slash| slash + 1);
        Key::new(key.as_bytes()[..(before + end).min(key.as_bytes().len())].to_vec())
    }

    fn all_own(&self) -> KeyRange {
        KeyRange::prefix(self.own("").into_bytes())
    }
}

/// What is left of a range without these parts of it, in the order of keys.
pub(super) fn without(all: &KeyRange, mut parts: Vec<KeyRange>) -> Vec<KeyRange> {
    parts.sort_by(|one, other| one.start().cmp(other.start()));
    let mut left = Vec::with_capacity(parts.len() + 1);
    let mut from = all.start().clone();
    for part in parts {
        left.push(KeyRange::new(from, part.start().clone()));
        from = part.end().expect("a prefix that does not end in 0xff has an end").clone();
    }
    left.push(all.starting_at(&from));
    left.retain(|range| !range.is_empty());
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::KeyPrefix;

    const BOTH: [LayoutKind; 2] = [LayoutKind::Native, LayoutKind::CaddyEtcd];

    fn layout(prefix: &str) -> Layout {
        Layout::new(LayoutKind::Native, KeyPrefix::parse(prefix).unwrap())
    }

    fn caddy_etcd() -> Layout {
        Layout::new(LayoutKind::CaddyEtcd, KeyPrefix::default())
    }

    #[test]
    fn the_halves_of_a_file_have_one_rest() {
        let path = FilePath::parse("a/b").unwrap();
        for kind in BOTH {
            let layout = Layout::new(kind, KeyPrefix::default());
            for half in [Half::Data, Half::Meta] {
                let key = layout.half(half, &path);
                assert_eq!(layout.rest(half, &key), Some(&b"a/b"[..]));
                assert_eq!(layout.with_rest(half, b"a/b"), key);
            }
            assert_eq!(layout.rest(Half::Meta, &layout.data(&path)), None);
            assert_eq!(layout.file_of_rest(b"a/b"), Some(path.clone()));
            for foreign in [&b""[..], b"a//b", b"a/", b"\xff", b"a\nb"] {
                assert_eq!(layout.file_of_rest(foreign), None);
            }
        }
        assert_eq!(layout("/caddy").rest(Half::Data, &layout("/caddy").meta(&path)), None);
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
    fn every_key_of_caddy_etcd_is_of_a_file_a_lock_or_where_our_own_are() {
        let layout = caddy_etcd();
        let root = FilePath::root();
        let places = |rest: &str| {
            let key = Key::new(format!("/caddy/{rest}"));
            let is_in = |ranges: Vec<KeyRange>| ranges.iter().filter(|range| range.contains(&key)).count();
            [
                is_in(layout.below(Half::Data, &root)),
                is_in(layout.below(Half::Meta, &root)),
                is_in(layout.locks_of_go()),
                is_in(layout.elsewhere()),
            ]
        };
        for (rest, expected) in [
            ("a", [1, 0, 0, 0]),
            ("lock", [1, 0, 0, 0]),
            ("quarantine/a", [1, 0, 0, 0]),
            ("md/a", [0, 1, 0, 0]),
            ("lock/a", [0, 0, 1, 0]),
            ("lock/md/a", [0, 0, 1, 0]),
            ("lock/z/b", [0, 0, 1, 0]),
            ("lock/md//notes", [0, 0, 0, 1]),
            ("lock/md//session", [0, 0, 0, 1]),
            ("lock/md//format", [0; 4]),
            ("lock/md//lock/a/b-1", [0; 4]),
            ("lock/md//quarantine/x", [0; 4]),
            ("lock/md//session/0", [0; 4]),
        ] {
            assert_eq!(places(rest), expected, "{rest}");
        }
        assert_eq!(self::layout("/caddy").locks_of_go(), []);
        let key = Key::new("/caddy/lock/md//notes/a");
        assert_eq!(layout.component(&key), Key::new("/caddy/lock/md//notes/"));
        assert!(layout.is_session(&layout.session("0123456789abcdef")));
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
