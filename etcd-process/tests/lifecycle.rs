//! A server starts, survives being killed with its data, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "it waits for real processes, in real time, without a runtime"
)]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use etcd_process::{EtcdBinary, EtcdProcess};

#[test]
fn a_killed_server_comes_back_with_its_data_on_the_same_port() {
    for binary in EtcdBinary::find_all_for_test("etcd-process: restart") {
        let mut etcd = EtcdProcess::start(&binary).unwrap();
        etcd.etcdctl(&["put", "greeting", "hello"]).unwrap();
        let (endpoint, pid) = (etcd.endpoint(), etcd.pid());
        etcd.kill().unwrap();
        assert_eq!(etcd.pid(), None);
        assert!(connect(&endpoint).is_err(), "something still listens at {endpoint}");
        etcd.restart().unwrap();
        assert_ne!(etcd.pid(), pid);
        assert_eq!(etcd.endpoint(), endpoint);
        assert_eq!(etcd.etcdctl(&["get", "greeting", "--print-value-only"]).unwrap(), "hello\n");
    }
}

#[test]
fn dropping_it_ends_the_process_and_removes_its_files() {
    for binary in EtcdBinary::find_all_for_test("etcd-process: drop") {
        let etcd = EtcdProcess::start(&binary).unwrap();
        let (endpoint, folder) = (etcd.endpoint(), data_folder(etcd.pid().unwrap()));
        assert!(folder.is_dir());
        drop(etcd);
        assert!(connect(&endpoint).is_err(), "something still listens at {endpoint}");
        assert!(!folder.exists(), "{} is still there", folder.display());
    }
}

#[test]
fn two_servers_do_not_get_in_each_others_way() {
    for binary in EtcdBinary::find_all_for_test("etcd-process: two servers") {
        let (one, two) = (EtcdProcess::start(&binary).unwrap(), EtcdProcess::start(&binary).unwrap());
        one.etcdctl(&["put", "key", "one"]).unwrap();
        assert_eq!(two.etcdctl(&["get", "key"]).unwrap(), "");
    }
}

#[test]
fn a_server_that_does_not_start_says_why() {
    for binary in EtcdBinary::find_all_for_test("etcd-process: failure") {
        let broken = EtcdProcess::builder(&binary).with_flag("--listen-client-urls=http://nowhere.invalid:1");
        let error = broken.start().unwrap_err().to_string();
        assert!(error.contains(&binary.version) && error.contains("nowhere.invalid"), "{error}");
    }
}

/// This test runs itself again as a parent that kills itself while its server runs.
#[test]
fn a_server_does_not_outlive_a_killed_parent() {
    const ROLE: &str = "ETCD_PROCESS_TEST_ROLE";
    for binary in EtcdBinary::find_all_for_test("etcd-process: killed parent") {
        if std::env::var_os(ROLE).is_some() {
            let etcd = EtcdProcess::start(&binary).unwrap();
            println!("serves {} {}", etcd.endpoint(), data_folder(etcd.pid().unwrap()).display());
            let me = std::process::id().to_string();
            Command::new("kill").args(["-9", &me]).status().unwrap();
            unreachable!("killed");
        }
        let parent = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "a_server_does_not_outlive_a_killed_parent"])
            .env(ROLE, "parent")
            .env("ETCD_BIN", &binary.path)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&parent.stdout).into_owned();
        let line = printed.lines().find_map(|line| line.split_once("serves ")).expect("a server started").1;
        let (endpoint, folder) = line.split_once(' ').unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while connect(endpoint).is_ok() || Path::new(folder).exists() {
            assert!(Instant::now() < deadline, "etcd at {endpoint} or its files in {folder} are still there");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn connect(endpoint: &str) -> std::io::Result<TcpStream> {
    TcpStream::connect(endpoint.strip_prefix("http://").unwrap())
}

/// The folder of a server's files, from its command line.
fn data_folder(pid: u32) -> PathBuf {
    let line = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output().unwrap();
    let line = String::from_utf8_lossy(&line.stdout).into_owned();
    let data = line.split_whitespace().find_map(|word| word.strip_prefix("--data-dir=")).unwrap();
    Path::new(data).parent().unwrap().to_owned()
}
