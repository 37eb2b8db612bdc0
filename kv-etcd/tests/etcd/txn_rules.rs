//! A malformed transaction is refused before it is sent, and everything that is let through the server takes.

use bytes::Bytes;
use storage_core::kv::{
    BackendErrorKind, Compare, Get, GetReply, Key, KeyRange, KvBackend, KvBackendExt, Op, OpReply, Revision,
    Txn, TxnOutcome,
};

use crate::support;

fn put(key: &'static str) -> Op {
    Op::Put { key: Key::new(key), value: Bytes::from("v"), lease: None }
}

fn delete(key: &'static str) -> Op {
    Op::Delete(Key::new(key))
}

fn delete_prefix(prefix: &'static str) -> Op {
    Op::DeleteRange(KeyRange::prefix(prefix))
}

#[tokio::test]
async fn two_writes_of_one_key_never_reach_the_server() {
    support::on_each_etcd("malformed transactions", |mut etcd| async move {
        let backend = support::connect(&etcd).await;
        etcd.kill().unwrap();
        for ops in [
            [put("/test/a"), put("/test/a")],
            [put("/test/a"), delete("/test/a")],
            [delete("/test/a"), delete("/test/a")],
            [put("/test/a/b"), delete_prefix("/test/a/")],
            [put(""), put("/test/a")],
        ] {
            let txn = ops.into_iter().fold(Txn::new(), Txn::then);
            let error = backend.txn(txn.clone()).await.unwrap_err();
            assert_eq!(error.kind(), BackendErrorKind::InvalidRequest, "{txn:?}: {error:?}");
            assert!(!error.is_maybe_applied() && !error.is_retryable(), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_server_takes_whatever_is_let_through() {
    support::on_each_etcd("well-formed transactions", |etcd| async move {
        let backend = support::connect(&etcd).await;
        let empty = || KeyRange::new(Key::new("/test/b"), Key::new("/test/a"));
        let nothing = || KeyRange::new(Key::new("/test/b"), Key::new(""));
        support::fill(&backend, ["/test/a/1", "/test/a/2", "/test/b"].map(Key::new), &Bytes::from("v")).await;
        let txn = Txn::new()
            .when(Compare::RangeEmpty(empty()))
            .when(Compare::RangeEmpty(nothing()))
            .when(Compare::Present(Key::new("/test/b")))
            .then(Op::DeleteRange(empty()))
            .then(Op::DeleteRange(nothing()))
            .then(Op::Get(Get::range(nothing())))
            .then(delete_prefix("/test/a/1"))
            .then(delete_prefix("/test/a/"))
            .then(delete("/test/a/2"))
            .then(put("/test/a"))
            .then(put("/test/a0"))
            .then(Op::Get(Get::range(KeyRange::prefix("")).with_limit(std::num::NonZeroU32::MIN)));
        let reply = backend.txn(txn).await.unwrap();
        let TxnOutcome::Matched(mut replies) = reply.outcome else { panic!("the compares hold") };
        let Some(OpReply::Get(last)) = replies.pop() else { panic!("a read comes last") };
        assert_eq!(last.entries[0].key, Key::new("/test/a"));
        assert!(last.more);
        let deleted = OpReply::Deleted;
        let nothing_read = OpReply::Get(GetReply::default());
        let expected = [
            deleted(0),
            deleted(0),
            nothing_read,
            deleted(1),
            deleted(1),
            deleted(0),
            OpReply::Put,
            OpReply::Put,
        ];
        assert_eq!(replies, expected);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_without_operations_answers_with_the_newest_revision() {
    support::on_each_etcd("transactions without operations", |etcd| async move {
        let backend = support::connect(&etcd).await;
        let newest = backend.put(Key::new("/test/a"), "v".into()).await.unwrap();
        let never = Compare::ModRevision(Key::new("/test/absent"), Revision::ZERO);
        for (txn, outcome) in [
            (Txn::new(), TxnOutcome::Matched(vec![])),
            (Txn::new().when(Compare::Present(Key::new("/test/a"))), TxnOutcome::Matched(vec![])),
            (Txn::new().when(Compare::Absent(Key::new("/test/a"))), TxnOutcome::NotMatched(vec![])),
            (Txn::new().when(never), TxnOutcome::NotMatched(vec![])),
        ] {
            let reply = backend.txn(txn).await.unwrap();
            assert_eq!((reply.revision, reply.outcome), (newest, outcome));
        }
    })
    .await;
}
