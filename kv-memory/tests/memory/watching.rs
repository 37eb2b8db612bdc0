//! A watch delivers every change of its range, in order, a transaction at a time, or says that it cannot.

use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use kv_memory::{MemoryBackend, MemoryOptions};
use storage_core::kv::{
    BackendErrorKind, Event, Key, KeyRange, KvBackend, KvBackendExt, Op, Revision, Txn, WatchBatch,
    WatchStream,
};
use tokio::time::timeout;

/// Long enough that only a lost wake-up takes it.
const FOR_EVER: Duration = Duration::from_secs(60);

fn put(name: &'static str, value: &'static str) -> Op {
    Op::Put { key: Key::new(name), value: value.into(), lease: None }
}

/// What has been delivered by now.
fn ready(watch: &mut WatchStream) -> Option<WatchBatch> {
    watch.next().now_or_never().map(|batch| batch.expect("not the end").unwrap())
}

fn summary(batch: &WatchBatch) -> (u64, Vec<String>) {
    let events = batch.events.iter().map(|event| match event {
        Event::Put(entry) => format!("{:?}={}", entry.key, entry.value.escape_ascii()),
        Event::Delete { key, .. } => format!("{key:?} deleted"),
    });
    (batch.revision.0, events.collect())
}

#[tokio::test]
async fn batches_are_transactions_cut_down_to_the_range() {
    let backend = MemoryBackend::new();
    let mut watch = backend.watch(KeyRange::prefix("a/"), Revision::ZERO).await.unwrap();
    let txn = Txn::new().then(put("a/1", "x")).then(put("b/1", "x")).then(put("a/2", "x"));
    backend.txn(txn).await.unwrap();
    backend.txn(Txn::new().then(put("b/1", "y"))).await.unwrap();
    backend
        .txn(Txn::new().then(Op::DeleteRange(KeyRange::prefix("a/"))).then(put("b/2", "z")))
        .await
        .unwrap();
    backend.txn(Txn::new().then(put("a/1", "again"))).await.unwrap();

    let expected = [
        (1, vec!["\"a/1\"=x", "\"a/2\"=x"]),
        (3, vec!["\"a/1\" deleted", "\"a/2\" deleted"]),
        (4, vec!["\"a/1\"=again"]),
    ];
    for (revision, events) in expected.clone() {
        assert_eq!(
            summary(&ready(&mut watch).unwrap()),
            (revision, events.iter().map(ToString::to_string).collect())
        );
    }
    assert_eq!(ready(&mut watch), None);

    for (revision, remaining) in [(0, 3), (1, 2), (2, 2), (3, 1), (4, 0)] {
        let mut resumed = backend.watch(KeyRange::prefix("a/"), Revision(revision)).await.unwrap();
        for (revision, _) in &expected[3 - remaining..] {
            assert_eq!(ready(&mut resumed).unwrap().revision, Revision(*revision));
        }
        assert_eq!(ready(&mut resumed), None);
    }
}

#[tokio::test]
async fn events_show_the_entry_as_that_revision_left_it() {
    let backend = MemoryBackend::new();
    let mut watch = backend.watch(KeyRange::prefix("k"), Revision::ZERO).await.unwrap();
    for value in ["one", "two", "three"] {
        backend.txn(Txn::new().then(put("k", value))).await.unwrap();
    }
    for (revision, value) in (1..).zip(["one", "two", "three"]) {
        let batch = ready(&mut watch).unwrap();
        let [Event::Put(entry)] = &batch.events[..] else { panic!("one put, not {batch:?}") };
        assert_eq!((entry.create_revision, entry.mod_revision), (Revision(1), Revision(revision)));
        assert_eq!(entry.value, value);
    }
}

#[tokio::test]
async fn a_watch_after_a_revision_to_come_waits_for_it() {
    let backend = MemoryBackend::new();
    let mut watch = backend.watch(KeyRange::prefix("k"), Revision(2)).await.unwrap();
    let mut never = backend.watch(KeyRange::prefix("k"), Revision(u64::MAX)).await.unwrap();
    for value in ["one", "two"] {
        backend.txn(Txn::new().then(put("k", value))).await.unwrap();
        assert_eq!(ready(&mut watch), None);
    }
    backend.txn(Txn::new().then(put("k", "three"))).await.unwrap();
    assert_eq!(ready(&mut watch).unwrap().revision, Revision(3));
    assert_eq!(ready(&mut never), None);
}

