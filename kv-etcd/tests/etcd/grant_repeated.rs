//! A grant whose answer does not come is asked for again, under the same id: it succeeds, and leaves one lease.

use std::time::Duration;

use storage_core::kv::KvBackend;

use crate::support;

#[tokio::test]
async fn a_grant_outlives_a_server_that_is_stopped_for_a_while() {
    const TIMEOUT: Duration = Duration::from_secs(6);
    support::on_each_etcd("repeated grants", |etcd| async move {
        let backend = support::connect_with(support::config(&etcd).with_request_timeout(TIMEOUT)).await;
        // The connection exists, so that what follows is sent, and lies there unread.
        backend.grant(Duration::from_secs(60)).await.unwrap();
        etcd.pause().unwrap();
        let resume = async {
            // Longer than one attempt waits, shorter than all of them.
            tokio::time::sleep(TIMEOUT / 2).await;
            etcd.resume().unwrap();
        };
        let (granted, ()) = tokio::join!(backend.grant(Duration::from_secs(60)), resume);
        let granted = granted.unwrap();
        assert_eq!(granted.ttl, Duration::from_secs(60));
        assert_eq!(backend.keep_alive(granted.id).await.unwrap(), granted.ttl);
        let leases = etcd.etcdctl(&["lease", "list"]).unwrap();
        assert!(leases.contains(&granted.id.to_string()), "{granted:?} is not among {leases}");
        assert!(leases.starts_with("found 2 leases"), "{leases}");
    })
    .await;
}
