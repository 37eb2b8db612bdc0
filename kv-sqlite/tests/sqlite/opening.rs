//! What is opened, what is refused, and that nothing is changed then.

use std::fs;
use std::path::Path;

use kv_sqlite::{SqliteBackend, SqliteOptions};
use rusqlite::Connection;
use storage_core::kv::{BackendError, BackendErrorKind, Key, KvBackendExt as _};

use crate::support::{eventually, folder, names_in};

async fn open(path: impl AsRef<Path>) -> Result<SqliteBackend, BackendError> {
    SqliteBackend::open(path, SqliteOptions::default()).await
}

/// Opens what is no store: the text of the error, which is one lower-case line that names the path.
async fn refused(path: &Path, kind: BackendErrorKind) -> String {
    let error = open(path).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(!error.is_maybe_applied() && !error.is_retryable(), "{error:?}");
    let text = error.to_string();
    assert!(!text.contains('\n') && text.starts_with(|first: char| first.is_lowercase()), "{text}");
    assert!(text.contains(path.file_name().unwrap().to_str().unwrap()), "{text}");
    text
}

/// Refuses the file, which is as it was afterwards, alone in its folder.
async fn refused_untouched(file: &Path, why: &str) {
    let (before, names) = (fs::read(file).unwrap(), names_in(file.parent().unwrap()));
    let text = refused(file, BackendErrorKind::InvalidRequest).await;
    assert!(text.contains(why), "{text}");
    assert!(fs::read(file).unwrap() == before, "{} was changed", file.display());
    assert_eq!(names_in(file.parent().unwrap()), names);
}

