//! `cp`, `sync` and `diff` between stores, directories and tars.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::archives::{Tar, members};
use crate::support::{self, Kvfs, argument, objects, on_each_etcd};

/// The summary without the time that it took.
#[track_caller]
fn summary(line: &str) -> String {
    let (rest, time) = line.trim_end().rsplit_once(", in ").unwrap();
    assert!(time.ends_with(" s"), "{line}");
    rest.to_owned()
}

fn write(dir: &Path, path: &str, content: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_tree_is_copied_between_all_kinds_of_places() {
    on_each_etcd("cp", |kvfs, etcd| {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        write(dir, "src/a/b", "one");
        write(dir, "src/a.txt", "two");
        write(dir, "src/empty", "");
        let place = |name: &str| argument(&dir.join(name)).to_owned();
        let other = format!("{}/other#below", support::url(etcd));
        let (tar, second) = (place("x.tar"), place("second"));
        let chain =
            [&place("src"), "store:t", &tar, &other, &second, "store:u", &place("third"), "tar:y", "store:v"];
        let kvfs_in = |arguments: &[&str]| {
            let output = kvfs.std_command(arguments).current_dir(dir).output().unwrap();
            assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{arguments:?}");
            (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
        };
        for step in chain.windows(2) {
            let (code, said) = kvfs_in(&["cp", step[0], step[1]]);
            assert_eq!(
                (code, summary(&said)),
                (0, "3 files copied, 6 bytes, verified".to_owned()),
                "{step:?}"
            );
            let (_, said) = kvfs_in(&["cp", step[0], step[1]]);
            let again = "0 files copied, 3 unchanged, 0 bytes, verified";
            assert_eq!(summary(&said), again, "{step:?}");
        }
        for place in chain {
            assert_eq!(kvfs_in(&["diff", place, &tar]), (0, String::new()), "{place}");
        }
        assert_eq!(Kvfs::on(format!("{}/other", support::url(etcd))).ok(&["get", "below/a/b"]), "one");
        // The time came all the way.
        let modified = |path: &str| fs::metadata(dir.join(path)).unwrap().modified().unwrap();
        assert_eq!(modified("third/a/b"), modified("src/a/b"));
    });
}

#[test]
fn a_file_goes_into_a_directory_or_gets_the_name_that_is_given() {
    on_each_etcd("cp file", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        write(dir, ".env", "x");
        let place = |name: &str| argument(&dir.join(name)).to_owned();
        let file = place(".env");
        kvfs.ok(&["cp", &file, "store:as/this"]);
        kvfs.ok(&["cp", &file, "store:into/"]);
        kvfs.ok(&["cp", &file, "store:as"]);
        kvfs.ok(&["cp", &file, "store:"]);
        assert_eq!(kvfs.ok(&["ls", "-r"]), ".env\nas/\nas/.env\nas/this\ninto/\ninto/.env\n");
        kvfs.ok(&["cp", "store:as/this", &place("local")]);
        kvfs.ok(&["cp", "store:as/this", &place("new/")]);
        fs::create_dir(dir.join("old")).unwrap();
        kvfs.ok(&["cp", "store:as/this", &place("old")]);
        kvfs.ok(&["cp", "store:as/this", &place("one.tar")]);
        for path in ["local", "new/this", "old/this"] {
            assert_eq!(fs::read(dir.join(path)).unwrap(), b"x", "{path}");
        }
        assert_eq!(members(&fs::read(dir.join("one.tar")).unwrap())[0].name, "this");
        // Two files are compared whatever they are called.
        assert_eq!(kvfs.ok(&["diff", "store:as/this", &file]), "");
        kvfs.put("as/this", b"y");
        let run = kvfs.run(&["diff", "store:as/this", &file]);
        assert_eq!((run.code, run.text()), (1, "differs: this (size 1 in both, other content)\n"));
        kvfs.run(&["diff", "store:as/this", "store:as"]).failed(2, &["is a file and", "is a directory"]);
        kvfs.run(&["sync", "store:as/this", &place("x")]).failed(2, &["is a file; `kvfs cp` copies it"]);
    });
}

#[test]
fn sync_deletes_only_when_it_is_told_to() {
    on_each_etcd("sync", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let src = folder.path().join("src");
        write(&src, "same", "same");
        write(&src, "changed", "new");
        write(&src, "dir/now a file", "x");
        write(&src, "file now/below", "x");
        let tree = |name: &str| {
            for (path, content) in [
                ("same", "same"),
                ("changed", "old"),
                ("extra/deep", "x"),
                ("dir/now a file/below", "x"),
                ("file now", "x"),
            ] {
                kvfs.put(&format!("{name}/{path}"), content.as_bytes());
            }
        };
        tree("t");
        let src = argument(&src);
        let plan = kvfs.ok(&["sync", "--delete", "--dry-run", src, "store:t"]);
        let lines = [
            "copy dir/now a file",
            "copy file now/below",
            "replace changed",
            "delete dir/now a file/below",
            "delete extra/deep",
            "delete file now",
            "would copy 2 files, replace 1, delete 3, 5 bytes; 1 unchanged",
        ];
        let mut found: Vec<_> = plan.lines().collect();
        found.sort_unstable();
        let mut expected = lines.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(kvfs.ok(&["get", "t/changed"]), "old", "nothing was changed");

        // Without --delete what stands in the way is a conflict, and what is only there stays.
        let run = kvfs.run(&["sync", src, "store:t"]);
        assert_eq!((run.code, run.text()), (4, ""), "{run:?}");
        assert_eq!(kvfs.ok(&["get", "t/extra/deep"]), "x");
        let done = summary(&kvfs.ok(&["sync", "--delete", src, "store:t"]));
        assert!(done.contains("3 deleted") && done.ends_with("verified"), "{done}");
        assert_eq!(kvfs.ok(&["diff", src, "store:t"]), "");

        // The same with a directory.
        tree("u");
        let target = folder.path().join("target");
        let target = argument(&target);
        kvfs.ok(&["cp", "store:u", target]);
        write(Path::new(target), ".kept", "x");
        kvfs.ok(&["sync", "store:t", target, "--delete"]);
        let run = kvfs.run(&["diff", "store:t", target, "--all"]);
        assert_eq!((run.code, run.text()), (1, "only in B: .kept\n"), "what is left out is not deleted");
        assert!(!Path::new(target).join("extra").exists(), "an emptied directory goes");
    });
}

