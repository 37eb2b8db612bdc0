//! A look at what lies in the store, past everything that is tested.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use serde_json::Value;
use storage_core::kv::{Entry, Key, KeyRange, KvBackend, KvBackendExt, Op, RangeRequest, Revision, Txn};
use storage_core::{KeyPrefix, Version};

use crate::files::{Meta, Record, Tree};

/// The keys of a tree. See `docs/format.md`.
pub(crate) struct Raw {
    client: Arc<dyn KvBackend>,
    prefix: KeyPrefix,
}

/// A place in the queue of a lock.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RawPlace {
    pub(crate) label: String,
    pub(crate) session: String,
    pub(crate) token: u64,
}

/// Everything that lies in a store for a tree, at one revision.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) revision: Revision,
    pub(crate) tree: Tree,
    /// The queues of locks by their escaped names, in order.
    pub(crate) queues: BTreeMap<String, Vec<RawPlace>>,
    /// The names of the sessions.
    pub(crate) sessions: Vec<String>,
    /// Whether there is a format key.
    pub(crate) has_format: bool,
}

impl Raw {
    pub(crate) fn new(client: Arc<dyn KvBackend>, prefix: KeyPrefix) -> Self {
        Self { client, prefix }
    }

    pub(crate) fn key(&self, rest: &str) -> Key {
        Key::new(format!("{}/{rest}", self.prefix))
    }

    /// Changes something past the tree.
    pub(crate) async fn write(&self, op: Op) -> Revision {
        self.client.txn(Txn::new().then(op)).await.expect("nobody disturbs it").revision
    }

    pub(crate) async fn newest(&self) -> Revision {
        let request = RangeRequest::new(KeyRange::single(self.key("format")));
        self.client.range(request).await.expect("nobody disturbs it").revision
    }

    /// # Panics
    ///
    /// When there is a key that belongs to nothing.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        let newest = self.newest().await;
        self.snapshot_at(newest).await
    }

    /// The first revision behind `before` and up to `until` at which the files are these.
    pub(crate) async fn first_with(
        &self,
        tree: &Tree,
        before: Revision,
        until: Revision,
    ) -> Option<Revision> {
        for revision in before.0 + 1..=until.0 {
            if self.snapshot_at(Revision(revision)).await.tree == *tree {
                return Some(Revision(revision));
            }
        }
        None
    }

    /// What there was at a revision.
    pub(crate) async fn snapshot_at(&self, revision: Revision) -> Snapshot {
        let mut snapshot = Snapshot {
            revision,
            tree: Tree::default(),
            queues: BTreeMap::new(),
            sessions: Vec::new(),
            has_format: false,
        };
        let prefix = format!("{}/", self.prefix);
        let request = RangeRequest::new(KeyRange::prefix(prefix.clone())).with_revision(revision);
        let mut entries: Vec<Entry> =
            self.client.scan(request).try_collect().await.expect("nobody disturbs it");
        entries.sort_by_key(|entry| entry.create_revision);
        for entry in entries {
            let key = String::from_utf8_lossy(entry.key.as_bytes()).into_owned();
            let rest = key.strip_prefix(&prefix).expect("it is in the range");
            snapshot.take(rest, &entry);
        }
        snapshot
    }
}

impl Snapshot {
    fn take(&mut self, rest: &str, entry: &Entry) {
        match rest.split_once('/') {
            Some(("meta", path)) => {
                let meta = Meta { record: record(&entry.value), version: Version::new(entry.mod_revision) };
                self.tree.meta.insert(path.to_owned(), meta);
            }
            Some(("data", path)) => {
                self.tree.data.insert(path.to_owned(), entry.value.clone());
            }
            Some(("session", name)) => self.sessions.push(name.to_owned()),
            Some(("lock", place)) => {
                let (lock, place) = place.split_once('/').expect("a place lies in a queue");
                let (session, _) = place.rsplit_once('-').expect("a place names its session");
                let json: Value = serde_json::from_slice(&entry.value).expect("a place is a JSON record");
                let place = RawPlace {
                    label: json["label"].as_str().unwrap_or_default().to_owned(),
                    session: session.to_owned(),
                    token: entry.create_revision.0,
                };
                self.queues.entry(lock.to_owned()).or_default().push(place);
            }
            None if rest == "format" => self.has_format = entry.value == Bytes::from_static(b"1"),
            None if rest == "deleted" => {}
            _ => panic!("what is {rest}?"),
        }
    }
}

/// A metadata record without its time.
fn record(value: &[u8]) -> Record {
    let Ok(json) = serde_json::from_slice::<Value>(value) else { return Record::Broken };
    match json["version"].as_u64() {
        Some(1) => {}
        Some(_) => return Record::Later,
        None => return Record::Broken,
    }
    match (json["size"].as_u64(), json["sha1"].as_str().and_then(|sha1| sha1.parse().ok())) {
        (Some(size), Some(sha1)) => Record::Good { size, sha1, modified: None },
        _ => Record::Broken,
    }
}

impl Tree {
    /// The tree as the store shows it: the times of files are for others to compare.
    pub(crate) fn without_times(&self) -> Self {
        let mut tree = self.clone();
        for meta in tree.meta.values_mut() {
            if let Record::Good { modified, .. } = &mut meta.record {
                *modified = None;
            }
        }
        tree
    }
}
