//! Readers and writers of several threads see whole transactions only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use kv_memory::MemoryBackend;
use storage_core::kv::{
    Compare, Entry, Event, Get, Key, KeyRange, KvBackend, KvBackendExt, Op, OpReply, RangeRequest, Revision,
    Txn, TxnOutcome,
};

const WRITERS: u64 = 4;
const WRITES: u64 = 500;

fn range() -> KeyRange {
    KeyRange::prefix("pair/")
}

fn put_both(value: &Bytes) -> Txn {
    let put = |name: &'static str| Op::Put { key: Key::new(name), value: value.clone(), lease: None };
    Txn::new().then(put("pair/a")).then(put("pair/b"))
}

fn assert_equal_pair(entries: &[Entry]) {
    match entries {
        [] => {}
        [a, b] => assert_eq!((&a.value, a.mod_revision), (&b.value, b.mod_revision)),
        other => panic!("half a transaction: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_keys_put_together_are_always_seen_equal() {
    let backend = MemoryBackend::new();
    let done = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for _ in 0..2 {
        let (backend, done) = (backend.clone(), Arc::clone(&done));
        readers.push(tokio::spawn(async move {
            let mut newest = Revision::ZERO;
            let mut reads = 0_u64;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let page = backend.range(RangeRequest::new(range())).await.unwrap();
                assert_equal_pair(&page.entries);
                assert!(page.revision >= newest, "a read of the newest state went back in time");
                newest = page.revision;
                let reply = backend.txn(Txn::new().then(Op::Get(Get::range(range())))).await.unwrap();
                let TxnOutcome::Matched(replies) = reply.outcome else { panic!("no compare, no failure") };
                let [OpReply::Get(get)] = &replies[..] else { panic!("one read, not {replies:?}") };
                assert_equal_pair(&get.entries);
                let pinned = backend.scan(RangeRequest::new(range()).with_revision(page.revision));
                assert_eq!(pinned.try_collect::<Vec<_>>().await.unwrap(), page.entries);
                reads += 1;
            }
        }));
    }
    let watch = backend.watch(range(), Revision::ZERO).await.unwrap();
    let watching = tokio::spawn(async move {
        let mut batches = watch.take(usize::try_from(WRITERS * WRITES).unwrap());
        let mut expected = 1;
        while let Some(batch) = batches.try_next().await.unwrap() {
            let entries: Vec<Entry> = batch.events.into_iter().map(entry_put).collect();
            assert_eq!((batch.revision, entries.len()), (Revision(expected), 2));
            assert_equal_pair(&entries);
            expected += 1;
        }
        expected - 1
    });
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(backend.clone(), writer))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(watching.await.unwrap(), WRITERS * WRITES);
}

async fn write(backend: MemoryBackend, writer: u64) {
    for number in 0..WRITES {
        backend.txn(put_both(&format!("{writer}/{number}").into())).await.unwrap();
    }
}

fn entry_put(event: Event) -> Entry {
    match event {
        Event::Put(entry) => entry,
        Event::Delete { .. } => panic!("nothing is deleted here"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_increment_is_lost_by_compare_and_swap() {
    const INCREMENTS: u64 = 250;
    let backend = MemoryBackend::new();
    let counter = Key::new("counter");
    backend.put(counter.clone(), "0".into()).await.unwrap();
    let increment = |backend: MemoryBackend, key: Key| async move {
        let mut done = 0;
        while done < INCREMENTS {
            let entry = backend.get(key.clone()).await.unwrap().unwrap();
            let value: u64 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
            let put = Op::Put { key: key.clone(), value: (value + 1).to_string().into(), lease: None };
            let swap = Txn::new().when(Compare::ModRevision(key.clone(), entry.mod_revision)).then(put);
            done += u64::from(matches!(backend.txn(swap).await.unwrap().outcome, TxnOutcome::Matched(_)));
        }
    };
    let tasks: Vec<_> =
        (0..WRITERS).map(|_| tokio::spawn(increment(backend.clone(), counter.clone()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let entry = backend.get(counter).await.unwrap().unwrap();
    assert_eq!(entry.value, (WRITERS * INCREMENTS).to_string());
    assert_eq!(entry.mod_revision, Revision(1 + WRITERS * INCREMENTS));
}
