//! What the store says was done: every transaction on files, from its own history.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;
use storage_core::Sha1Digest;
use storage_core::kv::{Event, Key, KeyRange, KvBackend, KvBackendExt, RangeRequest, Revision};

/// The transactions on files, by revision.
#[derive(Debug)]
pub(crate) struct Log(pub(crate) BTreeMap<Revision, Transaction>);

/// The files that a transaction has put, with their contents, and deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transaction(pub(crate) BTreeMap<String, Option<String>>);

impl Log {
    /// Reads the history after a revision.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or a transaction is torn: content without a matching record, or the reverse.
    pub(crate) async fn read(backend: &impl KvBackend, prefix: &str, after: Revision) -> Result<Self> {
        // A put of our own tells when all has been seen.
        let end = Key::new(format!("{prefix}/end"));
        let last = backend.put(end, Bytes::new()).await?;
        let mut changes = backend.watch(KeyRange::prefix(format!("{prefix}/")), after).await?;
        let mut log = BTreeMap::new();
        loop {
            let batch = changes.next().await.context("the watch has ended")??;
            let transaction = Transaction::of(prefix, &batch.events)
                .with_context(|| format!("the transaction at revision {} is torn", batch.revision))?;
            if !transaction.0.is_empty() {
                ensure!(
                    log.insert(batch.revision, transaction).is_none(),
                    "revision {} twice",
                    batch.revision
                );
            }
            if batch.revision >= last {
                return Ok(Self(log));
            }
        }
    }

    /// The newest revision of the store.
    pub(crate) async fn now(backend: &impl KvBackend, prefix: &str) -> Result<Revision> {
        let request = RangeRequest::new(KeyRange::single(Key::new(format!("{prefix}/format"))));
        Ok(backend.range(request).await?.revision)
    }
}

impl Transaction {
    fn of(prefix: &str, events: &[Event]) -> Result<Self> {
        let (mut contents, mut records) = (BTreeMap::new(), BTreeMap::new());
        for event in events {
            let (key, value) = match event {
                Event::Put(entry) => (&entry.key, Some(entry.value.clone())),
                Event::Delete { key, .. } => (key, None),
            };
            let key = std::str::from_utf8(key.as_bytes())?;
            let Some(rest) = key.strip_prefix(prefix) else { bail!("a foreign key: {key}") };
            if let Some(path) = rest.strip_prefix("/data/") {
                contents.insert(path.to_owned(), value);
            } else if let Some(path) = rest.strip_prefix("/meta/") {
                records.insert(path.to_owned(), value);
            }
        }
        ensure!(contents.len() == records.len(), "{} contents, {} records", contents.len(), records.len());
        let mut files = BTreeMap::new();
        for (path, content) in contents {
            let record = records.remove(&path).with_context(|| format!("no record of {path}"))?;
            match (&content, &record) {
                (Some(content), Some(record)) => {
                    let record: Value = serde_json::from_slice(record)?;
                    ensure!(
                        record["sha1"] == Sha1Digest::of(content).to_string(),
                        "the record of {path}: {record}"
                    );
                }
                (None, None) => {}
                _ => bail!("{path} is put and deleted"),
            }
            files.insert(path, content.map(|content| String::from_utf8_lossy(&content).into_owned()));
        }
        Ok(Self(files))
    }
}
