//! Ctrl-C ends long commands soon, with a line that says what was done; the store is consistent.

use etcd_process::EtcdProcess;

use crate::support::started::{interrupt, until};
use crate::support::{self, Kvfs, on_each_etcd};

/// Many files, all damaged: verifying them takes a while.
fn many_damaged(kvfs: &Kvfs, etcd: &EtcdProcess) {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..600 {
        std::fs::write(folder.path().join(format!("{number:03}")), "as it was").unwrap();
    }
    kvfs.ok(&["import", support::argument(folder.path())]);
    for number in 0..200 {
        etcd.etcdctl(&["put", &format!("/caddy/data/{number:03}"), "As it was"]).unwrap();
    }
}

#[test]
fn a_repair_that_is_interrupted_leaves_every_file_in_one_place() {
    on_each_etcd("interrupted repair", |kvfs, etcd| {
        many_damaged(kvfs, etcd);
        let repair = kvfs.start(&["verify", "--repair"]);
        until("it should move some", || (repair.printed().lines().count() > 3).then_some(()));
        let (signal, code) = interrupt();
        repair.signal(signal);
        let run = repair.wait();
        // On a quick machine it may have come to its end.
        if run.code != 5 {
            assert_eq!(run.code, code, "{run:?}");
            run.said(&["kvfs: verify \"\": interrupted; verified ", " moved to the quarantine"]);
        }
        let moved = kvfs.ok(&["quarantine", "--json"]).lines().count();
        let left = kvfs.ok(&["ls"]).lines().count();
        assert_eq!(moved + left, 600, "{moved} moved");
        kvfs.run(&["verify", "--repair"]);
        assert_eq!(kvfs.ok(&["verify"]), "verified 400 files, 3600 bytes: 0 problems, 0 damaged\n");
    });
}
