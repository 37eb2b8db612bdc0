//! Members that are added are used, and those that are removed are not missed.

use std::time::Duration;

use etcd_process::{Direction, EtcdCluster};
use kv_etcd::{EtcdBackend, EtcdConfig};
use storage_core::kv::{Key, KvBackendExt};

use crate::support::{Versions, connect_with, on_a_cluster, until};

fn received(cluster: &EtcdCluster, index: usize) -> u64 {
    cluster.proxy(index).forwarded(Direction::ToServer)
}

/// Writes a few times. Only of a write that meets a member as it goes it may be unknown whether it was applied.
async fn put(backend: &EtcdBackend) {
    let mut ambiguous = 0;
    for _ in 0..20 {
        if let Err(error) = backend.put(Key::new("/test/k"), "v".into()).await {
            ambiguous += 1;
            assert!(error.is_maybe_applied() && error.is_retryable() && ambiguous == 1, "{error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_are_used_and_members_that_go_are_not_missed() {
    on_a_cluster("membership", Versions::Newest, |mut cluster| async move {
        // It is told of one member only.
        let config = EtcdConfig::builder([cluster.endpoints()[0].clone()]).with_prefix("/test");
        let backend = connect_with(config.with_auto_sync_interval(Duration::from_secs(1))).await;
        until("connections to all", || (0..3).all(|index| received(&cluster, index) > 0)).await;

        let added = tokio::task::block_in_place(|| cluster.add_member().unwrap());
        until("a connection to the new member", || received(&cluster, added) > 0).await;

        // Then that one dies, and those that it was not told of serve.
        cluster.member_mut(0).kill().unwrap();
        put(&backend).await;
        cluster.member_mut(0).launch().unwrap();
        tokio::task::block_in_place(|| cluster.member_mut(0).wait_until_healthy().unwrap());

        // One after the other goes, but for the new one and the one that it was told of.
        for _ in 0..2 {
            tokio::task::block_in_place(|| cluster.remove_member(1).unwrap());
            put(&backend).await;
        }
    })
    .await;
}
