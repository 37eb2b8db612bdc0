use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An etcd that is installed on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdBinary {
    /// Where the `etcd` program is.
    pub path: PathBuf,
    /// What it says its version is, for instance `3.5.1`.
    pub version: String,
}

impl EtcdBinary {
    /// The etcd programs that tests are to run against, one of each version, oldest first.
    ///
    /// If the environment variable `ETCD_BIN` is set, exactly what it names; else what is on `PATH` and below the
    /// workspace's `target/tools`.
    ///
    /// # Panics
    ///
    /// When something that `ETCD_BIN` names is no etcd: what was asked for must not be skipped.
    pub fn find_all() -> Vec<Self> {
        let found = match env::var_os("ETCD_BIN").filter(|value| !value.is_empty()) {
            Some(asked_for) => env::split_paths(&asked_for)
                .map(|path| match Self::at(&path) {
                    Some(binary) => binary,
                    None => panic!("ETCD_BIN: {} is no etcd that can be run", path.display()),
                })
                .collect(),
            None => installed().iter().filter_map(|path| Self::at(path)).collect::<Vec<_>>(),
        };
        let mut of_version = BTreeMap::new();
        for binary in found {
            of_version.entry(version_order(&binary.version)).or_insert(binary);
        }
        of_version.into_values().collect()
    }

    /// [`find_all`](Self::find_all) for a test, which must not pass unseen when there is nothing to test against: says
    /// aloud that the test is skipped.
    ///
    /// # Panics
    ///
    /// When there is no etcd and the environment variable `CI` is set.
    pub fn find_all_for_test(test: &str) -> Vec<Self> {
        let found = Self::find_all();
        if found.is_empty() {
            let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
            assert!(!in_ci, "{test} needs an etcd, and none was found");
            eprintln!("SKIPPED: {test} needs an etcd, and none was found; ETCD_BIN can name one");
        }
        found
    }

    /// The etcd at this path, if it is one and runs.
    pub fn at(path: &Path) -> Option<Self> {
        let output = Command::new(path).arg("--version").output().ok()?;
        let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { path: path.to_owned(), version })
    }

    /// The `etcdctl` next to it. Whether there is one is not checked.
    pub fn etcdctl(&self) -> PathBuf {
        self.path.with_file_name(format!("etcdctl{}", env::consts::EXE_SUFFIX))
    }
}

/// Every path at which an etcd may have been installed.
fn installed() -> Vec<PathBuf> {
    let program = format!("etcd{}", env::consts::EXE_SUFFIX);
    let on_path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&on_path).map(|folder| folder.join(&program));
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    let tools = tools.canonicalize().and_then(|tools| tools.read_dir());
    let tools = tools.into_iter().flatten().flatten();
    let downloaded = tools
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("etcd-"))
        .map(|entry| entry.path().join("bin").join(&program));
    on_path.chain(downloaded).filter(|path| path.is_file()).collect()
}

/// The version in the first line of what `etcd --version` prints.
fn parse_version(output: &str) -> Option<String> {
    let version = output.lines().next()?.strip_prefix("etcd Version:")?.trim();
    (!version.is_empty()).then(|| version.to_owned())
}

/// By number where there are numbers, so that 3.5.9 comes before 3.5.10.
fn version_order(version: &str) -> Vec<(u64, String)> {
    let parts = version.split(['.', '-', '+']);
    parts.map(|part| (part.parse().unwrap_or(0), part.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_first_line() {
        let output = "etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8\n";
        assert_eq!(parse_version(output).as_deref(), Some("3.4.23"));
        assert_eq!(parse_version("etcdctl version: 3.4.23\n"), None);
        assert_eq!(parse_version(""), None);
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let mut versions = ["3.5.10", "3.5.9", "3.10.0", "3.4.23", "3.5.9-rc.1"];
        versions.sort_by_key(|version| version_order(version));
        assert_eq!(versions, ["3.4.23", "3.5.9", "3.5.9-rc.1", "3.5.10", "3.10.0"]);
    }
}
