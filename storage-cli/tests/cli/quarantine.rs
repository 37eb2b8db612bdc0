//! What was moved to the quarantine can be looked at, saved, put back and deleted.

use std::fs;

use etcd_process::EtcdProcess;

use crate::support::{Kvfs, argument, objects, on_each_etcd};

/// Damages a file and moves it away; its name in the quarantine.
fn moved(kvfs: &Kvfs, etcd: &EtcdProcess, path: &str) -> String {
    kvfs.put(path, b"as it was");
    etcd.etcdctl(&["put", &format!("/caddy/data/{path}"), "As it was"]).unwrap();
    let run = kvfs.run(&["verify", "--repair", "--json", path]);
    assert_eq!(run.code, 5, "{run:?}");
    run.objects()[0]["quarantine"].as_str().unwrap().to_owned()
}

#[test]
fn an_empty_quarantine_is_an_empty_list() {
    let memory = Kvfs::on_memory();
    assert_eq!(memory.ok(&["quarantine"]), "");
    assert_eq!(memory.ok(&["--json", "quarantine", "list"]), "");
}

#[test]
fn it_is_listed_with_reason_and_origin() {
    on_each_etcd("quarantine list", |kvfs, etcd| {
        let id = moved(kvfs, etcd, "dir/a b");
        let listed = kvfs.ok(&["quarantine"]);
        let lines: Vec<Vec<_>> = listed.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(lines[0], ["ID", "PROBLEM", "SIZE", "MOVED", "HOST", "PID", "PATH"]);
        assert_eq!((lines.len(), lines[1][0], lines[1][1], lines[1][2]), (2, &*id, "checksum_mismatch", "9"));
        assert_eq!(lines[1][6], "dir/a b");
        let object = &objects(&kvfs.ok(&["--json", "quarantine", "list"]))[0];
        assert_eq!((&object["id"], &object["path"]), (&id.into(), &"dir/a b".into()));
        assert!(object["pid"].is_u64() && object["host"].is_string() && object["moved"].is_string());
        assert_eq!(kvfs.ok(&["ls", "-r"]), "", "it is no file any more");
    });
}

#[test]
fn its_bytes_are_written_as_they_were() {
    on_each_etcd("quarantine get", |kvfs, etcd| {
        let id = moved(kvfs, etcd, "a");
        assert_eq!(kvfs.ok(&["quarantine", "get", &id]), "As it was");
        assert!(kvfs.ok(&["quarantine", "get", "--metadata", &id]).starts_with(r#"{"version":1,"size":9,"#));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("saved");
        kvfs.ok(&["quarantine", "get", &id, "-o", argument(&file)]);
        assert_eq!(fs::read(&file).unwrap(), b"As it was");
        let object = &objects(&kvfs.ok(&["--json", "quarantine", "get", &id]))[0];
        assert_eq!(object["content_base64"], "QXMgaXQgd2Fz");
        kvfs.run(&["quarantine", "get", &id, "-o", argument(folder.path())])
            .failed(2, &["quarantine get", "is a directory"]);
        etcd.etcdctl(&["del", &format!("/caddy/quarantine/{id}/meta/a")]).unwrap();
        kvfs.run(&["quarantine", "get", "--metadata", &id]).failed(1, &["it has no metadata record"]);
    });
}

#[test]
fn it_is_put_back_only_if_it_is_whole_and_nothing_is_in_the_way() {
    on_each_etcd("quarantine restore", |kvfs, etcd| {
        let id = moved(kvfs, etcd, "a");
        kvfs.run(&["quarantine", "restore", &id])
            .failed(5, &["does not match its checksum", "`kvfs quarantine get`"]);
        etcd.etcdctl(&["put", &format!("/caddy/quarantine/{id}/data/a"), "as it was"]).unwrap();
        kvfs.put("a", b"another");
        kvfs.run(&["quarantine", "restore", &id]).failed(4, &["exists already"]);
        kvfs.ok(&["rm", "a"]);
        assert_eq!(kvfs.ok(&["quarantine", "restore", &id]), "restored \"a\"\n");
        assert_eq!(kvfs.ok(&["get", "a"]), "as it was");
        kvfs.run(&["quarantine", "restore", &id]).failed(1, &["not found", "`kvfs quarantine` shows"]);
    });
}

#[test]
fn it_is_deleted_only_on_request() {
    on_each_etcd("quarantine rm", |kvfs, etcd| {
        let (one, other) = (moved(kvfs, etcd, "a"), moved(kvfs, etcd, "b"));
        assert_eq!(kvfs.ok(&["quarantine", "rm", &one]), "");
        kvfs.run(&["quarantine", "rm", &one]).failed(1, &["not found"]);
        let left = objects(&kvfs.ok(&["--json", "quarantine"]));
        assert_eq!((left.len(), &left[0]["id"]), (1, &other.clone().into()));
        let removed = objects(&kvfs.ok(&["--json", "quarantine", "rm", &other]));
        assert_eq!(removed, [serde_json::json!({"id": other, "removed": 1})]);
        assert_eq!(etcd.etcdctl(&["get", "--prefix", "/caddy/quarantine/"]).unwrap(), "");
    });
}

#[test]
fn what_is_no_name_is_refused_before_the_store_is_asked() {
    let nowhere = Kvfs::on("etcd://127.0.0.1:1");
    for verb in ["get", "restore", "rm"] {
        for name in ["", "a", "0123456789ABCDEF", "../0123456789abcde"] {
            nowhere
                .run(&["quarantine", verb, name])
                .failed(2, &["16 hexadecimal digits", "`kvfs quarantine`"]);
        }
    }
}
