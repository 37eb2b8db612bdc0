//! With `--json` every line is one object with the documented fields.

use serde_json::{Value, json};

use crate::support::{argument, objects, on_each_etcd};

const SHA1_OF_ABC: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";

#[track_caller]
fn is_abc(object: &Value, path: &str) {
    assert_eq!(object["path"], path);
    assert_eq!(object["kind"], "file");
    assert_eq!(object["size"], 3);
    assert_eq!(object["sha1"], SHA1_OF_ABC);
    assert!(object["version"].as_u64().is_some_and(|version| version > 0), "{object}");
    let modified = object["modified"].as_str().unwrap();
    assert!(modified.starts_with('2') && modified.ends_with('Z') && modified.contains('T'), "{object}");
}

#[test]
fn every_command_prints_objects() {
    on_each_etcd("json", |kvfs, _| {
        let put = kvfs.run_with_input(&["--json", "put", "/dir/a"], b"abc").succeeded().objects();
        assert_eq!(put.len(), 1);
        is_abc(&put[0], "dir/a");

        let stat = objects(&kvfs.ok(&["--json", "stat", "dir/a"]));
        assert_eq!(stat, put, "what is stored is what is found");
        let directory = &objects(&kvfs.ok(&["--json", "stat", "dir"]))[0];
        assert_eq!((&directory["kind"], &directory["size"]), (&json!("directory"), &json!(3)));
        assert!(directory.get("sha1").is_none(), "{directory}");

        let get = &objects(&kvfs.ok(&["--json", "get", "dir/a"]))[0];
        is_abc(get, "dir/a");
        assert_eq!(get["content_base64"], "YWJj");
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let get = &objects(&kvfs.ok(&["--json", "get", "dir/a", "-o", argument(&target)]))[0];
        is_abc(get, "dir/a");
        assert!(get.get("content_base64").is_none(), "{get}");
        assert_eq!(std::fs::read(&target).unwrap(), b"abc");

        let moved = &objects(&kvfs.ok(&["--json", "mv", "dir/a", "dir/b"]))[0];
        is_abc(moved, "dir/b");

        let names = objects(&kvfs.ok(&["--json", "ls", "-r"]));
        assert_eq!(
            names,
            [json!({"path": "dir", "kind": "directory"}), json!({"path": "dir/b", "kind": "file"})]
        );
        let long = objects(&kvfs.ok(&["--json", "ls", "-r", "-l"]));
        assert_eq!(long[0], names[0]);
        is_abc(&long[1], "dir/b");

        let exported = objects(&kvfs.ok(&["--json", "export", "dir", argument(&folder.path().join("out"))]));
        is_abc(&exported[0], "dir/b");
        assert_eq!(exported[0]["action"], "copied");
        let numbers = |object: &Value| {
            let mut numbers = object.clone();
            assert!(numbers["seconds"].as_f64().is_some(), "{numbers}");
            numbers["seconds"] = json!(0);
            numbers
        };
        let summary = json!({
            "copied": 1, "replaced": 0, "unchanged": 0, "deleted": 0, "bytes": 3, "skipped": 0,
            "verified": true, "dry_run": false, "seconds": 0,
        });
        let with = |name: &str| {
            let mut summary = summary.clone();
            summary[name] = json!(1);
            summary
        };
        assert_eq!(numbers(&exported[1]), with("exported"));

        let imported =
            objects(&kvfs.ok(&["--json", "import", argument(&folder.path().join("out")), "again"]));
        assert_eq!((&imported[0]["path"], &imported[0]["sha1"]), (&json!("again/b"), &json!(SHA1_OF_ABC)));
        assert_eq!((&imported[0]["size"], &imported[0]["action"]), (&json!(3), &json!("copied")));
        assert_eq!(imported[0]["modified"], exported[0]["modified"], "a copy keeps the time");
        assert_eq!(numbers(&imported[1]), with("imported"));

        let removed = objects(&kvfs.ok(&["--json", "rm", "dir/b"]));
        assert_eq!(removed, [json!({"path": "dir/b", "removed": 1})]);
    });
}
