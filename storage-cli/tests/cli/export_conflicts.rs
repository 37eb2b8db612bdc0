//! An export replaces nothing that it was not told to, and never leaves its directory.

use std::fs;

use crate::support::{argument, on_each_etcd};

#[test]
fn other_contents_are_replaced_only_by_force() {
    on_each_etcd("export conflicts", |kvfs, _| {
        kvfs.put("changed", b"in the tree");
        kvfs.put("same", b"same");
        kvfs.put("taken/file", b"x");
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::write(dir.join("changed"), "here").unwrap();
        fs::write(dir.join("same"), "same").unwrap();
        fs::write(dir.join("taken"), "a file where a directory is needed").unwrap();

        let run = kvfs.run(&["export", "", argument(dir)]);
        let run = run.said(&[
            "changed has another content; --force",
            "taken is a file",
            "2 of 3 files were not exported",
        ]);
        assert_eq!(
            (run.code, run.text()),
            (4, "exported 1 file, 4 bytes, verified, 1 unchanged\n"),
            "{run:?}"
        );
        assert_eq!(fs::read(dir.join("changed")).unwrap(), b"here");

        let run = kvfs.run(&["export", "", argument(dir), "--force"]).said(&["taken is a file"]);
        assert_eq!(run.code, 4);
        assert_eq!(fs::read(dir.join("changed")).unwrap(), b"in the tree");
        assert!(dir.join("taken").is_file());

        kvfs.run(&["export", "", argument(&dir.join("taken"))]).failed(2, &["is not a directory"]);
    });
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_not_followed() {
    use std::os::unix::fs::symlink;

    on_each_etcd("export links", |kvfs, _| {
        kvfs.put("dir/file", b"x");
        kvfs.put("file", b"x");
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
        fs::create_dir_all(&inside).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("aim"), "old").unwrap();
        symlink(&outside, inside.join("dir")).unwrap();
        symlink(outside.join("aim"), inside.join("file")).unwrap();
        let run = kvfs.run(&["export", "", argument(&inside), "--force"]);
        let run = run.said(&["dir is a symbolic link", "file is a symbolic link"]);
        assert_eq!(run.code, 4, "{run:?}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing was written there");
        assert_eq!(fs::read(outside.join("aim")).unwrap(), b"old");
    });
}
