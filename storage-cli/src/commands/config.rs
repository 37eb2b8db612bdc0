//! `kvfs config show` and `kvfs config check`

mod check;

use kv_etcd::{ConfigSetting, EtcdConfig};
use serde::Serialize;

use crate::cli::{Config, ConfigCommand};
use crate::config_source::{ConfigSource, Unusable, invalid};
use crate::exit::Exit;
use crate::failure::{Failure, one_line};
use crate::output::{Format, report};
use crate::session::Session;
use crate::store_url::Store;

pub(super) async fn run(args: Config, session: &mut Session) -> Result<Exit, Failure> {
    let source = session.given.config()?;
    if let (ConfigSource::Environment, ConfigCommand::Check) = (&source, args.command) {
        // Also when something is wrong: this may be why.
        warn(check::misspelt_variables(), session);
    }
    let config = match source.read().await {
        Ok(config) => config,
        Err(Unusable::Unread(failure)) => return Err(failure),
        Err(Unusable::Wrong(problems)) => return Ok(refuse(problems, session)),
    };
    match args.command {
        ConfigCommand::Show => show(&config, &source, session),
        ConfigCommand::Check => {
            warn(check::suspicions(&config), session);
            match check::unreadable_files(&config, &source) {
                problems if problems.is_empty() => confirm(config, &source, session),
                problems => Ok(refuse(problems, session)),
            }
        }
    }
}

/// A setting as JSON. The names of its fields do not change.
#[derive(Serialize)]
struct SettingJson<'a> {
    setting: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    source: &'a str,
}

fn show(config: &EtcdConfig, source: &ConfigSource, session: &mut Session) -> Result<Exit, Failure> {
    let settings = config.settings();
    match session.output.format() {
        Format::Json => {
            for setting in &settings {
                let source = &origin(setting, source);
                session.output.object(&SettingJson {
                    setting: setting.name(),
                    value: setting.value(),
                    source,
                })?;
            }
        }
        Format::Text => {
            let row = |setting: &ConfigSetting| {
                let value = setting.value().map_or_else(|| "-".to_owned(), one_line);
                [setting.name().to_owned(), value, one_line(&origin(setting, source))]
            };
            session.output.table(["SETTING", "VALUE", "SOURCE"], settings.iter().map(row))?;
        }
    }
    Ok(Exit::Ok)
}

/// Where a setting comes from. In a Caddyfile the line says enough, without the name of the setting.
fn origin(setting: &ConfigSetting, source: &ConfigSource) -> String {
    let Some(given) = setting.origin() else { return "default".to_owned() };
    let name = format!(": {}", setting.name());
    source.locate(given.strip_suffix(&name).unwrap_or(given))
}

/// That a configuration is right, as JSON. The names of its fields do not change.
#[derive(Serialize)]
struct CheckedJson {
    ok: bool,
    config: String,
    store: String,
}

fn confirm(config: EtcdConfig, source: &ConfigSource, session: &mut Session) -> Result<Exit, Failure> {
    let checked = CheckedJson { ok: true, config: source.name(), store: Store::from(config).to_string() };
    match session.output.format() {
        Format::Json => session.output.object(&checked)?,
        Format::Text => {
            session.output.line(format!(
                "ok: {}, for {}",
                one_line(&checked.config),
                one_line(&checked.store)
            ))?;
        }
    }
    Ok(Exit::Ok)
}

/// Tells all that is wrong, a line for each.
fn refuse(problems: Vec<String>, session: &Session) -> Exit {
    let failures = problems.into_iter().map(invalid);
    let told = failures.inspect(|failure| report(session.output.format(), failure));
    told.map(|failure| failure.exit()).max().unwrap_or(Exit::Ok)
}

fn warn(warnings: Vec<String>, session: &Session) {
    for warning in warnings {
        session.output.caution("suspicious", warning);
    }
}
