//! Locks, and what is written under them.

use super::*;

#[test]
fn tokens_grow_and_locks_are_taken_when_they_are_free() {
    let lock = || Call::Lock { name: "lock".to_owned() };
    let unlock = |token| Call::Unlock { name: "lock".to_owned(), token: Revision(token) };
    let first = || {
        Script::default().place(1, 1, PlaceKind::Came).place(2, 2, PlaceKind::Came).call(
            1,
            2,
            lock(),
            Outcome::Acquired(Revision(1)),
        )
    };
    let second = |script: Script| script.call(3, 10, lock(), Outcome::Acquired(Revision(2)));
    let released = || first().call(4, 5, unlock(1), Outcome::Released).place(3, 1, PlaceKind::Went);
    second(released()).is_legal();
    // The first was never released.
    second(first()).breaks(Rule::Lock);
    // Or only after the second had the lock.
    let late = second(first()).call(11, 12, store("a", "1"), wrote(3)).logged(3, &[("a", Some("1"))]);
    late.place(4, 1, PlaceKind::Went).breaks(Rule::Order);
    first().call(4, 5, unlock(1), Outcome::Released).breaks(Rule::Lock);
    second(released()).call(11, 12, lock(), Outcome::Acquired(Revision(2))).breaks(Rule::Lock);
    released().call(6, 7, lock(), Outcome::Acquired(Revision(9))).breaks(Rule::Lock);
    // Two at the same time.
    second(released()).call(6, 9, lock(), Outcome::Acquired(Revision(2))).breaks(Rule::Lock);
}

#[test]
fn what_a_holder_writes_after_it_was_overtaken_is_found() {
    let script = |written: u64| {
        Script::default()
            .place(1, 1, PlaceKind::Came)
            .place(3, 3, PlaceKind::Came)
            .place(5, 1, PlaceKind::Went)
            .logged(written, &[("a", Some("1"))])
            .call(1, 2, store("a", "1"), wrote(written))
    };
    script(2).under(1).is_legal();
    script(4).under(1).is_legal();
    script(6).under(1).breaks(Rule::Lock);
    // And what it writes before it holds the lock.
    script(6).under(3).is_legal();
    script(4).under(3).breaks(Rule::Lock);
    script(4).under(4).breaks(Rule::Lock);
}