#[test]
fn a_tar_is_replaced_as_a_whole() {
    on_each_etcd("sync tar", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let tar = folder.path().join("x.tar");
        let before = Tar::of([("a", "1"), ("gone", "x")]);
        fs::write(&tar, &before).unwrap();
        kvfs.put("t/a", b"2");
        for command in ["cp", "sync"] {
            kvfs.run(&[command, "store:t", argument(&tar)])
                .failed(4, &["1 files that the source has not", "sync --delete"]);
        }
        let plan = kvfs.ok(&["sync", "-n", "--delete", "store:t", argument(&tar)]);
        assert_eq!(
            plan,
            "replace a\ndelete gone\nwould copy 0 files, replace 1, delete 1, 1 bytes; 0 unchanged\n"
        );
        assert_eq!(fs::read(&tar).unwrap(), before);
        let done = summary(&kvfs.ok(&["sync", "--delete", "store:t", argument(&tar)]));
        assert_eq!(done, "0 files copied, 1 replaced, 1 deleted, 1 bytes, verified");
        assert_eq!(members(&fs::read(&tar).unwrap()).len(), 1);
    });
}

#[test]
fn nothing_is_deleted_when_the_source_could_not_be_read_whole() {
    on_each_etcd("sync damage", |kvfs, etcd| {
        for path in ["t/a", "t/b", "t/c", "u/extra", "u/a"] {
            kvfs.put(path, path.as_bytes());
        }
        for (key, value) in [("data/t/a", "something else"), ("meta/t/b", "nonsense")] {
            etcd.etcdctl(&["put", &format!("/caddy/{key}"), value]).unwrap();
            let run = kvfs.run(&["sync", "--delete", "store:t", "store:u"]);
            let run = run.said(&["checksum", "files were not copied, see above; nothing was deleted"]);
            assert_eq!(run.code, 5, "{run:?}");
            assert_eq!(kvfs.ok(&["get", "u/extra"]), "u/extra");
            assert_eq!(kvfs.ok(&["get", "u/c"]), "t/c", "the others are copied");
        }
        // What is damaged in the target is replaced.
        etcd.etcdctl(&["put", "/caddy/data/u/c", "something else"]).unwrap();
        etcd.etcdctl(&["put", "/caddy/meta/u/a", "nonsense"]).unwrap();
        kvfs.put("t/a", b"well");
        kvfs.put("t/b", b"well");
        kvfs.ok(&["sync", "--delete", "store:t", "store:u"]);
        assert_eq!(kvfs.ok(&["get", "u/a"]), "well");
        assert_eq!(kvfs.ok(&["get", "u/c"]), "t/c");
        assert_eq!(kvfs.ok(&["ls", "u"]), "u/a\nu/b\nu/c\n");
    });
}

