//! Processes that are given the same store share one tree.

use crate::support::{self, Kvfs, on_each_etcd, url};

#[test]
fn what_one_process_stores_the_next_one_finds() {
    on_each_etcd("shared tree", |kvfs, etcd| {
        let binary: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        kvfs.put("dir/binary", &binary);
        kvfs.put("/dir/sub/empty/", b"");
        assert_eq!(kvfs.run(&["get", "dir/binary"]).succeeded().stdout, binary);
        assert_eq!(kvfs.run(&["get", "dir/sub/empty"]).succeeded().stdout, b"");

        assert_eq!(kvfs.ok(&["ls"]), "dir/\n");
        assert_eq!(kvfs.ok(&["ls", "dir"]), "dir/binary\ndir/sub/\n");
        assert_eq!(kvfs.ok(&["ls", "-r"]), "dir/\ndir/binary\ndir/sub/\ndir/sub/empty\n");

        let stat = kvfs.ok(&["stat", "dir/binary"]);
        for line in
            ["path: dir/binary\n", "kind: file\n", "size: 10000\n", "sha1: ", "modified: 2", "version: "]
        {
            assert!(stat.contains(line), "{stat} should have {line:?}");
        }
        assert!(kvfs.ok(&["stat", "dir"]).contains("kind: directory\nsize: 10000\n"));

        // Another prefix of the same server is another tree.
        let other = Kvfs::on(format!("{}/caddy2", url(etcd)));
        assert_eq!(other.ok(&["ls", "-r"]), "");
        assert_eq!(Kvfs::on(format!("{}/caddy", url(etcd))).ok(&["ls"]), "dir/\n");
    });
}

#[test]
fn exists_answers_by_its_exit_code() {
    on_each_etcd("exists", |kvfs, _| {
        kvfs.put("dir/file", b"x");
        for (path, code) in [("dir/file", 0), ("dir", 0), ("", 0), ("di", 1), ("dir/file/x", 1)] {
            let run = kvfs.run(&["exists", path]);
            assert_eq!((run.code, run.text(), run.stderr.as_str()), (code, "", ""), "{path}");
            let run = kvfs.run(&["--json", "exists", path]);
            assert_eq!(run.code, code);
            assert_eq!(run.objects(), [serde_json::json!({"path": path, "exists": code == 0})]);
        }
    });
}

#[test]
fn put_reads_a_file_or_standard_input() {
    on_each_etcd("put", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("with space");
        std::fs::write(&file, "from a file").unwrap();
        kvfs.ok(&["put", "a", support::argument(&file)]);
        kvfs.run_with_input(&["put", "b", "-"], b"from standard input").succeeded();
        assert_eq!(kvfs.ok(&["get", "a"]), "from a file");
        assert_eq!(kvfs.ok(&["get", "b", "-o", "-"]), "from standard input");
    });
}

#[test]
fn a_file_is_moved_never_onto_another() {
    on_each_etcd("mv", |kvfs, _| {
        kvfs.put("a", b"one");
        kvfs.put("dir/b", b"two");
        kvfs.run(&["mv", "a", "dir/b"]).failed(4, &["mv \"a\": ", "\"dir/b\": exists already", "kvfs rm"]);
        kvfs.run(&["mv", "dir", "c"]).failed(4, &["mv \"dir\": is a directory", "only files are moved"]);
        kvfs.run(&["mv", "a", "dir"]).failed(4, &["is a directory"]);
        kvfs.run(&["mv", "a", "dir/b/c"]).failed(4, &["\"dir/b\": not a directory"]);
        kvfs.ok(&["mv", "a", "c/d"]);
        assert_eq!(kvfs.ok(&["ls", "-r"]), "c/\nc/d\ndir/\ndir/b\n");
        assert_eq!(kvfs.ok(&["get", "c/d"]), "one");
    });
}

#[test]
fn a_directory_is_removed_only_when_asked_for() {
    on_each_etcd("rm", |kvfs, _| {
        for path in ["a", "dir/b", "dir/c/d", "directory"] {
            kvfs.put(path, b"x");
        }
        kvfs.run(&["rm", "dir"]).failed(4, &["rm \"dir\": is a directory", "kvfs rm -r"]);
        kvfs.run(&["rm", "a/b"]).failed(1, &["not found"]);
        assert_eq!(kvfs.ok(&["rm", "a"]), "");
        assert_eq!(kvfs.ok(&["rm", "-r", "dir"]), "removed 2 files\n");
        assert_eq!(kvfs.ok(&["ls", "-r"]), "directory\n");
        assert_eq!(kvfs.ok(&["rm", "-r", "directory"]), "removed 1 file\n");
        assert_eq!(kvfs.ok(&["ls"]), "");
    });
}
