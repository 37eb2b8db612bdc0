use bad_input::{Pair, Pairs, Seen, Verdict, fuzz};

use super::check_error;
use crate::error::ErrorKind;
use crate::kv::Key;
use crate::layout::{KeyPrefix, Layout, LayoutKind};
use crate::lock::LockName;

#[test]
fn locks_have_queues_of_their_own() {
    let layout = Layout::new(LayoutKind::Native, KeyPrefix::default());
    let mut seen = Seen::default();
    fuzz!(Pairs, |pair: &Pair| {
        let names = [&pair.one, &pair.other].map(|name| parsed(name));
        for name in names.iter().flatten() {
            check_name(&layout, name, &mut seen);
        }
        if let [Some(one), Some(other)] = &names {
            check_pair(&layout, one, other);
        }
        for text in [&pair.one, &pair.other] {
            check_foreign(&layout, text);
        }
        if names.iter().all(Option::is_some) { Verdict::Accepted } else { Verdict::Refused }
    });
}

fn parsed(name: &str) -> Option<LockName> {
    let is_name = (1..=1024).contains(&name.len()) && !name.contains(|c: char| c.is_control());
    match LockName::parse(name) {
        Ok(parsed) => {
            assert!(is_name && parsed.as_str() == name);
            Some(parsed)
        }
        Err(error) => {
            assert!(!is_name, "this is a name: {error}");
            assert_eq!(error.kind(), ErrorKind::InvalidName);
            check_error(&error, name);
            None
        }
    }
}

fn check_name(layout: &Layout, name: &LockName, seen: &mut Seen) {
    for (session, number) in [("0123456789abcdef", 0), ("fedcba9876543210", u64::MAX), ("0", 10)] {
        let place = layout.place(name, session, number);
        let text = std::str::from_utf8(place.as_bytes()).expect("names are UTF-8");
        let below = text.strip_prefix("/caddy/lock/").expect("places lie below the locks");
        assert_eq!(below.split('/').count(), 2, "a name is one component: {below}");
        assert!(layout.locks().contains(&place) && layout.queue(name).contains(&place));
        assert_eq!(layout.of_place(&place), Some((name.clone(), session.to_owned())));
    }
    seen.note(layout.place(name, "0f", 1).as_bytes(), name.as_str());
    seen.note(layout.queue(name).start().as_bytes(), name.as_str());
}

fn check_pair(layout: &Layout, one: &LockName, other: &LockName) {
    let (queue, other_queue) = (layout.queue(one), layout.queue(other));
    assert_eq!(queue == other_queue, one == other);
    let place = layout.place(other, "0123456789abcdef", 7);
    assert_eq!(queue.contains(&place), one == other, "the queue of {one:?} and a place of {other:?}");
    let (end, other_end) = (queue.end().expect("a slash has an end"), other_queue.end().expect("likewise"));
    let are_apart = end <= other_queue.start() || other_end <= queue.start();
    assert_eq!(are_apart, one != other, "the queues of {one:?} and {other:?} overlap");
}

/// Whatever somebody puts below the locks: it is a place only if this library would have put it there.
fn check_foreign(layout: &Layout, text: &str) {
    let spellings = [
        text.to_owned(),
        format!("{text}/0123456789abcdef-7"),
        format!("a/{text}-1"),
        format!("a/0f-{text}"),
    ];
    for spelling in spellings {
        let key = Key::new(format!("/caddy/lock/{spelling}"));
        if let Some((name, session)) = layout.of_place(&key) {
            let number = spelling.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
            let again = layout.place(&name, &session, number.expect("a place has a number"));
            assert_eq!(again, key, "a key is read as the place of another");
            assert!(layout.queue(&name).contains(&key));
            assert!(!session.contains('/'), "a session is one component");
        }
        let not_text = [key.as_bytes(), b"\xff-1"].concat();
        assert_eq!(layout.of_place(&Key::new(not_text)), None);
        assert_eq!(layout.of_place(&Key::new(format!("/caddy-prod/lock/{spelling}"))), None);
    }
}