#[tokio::test]
async fn what_was_put_is_there_when_it_is_opened_again_and_one_file_is_left_of_a_closed_store() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let backend = open(&file).await.unwrap();
    assert_eq!(backend.path(), fs::canonicalize(&file).unwrap());
    backend.put(Key::new("k"), "v".into()).await.unwrap();
    drop(backend);
    eventually("the write-ahead log is gone", || names_in(folder.path()) == ["store.db", "store.db-notify"])
        .await;
    fs::remove_file(folder.path().join("store.db-notify")).unwrap();
    fs::copy(&file, folder.path().join("copy.db")).unwrap();
    for name in ["store.db", "copy.db"] {
        let backend = open(folder.path().join(name)).await.unwrap();
        let entry = backend.get(Key::new("k")).await.unwrap().unwrap();
        assert_eq!((entry.value, entry.mod_revision.0), ("v".into(), 1));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn all_files_of_a_store_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let backend = open(folder.path().join("store.db")).await.unwrap();
    backend.put(Key::new("k"), "v".into()).await.unwrap();
    let names = names_in(folder.path());
    assert_eq!(names, ["store.db", "store.db-notify", "store.db-shm", "store.db-wal"]);
    for name in names {
        let mode = fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_make_the_same_store_and_open_and_close_it_at_the_same_time() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let openers = (0..16).map(|number| {
        let file = file.clone();
        tokio::spawn(async move {
            for round in 0..10 {
                // The last one that closes deletes the write-ahead log, while others open it.
                let backend = open(&file).await.unwrap();
                backend.put(Key::new(format!("{number}/{round}")), "v".into()).await.unwrap();
            }
        })
    });
    for opener in openers.collect::<Vec<_>>() {
        opener.await.unwrap();
    }
    let last = open(&file).await.unwrap().put(Key::new("last"), "v".into()).await.unwrap();
    assert_eq!(last.0, 16 * 10 + 1);
}

#[tokio::test]
async fn a_path_that_cannot_be_a_store_is_refused() {
    let folder = folder();
    let text = refused(folder.path(), BackendErrorKind::InvalidRequest).await;
    assert!(text.contains("a directory, not a file"), "{text}");
    let missing = folder.path().join("missing/store.db");
    let text = open(&missing).await.unwrap_err().to_string();
    assert!(text.contains("no such directory") && text.contains("missing"), "{text}");
    fs::write(folder.path().join("file"), "").unwrap();
    let text = open(folder.path().join("file/store.db")).await.unwrap_err().to_string();
    assert!(text.contains("not a directory"), "{text}");
    for none in ["", "/", ".."] {
        assert_eq!(open(none).await.unwrap_err().kind(), BackendErrorKind::InvalidRequest, "{none:?}");
    }
    assert_eq!(names_in(folder.path()), ["file"]);
}

#[tokio::test]
async fn a_path_means_itself_whatever_sqlite_would_make_of_it() {
    let folder = folder();
    for name in ["file:x.db?mode=memory", ":memory:", "a b%20c"] {
        let backend = open(folder.path().join(name)).await.unwrap();
        backend.put(Key::new("k"), "v".into()).await.unwrap();
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_not_touched() {
    let folder = folder();
    let file = folder.path().join("file");
    for content in [&b"hello"[..], &[0; 100], &[0; 8192], b"SQLite format 3\0", &[b'x'; 16_000]] {
        fs::write(&file, content).unwrap();
        refused_untouched(&file, "not a kvfs store").await;
    }
    fs::remove_file(&file).unwrap();
    let foreign = Connection::open(&file).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").unwrap();
    drop(foreign);
    refused_untouched(&file, "another program's SQLite database").await;
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    open(&file).await.unwrap().put(Key::new("k"), "v".into()).await.unwrap();
}

/// A closed store, changed by somebody.
async fn changed(file: &Path, sql: &str) {
    open(file).await.unwrap().put(Key::new("k"), "v".into()).await.unwrap();
    let wal = file.with_file_name("file-wal");
    eventually("the store is closed", || !wal.exists()).await;
    fs::remove_file(file.with_file_name("file-notify")).unwrap();
    let connection = Connection::open(file).unwrap();
    connection.execute_batch(sql).unwrap();
    // So that refusing it cannot add files.
    connection.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
}

#[tokio::test]
async fn a_store_of_a_later_version_is_refused() {
    let folder = folder();
    let file = folder.path().join("file");
    changed(&file, "PRAGMA user_version = 2").await;
    refused_untouched(&file, "written by a later version of kvfs: its format is 2, this one knows 1").await;
}

#[tokio::test]
async fn what_claims_to_be_a_store_and_has_other_tables_is_refused() {
    for sql in [
        "CREATE TRIGGER hook AFTER INSERT ON newest BEGIN DELETE FROM contents; END",
        "CREATE VIEW more AS SELECT * FROM newest",
        "DROP TABLE leases",
        "DROP INDEX newest_by_lease",
        "ALTER TABLE meta ADD COLUMN more TEXT",
        "PRAGMA user_version = 0",
    ] {
        let folder = folder();
        let file = folder.path().join("file");
        changed(&file, sql).await;
        refused_untouched(&file, "its tables are not those of one").await;
    }
}

#[tokio::test]
async fn a_store_that_somebody_has_let_sqlite_analyse_is_a_store() {
    let folder = folder();
    let file = folder.path().join("file");
    changed(&file, "ANALYZE").await;
    assert!(open(&file).await.unwrap().get(Key::new("k")).await.unwrap().is_some());
}

#[tokio::test]
async fn rows_that_no_store_has_are_damage_and_not_a_panic() {
    for sql in [
        "DELETE FROM meta",
        "UPDATE meta SET revision = -1",
        "UPDATE meta SET compacted = 100",
        "DELETE FROM contents",
        "UPDATE newest SET created = -5",
    ] {
        let folder = folder();
        let file = folder.path().join("file");
        changed(&file, sql).await;
        let backend = open(&file).await.unwrap();
        let error = backend.get(Key::new("k")).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Internal, "{sql}: {error:?}");
        assert!(error.to_string().contains("damaged"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_store_that_was_cut_short_or_overwritten_is_damage_and_not_a_panic() {
    for (from, to) in [(5_000, None), (4_096, Some(20_000)), (8_192, Some(12_288)), (200, Some(4_000))] {
        let folder = folder();
        let file = folder.path().join("file");
        changed(&file, "").await;
        let mut bytes = fs::read(&file).unwrap();
        match to {
            None => bytes.truncate(from),
            Some(to) => bytes[from..to].fill(0x5a),
        }
        fs::write(&file, &bytes).unwrap();
        let found = match open(&file).await {
            Ok(backend) => backend.put(Key::new("k"), "v".into()).await.map(drop),
            Err(error) => Err(error),
        };
        let error = found.expect_err("damage is noticed");
        assert_eq!(error.kind(), BackendErrorKind::Internal, "{from}..{to:?}: {error:?}");
        assert!(error.to_string().contains("restore a backup"), "{from}..{to:?}: {error}");
    }
}

#[tokio::test]
async fn a_store_that_was_removed_or_replaced_takes_no_writes_that_would_be_lost() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let backend = open(&file).await.unwrap();
    backend.put(Key::new("k"), "v".into()).await.unwrap();
    for name in names_in(folder.path()) {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    for step in ["removed", "replaced"] {
        let error = backend.put(Key::new("k"), "lost".into()).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{step}: {error:?}");
        assert!(!error.is_maybe_applied() && !error.is_retryable(), "{step}: {error:?}");
        assert_eq!(
            backend.get(Key::new("k")).await.unwrap_err().kind(),
            BackendErrorKind::Unavailable,
            "{step}"
        );
        if step == "removed" {
            open(&file).await.unwrap();
        }
    }
}
