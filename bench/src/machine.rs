//! What was measured on what: no names of hosts and no paths.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use serde::Serialize;

/// The machine and the versions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) system: String,
    pub(crate) rustc: String,
    pub(crate) etcd: String,
    /// With `+` if the checkout was changed.
    pub(crate) commit: String,
    pub(crate) crates: Vec<(String, String)>,
}

/// Whose versions matter.
const CRATES: [&str; 7] =
    ["etcd-client", "certmagic", "opendal", "object_store", "tokio", "tonic", "rusqlite"];

impl Machine {
    /// This one.
    pub(crate) fn this(etcd: &str) -> Self {
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: available_parallelism().map_or(0, std::num::NonZero::get),
            memory_mib: memory_mib(),
            system: system(),
            rustc: said(Command::new("rustc").arg("--version")),
            etcd: etcd.to_owned(),
            commit: commit(),
            crates: crates(include_str!("../Cargo.lock")),
        }
    }
}

fn memory_mib() -> u64 {
    let total = field("/proc/meminfo", "MemTotal");
    let kib = total.and_then(|total| total.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(0, |kib| kib / 1024)
}

fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| std::env::consts::OS.to_owned(), |name| name.trim_matches('"').to_owned())
}

fn commit() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let commit = said(Command::new("git").current_dir(here).args(["rev-parse", "--short=10", "HEAD"]));
    let changes = said(Command::new("git").current_dir(here).args(["status", "--porcelain"]));
    if changes.is_empty() { commit } else { format!("{commit}+") }
}

/// Each version that the lock file has.
fn crates(lock: &str) -> Vec<(String, String)> {
    let quoted = |line: Option<&str>, key: &str| {
        Some(line?.strip_prefix(key)?.trim_matches(['=', ' ', '"']).to_owned())
    };
    let packages = lock.split("[[package]]").filter_map(|package| {
        let mut lines = package.trim_start().lines();
        Some((quoted(lines.next(), "name")?, quoted(lines.next(), "version")?))
    });
    packages.filter(|(name, _)| CRATES.contains(&name.as_str())).collect()
}

/// The value of the first line that begins so.
fn field(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said(command: &mut Command) -> String {
    let output = command.output().ok();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"opendal\"\nversion = \"0.59.5\"\n\n[[package]]\nname = \"x\"\n";
        assert_eq!(crates(lock), [("opendal".to_owned(), "0.59.5".to_owned())]);
    }
}
