//! From texts to settings.

use std::str::FromStr;
use std::time::Duration;

use super::error::{Problems, quoted};
use super::origin::Origins;
use super::setting::Setting;
use super::{
    CaddyfileLoading, ConfigError, EtcdConfig, EtcdConfigBuilder, OldClusters, ServerVerification, duration,
    endpoint, rules,
};

/// A configuration that is being read.
pub(super) struct Draft {
    builder: EtcdConfigBuilder,
    origins: Origins,
    problems: Problems,
}

/// What was given for a setting. It has no `Debug`: it may be the password.
pub(super) enum Value {
    Text(String),
    Texts(Vec<String>),
    /// For durations: nanoseconds.
    Integer(i128),
    Flag(bool),
}

impl Draft {
    /// The defaults, in a way in that calls the settings by these names.
    pub(super) fn new(name_of: fn(Setting) -> &'static str) -> Self {
        Self {
            builder: EtcdConfigBuilder::new([EtcdConfig::DEFAULT_ENDPOINT]),
            origins: Origins::new(name_of),
            problems: Problems::default(),
        }
    }

    /// Sets what was given there. What is wrong with it is noted.
    pub(super) fn set(&mut self, setting: Setting, origin: String, value: Value) {
        let builder = self.builder.clone();
        match apply(builder, setting, value) {
            Ok(builder) => self.builder = builder,
            Err(problem) => self.problems.add(setting, origin.as_str(), problem),
        }
        self.origins.add(setting, origin);
    }

    /// Notes that what was given for a setting cannot be its value.
    pub(super) fn refuse(&mut self, setting: Setting, origin: String, problem: impl Into<String>) {
        self.problems.add(setting, origin.as_str(), problem);
        self.origins.add(setting, origin);
    }

    /// Notes a problem that is not one of a value.
    pub(super) fn refuse_other(&mut self, origin: impl Into<String>, problem: impl Into<String>) {
        self.problems.add_other(origin, problem);
    }

    /// Where it was given before.
    pub(super) fn given(&self, setting: Setting) -> Option<&str> {
        self.origins.is_given(setting).then(|| self.origins.of(setting))
    }

    pub(super) fn build(self) -> Result<EtcdConfig, ConfigError> {
        self.builder.build_from(&self.origins, self.problems)
    }
}

fn apply(builder: EtcdConfigBuilder, setting: Setting, value: Value) -> Result<EtcdConfigBuilder, String> {
    Ok(match setting {
        Setting::Endpoints => builder.with_endpoints(urls(value)?),
        Setting::KeyPrefix => builder.with_prefix(text(value)?),
        Setting::LockTimeout => builder.with_lock_timeout(duration(value)?),
        Setting::Caddyfile => builder.with_caddyfile(text(value)?),
        Setting::DisableCaddyfileLoad => builder.with_caddyfile_loading(if flag(value)? {
            CaddyfileLoading::Disabled
        } else {
            CaddyfileLoading::Enabled
        }),
        Setting::TlsCert => builder.with_tls_cert(text(value)?),
        Setting::TlsKey => builder.with_tls_key(text(value)?),
        Setting::TlsCa => builder.with_tls_ca(text(value)?),
        Setting::TlsServerName => builder.with_tls_server_name(text(value)?),
        Setting::TlsSkipVerify => builder.with_tls_verification(if flag(value)? {
            ServerVerification::Skipped
        } else {
            ServerVerification::Required
        }),
        Setting::Username => builder.with_username(text(value)?),
        Setting::Password => builder.with_password(text(value)?),
        Setting::DialTimeout => builder.with_dial_timeout(duration(value)?),
        Setting::KeepaliveTime => builder.with_keepalive_time(duration(value)?),
        Setting::KeepaliveTimeout => builder.with_keepalive_timeout(duration(value)?),
        Setting::AutoSyncInterval => builder.with_auto_sync_interval(duration(value)?),
        Setting::RequestTimeout => builder.with_request_timeout(duration(value)?),
        Setting::RejectOldCluster => builder.with_old_clusters(if flag(value)? {
            OldClusters::Rejected
        } else {
            OldClusters::Accepted
        }),
        Setting::MaxRequestBytes => builder.with_max_request_bytes(size(value)?),
        Setting::MaxTxnOps => builder.with_max_txn_ops(size(value)?),
        Setting::MaxRequestsPerSecond => builder.with_max_requests_per_second(size(value)?),
        Setting::RequestBurst => builder.with_request_burst(size(value)?),
    })
}

fn urls(value: Value) -> Result<Vec<String>, String> {
    let texts = match value {
        Value::Text(text) => vec![text],
        Value::Texts(texts) => texts,
        Value::Integer(_) | Value::Flag(_) => return Err("it is no URL and no list of URLs".to_owned()),
    };
    Ok(texts.iter().flat_map(|text| endpoint::split(text)).collect())
}

/// A text. That it is not quoted when it is wrong is what lets secrets pass here.
fn text(value: Value) -> Result<String, String> {
    match value {
        // An empty text may say something else than none given, which is what was probably meant.
        Value::Text(text) if text.is_empty() => Err("it is empty".to_owned()),
        Value::Text(text) => Ok(text),
        Value::Texts(_) | Value::Integer(_) | Value::Flag(_) => Err("it is no text".to_owned()),
    }
}

fn duration(value: Value) -> Result<Duration, String> {
    const RULE: &str = "a duration is written like 1h15m30.5s or 250ms";
    let (shown, nanos) = match value {
        Value::Text(text) => {
            let nanos = duration::parse(&text);
            (
                quoted(&text),
                nanos.map_err(|reason| format!("{} is no duration: {reason}; {RULE}", quoted(&text)))?,
            )
        }
        Value::Integer(nanos) => {
            let narrow = i64::try_from(nanos).map_err(|_| format!("{nanos} ns is too long"))?;
            (format!("{nanos} ns"), narrow)
        }
        Value::Texts(_) | Value::Flag(_) => return Err(format!("it is no duration; {RULE}")),
    };
    match u64::try_from(nanos) {
        Ok(nanos) => Ok(Duration::from_nanos(nanos)),
        Err(_) => Err(format!("{shown} is less than {}", duration::format(rules::SHORTEST_DURATION))),
    }
}

fn size<N: FromStr + TryFrom<i128>>(value: Value) -> Result<N, String> {
    let (shown, size) = match value {
        Value::Text(text) => (quoted(&text), text.parse().ok()),
        Value::Integer(integer) => (integer.to_string(), N::try_from(integer).ok()),
        Value::Texts(_) | Value::Flag(_) => return Err("it is no whole number".to_owned()),
    };
    size.ok_or_else(|| format!("{shown} is no whole number, or too large"))
}

fn flag(value: Value) -> Result<bool, String> {
    match value {
        Value::Flag(flag) => Ok(flag),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Value::Text(text) => Err(format!("{} is neither true nor false", quoted(&text))),
        Value::Texts(_) | Value::Integer(_) => Err("it is neither true nor false".to_owned()),
    }
}
