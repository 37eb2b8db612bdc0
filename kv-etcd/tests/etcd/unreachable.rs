//! When nobody answers, connecting ends within the dial timeout with an error that names the endpoints; a cluster of
//! which one member answers is connected to.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use kv_etcd::{EtcdBackend, EtcdConfig};
use storage_core::kv::{BackendErrorKind, Key, KvBackendExt};
use tokio::time::Instant;

use crate::support;

const DIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// An address at which nobody listens.
fn dead_endpoint() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn dead_endpoints_are_named() {
    let (one, two) = (dead_endpoint(), dead_endpoint());
    let config = EtcdConfig::builder([&one, &two]).with_dial_timeout(DIAL_TIMEOUT).build().unwrap();
    let begin = Instant::now();
    let error = EtcdBackend::connect(&config).await.unwrap_err();
    assert!(begin.elapsed() < DIAL_TIMEOUT + Duration::from_millis(500), "{:?}", begin.elapsed());
    assert_eq!(error.kind(), BackendErrorKind::Unavailable);
    assert!(error.is_retryable() && !error.is_maybe_applied());
    for named in [&one, &two] {
        assert!(error.message().contains(named.as_str()), "{error}");
    }
    assert!(error.message().to_lowercase().contains("connection refused"), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_accepts_and_says_nothing_is_given_up_at_the_dial_timeout() {
    // The kernel completes the connection; no program ever reads from it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let config = EtcdConfig::builder([&endpoint]).with_dial_timeout(DIAL_TIMEOUT).build().unwrap();
    let begin = Instant::now();
    let error = EtcdBackend::connect(&config).await.unwrap_err();
    let took = begin.elapsed();
    assert!((DIAL_TIMEOUT..DIAL_TIMEOUT + Duration::from_millis(500)).contains(&took), "{took:?}");
    assert_eq!(error.kind(), BackendErrorKind::Timeout);
    assert!(error.message().contains(&endpoint), "{error}");
}

#[tokio::test]
async fn one_member_that_answers_is_enough_to_connect() {
    support::on_each_etcd("one of two endpoints", |etcd| async move {
        let config = EtcdConfig::builder([dead_endpoint(), etcd.endpoint()]);
        let config = config.with_dial_timeout(DIAL_TIMEOUT).build().unwrap();
        EtcdBackend::connect(&config).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_call_to_a_server_that_is_gone_was_not_applied_and_can_be_repeated() {
    support::on_each_etcd("server gone", |mut etcd| async move {
        let backend = support::connect_with(support::config(&etcd).with_request_timeout(DIAL_TIMEOUT)).await;
        let put = || backend.put(Key::new("/test/k"), "v".into());
        put().await.unwrap();
        etcd.kill().unwrap();
        // The first call may still meet the old connection; one that has to connect is known not to have been sent.
        let mut error = put().await.unwrap_err();
        let deadline = Instant::now() + Duration::from_secs(10);
        while error.is_maybe_applied() {
            assert!(Instant::now() < deadline, "{error:?}");
            error = put().await.unwrap_err();
        }
        assert_eq!(error.kind(), BackendErrorKind::Unavailable);
        assert!(error.is_retryable());
        etcd.restart().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Err(error) = put().await {
            assert!(error.is_retryable() && Instant::now() < deadline, "{error:?}");
        }
    })
    .await;
}
