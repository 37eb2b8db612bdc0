//! Storing and loading one file.

use std::time::{Duration, SystemTime};

use futures::future::join_all;
use storage_core::{ErrorKind, LayoutKind, ListOptions, Sha1Digest, StoreOptions};

use super::support::{NOTHING, everything, open, open_with, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-FILE-1"], a_file_is_loaded_as_it_was_stored),
    case!(["FS-FILE-2"], storing_again_replaces),
    case!(["FS-FILE-3"], a_directory_is_not_replaced_by_a_file),
    case!(["FS-FILE-4"], nothing_is_stored_below_a_file),
    case!(["FS-FILE-5"], the_root_is_never_a_file),
    case!(["FS-FILE-6"], loading_what_is_not_there),
    case!(["FS-FILE-7"], loading_a_directory),
    case!(["FS-FILE-8"], another_client_sees_a_write_at_once),
    case!(["FS-FILE-9"], content_and_metadata_are_of_one_write),
    case!(["FS-FILE-10"], a_content_beyond_the_limit_is_refused),
    case!(["FS-FILE-10"], a_file_of_1_5_million_bytes_is_stored_or_refused_with_the_limit),
    case!(["FS-FILE-11"], a_file_keeps_the_time_that_it_was_given),
    case!(["FS-FILE-11"], a_time_that_no_record_holds_is_now),
    case!(["FS-FILE-11"], with_options_the_same_is_refused),
];

async fn a_file_is_loaded_as_it_was_stored(context: Context) {
    let tree = open(&context).await;
    let all_bytes: Vec<u8> = (0..=u8::MAX).collect();
    for (path, content) in [
        ("empty", Vec::new()),
        ("binary", all_bytes.repeat(3)),
        ("zeros", vec![0; 1000]),
        ("deep/er/file.pem", b"-----BEGIN CERTIFICATE-----\n".to_vec()),
        ("large", all_bytes.repeat(150)),
    ] {
        let stored = tree.store(path, content.clone()).await.unwrap();
        assert_eq!(stored.size, content.len() as u64);
        assert_eq!(stored.sha1, Some(Sha1Digest::of(&content)));
        let file = tree.load_file(path).await.unwrap();
        assert_eq!(file.content, content, "{path}");
        assert_eq!(file.metadata, stored, "{path}");
    }
}

async fn storing_again_replaces(context: Context) {
    let tree = open(&context).await;
    for content in ["first", "", "second, and longer", "3"] {
        tree.store("a/b", content).await.unwrap();
        assert_eq!(tree.load("a/b").await.unwrap(), content);
    }
    assert_eq!(everything(&tree).await, ["a", "a/b"]);
}

async fn a_directory_is_not_replaced_by_a_file(context: Context) {
    let tree = open_with(&context, &["a/b/c"]).await;
    for directory in ["a", "a/b"] {
        refused(tree.store(directory, "x").await, ErrorKind::IsADirectory, directory);
    }
    assert_eq!(tree.load("a/b/c").await.unwrap(), "a/b/c");
    assert_eq!(everything(&tree).await, ["a", "a/b", "a/b/c"]);
}

async fn nothing_is_stored_below_a_file(context: Context) {
    let tree = open_with(&context, &["a/file"]).await;
    for below in ["a/file/x", "a/file/x/y", "a/file/x/y/z"] {
        let error = refused(tree.store(below, "x").await, ErrorKind::NotADirectory, "a/file");
        assert_eq!(error.operation(), Some("store"));
    }
    assert_eq!(everything(&tree).await, ["a", "a/file"]);
    tree.store("a/file2/x", "beside it").await.unwrap();
}

async fn the_root_is_never_a_file(context: Context) {
    let tree = open(&context).await;
    for root in ["", "/", "//"] {
        refused(tree.store(root, "x").await, ErrorKind::InvalidPath, root);
        refused(tree.create(root, "x").await, ErrorKind::InvalidPath, root);
        refused(tree.load_or_store(root, "x").await, ErrorKind::InvalidPath, root);
        refused(tree.store_many([(root, "x")]).await, ErrorKind::InvalidPath, root);
        refused(tree.rename("a", root).await, ErrorKind::InvalidPath, root);
    }
    assert_eq!(everything(&tree).await, NOTHING);
}

async fn loading_what_is_not_there(context: Context) {
    let tree = open_with(&context, &["a/file"]).await;
    for missing in ["b", "a/fil", "a/file2", "a/file/below", "a/b/c"] {
        refused(tree.load(missing).await, ErrorKind::NotFound, missing);
    }
}

async fn loading_a_directory(context: Context) {
    let tree = open_with(&context, &["a/b/c"]).await;
    for directory in ["a", "a/b", "", "/"] {
        refused(tree.load(directory).await, ErrorKind::IsADirectory, directory);
    }
}

async fn another_client_sees_a_write_at_once(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    for n in 0..20 {
        one.store("a", n.to_string()).await.unwrap();
        assert_eq!(other.load("a").await.unwrap(), n.to_string());
    }
    other.delete("a").await.unwrap();
    assert!(!one.exists("a").await.unwrap(), "it was deleted");
}

