//! What the tests here have in common: a real etcd of each version that is installed.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod load;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use etcd_process::{EtcdBinary, EtcdBuilder, EtcdCluster, EtcdProcess};
use kv_etcd::{EtcdBackend, EtcdConfig, EtcdConfigBuilder};
use storage_core::kv::{Key, KeyRange, KvBackend, Op, RangeRequest, Txn};
use tracing_subscriber::fmt::MakeWriter;

/// Runs a test against each version of etcd.
pub(crate) async fn on_each_etcd<F: Future<Output = ()>>(test: &str, body: impl Fn(EtcdProcess) -> F) {
    on_each_etcd_with(test, |etcd| etcd, body).await;
}

/// Runs a test against each version of etcd, started with these settings.
pub(crate) async fn on_each_etcd_with<F: Future<Output = ()>>(
    test: &str,
    settings: impl Fn(EtcdBuilder) -> EtcdBuilder,
    body: impl Fn(EtcdProcess) -> F,
) {
    for binary in EtcdBinary::find_all_for_test(test) {
        println!("{test}: etcd {}", binary.version);
        body(settings(EtcdProcess::builder(&binary)).start().unwrap()).await;
    }
}

/// The etcd programs of a test to which versions make a difference, or the newest one.
#[derive(Clone, Copy)]
pub(crate) enum Versions {
    Each,
    Newest,
}

/// Runs a test against a cluster of three with a proxy before each member.
pub(crate) async fn on_a_cluster<F: Future<Output = ()>>(
    test: &str,
    versions: Versions,
    body: impl Fn(EtcdCluster) -> F,
) {
    let mut binaries = EtcdBinary::find_all_for_test(test);
    if let Versions::Newest = versions {
        binaries.drain(..binaries.len().saturating_sub(1));
    }
    for binary in binaries {
        println!("{test}: etcd {}", binary.version);
        let cluster = EtcdCluster::builder(&binary).with_proxies().with_flag("--strict-reconfig-check=false");
        body(cluster.start().unwrap()).await;
    }
}

/// Settings for such a cluster. It is not asked for its members, so that the endpoints are the proxies and stay so.
pub(crate) fn config_of(cluster: &EtcdCluster) -> EtcdConfigBuilder {
    let seldom = Duration::from_secs(3600);
    EtcdConfig::builder(cluster.endpoints()).with_prefix("/test").with_auto_sync_interval(seldom)
}

/// The member that this client prefers: the one that its reads go to.
pub(crate) async fn preferred(backend: &EtcdBackend, cluster: &EtcdCluster) -> usize {
    let sent = || {
        let to_server = etcd_process::Direction::ToServer;
        (0..cluster.len()).map(|index| cluster.proxy(index).forwarded(to_server)).collect::<Vec<_>>()
    };
    let before = sent();
    for _ in 0..50 {
        backend.range(RangeRequest::new(KeyRange::single(Key::new("/test/preferred")))).await.unwrap();
    }
    let after = sent();
    (0..cluster.len()).max_by_key(|&index| after[index] - before[index]).unwrap()
}

/// A client that prefers a member of this kind.
pub(crate) async fn connect_to_one(
    cluster: &EtcdCluster,
    config: impl Fn() -> EtcdConfigBuilder,
    is_wanted: impl Fn(usize) -> bool,
) -> EtcdBackend {
    for _ in 0..100 {
        let backend = connect_with(config()).await;
        if is_wanted(preferred(&backend, cluster).await) {
            return backend;
        }
    }
    panic!("of 100 clients none prefers a member of that kind");
}

pub(crate) fn config(etcd: &EtcdProcess) -> EtcdConfigBuilder {
    EtcdConfig::builder([etcd.endpoint()]).with_prefix("/test")
}

pub(crate) async fn connect(etcd: &EtcdProcess) -> EtcdBackend {
    connect_with(config(etcd)).await
}

pub(crate) async fn connect_with(config: EtcdConfigBuilder) -> EtcdBackend {
    EtcdBackend::connect(&config.build().unwrap()).await.unwrap()
}

/// Puts many keys with one value, in as few transactions as the server allows.
pub(crate) async fn fill(backend: &EtcdBackend, keys: impl IntoIterator<Item = Key>, value: &Bytes) {
    let per_txn = (1_000_000 / (value.len() + 100)).clamp(1, 128);
    let keys: Vec<_> = keys.into_iter().collect();
    for keys in keys.chunks(per_txn) {
        let puts = keys.iter().map(|key| Op::Put { key: key.clone(), value: value.clone(), lease: None });
        backend.txn(puts.fold(Txn::new(), Txn::then)).await.unwrap();
    }
}

/// The flag with which a server hands out JSON web tokens that are good for so long. Unlike its own kind they become old
/// with every change of users and roles.
pub(crate) fn web_tokens(key: &Path, ttl: &str) -> String {
    format!("--auth-token=jwt,priv-key={},sign-method=HS256,ttl={ttl}", key.display())
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that was written to it.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    pub(crate) fn add(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }
}

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
