use std::ops::RangeInclusive;
use std::time::Duration;

use storage_core::kv::Limits;

use super::error::Problems;
use super::{ConfigError, EtcdConfig, endpoint};

/// The settings of an [`EtcdConfig`] before they are checked.
#[derive(Clone, Debug)]
pub struct EtcdConfigBuilder {
    settings: EtcdConfig,
}

impl EtcdConfigBuilder {
    const SHORTEST_DURATION: Duration = Duration::from_secs(1);
    const REQUEST_BYTES: RangeInclusive<usize> = 1024..=64 * 1024 * 1024;
    const TXN_OPS: RangeInclusive<usize> = 1..=65_536;

    pub(super) fn new<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> Self {
        let settings = EtcdConfig {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            prefix: "/caddy".to_owned(),
            dial_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            keepalive_time: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            max_request_bytes: Limits::ETCD_DEFAULTS.max_request_bytes,
            max_txn_ops: Limits::ETCD_DEFAULTS.max_txn_ops,
        };
        Self { settings }
    }

    /// What the keys of the tree begin with; `/caddy` by default. Connecting reads a key in it, so that a user whose
    /// rights end at the prefix can connect.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// How long connecting may take; 5 s by default, at least 1 s.
    pub fn with_dial_timeout(mut self, timeout: Duration) -> Self {
        self.settings.dial_timeout = timeout;
        self
    }

    /// How long a call may take; 30 s by default, at least 1 s.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.settings.request_timeout = timeout;
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

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// With everything that is wrong, not only the first.
    pub fn build(self) -> Result<EtcdConfig, ConfigError> {
        let settings = self.settings;
        let mut problems = Problems::default();
        if settings.endpoints.is_empty() {
            problems.add("endpoints", "none given");
        }
        for endpoint in &settings.endpoints {
            if let Err(problem) = endpoint::check(endpoint) {
                problems.add("endpoints", problem);
            }
        }
        if settings.prefix.chars().any(char::is_control) {
            problems.add("prefix", "holds a control character");
        }
        let durations = [
            ("dial_timeout", settings.dial_timeout),
            ("request_timeout", settings.request_timeout),
            ("keepalive_time", settings.keepalive_time),
            ("keepalive_timeout", settings.keepalive_timeout),
        ];
        for (setting, duration) in durations {
            if duration < Self::SHORTEST_DURATION {
                problems.add(setting, format!("{duration:?} is less than {:?}", Self::SHORTEST_DURATION));
            }
        }
        let sizes = [
            ("max_request_bytes", settings.max_request_bytes, Self::REQUEST_BYTES),
            ("max_txn_ops", settings.max_txn_ops, Self::TXN_OPS),
        ];
        for (setting, size, allowed) in sizes {
            if !allowed.contains(&size) {
                let (least, most) = allowed.into_inner();
                problems.add(setting, format!("{size} is not between {least} and {most}"));
            }
        }
        problems.into_result().map(|()| settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigProblem;

    #[test]
    fn the_defaults_are_valid_and_as_documented() {
        let config = EtcdConfig::new(["http://127.0.0.1:2379"]).unwrap();
        assert_eq!(config.prefix(), "/caddy");
        assert_eq!(config.dial_timeout(), Duration::from_secs(5));
        assert_eq!(config.request_timeout(), Duration::from_secs(30));
        assert_eq!(config.keepalive_time(), Duration::from_secs(30));
        assert_eq!(config.keepalive_timeout(), Duration::from_secs(20));
        assert_eq!(config.limits(), Limits::ETCD_DEFAULTS);
        assert_eq!(config.probe_key().as_bytes(), b"/caddy/format");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let error = EtcdConfig::builder(["localhost:2379", "http://ok:1", "https://host:2379"])
            .with_prefix("a\nb")
            .with_dial_timeout(Duration::ZERO)
            .with_request_timeout(Duration::from_millis(999))
            .with_keepalive_time(Duration::from_millis(1))
            .with_keepalive_timeout(Duration::from_millis(1))
            .with_max_request_bytes(65 * 1024 * 1024)
            .with_max_txn_ops(0)
            .build()
            .unwrap_err();
        let settings: Vec<_> = error.problems().iter().map(ConfigProblem::setting).collect();
        let expected = [
            "endpoints",
            "endpoints",
            "prefix",
            "dial_timeout",
            "request_timeout",
            "keepalive_time",
            "keepalive_timeout",
            "max_request_bytes",
            "max_txn_ops",
        ];
        assert_eq!(settings, expected);
        let text = error.to_string();
        assert!(text.starts_with("invalid configuration: endpoints: "), "{text}");
        assert!(error.problems().iter().all(|problem| text.contains(&problem.to_string())), "{text}");
    }

    #[test]
    fn a_configuration_without_endpoints_is_refused() {
        assert!(EtcdConfig::new([""; 0]).unwrap_err().to_string().contains("none given"));
    }
}
