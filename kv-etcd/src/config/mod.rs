//! The settings of a connection: what they are, their defaults, and the rules they obey.

mod builder;
mod endpoint;
mod error;

use std::time::Duration;

use storage_core::kv::{Key, Limits};

pub use builder::EtcdConfigBuilder;
pub use error::{ConfigError, ConfigProblem};

/// How to reach an etcd cluster. Made by [`EtcdConfig::builder`], and always valid.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdConfig {
    endpoints: Vec<String>,
    prefix: String,
    dial_timeout: Duration,
    request_timeout: Duration,
    keepalive_time: Duration,
    keepalive_timeout: Duration,
    max_request_bytes: usize,
    max_txn_ops: usize,
}

impl EtcdConfig {
    /// The default settings with these endpoints.
    ///
    /// # Errors
    ///
    /// When an endpoint is not valid.
    pub fn new<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> Result<Self, ConfigError> {
        Self::builder(endpoints).build()
    }

    /// The default settings with these endpoints (`http://host:port`), to be changed.
    pub fn builder<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> EtcdConfigBuilder {
        EtcdConfigBuilder::new(endpoints)
    }

    /// The members of the cluster, as `http://host:port`.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// What the keys of the tree begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How long connecting may take.
    pub fn dial_timeout(&self) -> Duration {
        self.dial_timeout
    }

    /// How long a call may take.
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// How long a connection with calls under way may be silent before the other end is asked whether it is there.
    pub fn keepalive_time(&self) -> Duration {
        self.keepalive_time
    }

    /// How long the other end may take to answer that question before the connection is given up.
    pub fn keepalive_timeout(&self) -> Duration {
        self.keepalive_timeout
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
