//! A `kvfs lock` that is killed leaves the lock taken, for as long as `--ttl` says.

use std::fs;

use crate::support::started::{Orphan, until};
use crate::support::{argument, on_each_etcd};

#[test]
fn the_lock_becomes_free_by_itself() {
    on_each_etcd("lock killed", |kvfs, etcd| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("echo $$ > {}; exec sleep 600", argument(&file));
        let run = kvfs.start(&["lock", "a", "--ttl", "2s", "--", "sh", "-c", &script]);
        let pid = || fs::read_to_string(&file).ok().filter(|pid| pid.ends_with('\n'));
        let _command = Orphan(until("the command should run", pid).trim().to_owned());
        run.kill();
        // Far less than the time after which it would be free without --ttl.
        assert_eq!(kvfs.ok(&["lock", "a", "--wait", "30s", "--", "echo", "ran"]), "ran\n");
        let session = || etcd.etcdctl(&["get", "--prefix", "/caddy/session"]).unwrap();
        until("the session should end too", || session().is_empty().then_some(()));
    });
}
