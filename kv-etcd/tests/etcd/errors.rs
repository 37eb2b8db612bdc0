//! Errors that real servers give are mapped to what they mean. (Sizes have a test of their own.)

use std::time::Duration;

use futures::StreamExt;
use storage_core::kv::{
    BackendError, BackendErrorKind, Consistency, Key, KeyRange, KvBackend, KvBackendExt, LeaseId, Op,
    RangeRequest, Revision, Txn,
};

use crate::support;

fn key() -> Key {
    Key::new("/test/k")
}

fn assert_definite(error: &BackendError, kind: BackendErrorKind) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(!error.is_maybe_applied() && !error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn revisions_that_are_gone_or_yet_to_come() {
    support::on_each_etcd("revisions", |etcd| async move {
        let backend = support::connect(&etcd).await;
        let mut newest = Revision::ZERO;
        for value in ["1", "2", "3"] {
            newest = backend.put(key(), value.into()).await.unwrap();
        }
        etcd.etcdctl(&["compact", &newest.to_string()]).unwrap();
        let at = |revision| RangeRequest::new(KeyRange::single(key())).with_revision(revision);

        let gone = Revision(newest.0 - 1);
        for revision in [Revision::ZERO, gone] {
            let error = backend.range(at(revision)).await.unwrap_err();
            assert_definite(&error, BackendErrorKind::Compacted);
            let mut watch =
                backend.watch(KeyRange::single(key()), Revision(revision.0.saturating_sub(1))).await.unwrap();
            assert_definite(&watch.next().await.unwrap().unwrap_err(), BackendErrorKind::Compacted);
            assert!(watch.next().await.is_none(), "an error is the last item");
        }
        assert_eq!(backend.range(at(newest)).await.unwrap().entries[0].value, "3");

        for revision in [Revision(newest.0 + 1), Revision(u64::MAX)] {
            for consistency in [Consistency::Linearizable, Consistency::Serializable] {
                let request = at(revision).with_consistency(consistency);
                let error = backend.range(request).await.unwrap_err();
                assert_definite(&error, BackendErrorKind::FutureRevision);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn leases_that_are_not_there() {
    support::on_each_etcd("leases", |etcd| async move {
        let backend = support::connect(&etcd).await;
        let ended = backend.grant(Duration::from_secs(60)).await.unwrap().id;
        backend.revoke(ended).await.unwrap();
        for lease in [ended, LeaseId::new(4711).unwrap()] {
            let put = Txn::new().then(Op::Put { key: key(), value: "v".into(), lease: Some(lease) });
            assert_definite(&backend.txn(put).await.unwrap_err(), BackendErrorKind::LeaseNotFound);
            assert_definite(&backend.keep_alive(lease).await.unwrap_err(), BackendErrorKind::LeaseNotFound);
            assert_definite(&backend.time_to_live(lease).await.unwrap_err(), BackendErrorKind::LeaseNotFound);
            assert_definite(&backend.revoke(lease).await.unwrap_err(), BackendErrorKind::LeaseNotFound);
        }
        assert_eq!(backend.get(key()).await.unwrap(), None);
        let error = backend.grant(Duration::MAX).await.unwrap_err();
        assert_definite(&error, BackendErrorKind::TooLarge);
    })
    .await;
}

#[tokio::test]
async fn a_full_database() {
    let tiny = |etcd: etcd_process::EtcdBuilder| etcd.with_flag("--quota-backend-bytes=1048576");
    support::on_each_etcd_with("full database", tiny, |etcd| async move {
        let backend = support::connect(&etcd).await;
        let value = bytes::Bytes::from(vec![0; 100_000]);
        // The server measures its database every 100 ms; a fast one takes many more puts than the quota until then.
        let filled = async {
            loop {
                if let Err(error) = backend.put(key(), value.clone()).await {
                    return error;
                }
            }
        };
        let error = tokio::time::timeout(Duration::from_secs(20), filled).await;
        let error = error.expect("a quota of 1 MiB does not let puts of 100 kB pass for ever");
        assert_eq!(error.kind(), BackendErrorKind::NoSpace, "{error:?}");
        assert!(error.is_maybe_applied() && !error.is_retryable(), "{error:?}");
        // Reading still works, and so does deleting, but in a transaction only since 3.5.7 and 3.4.23 or so (etcd#13429).
        backend.get(key()).await.unwrap();
        match backend.txn(Txn::new().then(Op::Delete(key()))).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), BackendErrorKind::NoSpace, "{error:?}");
                let patch =
                    etcd.binary().version.strip_prefix("3.5.").and_then(|patch| patch.parse::<u32>().ok());
                assert!(patch.is_some_and(|patch| patch < 7), "{error:?}");
            }
        }
        let refused = backend.grant(Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(refused.kind(), BackendErrorKind::NoSpace, "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_server_with_users_that_does_not_know_us() {
    support::on_each_etcd("users", |etcd| async move {
        let backend = support::connect(&etcd).await;
        for command in ["user add root:secret", "user grant-role root root", "auth enable"] {
            etcd.etcdctl(&command.split(' ').collect::<Vec<_>>()).unwrap();
        }
        let error = backend.put(key(), "v".into()).await.unwrap_err();
        assert_definite(&error, BackendErrorKind::Unauthenticated);
        let config = support::config(&etcd).build().unwrap();
        let error = kv_etcd::EtcdBackend::connect(&config).await.unwrap_err();
        assert_definite(&error, BackendErrorKind::Unauthenticated);
        let error = match backend.watch(KeyRange::single(key()), Revision::ZERO).await {
            Ok(mut watch) => watch.next().await.unwrap().unwrap_err(),
            Err(error) => error,
        };
        assert_ne!(error.kind(), BackendErrorKind::Internal, "{error:?}");
    })
    .await;
}
