//! Tars: what is written is what others read, and what others write is read.

use std::fs;

use crate::support::archives::{FILE, Tar, members};
use crate::support::{self, Kvfs, argument, on_each_etcd};

#[test]
fn an_export_is_a_plain_tar_in_the_order_of_its_paths() {
    on_each_etcd("tar export", |kvfs, _| {
        let long = format!("{}/{}/file", "a".repeat(120), "b".repeat(120));
        let longer = format!("{}/{}", "c".repeat(200), "d".repeat(200));
        let names = ["plain", "dir/file", "dir.txt", "ä/日本", long.as_str(), longer.as_str(), ".hidden"];
        for name in names {
            kvfs.put(&format!("t/{name}"), name.as_bytes());
        }
        kvfs.put("t/empty", b"");
        kvfs.put("t/block", &[7; 512]);
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one.tar"), folder.path().join("other.tar"));
        let exported = kvfs.ok(&["export", "t", argument(&one)]);
        let bytes: usize = names.iter().map(|name| name.len()).sum::<usize>() + 512;
        assert_eq!(exported, format!("exported 9 files, {bytes} bytes, verified\n"));

        let tar = fs::read(&one).unwrap();
        let files = members(&tar);
        let found: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        let mut expected: Vec<_> = names.into_iter().chain(["block", "empty"]).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
        for file in &files {
            let content = match file.name.as_str() {
                "empty" => Vec::new(),
                "block" => vec![7; 512],
                name => name.as_bytes().to_vec(),
            };
            assert_eq!((&file.content, file.mode()), (&content, 0o600), "{}", file.name);
            assert!(file.modified() > 1_700_000_000, "{file:?}");
        }
        let plain = files.iter().find(|file| file.name == "plain").unwrap();
        assert!(plain.header[..6] == *b"plain\0" && !plain.extended.contains_key("path"), "{plain:?}");

        // The same tree, the same bytes; also on standard output.
        kvfs.ok(&["export", "t", argument(&other)]);
        assert_eq!(fs::read(&other).unwrap(), tar);
        let run = kvfs.run(&["export", "t", "-"]);
        assert_eq!((run.code, &run.stdout), (0, &tar));
        assert_eq!(run.stderr, exported, "standard output is the tar");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
    });
}

#[test]
fn the_round_trip_keeps_contents_and_times() {
    on_each_etcd("tar round trip", |kvfs, _| {
        let tar = Tar::default()
            .with(FILE, b"whole", b"1", 1_000_000_000)
            .with_extended(&[("mtime", "1700000000.123456789")])
            .with(FILE, b"exact", b"2", 0)
            .with_extended(&[("mtime", "-1.5")])
            .with(FILE, b"before", b"3", 0)
            .end();
        let run = kvfs.run_with_input(&["import", "-", "in"], &tar).succeeded();
        assert_eq!(run.text(), "imported 3 files, 3 bytes, verified\n");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.tar");
        kvfs.ok(&["export", "in", argument(&file)]);
        kvfs.ok(&["import", argument(&file), "again"]);
        for (name, modified) in [
            ("whole", "2001-09-09T01:46:40Z"),
            ("exact", "2023-11-14T22:13:20.123456789Z"),
            ("before", "1969-12-31T23:59:58.5Z"),
        ] {
            for tree in ["in", "again"] {
                let stat = kvfs.ok(&["stat", &format!("{tree}/{name}")]);
                assert!(stat.contains(&format!("modified: {modified}\n")), "{tree}: {stat}");
            }
        }
        assert_eq!(kvfs.ok(&["diff", "store:in", argument(&file)]), "");
    });
}

#[test]
fn a_tar_without_times_is_of_now() {
    on_each_etcd("tar without times", |kvfs, _| {
        kvfs.put("before", b"x");
        kvfs.run_with_input(&["import", "-"], &Tar::of([("a", "x")])).succeeded();
        let modified = |path: &str| {
            support::objects(&kvfs.ok(&["--json", "stat", path]))[0]["modified"].as_str().unwrap().to_owned()
        };
        assert!(modified("a") > modified("before"));
    });
}

