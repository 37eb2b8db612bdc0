//! Existence and metadata.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::future::join_all;
use storage_core::kv::{
    BackendError, BackendErrorKind, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest,
    Revision, Txn, TxnReply, WatchStream,
};
use storage_core::{EntryKind, ErrorKind, ListOptions, Sha1Digest};

use super::support::{open, open_with, options, refused, store_all};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-EXISTS-1"], files_directories_and_the_root_exist),
    case!(["FS-EXISTS-2"], a_failure_is_never_an_answer),
    case!(["FS-STAT-1"], what_is_not_there_has_no_metadata),
    case!(["FS-STAT-2"], the_metadata_of_a_file_is_what_the_write_answered),
    case!(["FS-STAT-2"], a_file_was_written_when_it_was_written),
    case!(["FS-STAT-3"], a_directory_is_the_sum_of_its_files),
    case!(["FS-STAT-4"], the_root_is_a_directory),
    case!(["FS-STAT-5", "FS-LIST-7", "FS-LIST-12"], three_hundred_files_of_30_kb),
    case!(["FS-STAT-6"], versions_grow_with_every_write),
];

async fn files_directories_and_the_root_exist(context: Context) {
    let tree = open(&context).await;
    assert!(tree.exists("").await.unwrap(), "the root exists even when it is empty");
    store_all(&tree, &["a/b/file"]).await;
    for (path, exists) in [
        ("", true),
        ("a", true),
        ("a/b", true),
        ("a/b/file", true),
        ("a/b/fil", false),
        ("a/b/file2", false),
        ("a/b/file/x", false),
        ("b", false),
    ] {
        assert_eq!(tree.exists(path).await.unwrap(), exists, "{path:?}");
    }
}

async fn a_failure_is_never_an_answer(context: Context) {
    let working = open_with(&context, &["a/b"]).await;
    let switch = Outage::default();
    let client = Failing { backend: context.client().await, outage: switch.clone() };
    let tree = Tree::open_through(&context, client, options(&context)).await.unwrap();
    assert!(tree.exists("a/b").await.unwrap());
    switch.begin();
    let unavailable = ErrorKind::Unavailable;
    refused(tree.exists("a/b").await, unavailable, "a/b");
    refused(tree.exists("missing").await, unavailable, "missing");
    refused(tree.load("a/b").await, unavailable, "a/b");
    refused(tree.stat("a").await, unavailable, "a");
    refused(tree.list("", ListOptions::children()).await, unavailable, "");
    refused(tree.list("a", ListOptions::descendants()).await, unavailable, "a");
    refused(tree.delete("a").await, unavailable, "a");
    assert!(working.exists("a/b").await.unwrap());
}

async fn what_is_not_there_has_no_metadata(context: Context) {
    let tree = open_with(&context, &["a/file"]).await;
    for missing in ["b", "a/fil", "a/file/below"] {
        refused(tree.stat(missing).await, ErrorKind::NotFound, missing);
    }
}

async fn the_metadata_of_a_file_is_what_the_write_answered(context: Context) {
    let tree = open(&context).await;
    let stored = tree.store("a/b.pem", "content").await.unwrap();
    assert_eq!(stored.path.as_str(), "a/b.pem");
    assert_eq!((stored.kind, stored.size), (EntryKind::File, 7));
    assert_eq!(stored.sha1, Some(Sha1Digest::of(b"content")));
    assert_eq!(tree.stat("a/b.pem").await.unwrap(), stored, "to the nanosecond");
    assert_eq!(open(&context).await.stat("a/b.pem").await.unwrap(), stored);
}

async fn a_file_was_written_when_it_was_written(context: Context) {
    let tree = open(&context).await;
    let (before, stored, after) = (now(), tree.store("a", "x").await.unwrap(), now());
    assert!(before <= stored.modified && stored.modified <= after, "{before:?} {stored:?} {after:?}");
}

