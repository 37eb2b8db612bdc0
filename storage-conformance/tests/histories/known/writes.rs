//! What was told to be done, and what was done.

use super::*;

#[test]
fn what_was_told_as_it_was_done_is_right() {
    legal().is_legal();
    Script::default().is_legal();
}

#[test]
fn a_write_that_was_acknowledged_and_not_done_is_found() {
    for index in 0..3 {
        let mut script = legal();
        script.log.transactions.remove(index);
        assert_ne!(script.rules(), [], "transaction {index}");
    }
    let mut script = legal();
    script.log.transactions.remove(1);
    script.breaks(Rule::Lost);
    let mut script = legal();
    script.log.transactions.remove(2);
    script.breaks(Rule::Lost);
}

#[test]
fn a_write_that_was_done_twice_is_found() {
    legal().logged(8, &[("a", Some("2"))]).breaks(Rule::Unwritten);
    legal().logged(8, &[("a", Some("2"))]).logged(9, &[("a", None)]).breaks(Rule::Unwritten);
}

#[test]
fn two_writes_that_were_told_the_same_revision_are_found() {
    legal().call(90, 91, store("a", "2"), wrote(6)).breaks(Rule::Lost);
    legal().call(33, 42, store("a", "2"), wrote(6)).breaks(Rule::Lost);
}

#[test]
fn a_write_that_failed_or_was_refused_and_was_done_is_found() {
    for outcome in [failed(), refused(ErrorKind::PermissionDenied, "a")] {
        let script = legal().call(90, 91, store("a", "3"), outcome);
        script.is_legal();
        script.logged(9, &[("a", Some("3"))]).breaks(Rule::Unwritten);
    }
}

#[test]
fn a_write_without_an_outcome_may_be_done_once_or_not_also_late() {
    let scripts = [
        || legal().call(90, 91, store("a", "3"), unknown()).call(92, 93, store("b", "4"), wrote(10)),
        || legal().dropped(90, store("a", "3")).call(92, 93, store("b", "4"), wrote(10)),
    ];
    for script in scripts {
        let script = || script().logged(10, &[("b", Some("4"))]);
        let done = [("a", Some("3"))];
        script().is_legal();
        script().logged(9, &done).is_legal();
        script().logged(11, &done).is_legal();
        script().logged(9, &done).logged(11, &done).breaks(Rule::Unwritten);
    }
}

#[test]
fn a_write_that_was_done_before_it_was_asked_for_is_found() {
    let early = [("b", Some("3"))];
    let script = || legal().logged(4, &early);
    script().call(2, 91, store("b", "3"), wrote(4)).is_legal();
    script().call(15, 91, store("b", "3"), wrote(4)).breaks(Rule::Order);
    script().call(15, 91, store("b", "3"), unknown()).breaks(Rule::Unwritten);
}

#[test]
fn a_write_that_was_done_after_it_was_acknowledged_is_found() {
    let script = || legal().logged(8, &[("b", Some("3"))]);
    script().call(65, 91, store("b", "3"), wrote(8)).is_legal();
    // Then the deletion, which was asked for later, cannot be the one at 7.
    script().call(42, 43, store("b", "3"), wrote(8)).breaks(Rule::Lost);
}

#[test]
fn a_wrong_version_content_or_count_is_found() {
    let script = || legal().logged(9, &[("a", Some("3"))]);
    script().call(90, 91, store("a", "3"), wrote(9)).is_legal();
    script().call(90, 91, store("a", "3"), wrote(10)).breaks(Rule::Lost);
    script().call(90, 91, store("a", "4"), wrote(9)).breaks(Rule::Torn);
    let script = || {
        legal()
            .call(90, 91, store("g/1", "3"), wrote(8))
            .logged(8, &[("g/1", Some("3"))])
            .logged(9, &[("g/1", None)])
    };
    script().call(92, 93, delete("g"), Outcome::Deleted(1)).is_legal();
    script().call(92, 93, delete("g"), Outcome::Deleted(2)).breaks(Rule::Lost);
    script().call(92, 93, delete("g"), Outcome::Deleted(0)).breaks(Rule::Unwritten);
    legal().call(82, 83, delete("a"), Outcome::Deleted(0)).is_legal();
    legal().call(42, 43, delete("a"), Outcome::Deleted(0)).breaks(Rule::Lost);
}

#[test]
fn a_deletion_that_leaves_a_file_out_is_found() {
    let script = || {
        Script::default()
            .call(1, 2, store("g/1", "1"), wrote(1))
            .call(3, 4, store("g/2", "2"), wrote(2))
            .logged(1, &[("g/1", Some("1"))])
            .logged(2, &[("g/2", Some("2"))])
            .call(5, 6, delete("g"), Outcome::Deleted(1))
    };
    script().logged(3, &[("g/1", None)]).breaks(Rule::Lost);
}

