//! The settings of a connection: what they are, their defaults, and the rules they obey.
//!
//! Each way in reads texts into a [`draft::Draft`], which fills the builder; the builder applies the [`rules`]. So a
//! rule exists once, and what is wrong is found together, with its [`origin`].

mod access;
mod builder;
mod caddyfile;
mod choices;
mod draft;
mod duration;
mod endpoint;
mod env;
mod error;
mod json;
mod origin;
mod prefix;
mod rules;
mod secret;
mod setting;
mod sources;
mod tls;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use storage_core::kv::{Key, Limits};

pub use builder::EtcdConfigBuilder;
pub use choices::{CaddyfileLoading, OldClusters, ServerVerification};
pub use error::{ConfigError, ConfigProblem};
pub use secret::Secret;
pub use sources::ConfigSetting;
pub use tls::TlsConfig;

pub(crate) use endpoint::is_encrypted;
use sources::Sources;

/// How to reach an etcd cluster, and what to do there. Always valid.
///
/// There are four ways to make one: [`builder`](Self::builder), the environment ([`from_env`](Self::from_env)), JSON
/// ([`from_json`](Self::from_json)), and the `storage etcd` block of a Caddyfile
/// ([`from_caddyfile`](Self::from_caddyfile)). They know the same settings with the same defaults and rules, and are
/// not mixed: what one does not say has its default, whatever another says.
///
/// Two are equal if their settings are, wherever these come from. [`settings`](Self::settings) lists both.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdConfig {
    sources: Sources,
    endpoints: Vec<String>,
    prefix: String,
    lock_timeout: Duration,
    caddyfile: Option<PathBuf>,
    caddyfile_loading: CaddyfileLoading,
    tls: TlsConfig,
    username: Option<String>,
    password: Option<Secret>,
    dial_timeout: Duration,
    keepalive_time: Duration,
    keepalive_timeout: Duration,
    auto_sync_interval: Duration,
    request_timeout: Duration,
    old_clusters: OldClusters,
    max_request_bytes: usize,
    max_txn_ops: usize,
    max_requests_per_second: u32,
    request_burst: u32,
}

impl EtcdConfig {
    /// The endpoint of those who name none.
    const DEFAULT_ENDPOINT: &'static str = "http://127.0.0.1:2379";

    /// The default settings with these endpoints.
    ///
    /// # Errors
    ///
    /// When an endpoint is not valid.
    pub fn new<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> Result<Self, ConfigError> {
        Self::builder(endpoints).build()
    }

    /// The default settings with these endpoints (`http://host:port` or `https://host:port`), to be changed.
    pub fn builder<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> EtcdConfigBuilder {
        EtcdConfigBuilder::new(endpoints)
    }

    /// The settings that the environment variables `CADDY_CLUSTERING_ETCD_*` give. An empty variable counts as none.
    ///
    /// # Errors
    ///
    /// With everything that is wrong, each with the name of the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        env::read(&environment)
    }

    /// Like [`from_env`](Self::from_env), with an environment of one's own.
    ///
    /// ```
    /// use kv_etcd::EtcdConfig;
    ///
    /// let config = EtcdConfig::from_env_with(|name| match name {
    ///     "CADDY_CLUSTERING_ETCD_SERVERS" => Some("http://a:2379,http://b:2379".into()),
    ///     _ => None,
    /// })?;
    /// assert_eq!(config.endpoints(), ["http://a:2379", "http://b:2379"]);
    /// # Ok::<(), kv_etcd::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`from_env`](Self::from_env).
    pub fn from_env_with(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        env::read(&variable)
    }

    /// The settings in a JSON object. Durations are texts as Go writes them, or whole nanoseconds.
    ///
    /// ```
    /// use kv_etcd::EtcdConfig;
    ///
    /// let config = EtcdConfig::from_json(r#"{"key_prefix": "/caddy", "connection": {"dial_timeout": "2s"}}"#)?;
    /// assert_eq!(config.dial_timeout().as_secs(), 2);
    /// # Ok::<(), kv_etcd::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// With everything that is wrong, each with its path in the text. Fields that are unknown, or given twice, are
    /// wrong.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        json::read(text)
    }

    /// The settings as JSON, complete, with `"[redacted]"` for the password. [`from_json`](Self::from_json) reads it,
    /// and refuses such a password.
    pub fn to_redacted_json(&self) -> String {
        json::write(self)
    }

    /// The settings in the `storage etcd` block of a Caddyfile: in its global options, or on its own. Everything else
    /// in it is skipped. `{$VARIABLE}`, `{$VARIABLE:default}` and `{env.VARIABLE}` are replaced from the environment.
    /// The name of the file is for errors only.
    ///
    /// ```
    /// use kv_etcd::EtcdConfig;
    ///
    /// let text = "
    ///     storage etcd {
    ///         endpoints http://a:2379 http://b:2379
    ///         lock_timeout 1m30s
    ///     }";
    /// let config = EtcdConfig::from_caddyfile(text, "Caddyfile")?;
    /// assert_eq!(config.lock_timeout().as_secs(), 90);
    /// # Ok::<(), kv_etcd::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When there is no such block, or the braces or quotes of the file do not match. Otherwise with everything that
    /// is wrong in the block, each with file and line.
    pub fn from_caddyfile(text: &str, file_name: &str) -> Result<Self, ConfigError> {
        caddyfile::read(text, file_name, &environment)
    }

    /// Like [`from_caddyfile`](Self::from_caddyfile), with an environment of one's own.
    ///
    /// # Errors
    ///
    /// As of [`from_caddyfile`](Self::from_caddyfile).
    pub fn from_caddyfile_with(
        text: &str,
        file_name: &str,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        caddyfile::read(text, file_name, &variable)
    }

    /// What the servers accept.
    pub(crate) fn limits(&self) -> Limits {
        Limits::ETCD_DEFAULTS
            .with_max_txn_ops(self.max_txn_ops)
            .with_max_value_bytes(self.max_request_bytes)
            .with_max_request_bytes(self.max_request_bytes)
    }

    /// A key inside the prefix, to be read when any read will do: a user that may read anything may read this.
    pub(crate) fn probe_key(&self) -> Key {
        Key::new(format!("{}/format", self.prefix.trim_end_matches('/')))
    }
}

/// The environment of the process.
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[cfg(test)]
mod tests;
