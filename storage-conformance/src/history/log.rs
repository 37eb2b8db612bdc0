use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use storage_core::kv::{
    BackendError, BackendErrorKind, Entry, Event, Key, KeyRange, KvBackend, KvBackendExt, RangeRequest,
    Revision, WatchStream,
};
use storage_core::{KeyPrefix, Sha1Digest};

/// What the store says was done: every change of files and of places in the queues of locks, by revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The revision after which the history begins. What was done up to there needs nobody who did it.
    pub since: Revision,
    /// The transactions, in ascending order.
    pub transactions: Vec<Transaction>,
}

/// The changes of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// The revision.
    pub revision: Revision,
    /// The files that were put, with their contents, and deleted (`None`), in the order of their paths.
    pub files: Vec<(String, Option<Bytes>)>,
    /// The places in the queues of locks that came and went.
    pub places: Vec<PlaceChange>,
    /// What is wrong with it by itself: content without a record, for instance.
    pub torn: Option<String>,
}

/// A place in the queue of a lock that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceChange {
    /// The queue, as the name of the lock is spelled in keys.
    pub queue: String,
    /// The token that goes with the place: the revision at which it came.
    pub token: Revision,
    /// Whether it came or went.
    pub kind: PlaceKind,
}

/// What has become of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// It is new.
    Came,
    /// It was given up, or its session has ended.
    Went,
}

impl Log {
    /// Reads what was done to a tree after a revision, and up to now. It puts a key of its own into the tree, `end`,
    /// which is no file's: when that is delivered, everything is.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or has given up a part of its history.
    pub async fn read(
        backend: &impl KvBackend,
        prefix: &KeyPrefix,
        since: Revision,
    ) -> Result<Self, BackendError> {
        let last = backend.put(Key::new(format!("{prefix}/end")), Bytes::new()).await?;
        Self::follow(backend, prefix, since, async { last }).await
    }

    /// Reads what is done to a tree after a revision, while it is done, up to the revision that `last` resolves to: for
    /// a store that gives its history up meanwhile. Nothing is written; the revision must come from a change of a key
    /// of the tree.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or gives up changes before they are delivered.
    pub async fn follow(
        backend: &impl KvBackend,
        prefix: &KeyPrefix,
        since: Revision,
        last: impl Future<Output = Revision>,
    ) -> Result<Self, BackendError> {
        let tree = KeyRange::prefix(format!("{prefix}/"));
        let mut reader = Reader { prefix: prefix.clone(), tokens: BTreeMap::new() };
        let mut log = Self { since, transactions: Vec::new() };
        if since > Revision::ZERO {
            let request = RangeRequest::new(tree.clone()).with_revision(since);
            let entries: Vec<Entry> = backend.scan(request).try_collect().await?;
            log.transactions = reader.snapshot(entries);
        }
        let mut changes = backend.watch(tree, since).await?;
        let mut last = std::pin::pin!(last);
        let mut end = None;
        while end.is_none_or(|end| log.reached() < end) {
            let batch = tokio::select! {
                biased;
                revision = &mut last, if end.is_none() => {
                    end = Some(revision);
                    continue;
                }
                batch = next(&mut changes) => batch?,
            };
            log.transactions.push(reader.transaction(batch.revision, batch.events));
        }
        log.transactions.retain(|transaction| !transaction.is_empty());
        Ok(log)
    }

    /// Up to where it goes.
    fn reached(&self) -> Revision {
        self.transactions.last().map_or(self.since, |transaction| transaction.revision)
    }

    /// The files that are there in the end, with their contents.
    pub fn files(&self) -> BTreeMap<&str, &Bytes> {
        let mut files = BTreeMap::new();
        for (path, content) in self.transactions.iter().flat_map(|transaction| &transaction.files) {
            match content {
                Some(content) => files.insert(path.as_str(), content),
                None => files.remove(path.as_str()),
            };
        }
        files
    }

    /// The revisions at which files were changed after it began.
    pub fn revisions(&self) -> impl Iterator<Item = Revision> {
        let changes = self.transactions.iter().filter(|transaction| !transaction.files.is_empty());
        changes.map(|transaction| transaction.revision).filter(|revision| *revision > self.since)
    }
}

