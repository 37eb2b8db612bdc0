//! Values that are more than 4 MiB in sum are listed, and read in one transaction, without an error.

use bytes::Bytes;
use futures::TryStreamExt;
use storage_core::kv::{
    BackendErrorKind, Entry, Get, Key, KeyRange, KvBackend, KvBackendExt, Op, OpReply, RangeRequest, Txn,
    TxnOutcome,
};

use crate::support;

#[tokio::test]
async fn values_of_many_megabytes_are_listed() {
    support::on_each_etcd("large sums", |etcd| async move {
        let backend = support::connect(&etcd).await;
        for (folder, count, bytes) in [("/test/small/", 300, 30_000), ("/test/large/", 8, 1_000_000)] {
            let value = Bytes::from(vec![b'v'; bytes]);
            let keys = (0..count).map(|number| Key::new(format!("{folder}{number:03}")));
            support::fill(&backend, keys, &value).await;

            let range = KeyRange::prefix(folder);
            let listed: Vec<Entry> =
                backend.scan(RangeRequest::new(range.clone())).try_collect().await.unwrap();
            assert_eq!(listed.len(), count);
            assert!(listed.iter().all(|entry| entry.value == value));

            let reply = backend.txn(Txn::new().then(Op::Get(Get::range(range)))).await.unwrap();
            let TxnOutcome::Matched(replies) = reply.outcome else { panic!("nothing was compared") };
            let [OpReply::Get(read)] = replies.as_slice() else { panic!("one read, one reply") };
            assert_eq!(read.entries, listed);
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_beyond_what_one_reply_may_have_is_read_in_parts() {
    const COUNT: usize = 36;
    const BYTES: usize = 8_000_000;
    let wide = |etcd: etcd_process::EtcdBuilder| etcd.with_flag("--max-request-bytes=8388608");
    support::on_each_etcd_with("replies beyond 256 MiB", wide, |etcd| async move {
        let config = support::config(&etcd).with_max_request_bytes(8_388_608);
        let backend = support::connect_with(config).await;
        let value = Bytes::from(vec![b'v'; BYTES]);
        let keys = (0..COUNT).map(|number| Key::new(format!("/test/{number:03}")));
        support::fill(&backend, keys, &value).await;
        let range = KeyRange::prefix("/test/");

        // The first page would have all of them, since nothing is known about their size.
        let page = backend.range(RangeRequest::new(range.clone())).await.unwrap();
        assert!((1..COUNT).contains(&page.entries.len()), "{} entries", page.entries.len());
        let mut listed = page.entries.len();
        let next = page.next.expect("there are more");
        let rest: Vec<Entry> =
            backend.scan(RangeRequest::new(range.clone()).with_cursor(next)).try_collect().await.unwrap();
        listed += rest.len();
        assert_eq!(listed, COUNT);

        // A transaction's read cannot be divided.
        let error = backend.txn(Txn::new().then(Op::Get(Get::range(range)))).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::ReplyTooLarge, "{error:?}");
        assert!(!error.is_retryable(), "{error:?}");
    })
    .await;
}
