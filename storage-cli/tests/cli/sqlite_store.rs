//! A file of this machine as the store: named, or the one that belongs to the user.

use std::fs;
use std::path::Path;

use assert_cmd::Command;

use crate::support::{Kvfs, argument, command, run};

/// What lies in a directory.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The command of a user whose home directory this is, and who names no store.
fn at_home(home: &Path) -> Command {
    let mut command = command();
    command.env("HOME", home).env_remove("XDG_DATA_HOME");
    command
}

#[test]
fn without_a_store_it_is_a_file_of_the_user_that_lasts() {
    let home = tempfile::tempdir().unwrap();
    run(at_home(home.path()).args(["put", "a/b"]).write_stdin("hello")).succeeded();
    assert_eq!(run(at_home(home.path()).args(["get", "a/b"])).succeeded().stdout, b"hello");
    let told = run(at_home(home.path()).args(["health"])).succeeded();
    assert!(told.text().contains("kvfs/kvfs.db serves"), "{told:?}");
    assert!(told.text().contains("it is a file of this machine"), "{told:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_file_of_the_user_is_where_data_belongs_and_nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = tempfile::tempdir().unwrap();
    run(at_home(home.path()).args(["put", "a"])).succeeded();
    let directory = home.path().join(".local/share/kvfs");
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    assert!(directory.join("kvfs.db").is_file());

    let elsewhere = home.path().join("elsewhere");
    run(at_home(home.path()).env("XDG_DATA_HOME", &elsewhere).args(["put", "a"])).succeeded();
    assert!(elsewhere.join("kvfs/kvfs.db").is_file());
}

#[test]
fn a_file_that_is_named_is_made_but_not_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let kvfs = Kvfs::on(format!("sqlite:{}", argument(&file)));
    kvfs.put("a", b"x");
    assert_eq!(kvfs.ok(&["get", "a"]), "x");

    let missing = format!("sqlite:{}", argument(&folder.path().join("none/store.db")));
    Kvfs::on(&missing)
        .run(&["ls"])
        .failed(2, &[&missing, "no such directory", "check --store or KVFS_STORE"]);
    assert!(!folder.path().join("none").exists());
}

#[test]
fn a_file_is_whole_when_no_command_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let kvfs = Kvfs::on(format!("sqlite:{}", argument(&file)));
    kvfs.put("a", b"x");
    assert_eq!(names(folder.path()), ["store.db", "store.db-notify"]);
    kvfs.run(&["lock", "renew", "--", "true"]).succeeded();
    kvfs.run(&["health"]).succeeded();
    assert_eq!(names(folder.path()), ["store.db", "store.db-notify"]);

    let copy = folder.path().join("copy.db");
    fs::copy(&file, &copy).unwrap();
    assert_eq!(Kvfs::on(format!("sqlite:{}", argument(&copy))).ok(&["get", "a"]), "x");
}

#[test]
fn what_is_no_store_is_told_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "notes of somebody else").unwrap();
    let kvfs = Kvfs::on(format!("sqlite:{}", argument(&file)));
    let told = kvfs.run(&["put", "a"]).failed(2, &["not a kvfs store"]);
    assert!(!told.stderr.contains("server") && !told.stderr.contains("request"), "{told:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "notes of somebody else");
    Kvfs::on(format!("sqlite:{}", argument(folder.path())))
        .run(&["ls"])
        .failed(2, &["a directory, not a file"]);
}

#[cfg(unix)]
#[test]
fn a_directory_that_takes_no_files_is_told_of() {
    let home = tempfile::tempdir().unwrap();
    // Where the directory would be is a file.
    fs::write(home.path().join(".local"), "").unwrap();
    fs::write(home.path().join("Library"), "").unwrap();
    run(at_home(home.path()).args(["ls"])).failed(3, &["cannot make", "for the default store"]);
}

#[cfg(unix)]
#[test]
fn a_command_under_a_lock_works_on_the_same_file_wherever_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let kvfs = assert_cmd::cargo::cargo_bin!("kvfs");
    let script = format!("cd / && {} put from/inside </dev/null", argument(kvfs));
    let mut locked = command();
    locked.current_dir(folder.path()).args([
        "--store",
        "sqlite:store.db",
        "lock",
        "x",
        "--",
        "sh",
        "-c",
        &script,
    ]);
    run(&mut locked).succeeded();
    let mut exists = command();
    exists.current_dir(folder.path()).args(["--store", "sqlite:store.db", "exists", "from/inside"]);
    run(&mut exists).succeeded();
}
