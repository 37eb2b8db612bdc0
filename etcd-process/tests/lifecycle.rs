//! A server starts, survives being killed with its data, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "it waits for real processes, in real time, without a runtime"
)]

mod support;

use std::process::Command;

use etcd_process::{EtcdBinary, EtcdProcess};
use support::{connect, data_folder, die_while, is_to_die, leaves_nothing_when_killed, until};

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
        let (endpoint, folder) = (etcd.endpoint(), data_folder(&etcd));
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

#[test]
fn a_server_that_ended_on_its_own_is_noticed() {
    for binary in EtcdBinary::find_all_for_test("etcd-process: ended") {
        let mut etcd = EtcdProcess::start(&binary).unwrap();
        assert!(etcd.is_running().unwrap());
        let pid = etcd.pid().unwrap().to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        until("that the server has ended", || !etcd.is_running().unwrap());
        etcd.restart().unwrap();
        assert!(etcd.is_running().unwrap());
    }
}

#[test]
fn a_server_does_not_outlive_a_killed_parent() {
    for binary in EtcdBinary::find_all_for_test("etcd-process: killed parent") {
        if is_to_die() {
            die_while([&EtcdProcess::start(&binary).unwrap()].into_iter());
        }
        leaves_nothing_when_killed("a_server_does_not_outlive_a_killed_parent", &binary);
    }
}

#[test]
fn a_server_goes_back_to_a_snapshot() {
    for binary in EtcdBinary::find_all_for_test("snapshot") {
        let mut etcd = EtcdProcess::start(&binary).unwrap();
        etcd.etcdctl(&["put", "key", "old"]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let snapshot = folder.path().join("snapshot");
        etcd.save_snapshot(&snapshot).unwrap();
        etcd.etcdctl(&["put", "key", "new"]).unwrap();
        etcd.restore_snapshot(&snapshot).unwrap();
        assert_eq!(etcd.etcdctl(&["get", "key", "--print-value-only"]).unwrap().trim(), "old");
        etcd.etcdctl(&["put", "key", "again"]).unwrap();
    }
}
