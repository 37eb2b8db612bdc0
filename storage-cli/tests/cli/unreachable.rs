//! A server that does not answer is told of within seconds.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use crate::support::{self, Kvfs, dead_url, on_each_etcd};

/// Twice the time that the client takes to give up connecting.
const SOON: Duration = Duration::from_secs(10);

#[expect(clippy::disallowed_methods, reason = "another process is timed, in real time")]
fn fails_soon(kvfs: &Kvfs, arguments: &[&str], said: &[&str]) {
    let begin = Instant::now();
    kvfs.run(arguments).failed(3, said);
    assert!(begin.elapsed() < SOON, "{arguments:?} took {:?}", begin.elapsed());
}

#[test]
fn nobody_listens() {
    let url = dead_url();
    let kvfs = Kvfs::on(&url);
    let folder = tempfile::tempdir().unwrap();
    let local = support::argument(folder.path());
    for arguments in [
        &["put", "a"][..],
        &["get", "a"],
        &["ls"],
        &["stat", "a"],
        &["exists", "a"],
        &["rm", "a"],
        &["mv", "a", "b"],
        &["import", local],
        &["export", "", local],
        &["lock", "a", "--", "true"],
        &["try-lock", "a", "--", "true"],
        &["locks"],
        &["locks", "break", "a"],
        &["watch"],
    ] {
        fails_soon(&kvfs, arguments, &[&url, "refused", "is the server at", "--store"]);
    }
}

#[test]
fn somebody_listens_and_says_nothing() {
    // The kernel completes the connection; no program ever reads from it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("etcd://{}", listener.local_addr().unwrap());
    fails_soon(&Kvfs::on(&url), &["ls"], &[&url, "no answer in time", "is the server at"]);
}

#[test]
fn a_server_that_has_gone_away() {
    on_each_etcd("server gone", |kvfs, etcd| {
        kvfs.put("a", b"x");
        etcd.pause().unwrap();
        fails_soon(kvfs, &["put", "a"], &["no answer in time"]);
        etcd.resume().unwrap();
        assert_eq!(kvfs.ok(&["get", "a"]), "x", "nothing was stored");
    });
}
