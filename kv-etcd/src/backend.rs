use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnReply, WatchStream,
};

use crate::connect::{Channel, connect};
use crate::deadline::within;
use crate::{EtcdConfig, lease, range, txn, watch};

/// A connection to an etcd cluster.
///
/// Clones share the connection. It belongs to the Tokio runtime in which it was made, and ends with it.
#[derive(Clone)]
pub struct EtcdBackend {
    channel: Channel,
    config: EtcdConfig,
}

impl EtcdBackend {
    /// Connects to the cluster: waits until one of the endpoints has answered a read.
    ///
    /// It uses the endpoints, the prefix, the dial, keepalive and request timeouts, and the limits. It does not use yet
    /// the auto-sync interval and what to do about old clusters. The lock timeout and the Caddyfile are for those who
    /// lock and who load it.
    ///
    /// Dropping the future is safe.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, at once, when the settings ask for what is not supported yet: `https` endpoints, TLS, a user.
    /// `Unavailable` or `Timeout`, within the dial timeout, when no endpoint answers; `PermissionDenied` or
    /// `Unauthenticated` when one answers and refuses. The message names each endpoint and what was wrong with it.
    pub async fn connect(config: &EtcdConfig) -> Result<Self, BackendError> {
        Ok(Self { channel: connect(config).await?, config: config.clone() })
    }

    fn timeout(&self) -> Duration {
        self.config.request_timeout()
    }
}

#[async_trait]
impl KvBackend for EtcdBackend {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        request.range.check()?;
        within(self.timeout(), "range", range::page(self.channel.kv.clone(), request)).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        txn.check(&self.limits())?;
        let run = txn::run(self.channel.kv.clone(), txn, &self.config);
        within(self.timeout(), "transaction", run).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        let grant = lease::grant(&self.channel.lease, ttl, self.timeout());
        within(self.timeout(), "grant", grant).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        within(self.timeout(), "keep alive", lease::keep_alive(self.channel.lease.clone(), lease)).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let ask = lease::time_to_live(self.channel.lease.clone(), lease);
        within(self.timeout(), "time to live", ask).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        within(self.timeout(), "revoke", lease::revoke(self.channel.lease.clone(), lease)).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        range.check()?;
        within(self.timeout(), "watch", watch::open(self.channel.watch.clone(), range, after)).await
    }
}

impl fmt::Debug for EtcdBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdBackend").field("config", &self.config).finish_non_exhaustive()
    }
}
