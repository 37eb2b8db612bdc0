//! A directory that is imported and exported again is the same, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{argument, on_each_etcd};

/// The files of a directory with their contents.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|file| (file.path().strip_prefix(dir).unwrap().to_owned(), fs::read(file.path()).unwrap()))
        .collect()
}

fn write(dir: &Path, path: &str, content: &[u8]) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A directory of all that may go wrong on the way.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, "empty", b"");
    write(dir, "newline", b"\n");
    write(dir, "binary", &(0..=255).cycle().take(70_000).collect::<Vec<u8>>());
    write(dir, "large", &vec![0xff; 1_500_000]);
    write(dir, "name with spaces/ leading", b"spaces");
    write(dir, "unicode/ä日本🦀", "ä".as_bytes());
    write(dir, "odd/*?[x]%2f'\"$-~", b"odd");
    write(dir, ".hidden/.file", b"hidden");
    write(dir, "-r", b"looks like an option");
    write(dir, &["deep"; 60].join("/"), b"deep");
    for number in 0..100 {
        write(dir, &format!("many/{}/{number}", number % 7), number.to_string().as_bytes());
    }
    folder
}

#[test]
fn the_round_trip_keeps_every_byte() {
    on_each_etcd("round trip", |kvfs, _| {
        let sample = sample();
        let wanted = contents(sample.path());
        let bytes: usize = wanted.values().map(Vec::len).sum();
        let imported = kvfs.ok(&["import", "--all", argument(sample.path()), "some/where"]);
        assert_eq!(imported, format!("imported {} files, {bytes} bytes, verified\n", wanted.len()));

        let out = tempfile::tempdir().unwrap();
        let target = out.path().join("made/for/it");
        let exported = kvfs.ok(&["export", "some/where", argument(&target)]);
        assert_eq!(exported, format!("exported {} files, {bytes} bytes, verified\n", wanted.len()));
        assert_eq!(contents(&target), wanted);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &str| fs::metadata(target.join(path)).unwrap().permissions().mode() & 0o777;
            assert_eq!(
                (mode("binary"), mode("many"), mode("many/3"), mode("")),
                (0o600, 0o700, 0o700, 0o700)
            );
        }

        // Both can be run again.
        let again = |line: &str| format!("{}, {} unchanged\n", line.trim_end(), wanted.len());
        assert_eq!(kvfs.ok(&["import", "-a", argument(sample.path()), "some/where"]), again(&imported));
        assert_eq!(kvfs.ok(&["export", "/some/where/", argument(&target)]), again(&exported));

        // The whole tree, and a single file.
        let whole = out.path().join("whole");
        kvfs.ok(&["export", "", argument(&whole)]);
        assert_eq!(contents(&whole.join("some/where")), wanted);
        let single = out.path().join("single");
        assert_eq!(
            kvfs.ok(&["export", "some/where/newline", argument(&single)]),
            "exported 1 file, 1 bytes, verified\n"
        );
        assert_eq!(contents(&single), BTreeMap::from([(PathBuf::from("newline"), b"\n".to_vec())]));
    });
}

#[test]
fn an_empty_directory_and_an_empty_tree_are_nothing_to_do() {
    on_each_etcd("empty", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("empty/directories")).unwrap();
        assert_eq!(kvfs.ok(&["import", argument(folder.path())]), "imported 0 files, 0 bytes, verified\n");
        let out = folder.path().join("out");
        assert_eq!(kvfs.ok(&["export", "", argument(&out)]), "exported 0 files, 0 bytes, verified\n");
        assert!(out.is_dir());
    });
}
