//! Not waiting, waiting for a time, and giving up.

use crate::support::started::{Started, until};
use crate::support::{Kvfs, objects, on_each_etcd};

/// Holds the lock until it is dropped or sent a signal.
fn hold(kvfs: &Kvfs) -> Started {
    let run = kvfs.start(&["lock", "a", "--", "sleep", "600"]);
    until("it should hold the lock", || (kvfs.locks().len() == 1).then_some(()));
    run
}

fn end(holder: Started) {
    holder.signal("TERM");
    assert_eq!(holder.wait().code, 143);
}

#[test]
fn the_wait_ends_at_its_limit() {
    on_each_etcd("lock --wait", |kvfs, _| {
        let holder = hold(kvfs);
        let wait = ["lock", "a", "--wait", "300ms", "--", "echo", "ran"];
        kvfs.run(&wait).failed(4, &["lock \"a\": lock not acquired in time", "after 300ms", "kvfs locks"]);
        let json = kvfs.run(&[&["--json"], &wait[..]].concat());
        assert_eq!((json.code, json.text()), (4, ""));
        assert_eq!(objects(&json.stderr)[0]["error"]["kind"], "lock_timeout");
        assert_eq!(kvfs.locks().len(), 1, "no place is left in the queue");
        end(holder);
        assert_eq!(kvfs.ok(&["lock", "a", "--wait", "30s", "--", "echo", "ran"]), "ran\n");
    });
}

#[test]
fn a_lock_that_is_not_free_is_refused_at_once() {
    on_each_etcd("try-lock", |kvfs, _| {
        let holder = hold(kvfs);
        let attempt = ["try-lock", "a", "--", "echo", "ran"];
        kvfs.run(&attempt).failed(4, &["try-lock \"a\": somebody holds the lock", "kvfs locks"]);
        let json = kvfs.run(&[&["--json"], &attempt[..]].concat());
        assert_eq!((json.code, json.text()), (4, ""));
        assert_eq!(objects(&json.stderr)[0]["error"]["kind"], "locked");
        assert_eq!(kvfs.locks().len(), 1, "no place is left in the queue");
        end(holder);
        assert_eq!(kvfs.ok(&attempt), "ran\n");
    });
}

#[test]
fn a_signal_ends_the_wait_and_leaves_no_place_in_the_queue() {
    on_each_etcd("lock interrupted", |kvfs, etcd| {
        let keys = |below: &str| etcd.etcdctl(&["get", "--prefix", below, "--keys-only"]).unwrap();
        let holder = hold(kvfs);
        let (place, session) = (keys("/caddy/lock"), keys("/caddy/session"));
        for (signal, code) in [("TERM", 143), ("USR1", 138)] {
            let waiter = kvfs.start(&["lock", "a", "--", "echo", "ran"]);
            until("it should wait", || (kvfs.locks().len() == 2).then_some(()));
            waiter.signal(signal);
            let run = waiter.wait();
            assert_eq!((run.code, run.text(), run.stderr.as_str()), (code, "", ""));
            assert_eq!((keys("/caddy/lock"), keys("/caddy/session")), (place.clone(), session.clone()));
        }
        end(holder);
        assert_eq!((keys("/caddy/lock"), keys("/caddy/session")), (String::new(), String::new()));
    });
}
