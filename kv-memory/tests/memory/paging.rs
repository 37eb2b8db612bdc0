//! A page costs its entries, however large the store.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use kv_memory::{MemoryBackend, MemoryOptions};
use storage_core::kv::{Key, KeyRange, KvBackend, KvBackendExt, Limits, Op, RangeRequest, Txn};
use tokio::time::Instant;

/// A store of so many keys, of which `x` is not one.
async fn store_of(keys: usize) -> MemoryBackend {
    let limits = Limits::ETCD_DEFAULTS.with_max_txn_ops(1_000);
    let backend = MemoryBackend::with_options(MemoryOptions::default().with_limits(limits));
    let numbers: Vec<usize> = (0..keys).collect();
    for some in numbers.chunks(1_000) {
        let puts = some.iter().map(|number| {
            let key = Key::new(format!("k/{number:08}"));
            Op::Put { key, value: Bytes::from_static(b"value"), lease: None }
        });
        backend.txn(puts.fold(Txn::new(), Txn::then)).await.unwrap();
    }
    backend
}

/// Reads a whole range in pages and answers the sizes of the pages; the entries have to be in ascending order.
async fn page_sizes(backend: &MemoryBackend, mut request: RangeRequest) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut last = None;
    loop {
        let page = backend.range(request.clone()).await.unwrap();
        assert!(page.entries.is_sorted_by(|a, b| a.key < b.key));
        assert!(page.entries.first().is_none_or(|first| last < Some(first.key.clone())));
        last = page.entries.last().map(|entry| entry.key.clone()).or(last);
        sizes.push(page.entries.len());
        let Some(cursor) = page.next else { return sizes };
        request = request.with_cursor(cursor).with_revision(page.revision);
    }
}

fn everything() -> RangeRequest {
    RangeRequest::new(KeyRange::prefix("k/"))
}

#[tokio::test]
async fn the_last_page_says_that_it_is_the_last() {
    let backend = store_of(10).await;
    let with_limit = |limit| everything().with_limit(NonZeroU32::new(limit).unwrap());
    assert_eq!(page_sizes(&backend, with_limit(5)).await, [5, 5]);
    assert_eq!(page_sizes(&backend, with_limit(4)).await, [4, 4, 2]);
    assert_eq!(page_sizes(&backend, with_limit(10)).await, [10]);
    assert_eq!(page_sizes(&backend, with_limit(u32::MAX)).await, [10]);
    assert_eq!(page_sizes(&backend, RangeRequest::new(KeyRange::prefix("x"))).await, [0]);
    let backwards = RangeRequest::new(KeyRange::new(Key::new("k/9"), Key::new("k/0")));
    assert_eq!(page_sizes(&backend, backwards).await, [0]);
}

#[tokio::test]
async fn a_page_of_a_large_store_takes_no_longer_than_one_of_a_small_store() {
    const PAGES: usize = 200;
    let (small, large) = (store_of(1_000).await, store_of(PAGES * 1_000).await);
    assert_eq!(page_sizes(&large, everything()).await, [1_000; PAGES]);

    // The best of several runs, so that a busy machine slows neither side down. A page that walked over the keys
    // before or behind it would take a hundred times as long.
    let (mut in_small, mut in_large) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        let start = Instant::now();
        for _ in 0..PAGES {
            assert_eq!(page_sizes(&small, everything()).await, [1_000]);
        }
        in_small = in_small.min(start.elapsed());
        let start = Instant::now();
        assert_eq!(page_sizes(&large, everything()).await.len(), PAGES);
        in_large = in_large.min(start.elapsed());
    }
    assert!(in_large < in_small * 20, "{in_small:?} in the small store, {in_large:?} in the large one");
}

#[tokio::test]
async fn what_was_deleted_does_not_slow_down_what_is_there() {
    let backend = store_of(200_000).await;
    backend.txn(Txn::new().then(Op::DeleteRange(KeyRange::prefix("k/")))).await.unwrap();
    backend.put(Key::new("k/99999999"), Bytes::new()).await.unwrap();
    // One page: nothing is left of those that were deleted.
    assert_eq!(page_sizes(&backend, everything()).await, [1]);
}
