//! Which store a run of the command works on: what the command line says, or else the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio::process::Command;

use crate::config_source::{ConfigSource, STANDARD_INPUT, VARIABLES};
use crate::failure::Failure;
use crate::store_url::{EXAMPLES, SQLITE};

const STORE: &str = "KVFS_STORE";
const CONFIG: &str = "KVFS_CONFIG";
const SERVERS: &str = "CADDY_CLUSTERING_ETCD_SERVERS";

/// Where the store of a user is, in the directory for the data of programs.
const DEFAULT_STORE: &str = "kvfs/kvfs.db";

/// The options that name the store.
// The variables are read here and not by clap, which knows no order among them, and might repeat a password.
#[derive(Debug, Default, Args)]
pub(crate) struct Given {
    /// The store: `sqlite:FILE`, a file of this machine; `etcd://host:port[,host:port...][/prefix]`, `etcds://` with
    /// TLS, with the prefix `/caddy` unless another is given; or `memory:`, an empty one that ends with the command
    /// [env: `KVFS_STORE`]
    ///
    /// Without a store, a configuration and their variables it is a file in the data directory of the user:
    /// `~/.local/share/kvfs/kvfs.db` on Linux, unless `XDG_DATA_HOME` names another directory than
    /// `~/.local/share`.
    #[arg(long, value_name = "URL", global = true)]
    store: Option<String>,

    /// The configuration of the store, instead of a URL: JSON, or a Caddyfile with a `storage etcd` block
    /// [env: `KVFS_CONFIG`]
    ///
    /// A file is JSON if its name ends in `.json` or its first character is a brace with a quote or another brace
    /// behind it. The variables `CADDY_CLUSTERING_ETCD_*` are a configuration too, if
    /// `CADDY_CLUSTERING_ETCD_SERVERS` is set and there are neither a store nor a file.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// What names the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Url(String),
    Config(ConfigSource),
    /// None was named: the file that belongs to the user.
    Default(PathBuf),
}

impl Given {
    /// The store to work on.
    pub(crate) fn choice(&self) -> Result<Choice, Failure> {
        self.choice_in(&environment, dirs::data_local_dir)
    }

    /// The configuration to look at.
    pub(crate) fn config(&self) -> Result<ConfigSource, Failure> {
        self.config_in(&environment)
    }

    /// Where this choice comes from: the option, or the variable.
    pub(crate) fn origin(&self, choice: &Choice) -> String {
        match choice {
            Choice::Url(_) if self.store.is_some() => "--store".to_owned(),
            Choice::Url(_) => STORE.to_owned(),
            Choice::Default(_) => "the data directory of the user".to_owned(),
            Choice::Config(ConfigSource::Environment) => format!("the variables {VARIABLES}*"),
            Choice::Config(ConfigSource::File(path)) => {
                let option = if self.config.is_some() { "--config" } else { CONFIG };
                format!("{option}, {}", path.display())
            }
        }
    }

    fn choice_in(
        &self,
        variable: &dyn Fn(&str) -> Option<OsString>,
        data_directory: impl FnOnce() -> Option<PathBuf>,
    ) -> Result<Choice, Failure> {
        let file = |path: &Path| Choice::Config(ConfigSource::File(path.to_owned()));
        let choice = match (&self.store, &self.config) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage("--store and --config are both given; give one of them"));
            }
            (Some(url), None) => Choice::Url(url.clone()),
            (None, Some(path)) => file(path),
            (None, None) => match (variable(STORE), variable(CONFIG)) {
                (Some(_), Some(_)) => {
                    let message = "KVFS_STORE and KVFS_CONFIG are both set; give --store or --config";
                    return Err(Failure::usage(message));
                }
                (Some(url), None) => Choice::Url(
                    url.into_string().map_err(|_| Failure::usage("KVFS_STORE is not valid UTF-8"))?,
                ),
                (None, Some(path)) => file(Path::new(&path)),
                (None, None) if variable(SERVERS).is_some() => Choice::Config(ConfigSource::Environment),
                (None, None) => {
                    let directory = data_directory().ok_or_else(|| {
                        Failure::usage(format!(
                            "no store was given, and there is no home directory for the default one; set --store or \
                             KVFS_STORE, or --config, KVFS_CONFIG or {SERVERS}; {EXAMPLES}"
                        ))
                    })?;
                    Choice::Default(directory.join(DEFAULT_STORE))
                }
            },
        };
        if choice == file(Path::new(STANDARD_INPUT)) {
            // Files, and the commands that are run with a lock, are read from there.
            let message = "--config - is for `kvfs config` only; give the name of a file";
            return Err(Failure::usage(message));
        }
        Ok(choice)
    }

    fn config_in(&self, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<ConfigSource, Failure> {
        if self.store.is_some() {
            let message = "`kvfs config` looks at a configuration and not at a store; leave --store out";
            return Err(Failure::usage(message));
        }
        let path = self.config.clone().or_else(|| variable(CONFIG).map(PathBuf::from));
        Ok(path.map_or(ConfigSource::Environment, ConfigSource::File))
    }
}

