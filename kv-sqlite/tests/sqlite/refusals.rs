//! Disks that are full, files and folders that may not be written: for real, in a process of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kv_sqlite::{SqliteBackend, SqliteOptions};
use storage_core::kv::{BackendErrorKind, Key, KeyRange, KvBackend as _, KvBackendExt as _, RangeRequest};

use crate::support;

/// Where the process has to look, in the processes that the tests start.
const FOLDER: &str = "KV_SQLITE_TEST_FOLDER";

fn folder_of_child() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs one of the tests here once more, by way of another command.
fn run_again(test: &str, folder: &Path, mut command: Command) {
    let test = format!("refusals::{test}");
    command.args([&test, "--exact", "--nocapture"]).env(FOLDER, folder);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A file system of a megabyte that only the process sees, and that goes with it.
fn with_small_disk(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let script = "mount -t tmpfs -o size=1m none \"$1\" && exec \"$2\" \"${@:3}\"";
    command.args(["bash", "-c", script, "bash"]).arg(folder.path()).arg(std::env::current_exe().unwrap());
    run_again(test, folder.path(), command);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_keeps_what_is_there() {
    let Some(folder) = folder_of_child() else {
        return with_small_disk("a_full_disk_refuses_writes_and_keeps_what_is_there");
    };
    let backend = SqliteBackend::open(folder.join("store.db"), SqliteOptions::default()).await.unwrap();
    let mut stored = 0;
    let error = loop {
        let key = Key::new(format!("{stored:03}"));
        match backend.put(key, vec![7; 50_000].into()).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 100, "the disk has a megabyte");
    };
    assert_eq!(error.kind(), BackendErrorKind::NoSpace, "{error:?}");
    assert!(!error.is_maybe_applied(), "{error:?}");
    assert!(stored >= 2, "{stored}");
    // Nothing of it was applied, and everything before it was.
    let page = backend.range(RangeRequest::new(KeyRange::prefix("0"))).await.unwrap();
    assert_eq!((page.entries.len(), page.revision.0), (stored, stored as u64));
    drop(backend);
    let again = SqliteBackend::open(folder.join("store.db"), SqliteOptions::default()).await;
    assert_eq!(again.unwrap().get(Key::new("000")).await.unwrap().unwrap().value.len(), 50_000);
}

#[tokio::test]
async fn a_write_that_does_not_fit_does_not_fail_those_that_do() {
    let Some(folder) = folder_of_child() else {
        return with_small_disk("a_write_that_does_not_fit_does_not_fail_those_that_do");
    };
    let backend = SqliteBackend::open(folder.join("store.db"), SqliteOptions::default()).await.unwrap();
    for round in 0..5 {
        // While the first is committed the others queue up, and are committed together.
        let sizes = [10, 10, 1_400_000, 10];
        let puts = sizes
            .iter()
            .enumerate()
            .map(|(number, size)| backend.put(Key::new(format!("{round}/{number}")), vec![7; *size].into()));
        let put: Vec<_> = futures::future::join_all(puts).await;
        for (number, result) in put.into_iter().enumerate() {
            match result {
                Ok(_) => assert_ne!(number, 2, "it does not fit"),
                Err(error) => assert_eq!((number, error.kind()), (2, BackendErrorKind::NoSpace), "{error:?}"),
            }
        }
    }
    let page = backend.range(RangeRequest::new(KeyRange::prefix(""))).await.unwrap();
    assert_eq!((page.entries.len(), page.revision.0), (15, 15));
}

#[tokio::test]
async fn a_store_cannot_be_made_on_a_full_disk_and_nothing_is_left_of_the_attempt() {
    let Some(folder) = folder_of_child() else {
        return with_small_disk("a_store_cannot_be_made_on_a_full_disk_and_nothing_is_left_of_the_attempt");
    };
    let ballast = folder.join("ballast");
    assert!(fs::write(&ballast, vec![0; 2 << 20]).is_err(), "the disk has a megabyte");
    let file = folder.join("store.db");
    let error = SqliteBackend::open(&file, SqliteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::NoSpace, "{error:?}");
    fs::remove_file(ballast).unwrap();
    SqliteBackend::open(&file, SqliteOptions::default()).await.unwrap();
}

/// Runs a test again as somebody who is not root, whom no file system refuses anything.
fn as_a_user(test: &str, folder: &Path) {
    // Where everybody may run it.
    let program = folder.join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&program);
    if rustix::process::geteuid().is_root() {
        std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    }
    run_again(test, folder, command);
}

fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn is_refused(file: &Path) {
    let error = SqliteBackend::open(file, SqliteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::PermissionDenied, "{error:?}");
    assert!(!error.is_maybe_applied() && !error.is_retryable(), "{error:?}");
    assert!(error.to_string().contains("no permission"), "{error}");
}

#[tokio::test]
async fn a_file_that_may_not_be_read_or_written_is_refused() {
    if let Some(folder) = folder_of_child() {
        for name in ["read-only/store.db", "secret/store.db"] {
            is_refused(&folder.join(name)).await;
        }
        return;
    }
    let folder = open_folder();
    for (name, mode) in [("read-only", 0o444), ("secret", 0o000)] {
        let within = folder.path().join(name);
        fs::create_dir(&within).unwrap();
        let file = within.join("store.db");
        drop(SqliteBackend::open(&file, SqliteOptions::default()).await.unwrap());
        support::eventually("it is closed", || support::names_in(&within).len() == 2).await;
        fs::set_permissions(&within, fs::Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    as_a_user("a_file_that_may_not_be_read_or_written_is_refused", folder.path());
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_refused() {
    if let Some(folder) = folder_of_child() {
        for name in ["store.db", "new.db"] {
            is_refused(&folder.join("closed").join(name)).await;
        }
        return;
    }
    let folder = open_folder();
    let within = folder.path().join("closed");
    fs::create_dir(&within).unwrap();
    let file = within.join("store.db");
    drop(SqliteBackend::open(&file, SqliteOptions::default()).await.unwrap());
    support::eventually("it is closed", || support::names_in(&within).len() == 2).await;
    fs::remove_file(within.join("store.db-notify")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(&within, fs::Permissions::from_mode(0o555)).unwrap();
    as_a_user("a_folder_that_may_not_be_written_is_refused", folder.path());
}
