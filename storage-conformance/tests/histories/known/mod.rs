//! Histories by hand: what is legal about them, and what is not.

mod locks;
mod reads;
mod writes;

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
        let change = |(path, content): &(&str, Option<&str>)| {
            ((*path).to_owned(), content.map(|content| Bytes::from(content.to_owned())))
        };
        transaction.files = files.iter().map(change).collect();
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
