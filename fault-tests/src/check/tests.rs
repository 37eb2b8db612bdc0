use std::time::Duration;

use storage_core::kv::Revision;
use storage_core::{ErrorKind, Version};
use tokio::time::Instant;

use super::*;

/// Calls one after the other, a second each, beginning at the second given.
struct Script {
    start: Instant,
    history: Vec<Done>,
    log: Log,
}

impl Script {
    fn new() -> Self {
        Self { start: Instant::now(), history: Vec::new(), log: Log(BTreeMap::new()) }
    }

    fn call(mut self, client: usize, at: u64, call: Call, outcome: Outcome) -> Self {
        let began = self.start + Duration::from_secs(at);
        let ended = began + Duration::from_secs(1);
        self.history.push(Done { client, began, ended, call, outcome });
        self
    }

    fn logged(mut self, revision: u64, files: &[(&str, Option<&str>)]) -> Self {
        let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.map(str::to_owned)));
        self.log.0.insert(Revision(revision), Transaction(files.collect()));
        self
    }

    fn violations(&self) -> usize {
        check(&self.history, &self.log).0.len()
    }
}

fn version(revision: u64) -> Version {
    Version::new(Revision(revision))
}

fn store(path: &str, content: &str) -> Call {
    Call::Store(vec![(path.to_owned(), content.to_owned())])
}

fn load(path: &str) -> Call {
    Call::Load(path.to_owned())
}

fn found(content: &str, revision: u64) -> Outcome {
    Outcome::Read(Some((content.to_owned(), version(revision))))
}

fn unknown() -> Outcome {
    Outcome::Unknown("lost".to_owned())
}

/// Two stores, a delete, and reads of all that.
fn legal() -> Script {
    Script::new()
        .call(0, 0, store("c0/a", "1"), Outcome::Wrote(version(5)))
        .call(1, 2, load("c0/a"), found("1", 5))
        .call(0, 3, store("c0/a", "2"), Outcome::Wrote(version(6)))
        .call(1, 3, load("c0/a"), found("1", 5))
        .call(0, 5, Call::Delete("c0/a".to_owned()), Outcome::Deleted(1))
        .call(1, 7, load("c0/a"), Outcome::Read(None))
        .logged(5, &[("c0/a", Some("1"))])
        .logged(6, &[("c0/a", Some("2"))])
        .logged(7, &[("c0/a", None)])
}

#[test]
fn what_was_told_as_it_was_done_is_right() {
    assert_eq!(legal().violations(), 0);
}

#[test]
fn a_write_that_was_acknowledged_and_not_done_is_found() {
    let mut script = legal();
    script.log.0.remove(&Revision(6));
    assert!(script.violations() > 0);
}

#[test]
fn a_write_that_was_done_twice_is_found() {
    assert!(legal().logged(8, &[("c0/a", Some("2"))]).violations() > 0);
}

#[test]
fn a_write_that_failed_and_was_done_is_found() {
    let failed = Outcome::Failed(ErrorKind::Unavailable, String::new());
    let script = legal().call(0, 9, store("c0/a", "3"), failed);
    assert_eq!(script.violations(), 0);
    assert!(script.logged(9, &[("c0/a", Some("3"))]).violations() > 0);
}

#[test]
fn a_write_without_an_outcome_may_be_done_once_or_not_also_late() {
    let script = || {
        legal()
            .call(0, 9, store("c0/a", "3"), unknown())
            .call(0, 11, store("c0/b", "4"), Outcome::Wrote(version(10)))
            .logged(10, &[("c0/b", Some("4"))])
    };
    let done = [("c0/a", Some("3"))];
    assert_eq!(script().violations(), 0);
    assert_eq!(script().logged(9, &done).violations(), 0);
    assert_eq!(script().logged(11, &done).violations(), 0);
    assert!(script().logged(9, &done).logged(11, &done).violations() > 0);
}

#[test]
fn a_wrong_version_or_count_is_found() {
    let wrong = legal().call(0, 9, store("c0/a", "3"), Outcome::Wrote(version(10)));
    assert!(wrong.logged(9, &[("c0/a", Some("3"))]).violations() > 0);
    let deleted = legal().call(0, 9, Call::Delete("c0/g".to_owned()), Outcome::Deleted(2));
    assert!(deleted.logged(9, &[("c0/g/1", None)]).violations() > 0);
}

#[test]
fn a_stale_read_is_found() {
    // Acknowledged before the read began.
    assert!(legal().call(1, 5, load("c0/a"), found("1", 5)).violations() > 0);
    assert!(legal().call(1, 7, load("c0/a"), found("2", 6)).violations() > 0);
    assert!(legal().call(1, 2, load("c0/a"), Outcome::Read(None)).violations() > 0);
    // Seen by somebody else before.
    let seen_first = Script::new()
        .call(0, 0, store("c0/a", "1"), unknown())
        .call(1, 2, load("c0/a"), found("1", 5))
        .call(2, 4, load("c0/a"), Outcome::Read(None))
        .logged(5, &[("c0/a", Some("1"))]);
    assert!(seen_first.violations() > 0);
}

#[test]
fn a_read_of_what_never_was_or_was_not_yet_is_found() {
    assert!(legal().call(1, 4, load("c0/a"), found("3", 6)).violations() > 0);
    assert!(legal().call(1, 1, load("c0/a"), found("2", 6)).violations() > 0);
}

#[test]
fn groups_and_renames_are_whole() {
    let group = Call::Store(vec![("c0/g/1".into(), "x".into()), ("c0/g/2".into(), "x".into())]);
    let script = || Script::new().call(0, 0, group.clone(), Outcome::Wrote(version(5)));
    assert_eq!(script().logged(5, &[("c0/g/1", Some("x")), ("c0/g/2", Some("x"))]).violations(), 0);
    assert!(script().logged(5, &[("c0/g/1", Some("x"))]).violations() > 0);
    let rename = Call::Rename("c0/a".into(), "c0/b".into());
    let script = || Script::new().call(0, 0, rename.clone(), Outcome::Wrote(version(5)));
    assert_eq!(script().logged(5, &[("c0/a", None), ("c0/b", Some("x"))]).violations(), 0);
    assert!(script().logged(5, &[("c0/b", Some("x"))]).violations() > 0);
}
