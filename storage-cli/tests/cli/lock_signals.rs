//! Signals that are sent to `kvfs` reach the command, and `kvfs` waits for what it makes of them.

use crate::support::started::{Started, is_ignored, until};
use crate::support::{Kvfs, argument, on_each_etcd};

/// Waits for a signal, whose trap it is given, and says when it can come.
fn waiting(ready: &str) -> String {
    format!("eval \"$1\"; touch {ready}; until false; do sleep 0.02; done")
}

#[test]
fn the_command_decides_what_they_do() {
    on_each_etcd("lock signals", |kvfs, etcd| {
        let folder = tempfile::tempdir().unwrap();
        for (signal, number) in
            [("TERM", 15), ("HUP", 1), ("INT", 2), ("QUIT", 3), ("USR1", 10), ("USR2", 12)]
        {
            if is_ignored(number) {
                continue;
            }
            let ready = folder.path().join(signal);
            let (script, trap) = (waiting(argument(&ready)), format!("trap 'exit 7' {signal}"));
            let run = kvfs.start(&["lock", "a", "--", "sh", "-c", &script, "sh", &trap]);
            until("the command should run", || ready.exists().then_some(()));
            run.signal(signal);
            let run = run.wait();
            assert_eq!((run.code, run.stderr.as_str()), (7, ""), "{signal}");
        }
        assert_eq!(etcd.etcdctl(&["get", "--prefix", "/caddy/lock"]).unwrap(), "");
    });
}

#[test]
fn a_command_that_a_signal_ends_has_the_code_of_shells() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let run = Kvfs::on_memory().start(&["lock", "a", "--", "sh", "-c", &waiting(argument(&ready)), "sh", ""]);
    until("the command should run", || ready.exists().then_some(()));
    run.signal("TERM");
    let run = run.wait();
    assert_eq!((run.code, run.stderr.as_str()), (143, ""));
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_ignored_before_stays_ignored() {
    let command = "kill -HUP $PPID; kill -HUP $$; exit 3";
    let script = format!("trap '' HUP; exec \"$0\" --store memory: lock a -- sh -c '{command}'");
    let kvfs = assert_cmd::cargo::cargo_bin!("kvfs");
    let run = Started::new(std::process::Command::new("sh").args(["-c", &script]).arg(kvfs)).wait();
    assert_eq!((run.code, run.stderr.as_str()), (3, ""));
}
