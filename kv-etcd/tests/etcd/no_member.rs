//! Without any member that serves, calls end at their deadline and say what is wrong with each; an endpoint that is a
//! black hole delays nothing for long while another one serves.

use std::time::Duration;

use etcd_process::SynBlackHole;
use kv_etcd::{EtcdBackend, EtcdConfig};
use storage_core::kv::{BackendErrorKind, Key, KvBackendExt};
use tokio::time::{Instant, sleep};

use crate::support::{self, Versions, config_of, connect_with, on_a_cluster};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const LATEST: Duration = Duration::from_millis(2250);

fn key() -> Key {
    Key::new("/test/k")
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_end_at_their_deadline_while_all_are_down_and_recover_soon_after() {
    on_a_cluster("all down", Versions::Newest, |mut cluster| async move {
        let backend = connect_with(config_of(&cluster).with_request_timeout(REQUEST_TIMEOUT)).await;
        backend.put(key(), "v".into()).await.unwrap();
        (0..3).for_each(|index| cluster.member_mut(index).kill().unwrap());
        // The first ones may meet connections that are just breaking, one for each member.
        let mut met = 0;
        while backend.put(key(), "v".into()).await.unwrap_err().is_maybe_applied() {
            met += 1;
            assert!(met <= 3, "connections break once");
        }
        let begin = Instant::now();
        let (write, read) = tokio::join!(backend.put(key(), "v".into()), backend.get(key()));
        let took = begin.elapsed();
        assert!((REQUEST_TIMEOUT..LATEST).contains(&took), "{took:?}");
        let (write, read) = (write.unwrap_err(), read.unwrap_err());
        assert!(write.is_retryable() && !write.is_maybe_applied(), "{write:?}");
        assert!(read.is_retryable(), "{read:?}");
        for endpoint in cluster.endpoints() {
            assert!(write.message().contains(&endpoint) && read.message().contains(&endpoint), "{write:?}");
        }

        (0..3).for_each(|index| cluster.member_mut(index).launch().unwrap());
        tokio::task::block_in_place(|| cluster.wait_for_leader(Duration::from_secs(10)).unwrap());
        let begin = Instant::now();
        while let Err(error) = backend.put(key(), "v".into()).await {
            assert!(begin.elapsed() < Duration::from_secs(2), "{error:?}");
        }
        println!("the first write {:?} after there was a leader", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_among_the_endpoints_is_given_up_soon() {
    support::on_each_etcd("black hole", |etcd| async move {
        let hole = SynBlackHole::start().unwrap();
        let config = EtcdConfig::builder([hole.endpoint(), etcd.endpoint()]).with_prefix("/test");
        let config = config.with_request_timeout(REQUEST_TIMEOUT).build().unwrap();
        let begin = Instant::now();
        let backend = EtcdBackend::connect(&config).await.unwrap();
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(500), "{took:?}");
        for _ in 0..3 {
            let begin = Instant::now();
            backend.put(key(), "v".into()).await.unwrap();
            backend.get(key()).await.unwrap();
            let took = begin.elapsed();
            assert!(took < Duration::from_millis(500), "{took:?}");
            // Longer than an answer counts.
            sleep(Duration::from_millis(1100)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_to_black_holes_alone_ends_at_the_dial_timeout() {
    let holes = [SynBlackHole::start().unwrap(), SynBlackHole::start().unwrap()];
    let config = EtcdConfig::builder(holes.iter().map(SynBlackHole::endpoint));
    let config = config.with_dial_timeout(Duration::from_secs(1)).build().unwrap();
    let begin = Instant::now();
    let error = EtcdBackend::connect(&config).await.unwrap_err();
    let took = begin.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    assert!(matches!(error.kind(), BackendErrorKind::Timeout | BackendErrorKind::Unavailable), "{error:?}");
    assert!(holes.iter().all(|hole| error.message().contains(&hole.endpoint())), "{error:?}");
}