/// Readers beside writers: a pair from two writes would be taken for damage.
async fn content_and_metadata_are_of_one_write(context: Context) {
    let (writer, reader) = (open(&context).await, open(&context).await);
    writer.store("a", "0").await.unwrap();
    let write = async {
        for n in 1..=100_usize {
            writer.store("a", "x".repeat(n)).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let reads = (0..4).map(|_| async {
        let mut seen = 0;
        while seen < 100 {
            let file = reader.load_file("a").await.unwrap();
            assert_eq!(file.metadata.size, file.content.len() as u64);
            let stat = reader.stat("a").await.unwrap();
            assert!(stat.version >= file.metadata.version, "{stat:?} after {:?}", file.metadata);
            seen = file.content.len();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let ((), _) = futures::join!(write, join_all(reads));
}

async fn a_content_beyond_the_limit_is_refused(context: Context) {
    let client = context.client().await;
    let limit = client.limits().max_value_bytes;
    let tree = open(&context).await;
    let error = refused(tree.store("a", vec![0; limit + 1]).await, ErrorKind::TooLarge, "a");
    assert!(error.to_string().contains(&limit.to_string()), "names the limit of {limit}: {error}");
    assert_eq!(everything(&tree).await, NOTHING);
}

async fn a_file_of_1_5_million_bytes_is_stored_or_refused_with_the_limit(context: Context) {
    let limits = context.client().await.limits();
    let tree = open(&context).await;
    let million: Vec<u8> = (0..1_500_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    // In base64 three bytes take four.
    let stored = if context.layout() == LayoutKind::Native { million.len() } else { million.len() / 3 * 4 };
    if stored <= limits.max_value_bytes && stored + 4096 <= limits.max_request_bytes {
        tree.store("large", million.clone()).await.unwrap();
        assert_eq!(tree.load("large").await.unwrap(), million);
    } else {
        let error = refused(tree.store("large", million).await, ErrorKind::TooLarge, "large");
        let limit = limits.max_value_bytes.min(limits.max_request_bytes).to_string();
        assert!(error.to_string().contains(&limit), "names the limit of {limit}: {error}");
    }
}

fn written_at(modified: SystemTime) -> StoreOptions {
    StoreOptions::new().with_modified(modified)
}

async fn a_file_keeps_the_time_that_it_was_given(context: Context) {
    const EPOCH: SystemTime = SystemTime::UNIX_EPOCH;
    let tree = open(&context).await;
    let other = open(&context).await;
    let oldest = EPOCH - Duration::from_secs(62_167_219_200);
    let newest = EPOCH + Duration::new(253_402_000_000, 1);
    let usual = EPOCH + Duration::new(1_700_000_000, 123_456_789);
    for (path, modified) in [
        ("d/2023", usual),
        ("d/1970", EPOCH),
        ("d/1969", EPOCH - Duration::new(1, 1)),
        ("d/year 0", oldest),
        ("d/year 9999", newest),
    ] {
        let stored = tree.store_with(path, "x", written_at(modified)).await.unwrap();
        assert_eq!((stored.modified, stored.size), (modified, 1), "{path}");
        assert_eq!(other.stat(path).await.unwrap(), stored, "{path}");
        assert_eq!(other.load_file(path).await.unwrap().metadata, stored, "{path}");
    }
    let entries = other.list("d", ListOptions::children().with_metadata()).await.unwrap();
    let listed = entries.iter().map(|entry| entry.metadata.as_ref().unwrap().as_ref().unwrap().modified);
    assert_eq!(listed.min(), Some(oldest));
    assert_eq!(other.stat("d").await.unwrap().modified, newest, "of a directory it is its newest file's");
    assert_eq!(tree.rename("d/2023", "moved").await.unwrap().modified, usual);

    // The next write is one of now, unless it says otherwise.
    let stored = tree.store_with("moved", "y", StoreOptions::new()).await.unwrap();
    assert!(stored.modified > usual, "{stored:?}");
}

async fn a_time_that_no_record_holds_is_now(context: Context) {
    let tree = open(&context).await;
    let before = tree.store("before", "x").await.unwrap().modified;
    for far in [Duration::from_secs(1 << 40), Duration::from_secs(1 << 62)] {
        for modified in [SystemTime::UNIX_EPOCH.checked_add(far), SystemTime::UNIX_EPOCH.checked_sub(far)] {
            // A time that the machine itself cannot hold cannot be given either.
            let Some(modified) = modified else { continue };
            let stored = tree.store_with("a", "x", written_at(modified)).await.unwrap();
            let after = tree.store("after", "x").await.unwrap().modified;
            assert!(before <= stored.modified && stored.modified <= after, "{modified:?}: {stored:?}");
            assert_eq!(tree.stat("a").await.unwrap(), stored);
        }
    }
}

async fn with_options_the_same_is_refused(context: Context) {
    let tree = open_with(&context, &["a/b", "f"]).await;
    let options = || written_at(SystemTime::UNIX_EPOCH);
    refused(tree.store_with("a", "x", options()).await, ErrorKind::IsADirectory, "a");
    refused(tree.store_with("f/x", "x", options()).await, ErrorKind::NotADirectory, "f");
    refused(tree.store_with("", "x", options()).await, ErrorKind::InvalidPath, "");
    assert_eq!(everything(&tree).await, ["a", "a/b", "f"]);
    tree.store_with("f", "replaced", options()).await.unwrap();
    assert_eq!(tree.load("f").await.unwrap(), "replaced");
}
