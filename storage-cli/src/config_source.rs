//! Where a configuration is: in a file, or in the environment.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kv_etcd::{ConfigError, EtcdConfig};
use storage_core::ErrorKind;

use crate::failure::Failure;
use crate::local::blocking;

/// What holds a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfigSource {
    /// The variables `CADDY_CLUSTERING_ETCD_*`.
    Environment,
    /// A file, JSON or a Caddyfile; `-` is standard input.
    File(PathBuf),
}

/// What the variables of the environment begin with.
pub(crate) const VARIABLES: &str = "CADDY_CLUSTERING_ETCD_";

/// The name of the file that is standard input.
pub(crate) const STANDARD_INPUT: &str = "-";

/// Larger files are not configurations.
const LARGEST: u64 = 1024 * 1024;

/// Why there is no configuration.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It could not be read.
    Unread(Failure),
    /// It is wrong: what is wrong, a line for each, with where it stands.
    Wrong(Vec<String>),
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Unread(failure) => failure,
            Unusable::Wrong(problems) => invalid(problems.join("; ")),
        }
    }
}

/// The failure of a configuration that is wrong.
pub(crate) fn invalid(problem: impl Into<String>) -> Failure {
    Failure::of_kind(ErrorKind::InvalidConfig, problem)
}

impl ConfigSource {
    /// Its name, as users know it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Environment => "the environment".to_owned(),
            Self::File(path) if path == Path::new(STANDARD_INPUT) => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Reads and checks the configuration.
    pub(crate) async fn read(&self) -> Result<EtcdConfig, Unusable> {
        let read = match self {
            Self::Environment => EtcdConfig::from_env(),
            Self::File(path) => {
                let path = path.clone();
                let text = blocking(move || read(&path)).await;
                let text = text.map_err(|error| Unusable::Unread(self.unread(&error)))?;
                if self.is_json(&text) {
                    EtcdConfig::from_json(&text)
                } else {
                    EtcdConfig::from_caddyfile(&text, &self.name())
                }
            }
        };
        read.map_err(|error| Unusable::Wrong(self.problems(&error)))
    }

    /// Where something was given, of which a configuration says only where in itself.
    pub(crate) fn locate(&self, origin: &str) -> String {
        let name = self.name();
        match self {
            // The name of a file stands in the origins of a Caddyfile, and not in those of JSON.
            Self::File(_) if !origin.starts_with(&format!("{name}:")) => format!("{name}: {origin}"),
            _ => origin.to_owned(),
        }
    }

    fn problems(&self, error: &ConfigError) -> Vec<String> {
        let said = |problem: &kv_etcd::ConfigProblem| {
            format!("{}: {}", self.locate(problem.origin()), problem.message())
        };
        error.problems().iter().map(said).collect()
    }

    /// JSON if it is called so, or else if it begins as no Caddyfile does: behind the brace that opens its global
    /// options a line ends.
    fn is_json(&self, text: &str) -> bool {
        let is_called_json = match self {
            Self::File(path) => {
                path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
            }
            Self::Environment => false,
        };
        let behind_brace = text.trim_start().strip_prefix('{').map(str::trim_start);
        is_called_json || behind_brace.is_some_and(|text| text.starts_with(['"', '}']))
    }

    fn unread(&self, error: &io::Error) -> Failure {
        let name = self.name();
        match error.kind() {
            io::ErrorKind::NotFound => Failure::usage(format!(
                "the configuration {name} does not exist; --config needs a JSON file or a Caddyfile"
            )),
            _ => Failure::local(format!("cannot read the configuration {name}"), error),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    if path == Path::new(STANDARD_INPUT) { text_of(io::stdin().lock()) } else { text_of(File::open(path)?) }
}

fn text_of(from: impl Read) -> io::Result<String> {
    let mut text = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {LARGEST} bytes")));
    }
    // What is wrong in it is not shown: it may be the password.
    String::from_utf8(text).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_a_caddyfile_by_its_name_or_its_beginning() {
        let file = |name: &str| ConfigSource::File(name.into());
        for (name, text, is_json) in [
            ("a.json", "storage etcd", true),
            ("a.JSON", "", true),
            ("a", r#"{"endpoints": []}"#, true),
            ("Caddyfile", " {\n\t\"endpoints\": [] }", true),
            ("-", "{}", true),
            ("-", "\n{ }", true),
            ("a", "", false),
            ("a", "{\n\tstorage etcd {\n\t}\n}", false),
            ("a", "{\n\t# {\"a\": 1}\n\tdebug\n}", false),
            ("a", "storage etcd {\n}", false),
            ("a", "[]", false),
        ] {
            assert_eq!(file(name).is_json(text), is_json, "{name} {text}");
        }
    }

    #[test]
    fn what_is_wrong_is_located_in_the_file() {
        let file = ConfigSource::File("dir/a".into());
        assert_eq!(file.locate("tls.ca"), "dir/a: tls.ca");
        assert_eq!(file.locate("dir/a:12: tls.ca"), "dir/a:12: tls.ca");
        let variable = "CADDY_CLUSTERING_ETCD_PREFIX";
        assert_eq!(ConfigSource::Environment.locate(variable), variable);
    }

    #[test]
    fn a_file_that_is_no_text_is_not_repeated() {
        let error = text_of(&b"hunter2\xff"[..]).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
        assert!(text_of(io::repeat(b'a')).unwrap_err().to_string().contains("1048576"));
    }
}