impl Choice {
    /// What to check when the store is not what it should be.
    pub(crate) fn to_check(&self) -> String {
        match self {
            Self::Url(_) | Self::Default(_) => format!("--store or {STORE}"),
            Self::Config(ConfigSource::Environment) => format!("the variables {VARIABLES}*"),
            Self::Config(file) => file.name(),
        }
    }

    /// Lets a `kvfs` in this command work on the same store.
    pub(crate) fn hand_on(&self, command: &mut Command) {
        command.env_remove(STORE).env_remove(CONFIG);
        match self {
            Self::Url(url) => match url.strip_prefix(SQLITE) {
                Some(file) => {
                    let mut url = OsString::from(SQLITE);
                    url.push(absolute(Path::new(file)));
                    command.env(STORE, url)
                }
                None => command.env(STORE, url),
            },
            Self::Config(ConfigSource::File(path)) => command.env(CONFIG, absolute(path)),
            Self::Config(ConfigSource::Environment) | Self::Default(_) => command,
        };
    }
}

/// The path for a command that may change its directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The environment of the process. An empty variable counts as none.
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    /// A command line and an environment.
    type Case<'a> = (Option<&'a str>, Option<&'a str>, &'a [(&'a str, &'a str)]);

    const BOTH: &[(&str, &str)] = &[(STORE, "memory:"), (CONFIG, "c.json"), (SERVERS, "http://a:1")];

    fn given((store, config, _): Case<'_>) -> Given {
        Given { store: store.map(str::to_owned), config: config.map(PathBuf::from) }
    }

    fn variable((.., variables): Case<'_>) -> impl Fn(&str) -> Option<OsString> {
        move |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
    }

    fn file(path: &str) -> ConfigSource {
        ConfigSource::File(path.into())
    }

    #[test]
    fn the_command_line_comes_first_then_what_names_a_store_then_the_settings() {
        let url = |url: &str| Choice::Url(url.to_owned());
        for (case, choice) in [
            ((Some("etcd://b"), None, BOTH), url("etcd://b")),
            ((Some(""), None, BOTH), url("")),
            ((None, Some("d"), BOTH), Choice::Config(file("d"))),
            ((None, None, &BOTH[..1]), url("memory:")),
            ((None, None, &[BOTH[0], BOTH[2]]), url("memory:")),
            ((None, None, &BOTH[1..]), Choice::Config(file("c.json"))),
            ((None, None, &BOTH[2..]), Choice::Config(ConfigSource::Environment)),
            ((None, None, &[]), Choice::Default("data/kvfs/kvfs.db".into())),
        ] {
            let chosen = given(case).choice_in(&variable(case), || Some("data".into())).unwrap();
            assert_eq!(chosen, choice, "{case:?}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_missing_is_refused() {
        for (case, said) in [
            ((Some("memory:"), Some("c"), &[][..]), "--store and --config"),
            ((None, None, &BOTH[..2]), "KVFS_STORE and KVFS_CONFIG"),
            ((None, Some("-"), &[]), "`kvfs config` only"),
            ((None, None, &[(CONFIG, "-")]), "`kvfs config` only"),
            ((None, None, &[]), "no store was given"),
        ] {
            let failure = given(case).choice_in(&variable(case), || None).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage);
            assert!(format!("{failure:?}").contains(said), "{failure:?}");
        }
    }

    #[test]
    fn a_configuration_is_looked_at_whatever_the_store_is() {
        for (case, source) in [
            ((None, Some("d"), BOTH), file("d")),
            ((None, Some("-"), BOTH), file("-")),
            ((None, None, BOTH), file("c.json")),
            ((None, None, &BOTH[..1]), ConfigSource::Environment),
            ((None, None, &[]), ConfigSource::Environment),
        ] {
            assert_eq!(given(case).config_in(&variable(case)).unwrap(), source, "{case:?}");
        }
        let case = (Some("memory:"), None, &[][..]);
        assert!(given(case).config_in(&variable(case)).is_err());
    }
}
