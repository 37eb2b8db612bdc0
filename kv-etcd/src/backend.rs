use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnReply, WatchStream,
};

use crate::connect::connect;
use crate::deadline::within;
use crate::link::Link;
use crate::{EtcdConfig, lease, range, txn, watch};

/// A connection to an etcd cluster.
///
/// Clones share the connection. It belongs to the Tokio runtime in which it was made, and ends with it.
#[derive(Clone)]
pub struct EtcdBackend {
    link: Link,
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
    /// `InvalidRequest`, at once, when a file of the TLS settings is missing or is not what it should be, or when there
    /// are TLS settings and no `https` endpoint. Otherwise within the dial timeout, and the message names each endpoint,
    /// what was wrong with it and what to check:
    /// - `Unavailable` or `Timeout` when no endpoint answers; `Unavailable`, and not worth another attempt, when what
    ///   answers is not the server that it should be (its certificate is of another authority, for another name, or has
    ///   expired) or speaks TLS where it should not, or the reverse;
    /// - `Unauthenticated` when the server does not accept us: our certificate, or user name and password;
    /// - `PermissionDenied` when the user may not read the prefix.
    pub async fn connect(config: &EtcdConfig) -> Result<Self, BackendError> {
        Ok(Self { link: connect(config).await?, config: config.clone() })
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
        let page = self.link.call(|handles| range::page(handles.kv, request.clone()));
        within(self.timeout(), "range", page).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        txn.check(&self.limits())?;
        let run = self.link.call(|handles| txn::run(handles.kv, txn.clone(), &self.config));
        within(self.timeout(), "transaction", run).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        let timeout = self.timeout();
        let grant = self.link.call(|handles| lease::grant(handles.lease, ttl, timeout));
        within(self.timeout(), "grant", grant).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let renew = self.link.call(|handles| lease::keep_alive(handles.lease, lease));
        within(self.timeout(), "keep alive", renew).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let ask = self.link.call(|handles| lease::time_to_live(handles.lease, lease));
        within(self.timeout(), "time to live", ask).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        let revoke = self.link.call(|handles| lease::revoke(handles.lease, lease));
        within(self.timeout(), "revoke", revoke).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        range.check()?;
        let open = self.link.call(|handles| watch::open(handles.watch, range.clone(), after));
        within(self.timeout(), "watch", open).await
    }
}

impl fmt::Debug for EtcdBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdBackend").field("config", &self.config).finish_non_exhaustive()
    }
}
