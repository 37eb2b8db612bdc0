//! What the settings are, and where each comes from: for start-up logs, and for those who look for a mistake.

use std::fmt;

use serde_json::Value as Json;

use super::origin::Origins;
use super::setting::Setting;
use super::{EtcdConfig, env, json};

/// A setting of a configuration and where it comes from, as [`EtcdConfig::settings`] lists it. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSetting {
    name: &'static str,
    value: Option<String>,
    origin: Option<String>,
}

impl ConfigSetting {
    /// Its name in JSON: `connection.dial_timeout`.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The value that counts; `[redacted]` for a password. None when it has none.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Where it was given: the environment variable, the path in the JSON text, or file and line of the Caddyfile with
    /// the option; `builder` when the program chose it. None when it is the default.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

/// `lock_timeout: 1m30s (CADDY_CLUSTERING_ETCD_TIMEOUT)`, with `none` for no value and `default` for no origin.
impl fmt::Display for ConfigSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, origin) = (self.value().unwrap_or("none"), self.origin().unwrap_or("default"));
        write!(f, "{}: {value} ({origin})", self.name)
    }
}

/// Where the settings of a configuration were given. What makes configurations equal is their settings, so these
/// always are.
#[derive(Clone, Debug, Default, Eq)]
pub(super) struct Sources(Vec<(Setting, String)>);

impl PartialEq for Sources {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl From<&Origins> for Sources {
    fn from(origins: &Origins) -> Self {
        Self(origins.given().to_vec())
    }
}

impl Sources {
    fn of(&self, setting: Setting) -> Option<&str> {
        self.0.iter().find(|(given, _)| *given == setting).map(|(_, origin)| origin.as_str())
    }
}

impl EtcdConfig {
    /// All settings, with the values that count and where these come from; the password is redacted.
    ///
    /// ```
    /// use kv_etcd::EtcdConfig;
    ///
    /// let config = EtcdConfig::from_env_with(|name| match name {
    ///     "CADDY_CLUSTERING_ETCD_TIMEOUT" => Some("90s".into()),
    ///     _ => None,
    /// })?;
    /// let lines: Vec<_> = config.settings().iter().map(ToString::to_string).collect();
    /// assert_eq!(lines[1], "key_prefix: /caddy (default)");
    /// assert_eq!(lines[2], "lock_timeout: 1m30s (CADDY_CLUSTERING_ETCD_TIMEOUT)");
    /// # Ok::<(), kv_etcd::ConfigError>(())
    /// ```
    pub fn settings(&self) -> Vec<ConfigSetting> {
        let defaults = Self::new([Self::DEFAULT_ENDPOINT]).expect("the defaults obey the rules");
        let (values, defaults) = (json::values(self), json::values(&defaults));
        let setting = |setting: Setting| {
            let value = value(&values, setting);
            let is_builders = || value != self::value(&defaults, setting);
            let given = self.sources.of(setting);
            let origin = given.or_else(|| is_builders().then_some("builder")).map(str::to_owned);
            ConfigSetting { name: setting.path(), value, origin }
        };
        Setting::ALL.into_iter().map(setting).collect()
    }

    /// The names of the environment variables that [`from_env`](Self::from_env) reads.
    pub fn variables() -> impl Iterator<Item = &'static str> {
        Setting::ALL.into_iter().map(Setting::variable).chain([env::AUTO_SYNC_INTERVAL])
    }
}

