//! The keys of locks and sessions.

use super::go::LockRecord;
use super::{Layout, LayoutKind};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{Key, KeyRange};
use crate::lock::LockName;

impl Layout {
    /// The record of a session.
    pub(crate) fn session(&self, session: &str) -> Key {
        self.own(&format!("session/{session}"))
    }

    /// The queues of all locks.
    pub(crate) fn locks(&self) -> KeyRange {
        KeyRange::prefix(self.own("lock/").into_bytes())
    }

    /// The queue of one lock.
    pub(crate) fn queue(&self, lock: &LockName) -> KeyRange {
        KeyRange::prefix(self.own(&format!("lock/{}/", escape(lock.as_str()))).into_bytes())
    }

    /// The place of a session's `number`th acquisition in a queue. No place is ever used twice.
    pub(crate) fn place(&self, lock: &LockName, session: &str, number: u64) -> Key {
        self.own(&format!("lock/{}/{session}-{number}", escape(lock.as_str())))
    }

    /// The lock and the session of a place; `None` for a key that is none, whoever put it there.
    pub(crate) fn of_place(&self, place: &Key) -> Option<(LockName, String)> {
        let rest = place.as_bytes().strip_prefix(self.own("lock/").as_bytes())?;
        let rest = std::str::from_utf8(rest).ok()?;
        let (escaped, owner) = rest.split_once('/')?;
        let (session, number) = owner.rsplit_once('-')?;
        let number = number.parse().ok()?;
        let name = LockName::parse(&unescape(escaped)?).ok()?;
        let is_session = !session.is_empty() && !session.contains('/');
        // A number may be spelled in other ways, such as `+7` and `007`, that are never used.
        (is_session && self.place(&name, session, number) == *place).then(|| (name, session.to_owned()))
    }

    /// Refuses the name of a lock that the Go module would put elsewhere, or take for another one: it cleans names as
    /// paths.
    pub(crate) fn check_lock(&self, lock: &LockName) -> Result<()> {
        let name = lock.as_str();
        let is_clean = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if self.kind() == LayoutKind::Native || is_clean {
            return Ok(());
        }
        let detail = "the layout caddy-etcd has no empty component, \".\" or \"..\" in it";
        Err(Error::new(ErrorKind::InvalidName).with_path(name).with_detail(detail))
    }

    /// The key with which members that run the Go module take this lock, if there may be such members.
    pub(crate) fn go_lock(&self, lock: &LockName) -> Option<Key> {
        (self.kind() == LayoutKind::CaddyEtcd).then(|| Key::new(format!("{}/lock/{lock}", self.prefix())))
    }

    /// Where all those keys are.
    pub(crate) fn go_locks(&self) -> Option<KeyRange> {
        (self.kind() == LayoutKind::CaddyEtcd).then(|| self.all_locks())
    }

    /// The lock that such a key is for.
    pub(crate) fn of_go_lock(&self, key: &Key) -> Option<LockName> {
        let name = key.as_bytes().strip_prefix(self.all_locks().start().as_bytes())?;
        let lock = LockName::parse(std::str::from_utf8(name).ok()?).ok()?;
        (self.go_lock(&lock).as_ref() == Some(key) && self.check_lock(&lock).is_ok()).then_some(lock)
    }

    /// Whether such a key has the value of a lock.
    pub(crate) fn is_go_lock(&self, value: &[u8]) -> bool {
        self.kind() == LayoutKind::CaddyEtcd && LockRecord::decode(value).is_some()
    }

    /// The locks of both layouts.
    pub(super) fn all_locks(&self) -> KeyRange {
        KeyRange::prefix(format!("{}/lock/", self.prefix()))
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
        Layout::new(LayoutKind::Native, KeyPrefix::default())
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

    fn caddy_etcd() -> Layout {
        Layout::new(LayoutKind::CaddyEtcd, KeyPrefix::default())
    }

    #[test]
    fn the_go_module_neither_lists_nor_touches_the_keys_of_queues_and_sessions() {
        let place = caddy_etcd().place(&lock("a/b"), "0123456789abcdef", 7);
        assert_eq!(place, Key::new("/caddy/lock/md//lock/a%2Fb/0123456789abcdef-7"));
        assert_eq!(caddy_etcd().session("0f"), Key::new("/caddy/lock/md//session/0f"));
        assert_eq!(caddy_etcd().of_place(&place), Some((lock("a/b"), "0123456789abcdef".to_owned())));
        assert_eq!(caddy_etcd().of_go_lock(&place), None);
    }

    #[test]
    fn the_key_of_the_go_module_is_for_one_lock() {
        let key = caddy_etcd().go_lock(&lock("issue_cert_*.a/b")).unwrap();
        assert_eq!(key, Key::new("/caddy/lock/issue_cert_*.a/b"));
        assert_eq!(caddy_etcd().of_go_lock(&key), Some(lock("issue_cert_*.a/b")));
        assert_eq!(caddy_etcd().of_place(&key), None);
        assert_eq!(layout().go_lock(&lock("a")), None);
        for unclean in ["/a", "a/", "a//b", ".", "..", "../md/a", "a/./b", "/"] {
            let error = caddy_etcd().check_lock(&lock(unclean)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{unclean}");
            layout().check_lock(&lock(unclean)).unwrap();
        }
        for clean in ["a", "md", "md/a", "lock", "...", "a b/c%"] {
            caddy_etcd().check_lock(&lock(clean)).unwrap();
        }
    }

    proptest! {
        #[test]
        fn a_lock_is_found_again_by_its_place(name in "[a-c%/2F5 ä.]{1,12}") {
            let place = layout().place(&lock(&name), "0f", 12);
            prop_assert_eq!(layout().of_place(&place), Some((lock(&name), "0f".to_owned())));
        }
    }
}
