//! Every call ends by its deadline while the server is stopped, and says whether it may have been applied.

use std::future::Future;
use std::time::Duration;

use storage_core::kv::{
    BackendError, BackendErrorKind, Compare, Key, KeyRange, KvBackend, KvBackendExt, RangeRequest, Revision,
    Txn,
};
use tokio::time::Instant;

use crate::support;

const TIMEOUT: Duration = Duration::from_secs(1);

async fn assert_ends_in_time<T>(
    what: &str,
    call: impl Future<Output = Result<T, BackendError>>,
) -> BackendError {
    let begin = Instant::now();
    let error = call.await.err().unwrap_or_else(|| panic!("{what} was answered by a stopped server"));
    let took = begin.elapsed();
    assert!(took < TIMEOUT + Duration::from_millis(250), "{what} took {took:?}");
    assert_eq!(error.kind(), BackendErrorKind::Timeout, "{what}: {error:?}");
    assert!(error.is_retryable(), "{what}: {error:?}");
    error
}

#[tokio::test]
async fn every_call_ends_by_its_deadline_while_the_server_is_stopped() {
    support::on_each_etcd("deadline", |etcd| async move {
        let backend = support::connect_with(support::config(&etcd).with_request_timeout(TIMEOUT)).await;
        let lease = backend.grant(Duration::from_secs(60)).await.unwrap().id;
        let key = || Key::new("/test/k");
        etcd.pause().unwrap();
        // The server has answered a moment ago.
        let sent = assert_ends_in_time("put", backend.put(key(), "v".into())).await;
        assert!(sent.is_maybe_applied(), "{sent:?}");
        assert_ends_in_time("range", backend.range(RangeRequest::new(KeyRange::single(key())))).await;
        // Now it is known to be silent.
        let not_sent = assert_ends_in_time("second put", backend.put(key(), "v".into())).await;
        assert!(!not_sent.is_maybe_applied(), "{not_sent:?}");
        assert!(not_sent.message().contains(&etcd.endpoint()), "{not_sent:?}");
        assert_ends_in_time("compare", backend.txn(Txn::new().when(Compare::Absent(key())))).await;
        assert_ends_in_time("grant", backend.grant(Duration::from_secs(60))).await;
        assert_ends_in_time("keep alive", backend.keep_alive(lease)).await;
        assert_ends_in_time("time to live", backend.time_to_live(lease)).await;
        assert_ends_in_time("watch", backend.watch(KeyRange::single(key()), Revision::ZERO)).await;
        assert_ends_in_time("revoke", backend.revoke(lease)).await;
        etcd.resume().unwrap();
        // The connection survives.
        backend.get(key()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_watch_on_a_stopped_server_ends_by_keep_alive() {
    support::on_each_etcd("watch keep-alive", |etcd| async move {
        let second = Duration::from_secs(1);
        let config = support::config(&etcd).with_keepalive_time(second).with_keepalive_timeout(second);
        let backend = support::connect_with(config).await;
        let mut watch = backend.watch(KeyRange::prefix("/test/"), Revision::ZERO).await.unwrap();
        etcd.pause().unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(15), futures::StreamExt::next(&mut watch));
        let error = ended.await.expect("the watch ends").expect("with an item").unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error:?}");
        assert!(error.is_retryable());
        assert!(futures::StreamExt::next(&mut watch).await.is_none(), "an error is the last item");
        etcd.resume().unwrap();
    })
    .await;
}
