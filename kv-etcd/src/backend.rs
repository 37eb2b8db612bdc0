use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnReply, WatchStream,
};

use crate::cluster::Cluster;
use crate::{EtcdConfig, EtcdHealth, lease, range, txn, watch};

/// A connection to an etcd cluster.
///
/// Clones share the connection. It belongs to the Tokio runtime in which it was made, and ends with it or with the last
/// clone.
#[derive(Clone)]
pub struct EtcdBackend {
    cluster: Cluster,
    config: EtcdConfig,
}

impl EtcdBackend {
    /// Connects to the cluster: waits until one of the endpoints has answered a read.
    ///
    /// It uses all settings but the lock timeout and the Caddyfile, which are for those who lock and who load it.
    ///
    /// Dropping the future is safe.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, at once, when a file of the TLS settings is missing or is not what it should be, or when there
    /// are TLS settings and no `https` endpoint. Otherwise within the dial timeout, and the message names each endpoint,
    /// what was wrong with it and what to check:
    /// - `Unavailable` or `Timeout` when no endpoint answers; `Unavailable`, and not worth another attempt, when what
    ///   answers is not the server that it should be (its certificate is of another authority, for another name, or has
    ///   expired) or speaks TLS where it should not, or the reverse;
    /// - `Unauthenticated` when the server does not accept us: our certificate, or user name and password;
    /// - `PermissionDenied` when the user may not read the prefix.
    pub async fn connect(config: &EtcdConfig) -> Result<Self, BackendError> {
        Ok(Self { cluster: Cluster::connect(config).await?, config: config.clone() })
    }

    /// Asks every member how it is, all at once. It takes no longer than the dial timeout, and changes nothing: neither in
    /// the store nor about which members are used.
    ///
    /// Dropping the future is safe.
    pub async fn health(&self) -> EtcdHealth {
        self.cluster.health().await
    }
}

#[async_trait]
impl KvBackend for EtcdBackend {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        request.range.check()?;
        let call = self.cluster.call("range");
        call.run(call.read(|attempt| range::page(attempt, request.clone()))).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        txn.check(&self.limits())?;
        let call = self.cluster.call("txn");
        call.run(txn::run(&call, txn, &self.config)).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        let call = self.cluster.call("grant");
        call.run(lease::grant(&call, ttl)).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let call = self.cluster.call("keep_alive");
        call.run(call.read(|attempt| lease::keep_alive(attempt, lease))).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let call = self.cluster.call("time_to_live");
        call.run(call.read(|attempt| lease::time_to_live(attempt, lease))).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        let call = self.cluster.call("revoke");
        call.run(lease::revoke(&call, lease)).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        range.check()?;
        let call = self.cluster.call("watch");
        call.run(watch::open(&call, range, after)).await
    }
}

impl fmt::Debug for EtcdBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdBackend").field("config", &self.config).finish_non_exhaustive()
    }
}
