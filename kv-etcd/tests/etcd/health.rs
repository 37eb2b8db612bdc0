//! What a backend says of the health of its cluster: each member as it is, and whether calls are sent to it.

use std::time::Duration;

use kv_etcd::{EtcdBackend, EtcdHealth, Service};
use storage_core::kv::{BackendErrorKind, Key, KvBackendExt};

use crate::support::{self, Versions, config_of, connect_to_one, on_a_cluster, on_each_etcd, until};

async fn services(backend: &EtcdBackend) -> Vec<Service> {
    backend.health().await.endpoints.iter().map(|health| health.service).collect()
}

#[tokio::test]
async fn a_member_that_is_lost_is_seen_and_its_breaker_too() {
    on_a_cluster("health", Versions::Newest, |mut cluster| async move {
        let leader = cluster.leader().unwrap();
        let backend = connect_to_one(&cluster, || config_of(&cluster), |member| member != leader).await;
        let victim = support::preferred(&backend, &cluster).await;
        let health = backend.health().await;
        let endpoints: Vec<_> = health.endpoints.iter().map(|health| health.endpoint.clone()).collect();
        assert_eq!(endpoints, cluster.endpoints());
        for health in &health.endpoints {
            assert_eq!((health.service, health.is_avoided, &health.problem), (Service::Full, false, &None));
            assert!(health.latency.is_some() && health.raft_term > Some(0), "{health:?}");
        }
        assert_eq!(health.unknown_members, [""; 0]);

        cluster.member_mut(victim).kill().unwrap();
        // To ask changes nothing about which members are used.
        let seen = backend.health().await.endpoints.swap_remove(victim);
        assert_eq!((seen.service, seen.is_avoided), (Service::None, false));
        backend.get(Key::new("/test/k")).await.unwrap();
        let seen = backend.health().await.endpoints.swap_remove(victim);
        assert_eq!((seen.service, seen.is_avoided), (Service::None, true));
        assert!(seen.problem.is_some());
        assert_eq!((seen.latency, seen.revision), (None, None));

        // The leader without the others, until it has noticed and after.
        let other = (0..3).find(|other| ![leader, victim].contains(other)).unwrap();
        cluster.member_mut(other).kill().unwrap();
        until("no leader", || cluster.member(leader).metric("etcd_server_has_leader").unwrap() == Some(0.0))
            .await;
        let health = backend.health().await;
        let alone = &health.endpoints[leader];
        assert!(!health.is_serving());
        assert_eq!((alone.service, alone.revision), (Service::CopyOnly, health.newest_revision));
        assert!(alone.problem.as_ref().unwrap().contains("no leader"), "{alone:?}");
    })
    .await;
}

#[tokio::test]
async fn a_member_of_another_cluster_does_not_serve_this_one() {
    on_each_etcd("health of another cluster", |mut etcd| async move {
        let backend = support::connect(&etcd).await;
        assert_eq!(services(&backend).await, [Service::Full]);
        // As if somebody had begun anew at the same address.
        let other = etcd_process::EtcdProcess::builder(etcd.binary());
        let other = other.with_flag("--initial-cluster-token=other").start().unwrap();
        let endpoints = [etcd.endpoint(), other.endpoint()];
        let both = kv_etcd::EtcdConfig::builder(endpoints).with_prefix("/test").build().unwrap();
        let health = EtcdHealth::check(&both).await.unwrap();
        let mut services: Vec<_> = health.endpoints.iter().map(|health| health.service).collect();
        services.sort_by_key(|service| *service == Service::None);
        assert_eq!(services, [Service::Full, Service::None]);
        let problems: Vec<_> =
            health.endpoints.iter().filter_map(|health| health.problem.as_deref()).collect();
        assert!(problems.len() == 1 && problems[0].contains("another cluster"), "{problems:?}");
        etcd.kill().unwrap();
    })
    .await;
}

#[tokio::test]
async fn nobody_is_asked_with_settings_that_cannot_be_used() {
    let config =
        kv_etcd::EtcdConfig::builder(["https://127.0.0.1:1"]).with_tls_ca("/nowhere").build().unwrap();
    let error = tokio::time::timeout(Duration::from_secs(1), EtcdHealth::check(&config)).await.unwrap();
    assert_eq!(error.unwrap_err().kind(), BackendErrorKind::InvalidRequest);
}
