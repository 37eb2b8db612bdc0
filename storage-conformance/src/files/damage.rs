//! Damaged data is the error of the file it belongs to.

use storage_core::{EntryKind, ErrorKind, LayoutKind, ListOptions};

use super::support::{everything, open_with, paths, raw_delete, raw_get, raw_put, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-DAMAGE-1"], content_is_verified_on_every_way_to_load_it),
    case!(["FS-DAMAGE-2"], metadata_that_cannot_be_read),
    case!(["FS-DAMAGE-2"], halves_of_files),
    case!(["FS-DAMAGE-3"], metadata_of_a_later_version),
    case!(["FS-DAMAGE-4"], others_are_not_disturbed),
    case!(["FS-DAMAGE-5"], damaged_files_can_be_replaced_and_deleted),
    case!(["FS-DAMAGE-6"], foreign_keys_are_passed_over),
];

async fn content_is_verified_on_every_way_to_load_it(context: Context) {
    let tree = open_with(&context, &["dir/file"]).await;
    for damaged in ["dir/filE", "dir/fil", "", "dir/file2"] {
        raw_put(&context, "data/dir/file", damaged).await;
        let kind = ErrorKind::ChecksumMismatch;
        assert!(refused(tree.load("dir/file").await, kind, "dir/file").is_damage());
        refused(tree.load_file("dir/file").await, kind, "dir/file");
        refused(tree.load_many(["dir/file"]).await.unwrap().remove(0), kind, "dir/file");
        refused(tree.load_or_store("dir/file", "x").await, kind, "dir/file");
        refused(tree.rename("dir/file", "elsewhere").await, kind, "dir/file");
    }
    raw_put(&context, "data/dir/file", "dir/file").await;
    assert_eq!(tree.load("dir/file").await.unwrap(), "dir/file");
}

/// Records that no version of this library ever wrote, nor any other program.
fn damaged_records(layout: LayoutKind, good: &str) -> Vec<Vec<u8>> {
    let mut records: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"null".to_vec(),
        b"{}".to_vec(),
        b"[1,2]".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        vec![b'['; 10_000],
        br#"{"version":1}"#.to_vec(),
        br#"{"version":-1}"#.to_vec(),
        br#"{"version":"1"}"#.to_vec(),
        br#"{"Size":1}"#.to_vec(),
    ];
    records.push(good[..good.len() - 1].into());
    let changes: &[(&str, &str)] = match layout {
        LayoutKind::Native => &[
            ("\"size\":", "\"size\":-"),
            ("\"size\":", "\"size\":18446744073709551616,\"old\":"),
            ("\"modified\":\"20", "\"modified\":\"xx"),
            ("\"sha1\":\"", "\"sha1\":\"zz"),
            ("\"write\":\"", "\"write\":\"0"),
        ],
        _ => &[
            ("\"Size\":", "\"Size\":-"),
            ("\"Size\":", "\"Size\":18446744073709551616,\"old\":"),
            ("\"Timestamp\":\"20", "\"Timestamp\":\"xx"),
            ("\"Hash\":[", "\"Hash\":[1,"),
            ("\"Hash\":[", "\"Hash\":[256],\"old\":["),
        ],
    };
    records.extend(changes.iter().map(|(from, to)| good.replace(from, to).into_bytes()));
    records
}

async fn metadata_that_cannot_be_read(context: Context) {
    let tree = open_with(&context, &["dir/file"]).await;
    let good = String::from_utf8(raw_get(&context, "meta/dir/file").await.unwrap().to_vec()).unwrap();
    for record in damaged_records(context.layout(), &good) {
        let shown = String::from_utf8_lossy(&record[..record.len().min(60)]).into_owned();
        assert_ne!(record, good.as_bytes(), "not damaged: {shown}");
        raw_put(&context, "meta/dir/file", record).await;
        refused(tree.load("dir/file").await, ErrorKind::Corrupt, "dir/file");
        let error = refused(tree.stat("dir/file").await, ErrorKind::Corrupt, "dir/file");
        assert!(error.is_damage(), "{shown}");
        assert!(tree.exists("dir/file").await.unwrap(), "{shown}");
    }
}

