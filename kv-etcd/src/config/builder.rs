use std::path::PathBuf;
use std::time::Duration;

use storage_core::kv::Limits;

use super::error::Problems;
use super::origin::Origins;
use super::setting::Setting;
use super::sources::Sources;
use super::{
    CaddyfileLoading, ConfigError, EtcdConfig, OldClusters, Secret, ServerVerification, TlsConfig, prefix,
    rules,
};

/// The settings of an [`EtcdConfig`] before they are checked.
#[derive(Clone, Debug)]
pub struct EtcdConfigBuilder {
    settings: EtcdConfig,
}

impl EtcdConfigBuilder {
    pub(super) fn new<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> Self {
        let settings = EtcdConfig {
            sources: Sources::default(),
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            prefix: "/caddy".to_owned(),
            lock_timeout: Duration::from_secs(5 * 60),
            caddyfile: None,
            caddyfile_loading: CaddyfileLoading::Enabled,
            tls: TlsConfig::default(),
            username: None,
            password: None,
            dial_timeout: Duration::from_secs(5),
            keepalive_time: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            auto_sync_interval: Duration::from_secs(5 * 60),
            request_timeout: Duration::from_secs(30),
            old_clusters: OldClusters::Rejected,
            max_request_bytes: Limits::ETCD_DEFAULTS.max_request_bytes,
            max_txn_ops: Limits::ETCD_DEFAULTS.max_txn_ops,
            max_requests_per_second: 0,
            request_burst: 200,
        };
        Self { settings }
    }

    /// These endpoints instead.
    pub(super) fn with_endpoints(mut self, endpoints: Vec<String>) -> Self {
        self.settings.endpoints = endpoints;
        self
    }

    /// What the keys of the tree begin with; `/caddy` by default. `\` becomes `/`, one slash stands in front, and it is
    /// cleaned like a path; an empty one is `/`, the whole store. One that climbs out with `..` is refused.
    ///
    /// Connecting reads a key in it, so that a user whose rights end at the prefix can connect.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// How long a lock outlives a holder that has stopped renewing it; 5 min by default, at least 1 s.
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.settings.lock_timeout = timeout;
        self
    }

    /// The file whose content becomes the Caddyfile in the store when there is none; none by default.
    pub fn with_caddyfile(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.caddyfile = Some(file.into());
        self
    }

    /// Whether Caddy may load its Caddyfile from the store; by default it may.
    pub fn with_caddyfile_loading(mut self, loading: CaddyfileLoading) -> Self {
        self.settings.caddyfile_loading = loading;
        self
    }

    /// The file with our certificate, in PEM; none by default. It needs a key.
    pub fn with_tls_cert(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.tls.cert = Some(file.into());
        self
    }

    /// The file with the private key of our certificate, in PEM; none by default. It needs a certificate.
    pub fn with_tls_key(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.tls.key = Some(file.into());
        self
    }

    /// The file with the authorities that may vouch for a server, in PEM; by default those of the system.
    pub fn with_tls_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.tls.ca = Some(file.into());
        self
    }

    /// The name that a server must prove to have; by default that in the endpoint.
    pub fn with_tls_server_name(mut self, name: impl Into<String>) -> Self {
        self.settings.tls.server_name = Some(name.into());
        self
    }

    /// Whether the certificate of a server is checked; by default it is.
    pub fn with_tls_verification(mut self, verification: ServerVerification) -> Self {
        self.settings.tls.verification = verification;
        self
    }

    /// Who we are to the cluster; nobody by default. It needs a password.
    pub fn with_username(mut self, name: impl Into<String>) -> Self {
        self.settings.username = Some(name.into());
        self
    }

    /// The password of that user; none by default. It needs a user name.
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.settings.password = Some(Secret::new(password));
        self
    }

    /// How long connecting may take; 5 s by default, at least 1 s.
    pub fn with_dial_timeout(mut self, timeout: Duration) -> Self {
        self.settings.dial_timeout = timeout;
        self
    }

    /// How long a connection with calls under way may be silent before the other end is asked whether it is there;
    /// 30 s by default, at least 1 s. A server answers questions more frequent than every 5 s by hanging up.
    pub fn with_keepalive_time(mut self, time: Duration) -> Self {
        self.settings.keepalive_time = time;
        self
    }

    /// How long the other end may take to answer that question before the connection is given up; 20 s by default, at
    /// least 1 s.
    pub fn with_keepalive_timeout(mut self, timeout: Duration) -> Self {
        self.settings.keepalive_timeout = timeout;
        self
    }

    /// How often the cluster is asked who its members are; every 5 min by default, at most every second.
    ///
    /// Members that have come are used too if they can be reached; in plain text only if an endpoint is. The endpoints
    /// given here are used always.
    pub fn with_auto_sync_interval(mut self, interval: Duration) -> Self {
        self.settings.auto_sync_interval = interval;
        self
    }

    /// How long a call may take, with all its attempts; 30 s by default, at least 1 s. While no member serves, every
    /// call takes as long.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.settings.request_timeout = timeout;
        self
    }

    /// What to do about members whose data is older than what was seen of it, as after the store was restored from a
    /// backup; by default they are not used, until there is a new connection.
    pub fn with_old_clusters(mut self, old_clusters: OldClusters) -> Self {
        self.settings.old_clusters = old_clusters;
        self
    }

    /// The largest request that the servers accept, in bytes, from 1 KiB to 64 MiB; 1.5 MiB by default, as is the
    /// servers' `--max-request-bytes`. Larger ones are refused before they are sent.
    pub fn with_max_request_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_request_bytes = bytes;
        self
    }

    /// The most operations of a transaction that the servers accept, from 1 to 65,536; 128 by default, as is the
    /// servers' `--max-txn-ops`. Longer transactions are refused before they are sent.
    pub fn with_max_txn_ops(mut self, ops: usize) -> Self {
        self.settings.max_txn_ops = ops;
        self
    }

    /// How many calls may begin in a second, up to 1,000,000, and how many more at once after a quiet time. By default
    /// there is no limit, which is also what a rate of 0 means; caddy-etcd has 100 and a burst of 200.
    ///
    /// Calls beyond it wait, within their time. A call counts once, however often it has to be sent.
    pub fn with_request_rate(mut self, per_second: u32, burst: u32) -> Self {
        self.settings.max_requests_per_second = per_second;
        self.settings.request_burst = burst;
        self
    }

    /// The first of the numbers of [`with_request_rate`](Self::with_request_rate).
    pub(super) fn with_max_requests_per_second(mut self, per_second: u32) -> Self {
        self.settings.max_requests_per_second = per_second;
        self
    }

    /// The second one.
    pub(super) fn with_request_burst(mut self, burst: u32) -> Self {
        self.settings.request_burst = burst;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// With everything that is wrong, not only the first.
    pub fn build(self) -> Result<EtcdConfig, ConfigError> {
        self.build_from(&Origins::new(Setting::path), Problems::default())
    }

    /// Checks the settings, of which these problems are known already.
    pub(super) fn build_from(
        self,
        origins: &Origins,
        mut problems: Problems,
    ) -> Result<EtcdConfig, ConfigError> {
        let mut settings = self.settings;
        match prefix::clean(&settings.prefix) {
            Ok(prefix) => settings.prefix = prefix,
            Err(problem) => problems.add(Setting::KeyPrefix, origins.of(Setting::KeyPrefix), problem),
        }
        rules::check(&settings, origins, &mut problems);
        settings.sources = Sources::from(origins);
        problems.into_result().map(|()| settings)
    }
}