#[test]
fn what_ordinary_tars_have_besides_files_is_understood() {
    on_each_etcd("tar of others", |kvfs, _| {
        let long = "long/".repeat(30) + "name";
        let tar = Tar::default()
            .with(b'g', b"pax_global_header", b"19 comment=whatever\n", 0)
            .with(b'5', b"./", b"", 5)
            .with(b'5', b"./dir/", b"", 5)
            .with(FILE, b"./dir/file", b"one", 5)
            .with(b'\0', b"old", b"two", 5)
            .with(b'\0', b"old-directory/", b"", 5)
            .with(b'7', b"contiguous", b"three", 5)
            .with(b'L', b"././@LongLink", format!("{long}\0").as_bytes(), 0)
            .with(FILE, &long.as_bytes()[..100], b"four", 5)
            .with_extended(&[("path", "./\u{e4}")])
            .with(FILE, b"_", b"five", 5)
            .end();
        // What follows the end does not count.
        let tar = [tar, vec![0; 8192]].concat();
        let run = kvfs.run_with_input(&["import", "-"], &tar).succeeded();
        assert_eq!(run.text(), "imported 5 files, 19 bytes, verified\n");
        for (path, content) in
            [("dir/file", "one"), ("old", "two"), ("contiguous", "three"), (&long, "four"), ("ä", "five")]
        {
            assert_eq!(kvfs.ok(&["get", path]), content);
        }
    });
}

#[test]
fn links_and_devices_are_skipped_and_of_namesakes_the_last_counts() {
    on_each_etcd("tar links", |kvfs, _| {
        let tar = Tar::default()
            .with(FILE, b"file", b"first", 0)
            .with(b'2', b"link", b"", 0)
            .with(b'1', b"hard", b"", 0)
            .with(b'3', b"device", b"", 0)
            .with(FILE, b"./file", b"second", 0)
            .end();
        let run = kvfs.run_with_input(&["import", "-"], &tar);
        let run =
            run.said(&["\"link\": skipped", "\"hard\": skipped", "\"device\": skipped", "that file counts"]);
        assert_eq!((run.code, run.text()), (0, "imported 1 file, 6 bytes, verified, 4 skipped\n"), "{run:?}");
        assert_eq!(kvfs.ok(&["get", "file"]), "second");
        assert_eq!(kvfs.ok(&["ls", "-r"]), "file\n");
    });
}

#[test]
fn a_tar_that_cannot_be_stored_whole_is_not_stored_at_all() {
    on_each_etcd("tar refused", |kvfs, _| {
        let tar = Tar::default()
            .with(FILE, b"good", b"x", 0)
            .with(FILE, b"/absolute", b"x", 0)
            .with(FILE, b"a/../../up", b"x", 0)
            .with(FILE, b"a//b", b"x", 0)
            .with(FILE, b"new\nline", b"x", 0)
            .with(FILE, b"\xff", b"x", 0)
            .with(FILE, b"good/below", b"x", 0)
            .with(FILE, b"large", &vec![0; 1_572_865], 0)
            .with_extended(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "s")])
            .with(FILE, b"GNUSparseFile.0/s", b"x", 0)
            .end();
        let run = kvfs.run_with_input(&["import", "-"], &tar).said(&[
            "it is absolute",
            "\"..\"",
            "empty component",
            "control character",
            "not UTF-8",
            "\"good\" is a file too",
            "large\": too large",
            "sparse",
            "import \"-\": 8 of what is in it cannot be stored, see above; nothing was stored",
        ]);
        assert_eq!((run.code, run.text(), run.stderr.lines().count()), (2, "", 9), "{run:?}");
        assert_eq!(kvfs.ok(&["ls", "-r"]), "");
    });
}

