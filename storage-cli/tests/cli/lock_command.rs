//! The command that is run with a lock: what it is given, and how `kvfs` ends with it.

use crate::support::{self, Kvfs, on_each_etcd};

#[test]
fn its_exit_status_is_that_of_kvfs() {
    on_each_etcd("lock status", |kvfs, etcd| {
        for (script, code) in [("exit 0", 0), ("exit 9", 9), ("exit 255", 255), ("kill -9 $$", 137)] {
            for verb in ["lock", "try-lock"] {
                let run = kvfs.run(&[verb, "a", "--", "sh", "-c", script]);
                assert_eq!((run.code, run.stderr.as_str()), (code, ""), "{verb} {script}");
            }
        }
        assert_eq!(etcd.etcdctl(&["get", "--prefix", "/caddy/lock"]).unwrap(), "");
        assert_eq!(etcd.etcdctl(&["get", "--prefix", "/caddy/session"]).unwrap(), "");
    });
}

#[test]
fn it_has_the_standard_streams_and_knows_the_lock_and_the_store() {
    let memory = Kvfs::on_memory();
    for verb in ["lock", "try-lock"] {
        let script = "cat; echo \"$1|$KVFS_STORE|$KVFS_LOCK_NAME|$KVFS_LOCK_TOKEN\"; echo oh >&2; exit 3";
        let run = memory.run_with_input(&[verb, "a b/ä", "--", "sh", "-c", script, "sh", "--json"], b"in\n");
        assert_eq!((run.code, run.stderr.as_str()), (3, "oh\n"));
        let (said, token) = run.text().trim_end().rsplit_once('|').unwrap();
        assert_eq!(said, "in\n--json|memory:|a b/ä");
        assert!(token.parse::<u64>().unwrap() > 0);
    }
}

#[test]
fn one_that_cannot_be_run_is_told_of_and_the_lock_is_released() {
    on_each_etcd("lock not run", |kvfs, etcd| {
        kvfs.run(&["lock", "a", "--", "no-such-command"])
            .failed(127, &["lock \"a\": cannot run \"no-such-command\": "]);
        let folder = support::argument(&std::env::temp_dir()).to_owned();
        kvfs.run(&["lock", "a", "--", &folder]).failed(126, &["cannot run", "ermission denied"]);
        let json = kvfs.run(&["--json", "try-lock", "a", "--", "no-such-command"]);
        assert_eq!(json.code, 127);
        assert_eq!(support::objects(&json.stderr)[0]["error"]["kind"], "command_not_found");
        kvfs.ok(&["try-lock", "a", "--", "true"]);
        assert_eq!(etcd.etcdctl(&["get", "--prefix", "/caddy/session"]).unwrap(), "");
    });
}

#[test]
fn a_lock_whose_store_is_gone_in_the_end_is_told_of() {
    on_each_etcd("lock store gone", |kvfs, etcd| {
        let script = format!("kill -STOP {}; exit 6", etcd.pid().unwrap());
        let run = kvfs.run(&["lock", "a", "--ttl", "90s", "--", "sh", "-c", &script]);
        etcd.resume().unwrap();
        run.failed(6, &["lock \"a\": ", "the lock was not released", "in 1m 30s at most"]);
    });
}
