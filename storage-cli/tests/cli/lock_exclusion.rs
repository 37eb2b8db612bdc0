//! Only one command runs with a lock at a time, and they come in the order in which they asked.

use std::fs;

use crate::support::started::until;
use crate::support::{argument, on_each_etcd};

/// Takes what only one can have, notes its token, gives it back when it is told to. Fails if it is not alone.
const ALONE: &str =
    "mkdir busy || exit 99; echo $KVFS_LOCK_TOKEN >> log; until [ -e go ]; do sleep 0.02; done; rmdir busy";

fn tokens(log: &str) -> Vec<u64> {
    log.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn the_second_waits_for_the_first() {
    on_each_etcd("lock exclusion", |kvfs, etcd| {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("cd {}; {ALONE}", argument(folder.path()));
        let log = folder.path().join("log");
        let lock = ["lock", "a", "--", "sh", "-c", &script];
        let first = kvfs.start(&lock);
        until("the first should run", || fs::read_to_string(&log).ok().filter(|log| log.ends_with('\n')));
        let second = kvfs.start(&lock);
        let places =
            until("the second should wait", || Some(kvfs.locks()).filter(|places| places.len() == 2));
        assert_eq!(tokens(&fs::read_to_string(&log).unwrap()).len(), 1, "the second must not run");
        // Another lock is none of their business.
        kvfs.ok(&["lock", "b", "--", "true"]);

        fs::write(folder.path().join("go"), "").unwrap();
        first.wait().succeeded();
        second.wait().succeeded();
        let tokens = tokens(&fs::read_to_string(&log).unwrap());
        assert!(tokens.len() == 2 && tokens[0] < tokens[1], "{tokens:?}");
        assert_eq!(serde_json::json!(tokens), serde_json::json!([places[0]["token"], places[1]["token"]]));
        for left in ["/caddy/lock", "/caddy/session"] {
            assert_eq!(etcd.etcdctl(&["get", "--prefix", left]).unwrap(), "", "nothing is left behind");
        }
    });
}

#[test]
fn of_many_at_once_none_meets_another() {
    on_each_etcd("lock contention", |kvfs, _| {
        const MANY: usize = 6;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("go"), "").unwrap();
        let script = format!("cd {}; {ALONE}", argument(folder.path()));
        let all: Vec<_> = (0..MANY).map(|_| kvfs.start(&["lock", "a", "--", "sh", "-c", &script])).collect();
        for one in all {
            one.wait().succeeded();
        }
        let tokens = tokens(&fs::read_to_string(folder.path().join("log")).unwrap());
        assert!(tokens.len() == MANY && tokens.is_sorted_by(|a, b| a < b), "{tokens:?}");
    });
}
