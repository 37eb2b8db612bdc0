//! Directories as certmagic's `FileStorage` keeps them.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::{self, argument, on_each_etcd};

fn write(dir: &Path, path: &str, content: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn what_is_no_file_of_the_tree_is_left_out_and_told_of() {
    on_each_etcd("file storage", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        write(dir, "certificates/ca/example.com/example.com.crt", "cert");
        write(dir, "certificates/ca/example.com/2718281828", "ce");
        write(dir, "locks/issue_cert_example.com.lock", r#"{"created":"2026-01-01T00:00:00Z"}"#);
        write(dir, "locks/notes", "a file");
        write(dir, "sites/locks/front.lock", "a file");
        write(dir, ".git/config", "x");
        write(dir, "sites/.swp", "x");
        let run = kvfs.run(&["import", argument(dir)]).said(&[
            ".git\": skipped: a dot file; --all takes it",
            ".swp\": skipped: a dot file",
            "2718281828\": skipped: a temporary file of certmagic's",
            "example.com.lock\": skipped: a lock of certmagic's",
        ]);
        assert_eq!(
            (run.code, run.text()),
            (0, "imported 3 files, 16 bytes, verified, 4 skipped\n"),
            "{run:?}"
        );
        let paths = "certificates/\ncertificates/ca/\ncertificates/ca/example.com/\n\
                     certificates/ca/example.com/example.com.crt\nlocks/\nlocks/notes\nsites/\nsites/locks/\n\
                     sites/locks/front.lock\n";
        assert_eq!(kvfs.ok(&["ls", "-r"]), paths);

        // What was left out is no difference; what the store has counts, whatever it is called.
        let same = kvfs.run(&["diff", argument(dir), "store:"]);
        assert_eq!((same.code, same.text()), (0, ""), "{same:?}");
        kvfs.put("sites/.swp", b"y");
        let differs = kvfs.run(&["diff", argument(dir), "store:"]);
        assert_eq!(
            (differs.code, differs.text()),
            (1, "differs: sites/.swp (size 1 in both, other content)\n")
        );

        let all = kvfs.ok(&["import", "--all", argument(dir)]);
        assert!(all.starts_with("imported 7 files, ") && all.ends_with("verified, 3 unchanged\n"), "{all}");
        assert_eq!(kvfs.ok(&["get", "locks/issue_cert_example.com.lock"]).len(), 34);
        assert_eq!(kvfs.ok(&["diff", "--all", argument(dir), "store:"]), "");
    });
}

#[test]
fn names_of_digits_are_names_where_certmagic_has_not_been() {
    on_each_etcd("digits", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "backups/20261125", "x");
        assert_eq!(kvfs.ok(&["import", argument(folder.path())]), "imported 1 file, 1 bytes, verified\n");
    });
}

#[test]
fn times_go_both_ways() {
    on_each_etcd("times", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let (src, dst) = (folder.path().join("src"), folder.path().join("dst"));
        write(&src, "a", "x");
        let modified = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_000);
        fs::File::options().append(true).open(src.join("a")).unwrap().set_modified(modified).unwrap();
        kvfs.ok(&["import", argument(&src)]);
        assert!(kvfs.ok(&["stat", "a"]).contains("modified: 2009-02-13T23:31:30.123456Z\n"));
        kvfs.ok(&["export", "", argument(&dst)]);
        assert_eq!(fs::metadata(dst.join("a")).unwrap().modified().unwrap(), modified);
    });
}

#[test]
fn an_import_goes_on_where_it_was_ended() {
    on_each_etcd("resume", |kvfs, etcd| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c", "d"] {
            write(folder.path(), name, name);
        }
        kvfs.put("a", b"a");
        kvfs.put("b", b"other");
        kvfs.put("c", b"c");
        let version = || support::objects(&kvfs.ok(&["--json", "stat", "a"]))[0]["version"].clone();
        let before = version();
        // It has the size and the SHA-1 of what is imported, and another content.
        etcd.etcdctl(&["put", "/caddy/data/c", "x"]).unwrap();
        assert_eq!(
            kvfs.ok(&["import", argument(folder.path())]),
            "imported 4 files, 4 bytes, verified, 1 unchanged\n"
        );
        assert_eq!(version(), before, "what is there already is not written again");
        assert_eq!(kvfs.ok(&["get", "b"]) + &kvfs.ok(&["get", "c"]) + &kvfs.ok(&["get", "d"]), "bcd");
    });
}
