//! What a configuration says.

use std::path::Path;
use std::time::Duration;

use storage_core::{KeyPrefix, StorageOptions};

use super::{CaddyfileLoading, EtcdConfig, OldClusters, Secret, TlsConfig};

impl EtcdConfig {
    /// The members of the cluster, as `http://host:port` or `https://host:port`.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// What the keys of the tree begin with: clean, with a slash in front and none at the end; `/` is the whole store.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How long a lock outlives a holder that has stopped renewing it.
    pub fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    /// The options for a tree with this configuration: its prefix, its lock timeout and its request timeout.
    ///
    /// ```
    /// use kv_etcd::EtcdConfig;
    ///
    /// let config = EtcdConfig::from_json(r#"{"key_prefix": "caddy/prod", "lock_timeout": "90s",
    ///     "connection": {"request_timeout": "5s"}}"#)?;
    /// let options = config.storage_options();
    /// assert_eq!(options.prefix.as_str(), "/caddy/prod");
    /// assert_eq!((options.lock_timeout.as_secs(), options.request_timeout.as_secs()), (90, 5));
    /// # Ok::<(), kv_etcd::ConfigError>(())
    /// ```
    pub fn storage_options(&self) -> StorageOptions {
        let prefix = KeyPrefix::parse(&self.prefix).expect("a prefix that was cleaned is one of a tree");
        StorageOptions::new()
            .with_prefix(prefix)
            .with_lock_timeout(self.lock_timeout)
            .with_request_timeout(self.request_timeout)
    }

    /// The file whose content becomes the Caddyfile in the store when there is none.
    pub fn caddyfile(&self) -> Option<&Path> {
        self.caddyfile.as_deref()
    }

    /// Whether Caddy may load its Caddyfile from the store.
    pub fn caddyfile_loading(&self) -> CaddyfileLoading {
        self.caddyfile_loading
    }

    /// How connections are encrypted.
    pub fn tls(&self) -> &TlsConfig {
        &self.tls
    }

    /// Who we are to the cluster. Given exactly when the password is.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The password of that user.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// How long connecting may take.
    pub fn dial_timeout(&self) -> Duration {
        self.dial_timeout
    }

    /// How long a connection with calls under way may be silent before the other end is asked whether it is there.
    pub fn keepalive_time(&self) -> Duration {
        self.keepalive_time
    }

    /// How long the other end may take to answer that question before the connection is given up.
    pub fn keepalive_timeout(&self) -> Duration {
        self.keepalive_timeout
    }

    /// How often the cluster is asked who its members are.
    pub fn auto_sync_interval(&self) -> Duration {
        self.auto_sync_interval
    }

    /// How long a call may take.
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// What to do about members whose data is behind that of the cluster.
    pub fn old_clusters(&self) -> OldClusters {
        self.old_clusters
    }

    /// The largest request that the servers accept, in bytes.
    pub fn max_request_bytes(&self) -> usize {
        self.max_request_bytes
    }

    /// The most operations of a transaction that the servers accept.
    pub fn max_txn_ops(&self) -> usize {
        self.max_txn_ops
    }

    /// How many calls may begin in a second; 0 for any number.
    pub fn max_requests_per_second(&self) -> u32 {
        self.max_requests_per_second
    }

    /// How many calls may begin at once after a quiet time, where their number is limited.
    pub fn request_burst(&self) -> u32 {
        self.request_burst
    }
}
