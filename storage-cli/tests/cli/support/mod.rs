//! What the tests here have in common: the command, and a real etcd of each version that is installed.

pub(crate) mod archives;
#[cfg(unix)]
pub(crate) mod started;

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use assert_cmd::Command;
use etcd_process::{EtcdBinary, EtcdProcess};
use serde_json::Value;

/// The command with a store.
pub(crate) struct Kvfs {
    store: String,
}

/// How a run of the command ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Kvfs {
    pub(crate) fn on(store: impl Into<String>) -> Self {
        Self { store: store.into() }
    }

    pub(crate) fn on_memory() -> Self {
        Self::on("memory:")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with_input(arguments, b"")
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        run(command().args(["--store", &self.store]).args(arguments).write_stdin(input))
    }

    /// Runs what must succeed, and answers what it printed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(arguments).succeeded().stdout).unwrap()
    }

    pub(crate) fn put(&self, path: &str, content: &[u8]) {
        self.run_with_input(&["put", path], content).succeeded();
    }

    /// Starts what is not run to its end here.
    #[cfg(unix)]
    pub(crate) fn start(&self, arguments: &[&str]) -> started::Started {
        started::Started::new(&mut self.std_command(arguments))
    }

    /// Who holds locks and who waits for them.
    pub(crate) fn locks(&self) -> Vec<Value> {
        objects(&self.ok(&["--json", "locks"]))
    }

    /// The same tree for a program that is not run to its end here.
    pub(crate) fn std_command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("kvfs"));
        forget_stores(|name| _ = command.env_remove(name));
        command.env("KVFS_STORE", &self.store).args(arguments);
        command
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "it should succeed and warn of nothing");
        self
    }

    /// It failed with this code and one line that says all of this, printed nothing else, and did not panic.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stdout.is_empty(), "{self:?}");
        assert!(self.stderr.starts_with("kvfs: ") && self.stderr.ends_with('\n'), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.said(said)
    }

    /// What it wrote to standard error says all of this.
    #[track_caller]
    pub(crate) fn said(self, said: &[&str]) -> Self {
        for part in said {
            assert!(self.stderr.contains(part), "{self:?} should say {part:?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// The JSON objects that it printed.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        objects(self.text())
    }
}

/// The JSON objects in these lines.
#[track_caller]
pub(crate) fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The command as it is, without a store of whoever runs the tests.
pub(crate) fn command() -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("kvfs");
    forget_stores(|name| _ = command.env_remove(name));
    // Nobody's home: without a store it would be that of whoever runs the tests.
    command.env("HOME", NO_HOME).env_remove("XDG_DATA_HOME");
    // Longer than any run should take, so that one that hangs fails.
    command.timeout(Duration::from_secs(60));
    command
}

/// A directory that cannot be made.
const NO_HOME: &str = "/dev/null/home";

/// Removes what names a store of whoever runs the tests.
fn forget_stores(mut remove: impl FnMut(&OsStr)) {
    let names = std::env::vars_os().map(|(name, _)| name);
    let is_ours = |name: &str| name.starts_with("KVFS_") || name.starts_with("CADDY_CLUSTERING_ETCD_");
    names.filter(|name| name.to_str().is_some_and(is_ours)).for_each(|name| remove(&name));
}

pub(crate) fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code().expect("it was not killed"),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a test against each version of etcd, with an empty tree of its own.
pub(crate) fn on_each_etcd(test: &str, body: impl Fn(&Kvfs, &EtcdProcess)) {
    for binary in EtcdBinary::find_all_for_test(test) {
        println!("{test}: etcd {}", binary.version);
        let etcd = EtcdProcess::start(&binary).unwrap();
        body(&Kvfs::on(url(&etcd)), &etcd);
    }
}

/// The store URL of this server.
pub(crate) fn url(etcd: &EtcdProcess) -> String {
    etcd.endpoint().replace("http://", "etcd://")
}

/// The store URL of a server that is not there.
pub(crate) fn dead_url() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("etcd://{}", listener.local_addr().unwrap())
}

/// A local path as an argument.
pub(crate) fn argument(path: &(impl AsRef<OsStr> + ?Sized)) -> &str {
    path.as_ref().to_str().unwrap()
}