#[expect(clippy::disallowed_methods, reason = "the case compares with the wall clock itself")]
fn now() -> SystemTime {
    SystemTime::now()
}

async fn a_directory_is_the_sum_of_its_files(context: Context) {
    let tree = open(&context).await;
    tree.store("d/one", "1").await.unwrap();
    tree.store("d/e/two", "22").await.unwrap();
    tree.store("d/e/empty", "").await.unwrap();
    let newest = tree.store("d/e/three", "333").await.unwrap();
    tree.store("d2", "not in it").await.unwrap();
    for (directory, size) in [("d", 6), ("d/e", 5)] {
        let stat = tree.stat(directory).await.unwrap();
        assert!(stat.is_dir(), "{stat:?}");
        assert_eq!((stat.path.as_str(), stat.size, stat.sha1), (directory, size, None));
        assert_eq!((stat.modified, stat.version), (newest.modified, newest.version));
    }
    let replaced = tree.store("d/one", "now ten by").await.unwrap();
    let stat = tree.stat("d").await.unwrap();
    assert_eq!((stat.size, stat.version), (15, replaced.version));
}

async fn the_root_is_a_directory(context: Context) {
    let tree = open(&context).await;
    let empty = tree.stat("").await.unwrap();
    assert!(empty.is_dir() && empty.path.is_root(), "{empty:?}");
    assert_eq!(empty.size, 0);
    store_all(&tree, &["a", "b/c"]).await;
    assert_eq!(tree.stat("/").await.unwrap().size, 4);
}

/// More than most stores put into one answer.
async fn three_hundred_files_of_30_kb(context: Context) {
    let tree = open(&context).await;
    let names: Vec<String> = (0..300).map(|n| format!("dir/{n:03}")).collect();
    for chunk in names.chunks(20) {
        let stored = join_all(chunk.iter().map(|name| tree.store(name, vec![b'x'; 30_000]))).await;
        assert!(stored.iter().all(Result::is_ok), "{stored:?}");
    }
    let stat = tree.stat("dir").await.unwrap();
    assert_eq!((stat.kind, stat.size), (EntryKind::Directory, 300 * 30_000));
    let entries = tree.list("dir", ListOptions::children().with_metadata()).await.unwrap();
    assert_eq!(entries.len(), 300);
    for entry in &entries {
        let metadata = entry.metadata.as_ref().unwrap().as_ref().unwrap();
        assert_eq!((metadata.size, &metadata.path), (30_000, &entry.path));
    }
}

async fn versions_grow_with_every_write(context: Context) {
    let tree = open(&context).await;
    let mut last = tree.store("a", "x").await.unwrap().version;
    for _ in 0..5 {
        let version = tree.store("a", "x").await.unwrap().version;
        assert!(version > last, "the same content, and yet another write");
        assert_eq!(tree.stat("a").await.unwrap().version, version);
        last = version;
    }
    tree.delete("a").await.unwrap();
    assert!(tree.create("a", "x").await.unwrap().version > last, "a version is never used again");
}

/// Turns a [`Failing`] backend off.
#[derive(Clone, Debug, Default)]
struct Outage(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Outage {
    fn begin(&self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), BackendError> {
        if self.0.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(BackendError::new(BackendErrorKind::Unavailable, "connection refused").not_applied());
        }
        Ok(())
    }
}

/// A backend that cannot be reached once its outage has begun.
struct Failing<B> {
    backend: B,
    outage: Outage,
}

#[async_trait]
impl<B: KvBackend> KvBackend for Failing<B> {
    fn limits(&self) -> Limits {
        self.backend.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        self.outage.check()?;
        self.backend.range(request).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        self.outage.check()?;
        self.backend.txn(txn).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        self.outage.check()?;
        self.backend.grant(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.outage.check()?;
        self.backend.keep_alive(lease).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.outage.check()?;
        self.backend.time_to_live(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.outage.check()?;
        self.backend.revoke(lease).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        self.outage.check()?;
        self.backend.watch(range, after).await
    }
}
