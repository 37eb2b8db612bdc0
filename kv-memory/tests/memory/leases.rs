//! The keys of a lease go with it, at the moment it ends and in one revision.

use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use kv_memory::MemoryBackend;
use storage_core::kv::{
    BackendErrorKind, Event, Key, KeyRange, KvBackend, KvBackendExt, LeaseId, Op, Revision, Txn, WatchBatch,
    WatchStream,
};
use tokio::time::{Instant, advance, timeout};

const TTL: Duration = Duration::from_secs(10);
const MS: Duration = Duration::from_millis(1);
/// A millisecond short of the TTL.
const ALMOST: Duration = Duration::from_millis(9_999);

fn put(name: &'static str, lease: Option<LeaseId>) -> Op {
    Op::Put { key: Key::new(name), value: Bytes::from_static(b"v"), lease }
}

async fn exists(backend: &MemoryBackend, name: &'static str) -> bool {
    backend.get(Key::new(name)).await.unwrap().is_some()
}

/// The next changes, which come long before this time is over.
async fn next(watch: &mut WatchStream) -> WatchBatch {
    let batch = timeout(TTL * 1_000, watch.next()).await.expect("the watcher sleeps on");
    batch.expect("not the end").unwrap()
}

fn deleted(batch: &WatchBatch) -> Vec<&[u8]> {
    let keys = batch.events.iter().map(|event| match event {
        Event::Delete { key, revision } if *revision == batch.revision => key.as_bytes(),
        other => panic!("not a deletion: {other:?}"),
    });
    keys.collect()
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_when_its_time_is_over_and_not_before() {
    let backend = MemoryBackend::new();
    let lease = backend.grant(TTL).await.unwrap();
    assert_eq!(lease.ttl, TTL);
    let txn = Txn::new().then(put("a", Some(lease.id))).then(put("b", Some(lease.id))).then(put("c", None));
    let made = backend.txn(txn).await.unwrap().revision;

    advance(ALMOST).await;
    assert!(exists(&backend, "a").await);
    advance(MS).await;
    assert!(!exists(&backend, "a").await);
    assert!(!exists(&backend, "b").await);
    assert!(exists(&backend, "c").await);
    assert_eq!(backend.txn(Txn::new()).await.unwrap().revision, Revision(made.0 + 1));
    for ended in [backend.keep_alive(lease.id).await.map(drop), backend.revoke(lease.id).await] {
        assert_eq!(ended.unwrap_err().kind(), BackendErrorKind::LeaseNotFound);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_learns_of_the_end_at_the_deadline_although_nobody_touches_the_store() {
    let backend = MemoryBackend::new();
    let mut watch = backend.watch(KeyRange::prefix("in/"), Revision::ZERO).await.unwrap();
    assert!(watch.next().now_or_never().is_none());

    // The watcher is asleep with no deadline, then with a later one, when this lease takes a key of its range.
    let start = Instant::now();
    let waiting = tokio::spawn(async move {
        let put = next(&mut watch).await;
        (put, next(&mut watch).await, Instant::now())
    });
    tokio::task::yield_now().await;
    let later = backend.grant(TTL * 5).await.unwrap().id;
    let lease = backend.grant(TTL).await.unwrap().id;
    let txn = Txn::new().then(put("in/b", Some(lease))).then(put("in/a", Some(lease)));
    let txn = txn.then(put("out/a", Some(lease))).then(put("in/c", Some(later)));
    backend.txn(txn).await.unwrap();

    let (put, gone, at) = waiting.await.unwrap();
    assert_eq!((put.revision, put.events.len()), (Revision(1), 3));
    assert_eq!((gone.revision, deleted(&gone)), (Revision(2), vec![&b"in/a"[..], b"in/b"]));
    assert!(at - start >= TTL && at - start <= TTL + 10 * MS, "after {:?}", at - start);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_gives_the_whole_ttl_again() {
    let backend = MemoryBackend::new();
    let lease = backend.grant(TTL).await.unwrap().id;
    backend.txn(Txn::new().then(put("k", Some(lease)))).await.unwrap();
    let mut watch = backend.watch(KeyRange::prefix("k"), Revision(1)).await.unwrap();
    let start = Instant::now();
    for _ in 0..5 {
        advance(ALMOST).await;
        assert_eq!(backend.keep_alive(lease).await.unwrap(), TTL);
    }
    let batch = next(&mut watch).await;
    assert_eq!(deleted(&batch), [b"k"]);
    assert!(start.elapsed() >= ALMOST * 5 + TTL);
}

#[tokio::test(start_paused = true)]
async fn the_time_left_is_exact() {
    let backend = MemoryBackend::new();
    let lease = backend.grant(TTL).await.unwrap().id;
    assert_eq!(backend.time_to_live(lease).await.unwrap(), TTL);
    advance(ALMOST).await;
    assert_eq!(backend.time_to_live(lease).await.unwrap(), MS);
    backend.keep_alive(lease).await.unwrap();
    assert_eq!(backend.time_to_live(lease).await.unwrap(), TTL);
    advance(TTL).await;
    let ended = backend.time_to_live(lease).await.unwrap_err();
    assert_eq!(ended.kind(), BackendErrorKind::LeaseNotFound);
}

#[tokio::test(start_paused = true)]
async fn revoking_deletes_the_keys_in_one_revision_at_once() {
    let backend = MemoryBackend::new();
    let (lease, other) = (backend.grant(TTL).await.unwrap().id, backend.grant(TTL).await.unwrap().id);
    assert_ne!(lease, other);
    let txn = Txn::new().then(put("a", Some(lease))).then(put("b", Some(lease))).then(put("c", Some(other)));
    let revision = backend.txn(txn).await.unwrap().revision;
    let mut watch = backend.watch(KeyRange::prefix(Bytes::new()), revision).await.unwrap();
    backend.revoke(lease).await.unwrap();
    let batch = watch.next().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(deleted(&batch), [b"a", b"b"]);
    assert!(exists(&backend, "c").await);

    let unused = backend.grant(TTL).await.unwrap().id;
    backend.revoke(unused).await.unwrap();
    assert_eq!(backend.txn(Txn::new()).await.unwrap().revision, batch.revision, "no key, no revision");
}

#[tokio::test(start_paused = true)]
async fn a_key_belongs_to_the_lease_of_its_last_put() {
    let backend = MemoryBackend::new();
    let (short, long) = (backend.grant(TTL).await.unwrap().id, backend.grant(TTL * 2).await.unwrap().id);
    for name in ["freed", "moved", "deleted", "kept"] {
        backend.txn(Txn::new().then(put(name, Some(short)))).await.unwrap();
    }
    let txn = Txn::new().then(put("freed", None)).then(put("moved", Some(long)));
    backend.txn(txn.then(Op::Delete(Key::new("deleted")))).await.unwrap();
    backend.txn(Txn::new().then(put("deleted", None))).await.unwrap();

    advance(TTL).await;
    for (name, expected) in [("freed", true), ("moved", true), ("deleted", true), ("kept", false)] {
        assert_eq!(exists(&backend, name).await, expected, "{name}");
    }
    advance(TTL).await;
    for (name, expected) in [("freed", true), ("moved", false), ("deleted", true)] {
        assert_eq!(exists(&backend, name).await, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn leases_that_end_unseen_end_in_their_order() {
    let backend = MemoryBackend::new();
    for (name, ttl) in [("late", TTL * 3), ("early", TTL), ("middle", TTL * 2)] {
        let lease = backend.grant(ttl).await.unwrap().id;
        backend.txn(Txn::new().then(put(name, Some(lease)))).await.unwrap();
    }
    let mut watch = backend.watch(KeyRange::prefix(Bytes::new()), Revision(3)).await.unwrap();
    advance(TTL * 10).await;
    let batches = [next(&mut watch).await, next(&mut watch).await, next(&mut watch).await];
    assert_eq!(batches.each_ref().map(deleted), [vec![&b"early"[..]], vec![b"middle"], vec![b"late"]]);
}

#[tokio::test(start_paused = true)]
async fn the_longest_lease_does_not_disturb_a_watch() {
    let backend = MemoryBackend::new();
    let lease = backend.grant(Duration::from_secs(9_000_000_000)).await.unwrap().id;
    backend.txn(Txn::new().then(put("k", Some(lease)))).await.unwrap();
    let mut watch = backend.watch(KeyRange::prefix("k"), Revision(1)).await.unwrap();
    assert!(timeout(TTL, watch.next()).await.is_err());
    assert!(exists(&backend, "k").await);
}