#[test]
fn groups_and_renames_are_whole() {
    let group = Call::Store { files: vec![("g/2".into(), "x".into()), ("g/1".into(), "x".into())] };
    let script = || Script::default().call(1, 2, group.clone(), wrote(5));
    script().logged(5, &[("g/1", Some("x")), ("g/2", Some("x"))]).is_legal();
    script().logged(5, &[("g/1", Some("x"))]).breaks(Rule::Torn);
    let more = [("g/1", Some("x")), ("g/2", Some("x")), ("g/3", Some("x"))];
    script().logged(5, &more).breaks(Rule::Torn);
    script().logged(5, &[("g/1", Some("x"))]).logged(6, &[("g/2", Some("x"))]).breaks(Rule::Unwritten);
    let script = || {
        Script::default().call(1, 2, store("a", "x"), wrote(1)).logged(1, &[("a", Some("x"))]).call(
            3,
            4,
            rename("a", "b"),
            wrote(5),
        )
    };
    script().logged(5, &[("a", None), ("b", Some("x"))]).is_legal();
    script().logged(5, &[("b", Some("x"))]).breaks(Rule::Torn);
    script().logged(5, &[("a", None), ("b", Some("y"))]).breaks(Rule::Torn);
}

#[test]
fn a_lost_update_is_found() {
    let script = legal()
        .call(82, 83, store("c", "1"), wrote(8))
        .call(84, 90, store_if("c", "2", 8), wrote(9))
        .call(85, 91, store_if("c", "3", 8), wrote(10))
        .logged(8, &[("c", Some("1"))])
        .logged(9, &[("c", Some("2"))])
        .logged(10, &[("c", Some("3"))]);
    script.breaks(Rule::Condition);
}

#[test]
fn deletions_that_look_alike_are_given_to_whoever_can_have_made_them() {
    let stored = |script: Script, at: u64, revision: u64| {
        let content = revision.to_string();
        let script = script.call(at, at + 1, store("a", &content), wrote(revision));
        script.logged(revision, &[("a", Some(&content))])
    };
    let script =
        stored(stored(Script::default(), 1, 1), 10, 3).logged(2, &[("a", None)]).logged(4, &[("a", None)]);
    // One of two has made the first deletion, and the other one the second.
    let both = script.clone().call(3, 20, delete("a"), Outcome::Deleted(1)).call(
        4,
        21,
        delete("a"),
        Outcome::Deleted(1),
    );
    both.is_legal();
    // Only who asked for it before the second store can have made the first.
    script
        .clone()
        .call(3, 20, delete("a"), Outcome::Deleted(1))
        .call(12, 21, delete("a"), Outcome::Deleted(1))
        .is_legal();
    script
        .clone()
        .call(12, 20, delete("a"), Outcome::Deleted(1))
        .call(3, 21, delete("a"), unknown())
        .is_legal();
    let late =
        script.call(12, 20, delete("a"), Outcome::Deleted(1)).call(13, 21, delete("a"), Outcome::Deleted(1));
    assert_ne!(late.rules(), []);
}

#[test]
fn a_log_that_is_none_of_a_tree_is_found() {
    legal().logged(8, &[("b", None)]).breaks(Rule::Log);
    let twice = Script::default().logged(1, &[("a", Some("1"))]).logged(1, &[("b", Some("1"))]);
    twice.breaks(Rule::Log);
    let above = Script::default().logged(1, &[("a", Some("1"))]).logged(2, &[("a/b", Some("1"))]);
    above.breaks(Rule::Log);
    let below = Script::default().logged(1, &[("a/b", Some("1"))]).logged(2, &[("a", Some("1"))]);
    below.breaks(Rule::Log);
    let mut torn = legal();
    torn.log.transactions[1].torn = Some("no record of a".to_owned());
    torn.breaks(Rule::Log);
}

#[test]
fn what_was_there_before_needs_nobody_who_has_done_it() {
    let mut script = Script::default()
        .logged(3, &[("old", Some("x"))])
        .logged(5, &[("a", Some("1"))])
        .call(1, 2, store("a", "1"), wrote(5))
        .call(3, 4, load("old"), found("x", 3));
    script.breaks(Rule::Unwritten);
    script.log.since = Revision(4);
    script.is_legal();
}

#[test]
fn deletions_of_different_paths_that_look_alike_are_given_to_whoever_can_have_made_them() {
    // Each file is alone in its directory when it goes.
    let script = Script::default()
        .call(1, 2, store("d/a", "1"), wrote(1))
        .logged(1, &[("d/a", Some("1"))])
        .logged(2, &[("d/a", None)])
        .call(6, 7, store("d/b", "3"), wrote(3))
        .logged(3, &[("d/b", Some("3"))])
        .logged(4, &[("d/b", None)])
        .call(4, 20, delete("d"), Outcome::Deleted(1))
        .call(5, 21, delete("d/a"), Outcome::Deleted(1));
    script.is_legal();
    // Somebody else might have made the second one, and does not need it.
    script.clone().dropped(3, delete("d")).is_legal();
    script.call(8, 9, delete("d/a"), Outcome::Deleted(1)).breaks(Rule::Lost);
}

#[test]
fn the_deletion_that_was_not_done_is_named_and_not_a_later_one() {
    let script = Script::default()
        .call(1, 2, store("a", "1"), wrote(1))
        .logged(1, &[("a", Some("1"))])
        .call(3, 4, delete("a"), Outcome::Deleted(1))
        .call(5, 6, store("a", "2"), wrote(2))
        .logged(2, &[("a", Some("2"))])
        .call(7, 8, delete("a"), Outcome::Deleted(1))
        .logged(3, &[("a", None)]);
    let violations = check_revisions(&script.history, &script.log);
    let named: Vec<_> = violations.iter().flat_map(|violation| &violation.operations).collect();
    assert_eq!(named, [&script.history[1]]);
}