#[test]
fn diff_says_what_is_different_and_by_its_code_whether_anything_is() {
    on_each_etcd("diff", |kvfs, etcd| {
        for (path, content) in [("a", "1"), ("b", "22"), ("c", "3"), ("only/a", "x")] {
            kvfs.put(&format!("t/{path}"), content.as_bytes());
        }
        let folder = tempfile::tempdir().unwrap();
        let tar = folder.path().join("x.tar");
        fs::write(&tar, Tar::of([("a", "1"), ("b", "2"), ("c", "4"), ("only/b", "x")])).unwrap();
        let run = kvfs.run(&["diff", "store:t", argument(&tar)]);
        let lines = "differs: b (size 2 in A, 1 in B)\ndiffers: c (size 1 in both, other content)\n\
                     only in A: only/a\nonly in B: only/b\n";
        assert_eq!((run.code, run.text(), run.stderr.as_str()), (1, lines, ""));
        let run = kvfs.run(&["--json", "diff", "store:t", argument(&tar)]);
        assert_eq!(
            run.objects(),
            [
                json!({"path": "b", "difference": "differs", "size_a": 2, "size_b": 1}),
                json!({"path": "c", "difference": "differs", "size_a": 1, "size_b": 1}),
                json!({"path": "only/a", "difference": "only_in_a", "size_a": 1}),
                json!({"path": "only/b", "difference": "only_in_b", "size_b": 1}),
                json!({"equal": false, "only_in_a": 1, "only_in_b": 1, "differing": 2, "same": 1}),
            ]
        );
        assert_eq!(kvfs.ok(&["diff", "store:t", "store:t"]), "");
        // The code of a difference is for nothing else.
        kvfs.run(&["diff", "store:none", "store:t"]).failed(2, &["not found"]);
        kvfs.run(&["diff", "store:t", argument(&folder.path().join("none"))]).failed(2, &["No such file"]);
        kvfs.run(&["diff", "-", "-"]).failed(2, &["one of the two only"]);
        etcd.etcdctl(&["put", "/caddy/meta/t/a", "nonsense"]).unwrap();
        let run =
            kvfs.run(&["diff", "store:t", "store:t"]).said(&["metadata is damaged", "cannot be compared"]);
        assert_eq!(run.code, 5, "{run:?}");
    });
}

#[test]
fn json_tells_of_every_file_and_of_the_whole() {
    on_each_etcd("cp json", |kvfs, _| {
        kvfs.put("t/a", b"abc");
        let copied = objects(&kvfs.ok(&["--json", "cp", "store:t", "store:u"]));
        assert_eq!((&copied[0]["path"], &copied[0]["action"]), (&json!("a"), &json!("copied")));
        assert_eq!(copied[0]["sha1"], "a9993e364706816aba3e25717850c26c9cd0d89d");
        let mut last = copied[1].clone();
        assert!(last["seconds"].as_f64().is_some(), "{last}");
        last["seconds"] = json!(0);
        assert_eq!(
            last,
            json!({"copied": 1, "replaced": 0, "unchanged": 0, "deleted": 0, "bytes": 3, "skipped": 0,
                   "verified": true, "dry_run": false, "seconds": 0})
        );
        kvfs.put("u/b", b"x");
        let synced = objects(&kvfs.ok(&["--json", "sync", "-n", "--delete", "store:t", "store:u"]));
        assert_eq!((&synced[1]["path"], &synced[1]["action"]), (&json!("b"), &json!("deleted")));
        assert_eq!((&synced[2]["dry_run"], &synced[2]["verified"]), (&json!(true), &json!(false)));
        // With the tar on standard output, objects are on standard error.
        let run = kvfs.run(&["--json", "export", "t", "-"]);
        assert_eq!((run.code, members(&run.stdout).len()), (0, 1));
        assert_eq!(objects(&run.stderr)[1]["exported"], 1);
    });
}

#[test]
fn what_cannot_be_meant_is_refused() {
    on_each_etcd("cp refused", |kvfs, _| {
        kvfs.put("a/b", b"x");
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        write(dir, "d/f", "x");
        let place = |name: &str| argument(&dir.join(name)).to_owned();
        for (arguments, code, said) in [
            (["cp", "store:a", "store:a"], 2, "source and target are the same"),
            (["cp", "store:a/b", "store:a/b"], 2, "source and target are the same"),
            (["cp", "store:", "store:c"], 2, "the target lies in the source"),
            (["sync", "store:a", "store:"], 2, "the source lies in the target"),
            (["cp", &place("d"), &place("d/e")], 2, "the target lies in the source"),
            (["cp", &place("d"), &place("d/x.tar")], 2, "the target lies in the source"),
            (["cp", "-", "-"], 2, "nothing to do"),
            (["cp", &place("none"), "store:"], 2, "No such file"),
            (["cp", "store:none", &place("out")], 1, "not found"),
            (["cp", "store:../x", "store:"], 2, "invalid path"),
            (["cp", "store:a", "store:../x"], 2, "invalid path"),
            (["cp", "store:a", "ftp://x"], 2, "unknown scheme"),
            (["cp", "store:a", ""], 2, "an empty text is no location"),
            (["cp", "store:a", &place("d/f")], 2, "is not a directory"),
            (["cp", &place("d"), "store:a/b"], 4, "not a directory"),
        ] {
            kvfs.run(&arguments).failed(code, &[said]);
        }
        assert_eq!(kvfs.ok(&["ls", "-r"]), "a/\na/b\n");
        assert!(!dir.join("out").exists() && !dir.join("d/e").exists());
    });
}
