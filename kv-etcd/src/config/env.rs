//! The environment: `CADDY_CLUSTERING_ETCD_*`.

use std::ffi::OsString;

use super::draft::{Draft, Value};
use super::error::quoted;
use super::setting::Setting;
use super::{ConfigError, EtcdConfig};

/// The name of the auto-sync interval in the manual of caddy-etcd; its program reads [`Setting::variable`].
pub(super) const AUTO_SYNC_INTERVAL: &str = "CADDY_CLUSTERING_ETCD_AUTO_SYNC_INTERVAL";

pub(super) fn read(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<EtcdConfig, ConfigError> {
    let mut draft = Draft::new(Setting::variable);
    for setting in Setting::ALL {
        let name = setting.variable();
        match value_of(variable, name) {
            Some(Ok(text)) => set(&mut draft, setting, name, text),
            Some(Err(problem)) => draft.refuse(setting, name.to_owned(), problem),
            None => {}
        }
    }
    auto_sync_interval(&mut draft, variable);
    draft.build()
}

/// As in caddy-etcd an empty variable counts as none.
fn value_of(variable: &dyn Fn(&str) -> Option<OsString>, name: &str) -> Option<Result<String, &'static str>> {
    let value = variable(name).filter(|value| !value.is_empty())?;
    // Not quoted: it may be the password.
    Some(value.into_string().map_err(|_| "it is not valid UTF-8"))
}

fn set(draft: &mut Draft, setting: Setting, name: &str, text: String) {
    let value = match setting {
        Setting::DisableCaddyfileLoad if text.eq_ignore_ascii_case("disable") => Value::Flag(true),
        Setting::DisableCaddyfileLoad if text.eq_ignore_ascii_case("enable") => Value::Flag(false),
        Setting::DisableCaddyfileLoad => {
            let problem = format!("{} is neither enable nor disable", quoted(&text));
            return draft.refuse(setting, name.to_owned(), problem);
        }
        _ => Value::Text(text),
    };
    draft.set(setting, name.to_owned(), value);
}

/// The second name of the interval counts as well. Which of two different values was meant nobody can know.
fn auto_sync_interval(draft: &mut Draft, variable: &dyn Fn(&str) -> Option<OsString>) {
    let setting = Setting::AutoSyncInterval;
    match (value_of(variable, setting.variable()), value_of(variable, AUTO_SYNC_INTERVAL)) {
        (Some(one), Some(other)) if one != other => {
            let problem = format!("it is set otherwise than {}", setting.variable());
            draft.refuse(setting, AUTO_SYNC_INTERVAL.to_owned(), problem);
        }
        (None, Some(Ok(text))) => set(draft, setting, AUTO_SYNC_INTERVAL, text),
        (None, Some(Err(problem))) => draft.refuse(setting, AUTO_SYNC_INTERVAL.to_owned(), problem),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<EtcdConfig, String> {
        let lookup = |name: &str| {
            let found =
                variables.iter().find(|(suffix, _)| name == format!("CADDY_CLUSTERING_ETCD_{suffix}"));
            found.map(|(_, value)| OsString::from(value))
        };
        super::read(&lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn no_variables_and_empty_ones_mean_the_defaults() {
        let defaults = EtcdConfig::new(["http://127.0.0.1:2379"]).unwrap();
        assert_eq!(read(&[]).as_ref(), Ok(&defaults));
        let empty = [("SERVERS", ""), ("PREFIX", ""), ("USERNAME", ""), ("AUTO_SYNC_INTERVAL", "")];
        assert_eq!(read(&empty), Ok(defaults));
    }

    #[test]
    fn both_names_of_the_auto_sync_interval_count_unless_they_differ() {
        let interval = |variables: &[_]| read(variables).map(|config| config.auto_sync_interval());
        let nine = Ok(Duration::from_secs(9));
        assert_eq!(interval(&[("AUTO_SYNC", "9s")]), nine);
        assert_eq!(interval(&[("AUTO_SYNC_INTERVAL", "9s")]), nine);
        assert_eq!(interval(&[("AUTO_SYNC", "9s"), ("AUTO_SYNC_INTERVAL", "9s")]), nine);
        let error = interval(&[("AUTO_SYNC", "9s"), ("AUTO_SYNC_INTERVAL", "8s")]).unwrap_err();
        assert!(error.contains("_AUTO_SYNC_INTERVAL: it is set otherwise than"), "{error}");
        let error = interval(&[("AUTO_SYNC_INTERVAL", "9")]).unwrap_err();
        assert!(error.contains("_AUTO_SYNC_INTERVAL: \"9\" is no duration: a unit is missing"), "{error}");
    }

    #[test]
    fn the_loader_is_enabled_or_disabled_and_nothing_else() {
        use crate::CaddyfileLoading::{Disabled, Enabled};
        for (text, loading) in [("enable", Enabled), ("disable", Disabled), ("Disable", Disabled)] {
            assert_eq!(read(&[("CADDYFILE_LOADER", text)]).unwrap().caddyfile_loading(), loading);
        }
        for text in ["true", "off", "disabled"] {
            assert!(read(&[("CADDYFILE_LOADER", text)]).unwrap_err().contains("neither enable nor disable"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_is_refused_and_not_repeated() {
        use std::os::unix::ffi::OsStringExt;
        let lookup =
            |name: &str| name.ends_with("_PASSWORD").then(|| OsString::from_vec(b"hunter2\xff".to_vec()));
        let error = super::read(&lookup).unwrap_err().to_string();
        assert!(error.contains("CADDY_CLUSTERING_ETCD_PASSWORD: it is not valid UTF-8"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
