//! A watch shows each transaction as one batch, however it is caught up with, and is forgotten by the server when it is
//! dropped.

use bytes::Bytes;
use futures::StreamExt;
use storage_core::kv::{Key, KeyRange, KvBackend, KvBackendExt, Op, Revision, Txn};

use crate::support;

/// The number of watches that the server has.
fn watchers(etcd: &etcd_process::EtcdProcess) -> Option<f64> {
    etcd.metric("etcd_debugging_mvcc_watcher_total").unwrap()
}

#[tokio::test]
async fn dropping_the_stream_ends_the_watch_on_the_server() {
    support::on_each_etcd("dropped watches", |etcd| async move {
        let backend = support::connect(&etcd).await;
        let mut watches = Vec::new();
        for _ in 0..5 {
            watches.push(backend.watch(KeyRange::prefix("/test/"), Revision::ZERO).await.unwrap());
        }
        support::until("five watches", || watchers(&etcd) == Some(5.0)).await;
        watches.truncate(2);
        support::until("two watches", || watchers(&etcd) == Some(2.0)).await;
        // The others go on.
        backend.put(Key::new("/test/k"), "v".into()).await.unwrap();
        for watch in &mut watches {
            assert_eq!(watch.next().await.unwrap().unwrap().events.len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn transactions_stay_whole_in_the_past_and_in_the_present() {
    const TXNS: usize = 1500;
    const KEYS: usize = 3;
    support::on_each_etcd("whole transactions", |etcd| async move {
        let backend = support::connect(&etcd).await;
        let write = async |number: usize| {
            let put = |key: usize| Op::Put {
                key: Key::new(format!("/test/{key}")),
                value: Bytes::from(number.to_string()),
                lease: None,
            };
            backend.txn((0..KEYS).map(put).fold(Txn::new(), Txn::then)).await.unwrap().revision
        };
        // Some before the watch, which etcd sends a thousand revisions at a time; some after.
        let mut revisions = Vec::new();
        for number in 0..TXNS {
            revisions.push(write(number).await);
        }
        let mut watch = backend.watch(KeyRange::prefix("/test/"), Revision::ZERO).await.unwrap();
        for number in 0..100 {
            revisions.push(write(number).await);
        }
        for revision in revisions {
            let batch = watch.next().await.unwrap().unwrap();
            assert_eq!((batch.revision, batch.events.len()), (revision, KEYS));
            assert!(batch.events.iter().all(|event| event.revision() == revision));
        }
    })
    .await;
}

#[tokio::test]
async fn the_deletion_of_a_hundred_thousand_keys_is_one_batch() {
    const KEYS: usize = 100_000;
    support::on_each_etcd("large deletions", |etcd| async move {
        let backend = support::connect(&etcd).await;
        let name = |number| Key::new(format!("/test/{number:06}{}", "x".repeat(40)));
        support::fill(&backend, (0..KEYS).map(name), &Bytes::new()).await;
        let newest = backend.put(Key::new("/elsewhere"), Bytes::new()).await.unwrap();
        let range = KeyRange::prefix("/test/");
        let mut watch = backend.watch(range.clone(), newest).await.unwrap();
        let deletion = backend.txn(Txn::new().then(Op::DeleteRange(range))).await;
        let batch = watch.next().await.unwrap().unwrap();
        assert_eq!(batch.events.len(), KEYS);
        match deletion {
            Ok(deletion) => assert_eq!(batch.revision, deletion.revision),
            // On a slow machine it takes longer than a write may.
            Err(error) => assert!(error.is_maybe_applied(), "{error:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_watch_on_a_server_that_dies_ends_with_an_error() {
    support::on_each_etcd("killed server", |mut etcd| async move {
        let backend = support::connect(&etcd).await;
        let mut watch = backend.watch(KeyRange::prefix("/test/"), Revision::ZERO).await.unwrap();
        etcd.kill().unwrap();
        let error = watch.next().await.unwrap().unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert!(watch.next().await.is_none(), "an error is the last item");
    })
    .await;
}

#[tokio::test]
async fn progress_is_reported_while_nothing_happens_in_the_range() {
    let often = |etcd: etcd_process::EtcdBuilder| {
        etcd.with_flag("--experimental-watch-progress-notify-interval=100ms")
    };
    support::on_each_etcd_with("progress", often, |etcd| async move {
        let backend = support::connect(&etcd).await;
        let mut watch = backend.watch(KeyRange::prefix("/test/"), Revision::ZERO).await.unwrap();
        let elsewhere = backend.put(Key::new("/elsewhere"), Bytes::new()).await.unwrap();
        loop {
            let batch = watch.next().await.unwrap().unwrap();
            assert!(batch.events.is_empty() && batch.revision <= elsewhere, "{batch:?}");
            if batch.revision == elsewhere {
                break;
            }
        }
    })
    .await;
}
