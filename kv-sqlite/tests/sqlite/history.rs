//! What is given up, and that the file does not grow for ever.

use std::fs;
use std::num::NonZeroU64;
use std::path::Path;

use kv_sqlite::{Durability, SqliteBackend, SqliteOptions};
use storage_core::kv::{
    BackendErrorKind, Key, KeyRange, KvBackend, KvBackendExt as _, Op, RangeRequest, Revision, Txn,
};

use crate::support::folder;

async fn open(file: &Path, history: u64) -> SqliteBackend {
    let options = SqliteOptions::default()
        .with_history(NonZeroU64::new(history).unwrap())
        .with_durability(Durability::Normal);
    SqliteBackend::open(file, options).await.unwrap()
}

async fn oldest(backend: &SqliteBackend, newest: u64) -> u64 {
    let (mut gone, mut kept) = (0, newest);
    while kept - gone > 1 {
        let middle = u64::midpoint(gone, kept);
        let request = RangeRequest::new(KeyRange::prefix("")).with_revision(Revision(middle));
        match backend.range(request).await {
            Ok(_) => kept = middle,
            Err(error) => {
                assert_eq!(error.kind(), BackendErrorKind::Compacted);
                gone = middle;
            }
        }
    }
    kept
}

/// Overwrites a hundred keys, each with another value of a kilobyte.
async fn overwrite(backend: &SqliteBackend, times: usize) -> u64 {
    let mut newest = 0;
    for number in 0..times {
        let key = Key::new(format!("key-{}", number % 100));
        newest = backend.put(key, vec![number.to_le_bytes()[0]; 1_000].into()).await.unwrap().0;
    }
    newest
}

#[tokio::test]
async fn as_many_revisions_are_kept_as_asked_for_and_hardly_more() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let backend = open(&file, 1_500).await;
    let newest = overwrite(&backend, 4_000).await;
    let kept = newest - oldest(&backend, newest).await;
    assert!((1_500..1_600).contains(&kept), "{kept}");
    // A thousand are kept in any case.
    let newest = overwrite(&open(&file, 1).await, 3_000).await;
    let kept = newest - oldest(&backend, newest).await;
    assert!((1_000..1_100).contains(&kept), "{kept}");
}

#[tokio::test]
async fn a_store_that_is_overwritten_for_ever_stays_as_large_as_it_is() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let backend = open(&file, 1_000).await;
    let size = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
    overwrite(&backend, 2_000).await;
    let before = size("store.db");
    overwrite(&backend, 10_000).await;
    let after = size("store.db");
    println!("{before} bytes, {after} after 10,000 more writes of 1,000 bytes; log {}", size("store.db-wal"));
    assert!(after < before + before / 4, "{before}, then {after}");
    // 1,000 versions of 1,000 bytes, and a page or so around each.
    assert!(after < 8_000_000, "{after}");
    assert!(size("store.db-wal") < 16 << 20, "{}", size("store.db-wal"));
}

#[tokio::test]
async fn what_a_large_tree_has_left_free_is_given_back() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let backend = open(&file, 1_000).await;
    for batch in 0..200 {
        let put = |number| Op::Put {
            key: Key::new(format!("large/{batch}/{number}")),
            value: vec![1; 10_000].into(),
            lease: None,
        };
        backend.txn((0..20).map(put).fold(Txn::new(), Txn::then)).await.unwrap();
    }
    let reply = backend.txn(Txn::new().then(Op::DeleteRange(KeyRange::prefix("large/")))).await.unwrap();
    assert_eq!(reply.deleted(), 4_000);
    backend.compact(reply.revision).await.unwrap();
    let size = || fs::metadata(&file).unwrap().len();
    let before = size();
    assert!(before > 30_000_000, "{before}");
    // Little by little, as others write.
    overwrite(&backend, 12_000).await;
    let after = size();
    println!("{before} bytes, {after} after some writes");
    assert!(after < before / 2, "{before}, then {after}");
}
