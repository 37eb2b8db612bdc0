//! The keys of locks and sessions.

use super::Layout;
use crate::kv::{Key, KeyRange};
use crate::lock::LockName;

impl Layout {
    /// The record of a session.
    pub(crate) fn session(&self, session: &str) -> Key {
        Key::new(format!("{}/session/{session}", self.prefix()))
    }

    /// The queues of all locks.
    pub(crate) fn locks(&self) -> KeyRange {
        KeyRange::prefix(format!("{}/lock/", self.prefix()))
    }

    /// The queue of one lock.
    pub(crate) fn queue(&self, lock: &LockName) -> KeyRange {
        KeyRange::prefix(format!("{}/lock/{}/", self.prefix(), escape(lock.as_str())))
    }

    /// The place of a session's `number`th acquisition in a queue. No place is ever used twice.
    pub(crate) fn place(&self, lock: &LockName, session: &str, number: u64) -> Key {
        Key::new(format!("{}/lock/{}/{session}-{number}", self.prefix(), escape(lock.as_str())))
    }

    /// The lock and the session of a place; `None` for a key that is none, whoever put it there.
    pub(crate) fn of_place(&self, place: &Key) -> Option<(LockName, String)> {
        let rest = place.as_bytes().strip_prefix(self.prefix().as_str().as_bytes())?;
        let rest = std::str::from_utf8(rest.strip_prefix(b"/lock/")?).ok()?;
        let (escaped, owner) = rest.split_once('/')?;
        let (session, number) = owner.rsplit_once('-')?;
        let number = number.parse().ok()?;
        let name = LockName::parse(&unescape(escaped)?).ok()?;
        let is_session = !session.is_empty() && !session.contains('/');
        // A number may be spelled in other ways, such as `+7` and `007`, that are never used.
        (is_session && self.place(&name, session, number) == *place).then(|| (name, session.to_owned()))
    }
}

/// A name as one component of a key, readable: only `/`, which would end it, and `%`, which begins an escape, are
/// written as in URLs.
fn escape(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

fn unescape(component: &str) -> Option<String> {
    let mut parts = component.split('%');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (character, rest) = match part.get(..2)? {
            "25" => ('%', &part[2..]),
            "2F" => ('/', &part[2..]),
            _ => return None,
        };
        name.push(character);
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::KeyPrefix;
    use proptest::prelude::*;

    fn layout() -> Layout {
        Layout::new(KeyPrefix::default())
    }

    fn lock(name: &str) -> LockName {
        LockName::parse(name).unwrap()
    }

    #[test]
    fn the_keys_of_locks_and_sessions_are_fixed() {
        let place = layout().place(&lock("issue 100%/*.example"), "0123456789abcdef", 7);
        assert_eq!(place, Key::new("/caddy/lock/issue 100%25%2F*.example/0123456789abcdef-7"));
        assert_eq!(layout().session("0123456789abcdef"), Key::new("/caddy/session/0123456789abcdef"));
    }

    #[test]
    fn a_queue_holds_the_places_of_its_lock_and_no_others() {
        let queue = layout().queue(&lock("a"));
        assert!(queue.contains(&layout().place(&lock("a"), "s", 0)));
        for other in ["ab", "a/b", "A", "a%"] {
            assert!(!queue.contains(&layout().place(&lock(other), "s", 0)), "{other}");
            assert!(layout().locks().contains(&layout().place(&lock(other), "s", 0)), "{other}");
        }
    }

    #[test]
    fn foreign_keys_are_no_places() {
        for key in [
            "a", "a/", "a/s", "a/-1", "a/s-x", "a/s-+1", "a/s-01", "/s-1", "a%2/s-1", "a%41/s-1", "a%2f/s-1",
            "a/b/s-1", "a/b/s-1x",
        ] {
            assert_eq!(layout().of_place(&Key::new(format!("/caddy/lock/{key}"))), None, "{key}");
        }
        assert_eq!(layout().of_place(&Key::new("/caddy/meta/a/s-1")), None);
    }

    proptest! {
        #[test]
        fn a_lock_is_found_again_by_its_place(name in "[a-c%/2F5 ä.]{1,12}") {
            let place = layout().place(&lock(&name), "0f", 12);
            prop_assert_eq!(layout().of_place(&place), Some((lock(&name), "0f".to_owned())));
        }
    }
}
