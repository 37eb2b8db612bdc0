//! A damaged file is one file's error: the others are listed and exported.

use std::fs;

use etcd_process::EtcdProcess;

use crate::support::{self, Kvfs, argument, on_each_etcd};

/// A tree with a file that is well, one whose content is damaged, and one whose metadata is.
fn damaged_tree(kvfs: &Kvfs, etcd: &EtcdProcess) {
    for path in ["a-content", "b-meta", "c-well"] {
        kvfs.put(path, b"as it was");
    }
    etcd.etcdctl(&["put", "/caddy/data/a-content", "something else"]).unwrap();
    etcd.etcdctl(&["put", "/caddy/meta/b-meta", "nonsense"]).unwrap();
}

#[test]
fn damage_is_never_delivered() {
    on_each_etcd("damaged get", |kvfs, etcd| {
        damaged_tree(kvfs, etcd);
        kvfs.run(&["get", "a-content"]).failed(5, &["does not match its checksum", "kvfs put"]);
        kvfs.run(&["get", "b-meta"]).failed(5, &["metadata is damaged"]);
        kvfs.run(&["stat", "b-meta"]).failed(5, &["metadata is damaged"]);
        assert_eq!(kvfs.ok(&["get", "c-well"]), "as it was");
    });
}

#[test]
fn a_listing_shows_what_is_damaged_and_everything_else() {
    on_each_etcd("damaged ls", |kvfs, etcd| {
        damaged_tree(kvfs, etcd);
        assert_eq!(kvfs.ok(&["ls"]), "a-content\nb-meta\nc-well\n");
        let long = kvfs.run(&["ls", "-l"]).said(&["kvfs: ls \"b-meta\": metadata is damaged"]);
        assert_eq!((long.code, long.stderr.lines().count()), (5, 1), "{long:?}");
        let lines: Vec<_> = long.text().lines().collect();
        assert_eq!(lines.len(), 3, "{long:?}");
        assert!(lines[1].contains("damaged") && lines[1].ends_with(" b-meta"), "{long:?}");
        assert!(lines[2].contains(" 9 ") && lines[2].ends_with(" c-well"), "{long:?}");

        let json = kvfs.run(&["--json", "ls", "-l"]);
        assert_eq!(json.code, 5);
        assert_eq!(json.objects()[1]["error"]["kind"], "corrupt");
        assert_eq!(json.objects()[2]["size"], 9);
        assert_eq!(support::objects(&json.stderr)[0]["warning"]["kind"], "corrupt");
    });
}

#[test]
fn an_export_leaves_out_what_is_damaged() {
    on_each_etcd("damaged export", |kvfs, etcd| {
        damaged_tree(kvfs, etcd);
        let folder = tempfile::tempdir().unwrap();
        let run = kvfs.run(&["export", "", argument(folder.path())]);
        let run =
            run.said(&["export \"a-content\": ", "export \"b-meta\": ", "2 of 3 files were not exported"]);
        assert_eq!((run.code, run.stderr.lines().count()), (5, 3), "{run:?}");
        assert_eq!(run.text(), "exported 1 file, 9 bytes, verified\n");
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["c-well"]);
    });
}

#[test]
fn damaged_files_can_be_removed_and_replaced() {
    on_each_etcd("damaged rm", |kvfs, etcd| {
        damaged_tree(kvfs, etcd);
        kvfs.ok(&["rm", "b-meta"]);
        kvfs.put("a-content", b"well again");
        assert_eq!(kvfs.ok(&["get", "a-content"]), "well again");
        assert_eq!(kvfs.ok(&["ls", "-r"]), "a-content\nc-well\n");
    });
}
