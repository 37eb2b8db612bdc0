//! Histories by hand: what is legal about them, and what is not.

use bytes::Bytes;
use storage_conformance::history::{
    Call, Loaded, Log, Moment, Operation, Outcome, PlaceChange, PlaceKind, Rule, Transaction, check_revisions,
};
use storage_core::kv::Revision;
use storage_core::{EntryKind, ErrorKind, Version};
use tokio::time::Instant;

/// A history and a log, written down step by step.
#[derive(Clone, Default)]
struct Script {
    history: Vec<Operation>,
    log: Log,
}

impl Script {
    /// A call from one moment to another.
    fn call(mut self, from: u64, to: u64, call: Call, outcome: Outcome) -> Self {
        let moment = |order| Moment { order, at: Instant::now() };
        let (invoked, returned) = (moment(from), Some(moment(to)));
        self.history.push(Operation { client: 0, call, fence: None, invoked, returned, outcome });
        self
    }

    /// A call that never returned.
    fn dropped(self, from: u64, call: Call) -> Self {
        let mut script = self.call(from, from, call, Outcome::Pending);
        script.history.last_mut().unwrap().returned = None;
        script
    }

    /// The last call was made under this lock.
    fn under(mut self, token: u64) -> Self {
        self.history.last_mut().unwrap().fence = Some(Revision(token));
        self
    }

    fn logged(mut self, revision: u64, files: &[(&str, Option<&str>)]) -> Self {
        let mut transaction = Transaction::at(Revision(revision));
        let content = |content: &Option<&str>| content.map(|content| Bytes::from(content.to_owned()));
        transaction.files =
            files.iter().map(|(path, stored)| ((*path).to_owned(), content(stored))).collect();
        self.log.transactions.push(transaction);
        self.log.transactions.sort_by_key(|transaction| transaction.revision);
        self
    }

    fn place(mut self, revision: u64, token: u64, kind: PlaceKind) -> Self {
        let mut transaction = Transaction::at(Revision(revision));
        transaction.places.push(PlaceChange { queue: "lock".to_owned(), token: Revision(token), kind });
        self.log.transactions.push(transaction);
        self
    }

    fn rules(&self) -> Vec<Rule> {
        check_revisions(&self.history, &self.log).iter().map(|violation| violation.rule).collect()
    }

    #[track_caller]
    fn is_legal(&self) {
        assert_eq!(check_revisions(&self.history, &self.log), []);
    }

    #[track_caller]
    fn breaks(&self, rule: Rule) {
        assert!(self.rules().contains(&rule), "{:?}", self.rules());
    }
}

fn store(path: &str, content: &str) -> Call {
    Call::Store { files: vec![(path.to_owned(), content.to_owned().into())] }
}

fn create(path: &str, content: &str) -> Call {
    Call::Create { path: path.to_owned(), content: content.to_owned().into() }
}

fn store_if(path: &str, content: &str, version: u64) -> Call {
    let version = Version::new(Revision(version));
    Call::StoreIf { path: path.to_owned(), content: content.to_owned().into(), version }
}

fn load(path: &str) -> Call {
    Call::Load { path: path.to_owned() }
}

fn delete(path: &str) -> Call {
    Call::Delete { path: path.to_owned() }
}

fn rename(from: &str, to: &str) -> Call {
    Call::Rename { from: from.to_owned(), to: to.to_owned() }
}

fn wrote(revision: u64) -> Outcome {
    Outcome::Wrote(Version::new(Revision(revision)))
}

fn file(content: &str, revision: u64) -> Loaded {
    Loaded { version: Version::new(Revision(revision)), content: content.to_owned().into() }
}

fn found(content: &str, revision: u64) -> Outcome {
    Outcome::Loaded(file(content, revision))
}

fn refused(kind: ErrorKind, path: &str) -> Outcome {
    Outcome::Refused { kind, path: path.to_owned() }
}

fn absent(path: &str) -> Outcome {
    refused(ErrorKind::NotFound, path)
}

fn unknown() -> Outcome {
    Outcome::Unknown("lost".to_owned())
}

fn failed() -> Outcome {
    Outcome::Failed { kind: ErrorKind::Unavailable, text: String::new() }
}

/// Two stores, a deletion, and reads of all that.
fn legal() -> Script {
    Script::default()
        .call(1, 10, store("a", "1"), wrote(5))
        .call(20, 30, load("a"), found("1", 5))
        .call(31, 40, store("a", "2"), wrote(6))
        .call(32, 41, load("a"), found("1", 5))
        .call(50, 60, delete("a"), Outcome::Deleted(1))
        .call(70, 80, load("a"), absent("a"))
        .logged(5, &[("a", Some("1"))])
        .logged(6, &[("a", Some("2"))])
        .logged(7, &[("a", None)])
}

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
fn a_read_of_what_has_failed_is_found() {
    legal().call(90, 91, store("a", "3"), failed()).call(92, 93, load("a"), found("3", 9)).breaks(Rule::Read);
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
fn groups_and_renames_are_whole() {
    let group = Call::Store { files: vec![("g/2".into(), "x".into()), ("g/1".into(), "x".into())] };
    let script = || Script::default().call(1, 2, group.clone(), wrote(5));
    script().logged(5, &[("g/1", Some("x")), ("g/2", Some("x"))]).is_legal();
    script().logged(5, &[("g/1", Some("x"))]).breaks(Rule::Torn);
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
fn an_answer_that_is_wrong_by_itself_is_found() {
    legal().call(90, 91, load("a"), Outcome::Wrong("checksum".to_owned())).breaks(Rule::Answer);
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
