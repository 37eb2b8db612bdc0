//! What was seen, and what was given as a reason.

use super::*;

#[test]
fn a_read_of_what_has_failed_is_found() {
    legal().call(90, 91, store("a", "3"), failed()).call(92, 93, load("a"), found("3", 9)).breaks(Rule::Read);
}

#[test]
fn a_stale_read_is_found() {
    // Acknowledged before the read began.
    legal().call(42, 43, load("a"), found("1", 5)).breaks(Rule::Read);
    legal().call(71, 72, load("a"), found("2", 6)).breaks(Rule::Read);
    legal().call(21, 22, load("a"), absent("a")).breaks(Rule::Order);
    // Seen by somebody else before.
    let script = || Script::default().call(1, 2, store("a", "1"), unknown()).logged(5, &[("a", Some("1"))]);
    let seen = || script().call(3, 4, load("a"), found("1", 5));
    seen().is_legal();
    seen().call(5, 6, load("a"), absent("a")).breaks(Rule::Read);
    // In every other way in which it can be seen.
    for (call, outcome) in [
        (Call::Stat { path: "a".to_owned() }, Outcome::Stat(EntryKind::File, Version::new(Revision(5)))),
        (Call::Exists { path: "a".to_owned() }, Outcome::Exists(true)),
        (
            Call::List { path: String::new() },
            Outcome::Listed(vec![("a".to_owned(), Version::new(Revision(5)))]),
        ),
        (create("a", "2"), refused(ErrorKind::AlreadyExists, "a")),
        (store("a/b", "2"), refused(ErrorKind::NotADirectory, "a")),
        (Call::LoadMany { paths: vec!["a".to_owned()] }, Outcome::LoadedMany(vec![Some(file("1", 5))])),
    ] {
        let seen = script().call(3, 4, call, outcome);
        seen.is_legal();
        seen.call(5, 6, load("a"), absent("a")).breaks(Rule::Read);
    }
}

#[test]
fn a_read_of_what_never_was_or_was_not_yet_is_found() {
    legal().call(42, 43, load("a"), found("3", 6)).breaks(Rule::Read);
    legal().call(42, 43, load("a"), found("2", 8)).breaks(Rule::Read);
    // The writer asked for it at 31.
    legal().call(11, 12, load("a"), found("2", 6)).breaks(Rule::Order);
}

#[test]
fn a_snapshot_of_two_revisions_is_found() {
    let both = |first: Option<Loaded>, second: Option<Loaded>| {
        let paths = vec!["a".to_owned(), "b".to_owned()];
        Script::default()
            .call(1, 2, store("a", "1"), wrote(1))
            .call(3, 50, store("a", "2"), wrote(2))
            .call(4, 51, store("b", "3"), wrote(3))
            .logged(1, &[("a", Some("1"))])
            .logged(2, &[("a", Some("2"))])
            .logged(3, &[("b", Some("3"))])
            .call(5, 6, Call::LoadMany { paths }, Outcome::LoadedMany(vec![first, second]))
    };
    both(Some(file("1", 1)), None).is_legal();
    both(Some(file("2", 2)), None).is_legal();
    both(Some(file("2", 2)), Some(file("3", 3))).is_legal();
    both(Some(file("1", 1)), Some(file("3", 3))).breaks(Rule::Read);
    both(None, None).breaks(Rule::Read);
}

#[test]
fn a_listing_that_never_was_is_found() {
    let listing = |files: &[(&str, u64)]| {
        let listed =
            files.iter().map(|(path, version)| ((*path).to_owned(), Version::new(Revision(*version))));
        Script::default()
            .call(1, 2, store("d/a", "1"), wrote(1))
            .call(3, 50, store("d/b", "2"), wrote(2))
            .call(4, 51, store("d/a", "3"), wrote(3))
            .logged(1, &[("d/a", Some("1"))])
            .logged(2, &[("d/b", Some("2"))])
            .logged(3, &[("d/a", Some("3"))])
            .call(5, 6, Call::List { path: "d".to_owned() }, Outcome::Listed(listed.collect()))
    };
    listing(&[("d/a", 1)]).is_legal();
    listing(&[("d/a", 1), ("d/b", 2)]).is_legal();
    listing(&[("d/a", 3), ("d/b", 2)]).is_legal();
    for wrong in [&[("d/a", 3)][..], &[("d/b", 2)], &[], &[("d/a", 1), ("d/b", 2), ("d/c", 1)], &[("d/a", 2)]]
    {
        listing(wrong).breaks(Rule::Read);
    }
}

#[test]
fn conditions_hold_where_something_was_done_and_not_where_it_was_refused() {
    let before = || legal().logged(8, &[("b", Some("3"))]).call(82, 83, store("b", "3"), wrote(8));
    let done = || before().logged(9, &[("b", Some("4"))]);
    done().call(84, 85, create("b", "4"), wrote(9)).breaks(Rule::Condition);
    done().call(84, 85, store_if("b", "4", 8), wrote(9)).is_legal();
    done().call(84, 85, store_if("b", "4", 7), wrote(9)).breaks(Rule::Condition);
    let onto_it = before()
        .call(84, 85, store("c", "5"), wrote(9))
        .logged(9, &[("c", Some("5"))])
        .call(86, 87, rename("c", "b"), wrote(10))
        .logged(10, &[("b", Some("5")), ("c", None)]);
    onto_it.breaks(Rule::Condition);
    before().call(84, 85, create("b", "4"), refused(ErrorKind::AlreadyExists, "b")).is_legal();
    before().call(84, 85, create("c", "4"), refused(ErrorKind::AlreadyExists, "c")).breaks(Rule::Read);
    before().call(84, 85, store_if("b", "4", 8), refused(ErrorKind::Conflict, "b")).breaks(Rule::Read);
    before().call(84, 85, store_if("b", "4", 7), refused(ErrorKind::Conflict, "b")).is_legal();
    before().call(84, 85, store_if("b", "4", 8), absent("b")).breaks(Rule::Read);
    before().call(84, 85, store("b", "4"), refused(ErrorKind::IsADirectory, "b")).breaks(Rule::Read);
    before().call(84, 85, store("a/b", "4"), refused(ErrorKind::NotADirectory, "a")).breaks(Rule::Read);
}

#[test]
fn an_answer_that_is_wrong_by_itself_is_found() {
    legal().call(90, 91, load("a"), Outcome::Wrong("checksum".to_owned())).breaks(Rule::Answer);
}