async fn halves_of_files(context: Context) {
    let tree = open_with(&context, &["content", "metadata"]).await;
    raw_delete(&context, "meta/content").await;
    raw_delete(&context, "data/metadata").await;
    for half in ["content", "metadata"] {
        refused(tree.load(half).await, ErrorKind::Corrupt, half);
        refused(tree.load_many([half]).await.unwrap().remove(0), ErrorKind::Corrupt, half);
    }
    assert_eq!(tree.stat("metadata").await.unwrap().size, 8, "the metadata is good");
}

async fn metadata_of_a_later_version(context: Context) {
    let tree = open_with(&context, &["a"]).await;
    let good = String::from_utf8(raw_get(&context, "meta/a").await.unwrap().to_vec()).unwrap();
    for record in [good.replace("\"version\":1", "\"version\":2"), r#"{"version":7,"all":"new"}"#.to_owned()]
    {
        raw_put(&context, "meta/a", record).await;
        refused(tree.load("a").await, ErrorKind::Unsupported, "a");
        refused(tree.stat("a").await, ErrorKind::Unsupported, "a");
    }
}

async fn others_are_not_disturbed(context: Context) {
    let tree = open_with(&context, &["dir/a", "dir/bad", "dir/c", "dir/worse"]).await;
    raw_put(&context, "meta/dir/bad", "no json").await;
    raw_put(&context, "data/dir/worse", "flipped").await;
    let entries = tree.list("dir", ListOptions::children().with_metadata()).await.unwrap();
    assert_eq!(paths(&entries), ["dir/a", "dir/bad", "dir/c", "dir/worse"]);
    for entry in &entries {
        assert_eq!(entry.kind, EntryKind::File);
        match entry.metadata.as_ref().unwrap() {
            Ok(metadata) => assert_eq!(metadata.size, entry.path.as_str().len() as u64),
            Err(error) => {
                assert_eq!((entry.path.as_str(), error.kind()), ("dir/bad", ErrorKind::Corrupt));
                assert_eq!(error.path(), Some("dir/bad"));
            }
        }
    }
    assert!(entries[1].metadata.as_ref().unwrap().is_err(), "{:?}", entries[1]);
    assert_eq!(everything(&tree).await.len(), 5);
    assert_eq!(tree.load("dir/c").await.unwrap(), "dir/c");
    assert_eq!(tree.stat("dir").await.unwrap().size, (5 + 5 + 9) as u64, "what can be read is summed up");
}

async fn damaged_files_can_be_replaced_and_deleted(context: Context) {
    let tree = open_with(&context, &["one", "two", "three", "four"]).await;
    raw_put(&context, "data/one", "flipped").await;
    raw_put(&context, "meta/two", "no json").await;
    raw_delete(&context, "meta/three").await;
    raw_delete(&context, "data/four").await;
    for path in ["one", "two", "three", "four"] {
        tree.store(path, "anew").await.unwrap();
        assert_eq!(tree.load(path).await.unwrap(), "anew");
    }
    raw_put(&context, "meta/two", "no json").await;
    raw_delete(&context, "meta/three").await;
    assert_eq!(tree.delete("two").await.unwrap(), 1);
    tree.delete("three").await.unwrap();
    for path in ["two", "three"] {
        assert!(!tree.exists(path).await.unwrap(), "{path}");
        assert_eq!(raw_get(&context, &format!("data/{path}")).await, None, "the content goes too");
    }
}

async fn foreign_keys_are_passed_over(context: Context) {
    let tree = open_with(&context, &["dir/a"]).await;
    for foreign in [
        "meta/",
        "meta/dir//b",
        "meta/dir/../c",
        "meta/dir/",
        "meta/dir/x\n",
        "meta//",
        "notes",
        "data/dir//b",
    ] {
        raw_put(&context, foreign, "who put this here?").await;
    }
    assert_eq!(everything(&tree).await, ["dir", "dir/a"]);
    let with_metadata = tree.list("dir", ListOptions::children().with_metadata()).await.unwrap();
    assert_eq!(paths(&with_metadata), ["dir/a"]);
    assert_eq!(tree.stat("dir").await.unwrap().size, 5);
    assert_eq!(tree.load("dir/a").await.unwrap(), "dir/a");
}
