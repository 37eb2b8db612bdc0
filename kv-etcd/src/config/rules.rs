//! The rules that settings obey, whichever way they came in.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::error::Problems;
use super::origin::Origins;
use super::setting::Setting;
use super::{EtcdConfig, Secret, duration, endpoint};

/// The shortest duration that a setting may have.
pub(super) const SHORTEST_DURATION: Duration = Duration::from_secs(1);
const REQUEST_BYTES: RangeInclusive<usize> = 1024..=64 * 1024 * 1024;
const TXN_OPS: RangeInclusive<usize> = 1..=65_536;
const REQUESTS_PER_SECOND: RangeInclusive<u32> = 0..=1_000_000;
const REQUEST_BURST: RangeInclusive<u32> = 1..=1_000_000;

/// Notes everything that is wrong.
pub(super) fn check(config: &EtcdConfig, origins: &Origins, problems: &mut Problems) {
    let mut checker = Checker { origins, problems };
    checker.endpoints(&config.endpoints);
    checker.durations(config);
    checker.files(config);
    checker.names(config);
    checker.pair((Setting::TlsCert, config.tls.cert.is_some()), (Setting::TlsKey, config.tls.key.is_some()));
    checker
        .pair((Setting::Username, config.username.is_some()), (Setting::Password, config.password.is_some()));
    checker.size(Setting::MaxRequestBytes, config.max_request_bytes, REQUEST_BYTES);
    checker.size(Setting::MaxTxnOps, config.max_txn_ops, TXN_OPS);
    checker.size(Setting::MaxRequestsPerSecond, config.max_requests_per_second, REQUESTS_PER_SECOND);
    checker.size(Setting::RequestBurst, config.request_burst, REQUEST_BURST);
}

struct Checker<'a> {
    origins: &'a Origins,
    problems: &'a mut Problems,
}

impl Checker<'_> {
    fn add(&mut self, setting: Setting, message: impl Into<String>) {
        self.problems.add(setting, self.origins.of(setting), message);
    }

    fn endpoints(&mut self, endpoints: &[String]) {
        if endpoints.is_empty() {
            self.add(Setting::Endpoints, "none given");
        }
        for endpoint in endpoints {
            if let Err(problem) = endpoint::check(endpoint) {
                self.add(Setting::Endpoints, problem);
            }
        }
    }

    fn durations(&mut self, config: &EtcdConfig) {
        for (setting, value) in [
            (Setting::LockTimeout, config.lock_timeout),
            (Setting::DialTimeout, config.dial_timeout),
            (Setting::KeepaliveTime, config.keepalive_time),
            (Setting::KeepaliveTimeout, config.keepalive_timeout),
            (Setting::AutoSyncInterval, config.auto_sync_interval),
            (Setting::RequestTimeout, config.request_timeout),
        ] {
            if value < SHORTEST_DURATION {
                let (value, least) = (duration::format(value), duration::format(SHORTEST_DURATION));
                self.add(setting, format!("{value} is less than {least}"));
            }
        }
    }

    fn files(&mut self, config: &EtcdConfig) {
        for (setting, file) in [
            (Setting::Caddyfile, &config.caddyfile),
            (Setting::TlsCert, &config.tls.cert),
            (Setting::TlsKey, &config.tls.key),
            (Setting::TlsCa, &config.tls.ca),
        ] {
            if let Some(Err(problem)) = file.as_deref().map(check_file) {
                self.add(setting, problem);
            }
        }
    }

    fn names(&mut self, config: &EtcdConfig) {
        if config.tls.server_name.as_deref().is_some_and(|name| !endpoint::is_host(name)) {
            self.add(Setting::TlsServerName, "it is no host name or address");
        }
        if let Some(name) = &config.username {
            if name.is_empty() {
                self.add(Setting::Username, "it is empty");
            } else if name.chars().any(char::is_control) {
                self.add(Setting::Username, "it holds a control character");
            }
        }
        match config.password.as_ref().map(Secret::expose) {
            Some("") => self.add(Setting::Password, "it is empty"),
            // What was written as JSON was read back as if it were complete.
            Some(Secret::REDACTED) => self.add(Setting::Password, "it was redacted; give the real one"),
            _ => {}
        }
    }

    /// Both or neither. One that was given wrongly counts: it has a problem of its own already.
    fn pair(&mut self, one: (Setting, bool), other: (Setting, bool)) {
        let is_given = |(setting, is_set): (Setting, bool)| is_set || self.origins.is_given(setting);
        let (given, missing) = match (is_given(one), is_given(other)) {
            (true, false) => (one.0, other.0),
            (false, true) => (other.0, one.0),
            _ => return,
        };
        self.add(given, format!("it needs {} as well: both or neither", self.origins.name_of(missing)));
    }

    fn size<N: Copy + PartialOrd + Display>(
        &mut self,
        setting: Setting,
        size: N,
        allowed: RangeInclusive<N>,
    ) {
        if !allowed.contains(&size) {
            let (least, most) = allowed.into_inner();
            self.add(setting, format!("{size} is not between {least} and {most}"));
        }
    }
}

/// Says whether this can be the path of a file. It never repeats it: a key may stand where its path should.
fn check_file(file: &Path) -> Result<(), &'static str> {
    let text = file.to_string_lossy();
    if text.is_empty() {
        Err("it is empty")
    } else if text.contains("-----BEGIN") {
        Err("it is the content of a file; give the path of one")
    } else if text.chars().any(char::is_control) {
        Err("it holds a control character")
    } else {
        Ok(())
    }
}
