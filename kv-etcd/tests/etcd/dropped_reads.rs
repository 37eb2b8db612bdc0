//! Dropping the future of a transaction that only reads does not cancel it: servers before 3.5.7 can crash of that.

use std::time::Duration;

use bytes::Bytes;
use storage_core::kv::{Get, Key, KeyRange, KvBackend, KvBackendExt, Op, Txn};
use tokio::time::timeout;

use crate::support;

#[tokio::test(flavor = "multi_thread")]
async fn the_server_survives() {
    support::on_each_etcd("dropped reads", |mut etcd| async move {
        let backend = support::connect(&etcd).await;
        let keys = (0..2000).map(|number| Key::new(format!("/test/{number}")));
        support::fill(&backend, keys, &Bytes::from(vec![0; 100])).await;
        let read = || {
            let get = || Op::Get(Get::range(KeyRange::prefix("/test/")));
            backend.txn((0..10).fold(Txn::new(), |txn, _| txn.then(get())))
        };
        read().await.unwrap();
        for micros in (0..200).map(|number| number * 100) {
            let _ = timeout(Duration::from_micros(micros), read()).await;
        }
        backend.get(Key::new("/test/1")).await.unwrap();
        assert!(etcd.is_running().unwrap(), "{}", etcd.log());
    })
    .await;
}
