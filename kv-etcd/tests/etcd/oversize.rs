//! What is too large is refused before it is sent; and if the server allows less than we were told, its refusal is
//! understood.

use bytes::Bytes;
use kv_etcd::EtcdBackend;
use storage_core::kv::{BackendError, BackendErrorKind, Compare, Key, KvBackend, KvBackendExt, Op, Txn};

use crate::support;

async fn put(backend: &EtcdBackend, bytes: usize) -> Result<(), BackendError> {
    backend.put(Key::new("/test/key"), Bytes::from(vec![0; bytes])).await.map(drop)
}

async fn compare(backend: &EtcdBackend, count: usize) -> Result<(), BackendError> {
    let compare = |txn: Txn, number| txn.when(Compare::Absent(Key::new(format!("/test/{number}"))));
    backend.txn((0..count).fold(Txn::new(), compare)).await.map(drop)
}

fn assert_refused(error: &BackendError, said: &str) {
    assert_eq!(error.kind(), BackendErrorKind::TooLarge, "{error:?}");
    assert!(!error.is_maybe_applied() && !error.is_retryable(), "{error:?}");
    assert!(error.message().contains(said), "{error:?}");
}

#[tokio::test]
async fn what_is_beyond_the_limits_is_never_sent() {
    support::on_each_etcd("oversize", |mut etcd| async move {
        let backend = support::connect(&etcd).await;
        // The largest that the limits allow passes, so the limits are not too generous.
        let most = backend.limits().max_request_bytes;
        let empty = Txn::new().then(Op::Put { key: Key::new("/test/key"), value: Bytes::new(), lease: None });
        put(&backend, most - empty.request_bytes()).await.unwrap();
        compare(&backend, 128).await.unwrap();

        // Nobody is there to refuse it: the refusal is ours.
        etcd.kill().unwrap();
        assert_refused(&put(&backend, most).await.unwrap_err(), "max_request_bytes");
        assert_refused(&put(&backend, most + 1).await.unwrap_err(), "max_value_bytes");
        assert_refused(&compare(&backend, 129).await.unwrap_err(), "max_txn_ops");
    })
    .await;
}

#[tokio::test]
async fn the_servers_own_refusals_are_understood() {
    let narrow = |etcd: etcd_process::EtcdBuilder| {
        etcd.with_flag("--max-request-bytes=65536").with_flag("--max-txn-ops=16")
    };
    support::on_each_etcd_with("oversize on the server", narrow, |etcd| async move {
        let backend = support::connect(&etcd).await;
        put(&backend, 60_000).await.unwrap();
        assert_refused(&put(&backend, 70_000).await.unwrap_err(), "request is too large");
        assert_refused(&put(&backend, 1_000_000).await.unwrap_err(), "received message larger than max");
        compare(&backend, 16).await.unwrap();
        assert_refused(&compare(&backend, 17).await.unwrap_err(), "too many operations");
    })
    .await;
}

#[tokio::test]
async fn limits_that_were_raised_on_the_server_can_be_raised_here() {
    let wide = |etcd: etcd_process::EtcdBuilder| {
        etcd.with_flag("--max-request-bytes=8388608").with_flag("--max-txn-ops=1000")
    };
    support::on_each_etcd_with("raised limits", wide, |etcd| async move {
        let config = support::config(&etcd).with_max_request_bytes(8 * 1024 * 1024).with_max_txn_ops(1000);
        let backend = support::connect_with(config).await;
        put(&backend, 8_000_000).await.unwrap();
        let read = backend.get(Key::new("/test/key")).await.unwrap().unwrap();
        assert_eq!(read.value.len(), 8_000_000);
        compare(&backend, 1000).await.unwrap();
    })
    .await;
}