/// The value of a setting, if it has one, as a person would write it.
fn value(values: &Json, setting: Setting) -> Option<String> {
    let value = setting.path().split('.').try_fold(values, |values, name| values.get(name))?;
    Some(match value {
        Json::String(text) => text.clone(),
        Json::Array(texts) => texts.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(config: &EtcdConfig) -> Vec<(String, String)> {
        let settings = config.settings();
        let given = settings.iter().filter_map(|setting| setting.origin().map(|origin| (setting, origin)));
        given.map(|(setting, origin)| (setting.name().to_owned(), origin.to_owned())).collect()
    }

    #[test]
    fn every_way_in_says_where_each_setting_was_given() {
        let env = EtcdConfig::from_env_with(|name| match name {
            "CADDY_CLUSTERING_ETCD_AUTO_SYNC_INTERVAL" => Some("9s".into()),
            // The same as the default, and given all the same.
            "CADDY_CLUSTERING_ETCD_TIMEOUT" => Some("5m".into()),
            "CADDY_CLUSTERING_ETCD_PREFIX" => Some("".into()),
            _ => None,
        });
        let json =
            EtcdConfig::from_json(r#"{"lock_timeout": "5m", "connection": {"auto_sync_interval": "9s"}}"#);
        let caddyfile =
            "storage etcd {\n\tlock_timeout 5m\n\tconnection {\n\t\tauto_sync_interval 9s\n\t}\n}";
        let caddyfile = EtcdConfig::from_caddyfile_with(caddyfile, "C", |_| None);
        let builder = EtcdConfig::builder(["http://127.0.0.1:2379"])
            .with_auto_sync_interval(std::time::Duration::from_secs(9));
        for (config, lock_timeout, auto_sync) in [
            (env, "CADDY_CLUSTERING_ETCD_TIMEOUT", "CADDY_CLUSTERING_ETCD_AUTO_SYNC_INTERVAL"),
            (json, "lock_timeout", "connection.auto_sync_interval"),
            (caddyfile, "C:2: lock_timeout", "C:4: connection.auto_sync_interval"),
            (builder.build(), "", "builder"),
        ] {
            let mut expected =
                vec![("lock_timeout", lock_timeout), ("connection.auto_sync_interval", auto_sync)];
            expected.retain(|(_, origin)| !origin.is_empty());
            let expected: Vec<_> = expected.iter().map(|(n, o)| ((*n).to_owned(), (*o).to_owned())).collect();
            assert_eq!(origins(&config.unwrap()), expected);
        }
    }

    #[test]
    fn configurations_are_equal_if_their_settings_are() {
        let json = EtcdConfig::from_json(r#"{"lock_timeout": "9s"}"#).unwrap();
        let env = |name: &str| name.ends_with("_TIMEOUT").then(|| "9s".into());
        assert_ne!(EtcdConfig::from_env_with(env).unwrap(), json, "three timeouts differ");
        let env = |name: &str| name.ends_with("ETCD_TIMEOUT").then(|| "9s".into());
        assert_eq!(EtcdConfig::from_env_with(env).unwrap(), json);
    }

    #[test]
    fn values_are_those_that_count_and_secrets_are_not_shown() {
        let text = r#"{
            "endpoints": ["http://a:1", "https://b:2"], "key_prefix": "\\x\\y\\", "disable_caddyfile_load": true,
            "auth": {"username": "root", "password": "hunter2"}, "connection": {"max_txn_ops": 64}
        }"#;
        let settings = EtcdConfig::from_json(text).unwrap().settings();
        let shown: Vec<_> = settings.iter().map(ToString::to_string).collect();
        for line in [
            "endpoints: http://a:1,https://b:2 (endpoints)",
            "key_prefix: /x/y (key_prefix)",
            "caddyfile: none (default)",
            "disable_caddyfile_load: true (disable_caddyfile_load)",
            "tls.skip_verify: false (default)",
            "auth.username: root (auth.username)",
            "auth.password: [redacted] (auth.password)",
            "connection.request_timeout: 30s (default)",
            "connection.max_txn_ops: 64 (connection.max_txn_ops)",
        ] {
            assert!(shown.iter().any(|shown| shown == line), "{line} in {shown:#?}");
        }
        assert!(!format!("{settings:?}{shown:?}").contains("hunter2"));
    }

    #[test]
    fn without_anything_all_settings_are_there_and_default() {
        let settings = EtcdConfig::from_env_with(|_| None).unwrap().settings();
        assert_eq!(settings.len(), Setting::ALL.len());
        assert!(settings.iter().all(|setting| setting.origin().is_none()), "{settings:?}");
    }
}
