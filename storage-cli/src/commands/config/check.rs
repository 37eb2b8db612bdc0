//! What a configuration that obeys the rules may still have wrong.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use kv_etcd::{CaddyfileLoading, ConfigSetting, EtcdConfig, ServerVerification};

use crate::config_source::{ConfigSource, VARIABLES};

/// Warnings of variables that look like settings and are none.
pub(super) fn misspelt_variables() -> Vec<String> {
    let names = std::env::vars_os().map(|(name, _)| name);
    let mut misspelt: Vec<_> = names.filter_map(|name| misspelt(&name)).collect();
    misspelt.sort();
    misspelt
}

fn misspelt(name: &OsStr) -> Option<String> {
    let name = name.to_string_lossy();
    let own = name.strip_prefix(VARIABLES)?;
    if EtcdConfig::variables().any(|known| known == name) {
        return None;
    }
    // Its value is not shown: it may be the password.
    Some(match nearest(own) {
        Some(known) => format!("{name} is set, but is no setting; did you mean {known}?"),
        None => format!("{name} is set, but is no setting"),
    })
}

/// The variable that was probably meant, by the part of its name that is its own.
fn nearest(own: &str) -> Option<&'static str> {
    /// From here on names look alike: `SERVER` and `SERVERS` do, `ENDPOINTS` is like none.
    const ALIKE: f64 = 0.75;
    let own = own.to_ascii_uppercase();
    let likeness = |known: &str| strsim::jaro(known.trim_start_matches(VARIABLES), &own);
    let known = EtcdConfig::variables().map(|known| (likeness(known), known));
    let (likeness, known) = known.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (likeness >= ALIKE).then_some(known)
}

/// Warnings of what is allowed and seldom meant.
pub(super) fn suspicions(config: &EtcdConfig) -> Vec<String> {
    let (tls, mut warnings) = (config.tls(), Vec::new());
    let mut warn = |warning: String| warnings.push(warning);
    let plain: Vec<_> = config.endpoints().iter().filter(|url| url.starts_with("http://")).collect();
    let has_tls_settings = tls.cert().is_some()
        || tls.ca().is_some()
        || tls.server_name().is_some()
        || tls.verification() != ServerVerification::default();
    if has_tls_settings && plain.len() == config.endpoints().len() {
        warn("tls is set, but no endpoint begins with https://: nothing is encrypted".to_owned());
    }
    if tls.verification() == ServerVerification::Skipped {
        warn("tls.skip_verify is on: anybody on the way can read and change everything".to_owned());
    }
    if let (Some(_), Some(plain)) = (config.username(), plain.first()) {
        warn(format!("auth is set, but {plain} is not encrypted: the password can be read on the way"));
    }
    let caddyfile = config.caddyfile().filter(|_| config.caddyfile_loading() == CaddyfileLoading::Enabled);
    if let Some(file) = caddyfile {
        // Another error is a problem, and told of as one.
        if readable(file).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            warn(format!("caddyfile: {} does not exist, so it will not be shared", file.display()));
        }
    }
    warnings
}

/// What is wrong with the files that are named.
pub(super) fn unreadable_files(config: &EtcdConfig, source: &ConfigSource) -> Vec<String> {
    let (settings, tls) = (config.settings(), config.tls());
    let caddyfile = config.caddyfile().filter(|_| config.caddyfile_loading() == CaddyfileLoading::Enabled);
    let named =
        [("caddyfile", caddyfile), ("tls.cert", tls.cert()), ("tls.key", tls.key()), ("tls.ca", tls.ca())];
    let problem = |(name, file): (&str, Option<&Path>)| {
        let file = file?;
        match readable(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && name == "caddyfile" => None,
            Err(error) => {
                let setting = settings.iter().find(|setting| setting.name() == name);
                let origin = source.locate(setting.and_then(ConfigSetting::origin).unwrap_or(name));
                Some(format!("{origin}: cannot read {}: {error}", file.display()))
            }
            Ok(()) => None,
        }
    };
    named.into_iter().filter_map(problem).collect()
}

fn readable(file: &Path) -> io::Result<()> {
    // A directory can be opened, and not be read.
    File::open(file)?.read(&mut [0]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_that_was_meant_is_found() {
        for (own, meant) in [
            ("SERVER", "SERVERS"),
            ("PASSWROD", "PASSWORD"),
            ("password", "PASSWORD"),
            ("KEY_PREFIX", "PREFIX"),
            ("TLS_CERTIFICATE", "TLS_CERT"),
            ("TLS_SKIPVERIFY", "TLS_SKIP_VERIFY"),
            ("DIALTIMEOUT", "DIAL_TIMEOUT"),
            ("LOCK_TIMEOUT", "TIMEOUT"),
        ] {
            assert_eq!(nearest(own), Some(format!("{VARIABLES}{meant}").as_str()), "{own}");
        }
        for own in ["", "X", "FROBNICATE"] {
            assert_eq!(nearest(own), None, "{own}");
        }
    }

    #[test]
    fn only_variables_of_ours_that_are_no_setting_are_told_of() {
        for name in ["PATH", "CADDY_CLUSTERING_ETCD", "CADDY_CLUSTERING_ETCD_AUTO_SYNC_INTERVAL"] {
            assert_eq!(misspelt(OsStr::new(name)), None);
        }
        for name in EtcdConfig::variables() {
            assert_eq!(misspelt(OsStr::new(name)), None);
            assert!(
                misspelt(OsStr::new(&format!("{name}_"))).unwrap().contains(&format!("{name}?")),
                "{name}"
            );
        }
    }
}
