//! What cannot be imported is found before anything is stored; what fails on the way is told of.

use std::fs;

use crate::support::{argument, on_each_etcd};

#[cfg(unix)]
#[test]
fn every_problem_is_named_and_nothing_is_stored() {
    use std::os::unix::ffi::OsStrExt;

    on_each_etcd("import problems", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::write(dir.join("good"), "x").unwrap();
        fs::write(dir.join("back\\slash"), "x").unwrap();
        fs::write(dir.join("new\nline"), "x").unwrap();
        fs::write(dir.join(std::ffi::OsStr::from_bytes(b"not-\xff-text")), "x").unwrap();
        fs::write(dir.join("too-large"), vec![0; 1_572_865]).unwrap();
        // As large as a value may be, but not with its key.
        fs::write(dir.join("a-little-too-large"), vec![0; 1_572_864]).unwrap();
        let run = kvfs.run(&["import", argument(dir)]).said(&[
            "backslash",
            "control character",
            "not UTF-8",
            "too-large\": too large",
            "a-little-too-large\": too large",
            "at most 1572864 bytes",
            "5 of what is in it cannot be stored, see above; nothing was stored",
        ]);
        assert_eq!((run.code, run.text(), run.stderr.lines().count()), (2, "", 6), "{run:?}");
        assert_eq!(kvfs.ok(&["ls", "-r"]), "");
    });
}

#[cfg(unix)]
#[test]
fn links_and_special_files_are_skipped_and_said_to_be() {
    on_each_etcd("import links", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::write(dir.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(dir.join("file"), dir.join("link")).unwrap();
        // A directory that contains itself.
        std::os::unix::fs::symlink(dir, dir.join("loop")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
        let run = kvfs.run(&["import", argument(dir)]).said(&[
            "link\": skipped",
            "loop\": skipped",
            "socket\": skipped",
        ]);
        assert_eq!((run.code, run.text()), (0, "imported 1 file, 1 bytes, verified, 3 skipped\n"), "{run:?}");
        assert_eq!(kvfs.ok(&["ls", "-r"]), "file\n");
    });
}

#[test]
fn a_failure_in_the_middle_says_how_far_it_came() {
    on_each_etcd("import conflict", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "x").unwrap();
        fs::write(folder.path().join("b"), "x").unwrap();
        kvfs.put("dir/b/below", b"in the way");
        let run = kvfs.run(&["import", argument(folder.path()), "dir"]);
        run.failed(
            4,
            &["import \"dir/b\": is a directory", "1 of 2 files are stored", "running it again is safe"],
        );
        assert_eq!(kvfs.ok(&["ls", "-r"]), "dir/\ndir/a\ndir/b/\ndir/b/below\n");
        kvfs.ok(&["rm", "-r", "dir/b"]);
        assert_eq!(
            kvfs.ok(&["import", argument(folder.path()), "dir"]),
            "imported 2 files, 2 bytes, verified, 1 unchanged\n"
        );
    });
}
