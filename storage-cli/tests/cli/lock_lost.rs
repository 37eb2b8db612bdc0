//! A command whose lock is lost is ended: it must not go on without it.

use std::fs;
use std::path::Path;

use crate::support::started::{Orphan, Started, send, until};
use crate::support::{Kvfs, argument, on_each_etcd};

/// Starts a command that goes on for a long time, and answers its number as well.
fn start(kvfs: &Kvfs, options: &[&str], trap: &str, folder: &Path) -> (Started, Orphan) {
    let file = folder.join("pid");
    let script = format!("{trap}; echo $$ > {}; {SLEEP}", argument(&file));
    let run = kvfs.start(&[&["lock", "a"], options, &["--", "sh", "-c", &script]].concat());
    let pid =
        until("the command should run", || fs::read_to_string(&file).ok().filter(|pid| pid.ends_with('\n')));
    fs::remove_file(&file).unwrap();
    (run, Orphan(pid.trim().to_owned()))
}

/// A shell that ignores `SIGTERM` passes that on to what it becomes.
const SLEEP: &str = "exec sleep 600";

#[test]
fn breaking_a_lock_ends_its_command() {
    on_each_etcd("lock broken", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let (run, command) = start(kvfs, &[], "true", folder.path());
        let broken = kvfs.ok(&["locks", "break", "a"]);
        assert!(broken.contains(&format!("process {}", run.pid())), "{broken}");
        run.wait()
            .failed(4, &["lock \"a\": lock lost while the command ran", "SIGTERM and has ended", "alone"]);
        assert!(!send("0", &command.0), "the command should be gone");
        kvfs.ok(&["try-lock", "a", "--", "true"]);
    });
}

#[test]
fn a_command_that_does_not_want_to_end_is_killed() {
    on_each_etcd("lock broken, kill", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let (run, command) = start(kvfs, &[], "trap '' TERM", folder.path());
        kvfs.ok(&["locks", "break", "a"]);
        run.wait().failed(4, &["did not end within 10 s of SIGTERM and was killed"]);
        assert!(!send("0", &command.0), "the command should be gone");
    });
}

#[test]
fn a_store_that_is_gone_for_too_long_costs_the_lock() {
    on_each_etcd("lock lost", |kvfs, etcd| {
        let folder = tempfile::tempdir().unwrap();
        let (run, command) = start(kvfs, &["--ttl", "3s"], "true", folder.path());
        etcd.pause().unwrap();
        until("the command should be ended", || (!send("0", &command.0)).then_some(()));
        etcd.resume().unwrap();
        run.wait().failed(4, &["lock lost while the command ran"]);
    });
}

#[test]
fn a_command_that_has_ended_meanwhile_may_not_have_run_alone() {
    on_each_etcd("lock lost at the end", |kvfs, _| {
        let broken = "\"$0\" locks break a > /dev/null; exit 0";
        let path = assert_cmd::cargo::cargo_bin!("kvfs");
        let run = kvfs.run(&["lock", "a", "--", "sh", "-c", broken, argument(path)]);
        run.failed(4, &["lock \"a\": lock lost", "may not have run alone"]);
    });
}
