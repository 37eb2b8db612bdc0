//! `get -o` writes a local file whole or not at all.

use std::fs;

use crate::support::{argument, on_each_etcd};

#[test]
fn the_file_is_written_for_its_owner_only() {
    on_each_etcd("get -o", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("key.pem");
        fs::write(&target, "old").unwrap();
        kvfs.put("key.pem", b"secret\0\xff");
        assert_eq!(kvfs.ok(&["get", "key.pem", "-o", argument(&target)]), "");
        assert_eq!(fs::read(&target).unwrap(), b"secret\0\xff");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    });
}

#[test]
fn a_failure_leaves_things_as_they_are() {
    on_each_etcd("get -o fails", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        kvfs.run(&["get", "none", "-o", argument(&target)]).failed(1, &["not found"]);
        assert!(!target.exists());
        fs::write(&target, "old").unwrap();
        kvfs.run(&["get", "none", "-o", argument(&target)]).failed(1, &["not found"]);
        assert_eq!(fs::read(&target).unwrap(), b"old");

        kvfs.put("a", b"new");
        kvfs.run(&["get", "a", "-o", argument(folder.path())]).failed(2, &["is a directory", "-o needs"]);
        let nowhere = folder.path().join("none/file");
        kvfs.run(&["get", "a", "-o", argument(&nowhere)]).failed(3, &["cannot write"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    });
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_replaced() {
    on_each_etcd("get -o link", |kvfs, _| {
        kvfs.put("a", b"new");
        let folder = tempfile::tempdir().unwrap();
        let (link, aim) = (folder.path().join("link"), folder.path().join("aim"));
        fs::write(&aim, "old").unwrap();
        std::os::unix::fs::symlink(&aim, &link).unwrap();
        kvfs.run(&["get", "a", "-o", argument(&link)]).failed(2, &["symbolic link"]);
        assert!(link.is_symlink());
        assert_eq!(fs::read(&aim).unwrap(), b"old");
    });
}