#[tokio::test]
async fn a_consumer_that_is_overtaken_by_the_history_gets_compacted_and_the_end() {
    let options = MemoryOptions::default().with_history(NonZeroU64::new(5).unwrap());
    let backend = MemoryBackend::with_options(options);
    let mut slow = backend.watch(KeyRange::prefix("k"), Revision::ZERO).await.unwrap();
    let mut quick = backend.watch(KeyRange::prefix("k"), Revision::ZERO).await.unwrap();
    backend.txn(Txn::new().then(put("k", "seen"))).await.unwrap();
    assert_eq!(ready(&mut slow).unwrap().revision, Revision(1));
    for _ in 0..5 {
        assert!(ready(&mut quick).is_some());
        backend.txn(Txn::new().then(put("k", "v"))).await.unwrap();
    }
    // The history still begins right behind what it has seen; one more, and it does not.
    assert_eq!(ready(&mut quick).unwrap().revision, Revision(6));
    for _ in 0..2 {
        backend.txn(Txn::new().then(put("k", "v"))).await.unwrap();
    }
    let error = slow.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Compacted);
    assert!(!error.is_retryable());
    assert!(slow.next().await.is_none());
    assert_eq!(ready(&mut quick).unwrap().revision, Revision(7));
}

#[tokio::test]
async fn a_consumer_just_within_the_history_misses_nothing() {
    let options = MemoryOptions::default().with_history(NonZeroU64::new(5).unwrap());
    let backend = MemoryBackend::with_options(options);
    let mut watch = backend.watch(KeyRange::prefix("k"), Revision::ZERO).await.unwrap();
    for revision in 1..=100 {
        backend.txn(Txn::new().then(put("k", "v"))).await.unwrap();
        if revision >= 5 {
            assert_eq!(ready(&mut watch).unwrap().revision, Revision(revision - 4));
        }
    }
}

#[tokio::test]
async fn a_watch_ends_when_the_last_client_is_dropped() {
    let backend = MemoryBackend::new();
    let mut watch = backend.watch(KeyRange::prefix("k"), Revision::ZERO).await.unwrap();
    let client = backend.clone();
    let end =
        tokio::spawn(async move { (watch.next().await, watch.next().await, watch.next().await.is_none()) });
    tokio::task::yield_now().await;
    drop(backend);
    client.put(Key::new("k"), Bytes::new()).await.unwrap();
    tokio::task::yield_now().await;
    drop(client);
    let (put, error, ended) = timeout(FOR_EVER, end).await.unwrap().unwrap();
    assert_eq!(put.unwrap().unwrap().revision, Revision(1));
    let error = error.unwrap().unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Unavailable);
    assert!(!error.is_retryable() && ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_between_threads() {
    const ROUNDS: u64 = 2_000;
    let backend = MemoryBackend::new();
    // A reply follows each request, so that both sides sleep and are woken in every round.
    let (asks, answers) = (KeyRange::single(Key::new("ask")), KeyRange::single(Key::new("answer")));
    let mut asked = backend.watch(asks, Revision::ZERO).await.unwrap();
    let mut answered = backend.watch(answers, Revision::ZERO).await.unwrap();
    let server = backend.clone();
    let serving = tokio::spawn(async move {
        for _ in 0..ROUNDS {
            asked.next().await.unwrap().unwrap();
            server.put(Key::new("answer"), Bytes::new()).await.unwrap();
        }
    });
    let rounds = async {
        for round in 0..ROUNDS {
            backend.put(Key::new("ask"), Bytes::new()).await.unwrap();
            assert_eq!(answered.next().await.unwrap().unwrap().revision, Revision(round * 2 + 2));
        }
    };
    timeout(FOR_EVER, rounds).await.expect("a watcher sleeps although something changed");
    serving.await.unwrap();
}