#[test]
fn what_is_no_whole_tar_is_refused_and_nothing_is_stored() {
    on_each_etcd("tar broken", |kvfs, _| {
        let whole = Tar::of([("a", vec![b'a'; 600]), ("b", vec![b'b'; 600])]);
        for length in [1, 511, 512, 700, 1024, 1535, 1536, 2048, 2500, 3071, 3072, 3100] {
            let run = kvfs.run_with_input(&["import", "-"], &whole[..length]);
            run.failed(3, &["import \"standard input\": "]);
        }
        let mut damaged = whole.clone();
        damaged[1536 + 3] ^= 1;
        kvfs.run_with_input(&["import", "-"], &damaged).failed(3, &["checksum"]);
        kvfs.run_with_input(&["import", "-"], b"").failed(3, &["empty"]);
        kvfs.run_with_input(&["import", "-"], &[b'x'; 4096]).failed(3, &["not a whole tar"]);
        kvfs.run_with_input(&["import", "-"], b"\x1f\x8b\x08 and so on").failed(3, &["it is compressed"]);
        let cut_off = Tar::default().with(FILE, b"a", b"x", 0).cut_off();
        kvfs.run_with_input(&["import", "-"], &cut_off).failed(3, &["it has no end"]);
        assert_eq!(kvfs.ok(&["ls", "-r"]), "");
    });
}

#[test]
fn an_export_replaces_another_tar_only_by_force_and_nothing_else() {
    on_each_etcd("tar force", |kvfs, _| {
        kvfs.put("a", b"1");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.tar");
        // As `mktemp` leaves it.
        fs::write(&file, "").unwrap();
        kvfs.ok(&["export", "", argument(&file)]);
        let before = fs::read(&file).unwrap();
        assert_eq!(
            kvfs.ok(&["export", "", argument(&file)]),
            "exported 1 file, 1 bytes, verified, 1 unchanged\n"
        );
        kvfs.put("a", b"2");
        let kept = kvfs.run(&["export", "", argument(&file)]);
        kept.failed(4, &["is there already; --force replaces it", "the tar was not written"]);
        assert_eq!(fs::read(&file).unwrap(), before);
        kvfs.ok(&["export", "", argument(&file), "--force"]);
        assert_eq!(members(&fs::read(&file).unwrap())[0].content, b"2");

        fs::write(&file, "something else").unwrap();
        let kept = kvfs.run(&["export", "", argument(&file), "--force"]);
        kept.failed(3, &["not a whole tar", "it is not replaced"]);
        assert_eq!(fs::read(&file).unwrap(), b"something else");
        let missing = folder.path().join("none/x.tar");
        kvfs.run(&["export", "", argument(&missing)]).failed(3, &["cannot write the tar"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    });
}

#[test]
fn damaged_files_are_left_out_of_a_tar_and_told_of() {
    on_each_etcd("tar damage", |kvfs, etcd| {
        for path in ["a-content", "b-meta", "c-well"] {
            kvfs.put(path, b"as it was");
        }
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old.tar"), folder.path().join("new.tar"));
        kvfs.ok(&["export", "", argument(&old)]);
        let before = fs::read(&old).unwrap();
        etcd.etcdctl(&["put", "/caddy/data/a-content", "something else"]).unwrap();
        etcd.etcdctl(&["put", "/caddy/meta/b-meta", "nonsense"]).unwrap();
        let run = kvfs.run(&["export", "", argument(&new)]);
        let run =
            run.said(&["export \"a-content\": ", "export \"b-meta\": ", "2 of 3 files were not exported"]);
        assert_eq!((run.code, run.text()), (5, "exported 1 file, 9 bytes, verified\n"), "{run:?}");
        assert_eq!(members(&fs::read(&new).unwrap()).len(), 1);

        // What a tar has of them is not given up.
        let run = kvfs.run(&["export", "", argument(&old), "--force"]);
        assert_eq!((run.code, run.text()), (4, ""), "{run:?}");
        assert_eq!(fs::read(&old).unwrap(), before);
    });
}

#[test]
fn a_missing_tar_and_a_directory_of_that_name_are_usage_errors() {
    let memory = Kvfs::on_memory();
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("d.tar");
    fs::create_dir(&directory).unwrap();
    memory.run(&["import", argument(&directory)]).failed(2, &["is a directory and not a tar"]);
    memory.run(&["import", argument(&folder.path().join("none.tar"))]).failed(2, &["name a local directory"]);
    memory.run(&["export", "", argument(&directory)]).failed(4, &["is a directory; move it away"]);
    memory.run(&["import", "tar:"]).failed(2, &["a file follows tar:"]);
    assert_eq!(
        memory.ok(&["import", argument(&format!("{}/", directory.display()))]),
        "imported 0 files, 0 bytes, verified\n"
    );
}