impl Transaction {
    /// A transaction without changes yet.
    pub fn at(revision: Revision) -> Self {
        Self { revision, ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.places.is_empty() && self.torn.is_none()
    }
}

async fn next(changes: &mut WatchStream) -> Result<storage_core::kv::WatchBatch, BackendError> {
    let ended = || BackendError::new(BackendErrorKind::Unavailable, "the watch has ended");
    changes.next().await.unwrap_or_else(|| Err(ended()))
}

/// What a key of the tree says of files and locks.
struct Reader {
    prefix: KeyPrefix,
    /// The tokens of the places that are there.
    tokens: BTreeMap<Key, Revision>,
}

/// What a key is about.
enum Subject {
    Content(String),
    Record(String),
    Place { queue: String },
    Other,
}

impl Reader {
    fn subject(&self, key: &Key) -> Subject {
        let rest = key.as_bytes().strip_prefix(self.prefix.as_str().as_bytes());
        let Some(rest) = rest.and_then(|rest| std::str::from_utf8(rest).ok()) else { return Subject::Other };
        if let Some(path) = rest.strip_prefix("/data/") {
            Subject::Content(path.to_owned())
        } else if let Some(path) = rest.strip_prefix("/meta/") {
            Subject::Record(path.to_owned())
        } else if let Some((queue, _)) = rest.strip_prefix("/lock/").and_then(|rest| rest.split_once('/')) {
            Subject::Place { queue: queue.to_owned() }
        } else {
            Subject::Other
        }
    }

    /// What there was before, as the transactions that have left it.
    fn snapshot(&mut self, entries: Vec<Entry>) -> Vec<Transaction> {
        let mut by_revision: BTreeMap<Revision, Vec<Event>> = BTreeMap::new();
        for entry in entries {
            // A place that was put again is as old as when it came.
            let is_place = matches!(self.subject(&entry.key), Subject::Place { .. });
            let revision = if is_place { entry.create_revision } else { entry.mod_revision };
            by_revision.entry(revision).or_default().push(Event::Put(entry));
        }
        by_revision.into_iter().map(|(revision, events)| self.transaction(revision, events)).collect()
    }

    fn transaction(&mut self, revision: Revision, events: Vec<Event>) -> Transaction {
        let mut transaction = Transaction::at(revision);
        let (mut contents, mut records) = (BTreeMap::new(), BTreeMap::new());
        for event in events {
            let subject = self.subject(event.key());
            match (subject, event) {
                (Subject::Content(path), Event::Put(entry)) => drop(contents.insert(path, Some(entry.value))),
                (Subject::Content(path), Event::Delete { .. }) => drop(contents.insert(path, None)),
                (Subject::Record(path), Event::Put(entry)) => drop(records.insert(path, Some(entry.value))),
                (Subject::Record(path), Event::Delete { .. }) => drop(records.insert(path, None)),
                (Subject::Place { queue }, Event::Put(entry)) => {
                    let token = entry.create_revision;
                    if self.tokens.insert(entry.key, token).is_none() {
                        transaction.places.push(PlaceChange { queue, token, kind: PlaceKind::Came });
                    }
                }
                (Subject::Place { queue }, Event::Delete { key, .. }) => {
                    if let Some(token) = self.tokens.remove(&key) {
                        transaction.places.push(PlaceChange { queue, token, kind: PlaceKind::Went });
                    }
                }
                (Subject::Other, _) => {}
            }
        }
        transaction.torn = torn(&contents, &records);
        transaction.files = contents.into_iter().collect();
        transaction
    }
}

/// Why contents and records do not belong together.
fn torn(
    contents: &BTreeMap<String, Option<Bytes>>,
    records: &BTreeMap<String, Option<Bytes>>,
) -> Option<String> {
    if let Some(path) = records.keys().find(|path| !contents.contains_key(*path)) {
        return Some(format!("no content of {path}"));
    }
    contents.iter().find_map(|(path, content)| match (content, records.get(path)) {
        (_, None) => Some(format!("no record of {path}")),
        (None, Some(None)) => None,
        (Some(content), Some(Some(record))) => {
            let sha1 = format!("\"sha1\":\"{}\"", Sha1Digest::of(content));
            let is_of_content = record.windows(sha1.len()).any(|part| part == sha1.as_bytes());
            (!is_of_content).then(|| format!("the record of {path} is of another content: {record:?}"))
        }
        _ => Some(format!("{path} is put and deleted")),
    })
}
