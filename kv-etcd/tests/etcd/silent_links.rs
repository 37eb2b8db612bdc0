//! A connection that has become silent, one-way or is reset is as good as a member that is: calls go on elsewhere, and
//! watches end so that they can be resumed elsewhere. When all are silent calls end in time, and recover.

use std::time::Duration;

use etcd_process::{Direction, Mode};
use futures::StreamExt;
use storage_core::kv::{BackendErrorKind, Key, KeyRange, KvBackend, KvBackendExt};
use tokio::time::{Instant, timeout};

use crate::support::{Versions, config_of, connect_with, on_a_cluster, preferred};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

fn key() -> Key {
    Key::new("/test/k")
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_elsewhere_and_a_watch_can_be_resumed_there() {
    on_a_cluster("silent links", Versions::Newest, |cluster| async move {
        let backend = connect_with(config_of(&cluster).with_request_timeout(REQUEST_TIMEOUT)).await;
        for mode in [
            Mode::Drop,
            Mode::OneWay { swallowed: Direction::ToServer },
            Mode::OneWay { swallowed: Direction::ToClient },
            Mode::Reset,
        ] {
            let mut seen = backend.put(key(), "before".into()).await.unwrap();
            let mut watch = backend.watch(KeyRange::single(key()), seen).await.unwrap();
            let victim = preferred(&backend, &cluster).await;
            cluster.proxy(victim).set(mode);
            let begin = Instant::now();
            assert_eq!(backend.get(key()).await.unwrap().unwrap().value, "before", "{mode:?}");
            let took = begin.elapsed();
            assert!(took < Duration::from_millis(1500), "{mode:?}: {took:?}");
            let mut written = vec![backend.put(key(), "after".into()).await.unwrap()];

            // The watch ends long before the HTTP/2 keepalive would notice anything.
            let to_the_end = async {
                loop {
                    match watch.next().await.unwrap() {
                        // That direction is not cut in one of the modes.
                        Ok(batch) => seen = batch.revision,
                        Err(error) => return error,
                    }
                }
            };
            let error = timeout(Duration::from_secs(6), to_the_end).await;
            let error = error.unwrap_or_else(|_| panic!("{mode:?}: the watch is still silent"));
            assert!(error.is_retryable(), "{mode:?}: {error:?}");
            written.push(backend.put(key(), "at last".into()).await.unwrap());
            let mut watch = backend.watch(KeyRange::single(key()), seen).await.unwrap();
            for revision in written.into_iter().filter(|revision| *revision > seen) {
                assert_eq!(watch.next().await.unwrap().unwrap().revision, revision, "{mode:?}");
            }
            assert_ne!(preferred(&backend, &cluster).await, victim);
            cluster.proxy(victim).set(Mode::Pass);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_are_silent_calls_end_in_time_and_recover_soon() {
    on_a_cluster("all links silent", Versions::Newest, |cluster| async move {
        let backend = connect_with(config_of(&cluster).with_request_timeout(REQUEST_TIMEOUT)).await;
        backend.put(key(), "before".into()).await.unwrap();
        let set_all = |mode| (0..3).for_each(|index| cluster.proxy(index).set(mode));
        set_all(Mode::Drop);
        let begin = Instant::now();
        let (read, write) = tokio::join!(backend.get(key()), backend.put(key(), "after".into()));
        let took = begin.elapsed();
        assert!(took < REQUEST_TIMEOUT + Duration::from_millis(250), "{took:?}");
        assert!(read.unwrap_err().is_retryable() && write.unwrap_err().is_retryable());
        set_all(Mode::Pass);
        let begin = Instant::now();
        backend.put(key(), "after".into()).await.unwrap();
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(1500), "{took:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_whose_answers_are_lost_is_granted_once_and_ended_once() {
    on_a_cluster("lost answers", Versions::Newest, |cluster| async move {
        let backend = connect_with(config_of(&cluster)).await;
        let lost = Mode::OneWay { swallowed: Direction::ToClient };
        let set_preferred = async |mode| {
            let victim = preferred(&backend, &cluster).await;
            cluster.proxy(victim).set(mode);
            victim
        };
        let victim = set_preferred(lost).await;
        let lease = backend.grant(Duration::from_secs(60)).await.unwrap();
        assert_eq!(lease.ttl, Duration::from_secs(60));
        let leases = cluster.member(victim).etcdctl(&["lease", "list"]).unwrap();
        assert!(leases.starts_with("found 1 leases"), "{leases}");

        let other = set_preferred(lost).await;
        assert_ne!(other, victim);
        backend.revoke(lease.id).await.unwrap();
        let leases = cluster.member(victim).etcdctl(&["lease", "list"]).unwrap();
        assert!(leases.starts_with("found 0 leases"), "{leases}");
        // It is known that nobody else has ended it only if nothing is lost.
        for index in [victim, other] {
            cluster.proxy(index).set(Mode::Pass);
        }
        let error = backend.revoke(lease.id).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::LeaseNotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_links_are_no_reason_to_fail() {
    on_a_cluster("slow links", Versions::Newest, |cluster| async move {
        let backend = connect_with(config_of(&cluster).with_request_timeout(Duration::from_secs(15))).await;
        let slow = Mode::Delay { by: Duration::from_millis(900), jitter: Duration::ZERO };
        (0..3).for_each(|index| cluster.proxy(index).set(slow));
        // Each takes at least 1.8 s: more than a write waits at first.
        let mut failures = 0;
        while let Err(error) = backend.put(key(), "v".into()).await {
            assert!(error.is_retryable() && error.is_maybe_applied(), "{error:?}");
            failures += 1;
            assert!(failures < 3, "{error:?}");
        }
        assert_eq!(backend.get(key()).await.unwrap().unwrap().value, "v");
    })
    .await;
}
