//! A store that comes back with older data is noticed: it is not used, or it is and watches begin anew.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use etcd_process::EtcdProcess;
use futures::StreamExt;
use kv_etcd::{EtcdBackend, OldClusters};
use storage_core::kv::{BackendErrorKind, Key, KeyRange, KvBackend, KvBackendExt, Revision};
use tokio::time::timeout;

use crate::support;

fn key() -> Key {
    Key::new("/test/k")
}

/// Where its data are. It says so only while it runs.
fn data_folder(etcd: &EtcdProcess) -> PathBuf {
    let command = std::fs::read(format!("/proc/{}/cmdline", etcd.pid().unwrap())).unwrap();
    let command = String::from_utf8_lossy(&command).into_owned();
    command.split('\0').find_map(|argument| argument.strip_prefix("--data-dir=")).unwrap().into()
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Writes, and then lets the server come back as it was before. Answers the last revision.
async fn go_back(etcd: &mut EtcdProcess, backend: &EtcdBackend) -> Revision {
    let data = data_folder(etcd);
    let backup = data.with_extension("backup");
    etcd.kill().unwrap();
    copy(&data, &backup);
    tokio::task::block_in_place(|| etcd.restart().unwrap());
    let mut newest = Revision::ZERO;
    for _ in 0..20 {
        newest = backend.put(key(), "later".into()).await.unwrap();
    }
    etcd.kill().unwrap();
    copy(&backup, &data);
    tokio::task::block_in_place(|| etcd.restart().unwrap());
    newest
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_it_is_not_used() {
    support::on_each_etcd("old data", |mut etcd| async move {
        let config = || support::config(&etcd).with_request_timeout(Duration::from_secs(2));
        let (backend, config) = (support::connect_with(config()).await, config());
        backend.put(key(), "before".into()).await.unwrap();
        let newest = go_back(&mut etcd, &backend).await;
        // If it has come back within a second it is written to before it is looked at: then the error says so.
        let write = backend.put(key(), "v".into()).await.unwrap_err();
        let read = backend.get(key()).await.unwrap_err();
        let watch = backend.watch(KeyRange::single(key()), newest).await.err().unwrap();
        for error in [write, read, watch] {
            assert_eq!(error.kind(), BackendErrorKind::Unavailable);
            assert!(error.message().contains("its data is old: it is at revision"), "{error:?}");
        }
        // Who connects now knows nothing of what was lost.
        support::connect_with(config).await.put(key(), "v".into()).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn if_it_is_accepted_watches_must_begin_anew() {
    support::on_each_etcd("old data accepted", |mut etcd| async move {
        let backend =
            support::connect_with(support::config(&etcd).with_old_clusters(OldClusters::Accepted)).await;
        backend.put(key(), "before".into()).await.unwrap();
        let newest = go_back(&mut etcd, &backend).await;
        assert_eq!(backend.get(key()).await.unwrap().unwrap().value, "before");
        let error = backend.watch(KeyRange::single(key()), newest).await.err().unwrap();
        assert_eq!(error.kind(), BackendErrorKind::Compacted, "{error:?}");
        // One after a revision that is yet to come waits for it.
        let future = Revision(newest.0 + 5);
        let mut watch = backend.watch(KeyRange::single(key()), future).await.unwrap();
        while backend.put(key(), "v".into()).await.unwrap() <= future {}
        let batch = timeout(Duration::from_secs(5), watch.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(batch.revision, Revision(future.0 + 1));
    })
    .await;
}
