//! What the tests here have in common: etcd of each version that is installed, and waiting.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use etcd_process::{EtcdBinary, EtcdCluster, EtcdProcess};

/// How long a test waits for what must come about.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test, which mostly waits, against all versions of etcd at once.
pub(crate) fn on_all_etcds(test: &str, body: impl Fn(&EtcdBinary) + Sync) {
    std::thread::scope(|scope| {
        for binary in EtcdBinary::find_all_for_test(test) {
            let body = &body;
            scope.spawn(move || body(&binary));
        }
    });
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn connect(endpoint: &str) -> std::io::Result<TcpStream> {
    TcpStream::connect(endpoint.strip_prefix("http://").unwrap())
}

/// The members of a cluster.
pub(crate) fn members(cluster: &EtcdCluster) -> impl Iterator<Item = &EtcdProcess> {
    (0..cluster.len()).map(|index| cluster.member(index))
}

/// The folder of a server's files, from its command line.
pub(crate) fn data_folder(etcd: &EtcdProcess) -> PathBuf {
    let pid = etcd.pid().unwrap().to_string();
    let line = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid]).output().unwrap();
    let line = String::from_utf8_lossy(&line.stdout).into_owned();
    let data = line.split_whitespace().find_map(|word| word.strip_prefix("--data-dir=")).unwrap();
    Path::new(data).parent().unwrap().to_owned()
}

/// Runs the test of this name again as a process of its own, which is to call [`die_while`], and checks that nothing of
/// the servers that ran then is left.
pub(crate) fn leaves_nothing_when_killed(test: &str, binary: &EtcdBinary) {
    let parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(ROLE, "parent")
        .env("ETCD_BIN", &binary.path)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&parent.stdout).into_owned();
    let servers: Vec<_> = printed.lines().filter_map(|line| line.split_once("serves ")).collect();
    assert!(!servers.is_empty(), "no server started: {printed}");
    for (_, server) in servers {
        let (endpoint, folder) = server.split_once(' ').unwrap();
        let what = format!("that etcd at {endpoint} and its files in {folder} are gone");
        until(&what, || connect(endpoint).is_err() && !Path::new(folder).exists());
    }
}

const ROLE: &str = "ETCD_PROCESS_TEST_ROLE";

/// Whether this is the process that [`leaves_nothing_when_killed`] started.
pub(crate) fn is_to_die() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Kills this process while these servers run.
pub(crate) fn die_while<'a>(running: impl Iterator<Item = &'a EtcdProcess>) {
    for etcd in running {
        println!("\nserves {} {}", etcd.endpoint(), data_folder(etcd).display());
    }
    let me = std::process::id().to_string();
    Command::new("kill").args(["-9", &me]).status().unwrap();
    unreachable!("killed");
}
