//! The contract's own suite, on every version of etcd that is installed: on the newest with TLS, with a certificate of ours,
//! and as a user who may do nothing outside of the prefix; on the others, or if there is no other, without all that.
#![allow(clippy::unwrap_used, reason = "a harness that fails fails the case")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use etcd_client::{Client, ConnectOptions, DeleteOptions};
use etcd_process::{CertificateFiles, EtcdBinary, EtcdProcess, EtcdTls, TestAuthority, TestCertificate};
use kv_etcd::{EtcdBackend, EtcdConfig, EtcdConfigBuilder};
use storage_conformance::{Column, Harness, TestStore, Time};
use storage_core::kv::{KvBackend, Revision};

fn main() -> ExitCode {
    let mut harnesses: Vec<Arc<dyn Harness>> = Vec::new();
    let mut plain = EtcdBinary::find_all();
    if let Some(newest) = if plain.len() > 1 { plain.pop() } else { plain.last().cloned() } {
        harnesses.push(Arc::new(Etcd::new(newest, Some(Guard::new()))));
    }
    for binary in plain {
        harnesses.push(Arc::new(Etcd::new(binary, None)));
    }
    if harnesses.is_empty() {
        harnesses.push(Arc::new(NoEtcd));
    }
    // One is enough for what only the tree does differently.
    let shared = harnesses.last().cloned().map(Column::caddy_etcd);
    storage_conformance::run(harnesses.into_iter().map(Column::from).chain(shared))
}

/// Servers of one version. Each serves one case at a time; there are as many as there were cases at once.
struct Etcd {
    binary: EtcdBinary,
    guard: Option<Arc<Guard>>,
    idle: Arc<Mutex<Vec<EtcdProcess>>>,
    cases: AtomicU64,
}

impl Etcd {
    fn new(binary: EtcdBinary, guard: Option<Guard>) -> Self {
        Self { binary, guard: guard.map(Arc::new), idle: Arc::default(), cases: AtomicU64::new(0) }
    }

    fn start(&self) -> EtcdProcess {
        match &self.guard {
            None => EtcdProcess::start(&self.binary).unwrap(),
            Some(guard) => guard.start(&self.binary),
        }
    }
}

/// Who may do what on a server with TLS and users.
struct Guard {
    authority: TestAuthority,
    server: CertificateFiles,
    client: CertificateFiles,
}

impl Guard {
    const USER: &str = "tester";
    const PASSWORD: &str = "password";
    const ROOT_PASSWORD: &str = "root-password";

    fn new() -> Self {
        let authority = TestAuthority::new().unwrap();
        let server = authority.issue(TestCertificate::server()).unwrap();
        // The name is nobody's: it is the password that counts.
        let client = authority.issue(TestCertificate::client("client")).unwrap();
        Self { authority, server, client }
    }

    fn start(&self, binary: &EtcdBinary) -> EtcdProcess {
        let tls = EtcdTls::new(&self.server).with_client_authority(self.authority.ca());
        // There are cases with hundreds of clients; with the usual cost to check a password they take minutes.
        let etcd = EtcdProcess::builder(binary).with_tls(tls).with_flag("--bcrypt-cost=4");
        let mut etcd = etcd.start().unwrap();
        etcd.enable_auth(Self::ROOT_PASSWORD).unwrap();
        etcd.add_user(Self::USER, Self::PASSWORD, CASE_PREFIX).unwrap();
        etcd
    }

    fn apply(&self, config: EtcdConfigBuilder) -> EtcdConfigBuilder {
        config
            .with_tls_ca(self.authority.ca())
            .with_tls_cert(&self.client.cert)
            .with_tls_key(&self.client.key)
            .with_username(Self::USER)
            .with_password(Self::PASSWORD)
    }
}

/// What the prefixes of all cases begin with.
const CASE_PREFIX: &str = "/case-";

#[async_trait]
impl Harness for Etcd {
    fn name(&self) -> String {
        let with = if self.guard.is_some() { "-tls-auth" } else { "" };
        format!("etcd-{}{with}", self.binary.version)
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
            None => self.start(),
        };
        let guard = self.guard.clone();
        let mut admin = admin(&etcd, guard.as_deref()).await;
        clear(&mut admin).await;
        let number = self.cases.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{CASE_PREFIX}{number}/");
        Box::new(Store { etcd: Some(etcd), guard, admin, idle: Arc::clone(&self.idle), prefix })
    }
}

/// A client that may do everything, through the port without encryption.
async fn admin(etcd: &EtcdProcess, guard: Option<&Guard>) -> Client {
    let options = guard.map(|_| ConnectOptions::new().with_user("root", Guard::ROOT_PASSWORD));
    Client::connect([etcd.plain_endpoint()], options).await.unwrap()
}

/// Removes what the case before has left: a lease of its that ends would change the store under the next case.
async fn clear(client: &mut Client) {
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
    guard: Option<Arc<Guard>>,
    admin: Client,
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
        let config = EtcdConfig::builder([self.endpoint()]).with_prefix(&self.prefix);
        let config = match &self.guard {
            None => config,
            Some(guard) => guard.apply(config),
        };
        Arc::new(EtcdBackend::connect(&config.build().unwrap()).await.unwrap())
    }

    fn prefix(&self) -> String {
        self.prefix.clone()
    }

    async fn compact(&self, revision: Revision) {
        self.admin.clone().compact(i64::try_from(revision.0).unwrap(), None).await.unwrap();
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
