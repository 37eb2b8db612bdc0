//! What operators see when a member fails and comes back: events, spans and metrics.
#![allow(clippy::float_cmp, reason = "they are counted")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[path = "etcd/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use etcd_process::EtcdCluster;
use futures::StreamExt;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use storage_core::kv::{Key, KeyRange, KvBackend, KvBackendExt, Revision};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{Captured, Versions, config_of, connect_to_one, on_a_cluster, preferred, until};

/// One test: another in this process that has no subscriber could switch the events off for this one.
#[test]
fn the_loss_of_a_member_is_logged_and_counted() {
    let logged = Captured::default();
    let filter = tracing_subscriber::filter::Targets::new().with_target("kv_etcd", tracing::Level::DEBUG);
    let layer = tracing_subscriber::fmt::layer()
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(logged.clone());
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    let recorder = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(on_a_cluster("observability", Versions::Newest, |cluster| {
                lose_a_member(cluster, logged.clone(), recorder.snapshotter())
            }));
        });
    });
}

async fn lose_a_member(mut cluster: EtcdCluster, logged: Captured, snapshotter: Snapshotter) {
    let has = |expected: &str| logged.text().lines().any(|line| line.contains(expected));
    let leader = cluster.leader().unwrap();
    let backend = connect_to_one(&cluster, || config_of(&cluster), |member| member != leader).await;
    backend.put(Key::new("/test/k"), "sentinel-value".into()).await.unwrap();
    let watch = backend.watch(KeyRange::single(Key::new("/test/k")), Revision::ZERO).await.unwrap();
    let lease = backend.grant(Duration::from_secs(60)).await.unwrap().id;
    backend.revoke(lease).await.unwrap();
    backend.keep_alive(lease).await.unwrap_err();
    let victim = preferred(&backend, &cluster).await;
    let endpoint = cluster.endpoints()[victim].clone();
    let mut counts = Counts::default();
    let well = format!("kvfs_etcd_member_well {endpoint}");
    let seen = counts.update(&snapshotter);
    assert_eq!(seen.get(&well), Some(&1.0), "{seen:#?}");
    let failovers = seen.get("kvfs_etcd_failovers_total").copied().unwrap_or_default();

    cluster.member_mut(victim).kill().unwrap();
    backend.get(Key::new("/test/k")).await.unwrap();
    let failed = format!(
        "WARN etcd_call{{call=\"range\"}}: kv_etcd::observe: a member has failed, calls go to others endpoint=\"{endpoint}\" error="
    );
    assert!(has(&failed), "{failed}\n{}", logged.text());
    for expected in [
        "DEBUG etcd_call{call=\"range\"}: kv_etcd::observe: an attempt has failed, the call goes on endpoint=",
        "INFO etcd_call{call=\"range\"}: kv_etcd::observe: another member is preferred from=",
        "outcome=\"ok\" attempts=2}: kv_etcd::observe: close",
        "etcd_call{call=\"txn\" elapsed_ms=",
        "etcd_call{call=\"watch\" elapsed_ms=",
        "outcome=\"lease_not_found\" attempts=1}",
    ] {
        assert!(has(expected), "{expected}\n{}", logged.text());
    }
    let seen = counts.update(&snapshotter);
    assert_eq!(seen[&well], 0.0, "{seen:#?}");
    assert_eq!(seen[&format!("kvfs_etcd_breaker_opened_total {endpoint}")], 1.0, "{seen:#?}");
    assert!(seen[&format!("kvfs_etcd_retries_total {endpoint}")] >= 1.0, "{seen:#?}");
    assert!(seen["kvfs_etcd_failovers_total"] > failovers, "{seen:#?}");
    cluster.member_mut(victim).restart().unwrap();
    until("the member serves again", || {
        has(&format!("INFO kv_etcd::observe: a member serves again endpoint=\"{endpoint}\""))
    })
    .await;

    // One that is silent: a watch on it ends.
    drop(watch);
    let next = preferred(&backend, &cluster).await;
    let mut watch = backend.watch(KeyRange::single(Key::new("/test/k")), Revision(1000)).await.unwrap();
    cluster.member(next).pause().unwrap();
    backend.get(Key::new("/test/k")).await.unwrap();
    watch.next().await.unwrap().unwrap_err();
    cluster.member(next).resume().unwrap();
    for expected in
        ["DEBUG etcd_call{call=\"range\"}: kv_etcd::observe: a member stays silent", "a watch was ended"]
    {
        assert!(has(expected), "{expected}\n{}", logged.text());
    }
    assert!(!logged.text().contains("sentinel-value"));

    let seen = counts.update(&snapshotter);
    assert_eq!(seen[&well], 1.0, "{seen:#?}");
    for name in [
        "kvfs_etcd_calls_total range ok",
        "kvfs_etcd_calls_total txn ok",
        "kvfs_etcd_calls_total watch ok",
        "kvfs_etcd_calls_total keep_alive lease_not_found",
        "kvfs_etcd_call_duration_seconds range",
    ] {
        assert!(seen.get(name).is_some_and(|count| *count >= 1.0), "{name} in {seen:#?}");
    }
}

/// What was counted so far. A snapshot alone tells of what came since the one before.
#[derive(Default)]
struct Counts(BTreeMap<String, f64>);

impl Counts {
    fn update(&mut self, snapshotter: &Snapshotter) -> &BTreeMap<String, f64> {
        for (key, _, _, value) in snapshotter.snapshot().into_vec() {
            let labels: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
            let name = format!("{} {}", key.key().name(), labels.join(" ")).trim_end().to_owned();
            let count = self.0.entry(name).or_default();
            match value {
                #[expect(clippy::cast_precision_loss, reason = "they are few")]
                DebugValue::Counter(more) => *count += more as f64,
                #[expect(clippy::cast_precision_loss, reason = "they are few")]
                DebugValue::Histogram(values) => *count += values.len() as f64,
                DebugValue::Gauge(value) => *count = value.into_inner(),
            }
        }
        &self.0
    }
}
