//! A read at a revision shows the state at that revision, whatever is written meanwhile.

use bytes::Bytes;
use futures::TryStreamExt;
use kv_memory::MemoryBackend;
use std::num::NonZeroU32;
use storage_core::kv::{
    BackendErrorKind, Entry, Key, KeyRange, KvBackend, KvBackendExt, Op, RangeRequest, Revision, Txn,
};

fn key(number: u32) -> Key {
    Key::new(format!("k/{number:04}"))
}

fn everything() -> RangeRequest {
    RangeRequest::new(KeyRange::prefix("k/"))
}

async fn read(backend: &MemoryBackend, request: RangeRequest) -> Vec<Entry> {
    backend.scan(request).try_collect().await.unwrap()
}

#[tokio::test]
async fn a_scan_in_pages_is_of_one_revision_while_keys_are_put_and_deleted() {
    let backend = MemoryBackend::new();
    for number in (0..500).step_by(2) {
        backend.put(key(number), Bytes::from("old")).await.unwrap();
    }
    let before = read(&backend, everything()).await;
    assert_eq!(before.len(), 250);

    let request = everything().with_limit(NonZeroU32::new(7).unwrap());
    let mut scan = backend.scan(request);
    let mut seen = vec![scan.try_next().await.unwrap().unwrap()];
    let mut number = 0;
    while let Some(entry) = scan.try_next().await.unwrap() {
        seen.push(entry);
        // Changes an old key, makes a new one, deletes one, all over the range.
        number = (number + 101) % 500;
        let ops =
            [number, (number + 1) % 500].map(|n| Op::Put { key: key(n), value: "new".into(), lease: None });
        let txn = ops.into_iter().fold(Txn::new(), Txn::then).then(Op::Delete(key((number + 250) % 500)));
        backend.txn(txn).await.unwrap();
    }
    assert_eq!(seen, before);
    assert_ne!(read(&backend, everything()).await, before);
}

#[tokio::test]
async fn every_revision_kept_can_be_read() {
    let backend = MemoryBackend::new();
    let mut states = vec![Vec::new()];
    for step in 0..200_u32 {
        let (put, deleted) = (key(step % 7), key(step % 5));
        let op = match step % 3 {
            0 => Op::Delete(deleted),
            _ => Op::Put { key: put, value: step.to_string().into(), lease: None },
        };
        let revision = backend.txn(Txn::new().then(op)).await.unwrap().revision;
        let state = read(&backend, everything()).await;
        if revision == Revision(states.len() as u64) {
            states.push(state);
        } else {
            assert_eq!(states.last(), Some(&state), "a revision with no change of its own");
        }
    }
    assert!(states.len() > 150);
    for (revision, state) in (0..).zip(&states) {
        assert_eq!(
            &read(&backend, everything().with_revision(Revision(revision))).await,
            state,
            "at {revision}"
        );
    }
}

#[tokio::test]
async fn a_revision_that_does_not_exist_yet_is_refused() {
    let backend = MemoryBackend::new();
    let revision = backend.put(key(1), Bytes::new()).await.unwrap();
    let request = everything().with_revision(Revision(revision.0 + 1));
    assert_eq!(backend.range(request).await.unwrap_err().kind(), BackendErrorKind::FutureRevision);
}
