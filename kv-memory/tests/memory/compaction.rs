//! Compaction to R forgets what was before R, and nothing else; history is bounded without anyone asking for it.

use std::num::NonZeroU64;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use kv_memory::{MemoryBackend, MemoryOptions};
use storage_core::kv::{BackendErrorKind, Key, KeyRange, KvBackend, KvBackendExt, RangeRequest, Revision};

async fn with_revisions(backend: &MemoryBackend, revisions: u64) {
    for number in 1..=revisions {
        let revision = backend.put(Key::new("k"), number.to_string().into()).await.unwrap();
        assert_eq!(revision, Revision(number));
    }
}

/// The value of the key at the revision.
async fn value_at(backend: &MemoryBackend, revision: u64) -> Result<Option<Bytes>, BackendErrorKind> {
    let request = RangeRequest::new(KeyRange::single(Key::new("k"))).with_revision(Revision(revision));
    let mut page = backend.range(request).await.map_err(|error| error.kind())?;
    assert_eq!(page.revision, Revision(revision));
    Ok(page.entries.pop().map(|entry| entry.value))
}

/// The revision of the first change after one.
async fn first_change_after(backend: &MemoryBackend, revision: u64) -> Result<u64, BackendErrorKind> {
    let mut watch = backend.watch(KeyRange::prefix("k"), Revision(revision)).await.unwrap();
    let batch = watch.next().now_or_never().expect("an answer at once").expect("not the end");
    batch.map(|batch| batch.revision.0).map_err(|error| error.kind())
}

#[tokio::test]
async fn what_is_below_the_compacted_revision_is_gone_and_the_rest_is_there() {
    let backend = MemoryBackend::new();
    with_revisions(&backend, 9).await;
    backend.compact(Revision(5)).unwrap();

    for gone in 0..5 {
        assert_eq!(value_at(&backend, gone).await, Err(BackendErrorKind::Compacted));
        assert_eq!(first_change_after(&backend, gone).await, Err(BackendErrorKind::Compacted));
    }
    for kept in 5..=9 {
        assert_eq!(value_at(&backend, kept).await, Ok(Some(kept.to_string().into())));
    }
    for kept in 5..9 {
        assert_eq!(first_change_after(&backend, kept).await, Ok(kept + 1));
    }
}

#[tokio::test]
async fn compacting_again_is_harmless_and_compacting_the_future_is_refused() {
    let backend = MemoryBackend::new();
    with_revisions(&backend, 3).await;
    for revision in [2, 2, 1, 0] {
        backend.compact(Revision(revision)).unwrap();
        assert_eq!(value_at(&backend, 2).await, Ok(Some("2".into())));
        assert_eq!(value_at(&backend, 1).await, Err(BackendErrorKind::Compacted));
    }
    assert_eq!(backend.compact(Revision(4)).unwrap_err().kind(), BackendErrorKind::FutureRevision);
    backend.compact(Revision(3)).unwrap();
    assert_eq!(value_at(&backend, 3).await, Ok(Some("3".into())));
}

#[tokio::test]
async fn the_newest_revisions_are_kept_and_no_more() {
    let history = NonZeroU64::new(10).unwrap();
    let backend = MemoryBackend::with_options(MemoryOptions::default().with_history(history));
    with_revisions(&backend, 10).await;
    assert_eq!(value_at(&backend, 0).await, Ok(None));

    let backend = MemoryBackend::with_options(MemoryOptions::default().with_history(history));
    with_revisions(&backend, 25).await;
    assert_eq!(value_at(&backend, 14).await, Err(BackendErrorKind::Compacted));
    assert_eq!(value_at(&backend, 15).await, Ok(Some("15".into())));
    assert_eq!(first_change_after(&backend, 14).await, Err(BackendErrorKind::Compacted));
    assert_eq!(first_change_after(&backend, 15).await, Ok(16));
}

#[tokio::test]
async fn by_default_ten_thousand_revisions_are_kept() {
    let backend = MemoryBackend::new();
    with_revisions(&backend, 10_001).await;
    assert_eq!(value_at(&backend, 0).await, Err(BackendErrorKind::Compacted));
    assert_eq!(value_at(&backend, 1).await, Ok(Some("1".into())));
}
