//! The contract's own suite, on every version of etcd that is installed.
#![allow(clippy::unwrap_used, reason = "a harness that fails fails the case")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use etcd_client::{Client, DeleteOptions};
use etcd_process::{EtcdBinary, EtcdProcess};
use kv_etcd::{EtcdBackend, EtcdConfig};
use storage_conformance::{Harness, TestStore, Time};
use storage_core::kv::{KvBackend, Revision};

fn main() -> ExitCode {
    let mut harnesses: Vec<Arc<dyn Harness>> = Vec::new();
    for binary in EtcdBinary::find_all() {
        harnesses.push(Arc::new(Etcd { binary, idle: Arc::default(), cases: AtomicU64::new(0) }));
    }
    if harnesses.is_empty() {
        harnesses.push(Arc::new(NoEtcd));
    }
    storage_conformance::run(harnesses)
}

/// Servers of one version. Each serves one case at a time; there are as many as there were cases at once.
struct Etcd {
    binary: EtcdBinary,
    idle: Arc<Mutex<Vec<EtcdProcess>>>,
    cases: AtomicU64,
}

#[async_trait]
impl Harness for Etcd {
    fn name(&self) -> String {
        format!("etcd-{}", self.binary.version)
    }

    fn time(&self) -> Time {
        Time::Real
    }

    fn missing(&self) -> Option<String> {
        None
    }

    async fn fresh(&self) -> Box<dyn TestStore> {
        let idle = self.idle.lock().unwrap().pop();
        let etcd = match idle {
            Some(etcd) => etcd,
            None => EtcdProcess::start(&self.binary).unwrap(),
        };
        clear(&etcd).await;
        let number = self.cases.fetch_add(1, Ordering::Relaxed);
        Box::new(Store { etcd: Some(etcd), idle: Arc::clone(&self.idle), prefix: format!("/case-{number}/") })
    }
}

/// Removes what the case before has left: a lease of its that ends would change the store under the next case.
async fn clear(etcd: &EtcdProcess) {
    let mut client = Client::connect([etcd.endpoint()], None).await.unwrap();
    let leases = client.leases().await.unwrap();
    for lease in leases.leases() {
        // It may have ended by itself just now.
        let _ = client.lease_revoke(lease.id()).await;
    }
    client.delete("", Some(DeleteOptions::new().with_all_keys())).await.unwrap();
}

/// A server in the hands of a case.
struct Store {
    /// Always there until it is given back.
    etcd: Option<EtcdProcess>,
    idle: Arc<Mutex<Vec<EtcdProcess>>>,
    prefix: String,
}

impl Store {
    fn endpoint(&self) -> String {
        self.etcd.as_ref().expect("not given back yet").endpoint()
    }
}

#[async_trait]
impl TestStore for Store {
    async fn client(&self) -> Arc<dyn KvBackend> {
        let config = EtcdConfig::builder([self.endpoint()]).with_prefix(&self.prefix).build().unwrap();
        Arc::new(EtcdBackend::connect(&config).await.unwrap())
    }

    fn prefix(&self) -> String {
        self.prefix.clone()
    }

    async fn compact(&self, revision: Revision) {
        let mut client = Client::connect([self.endpoint()], None).await.unwrap();
        client.compact(i64::try_from(revision.0).unwrap(), None).await.unwrap();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.idle.lock().unwrap().extend(self.etcd.take());
    }
}

/// Stands for all versions where none is installed, so that the report says so.
struct NoEtcd;

#[async_trait]
impl Harness for NoEtcd {
    fn name(&self) -> String {
        "etcd".to_owned()
    }

    fn time(&self) -> Time {
        Time::Real
    }

    fn missing(&self) -> Option<String> {
        Some("no etcd was found; ETCD_BIN can name one".to_owned())
    }

    async fn fresh(&self) -> Box<dyn TestStore> {
        unreachable!("a harness that is missing runs no case")
    }
}
