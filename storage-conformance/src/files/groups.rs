//! Groups of files: all or none, and one snapshot.

use storage_core::ErrorKind;

use super::support::{NOTHING, everything, open, open_with, raw_put, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-GROUP-1"], a_group_is_stored_at_one_revision),
    case!(["FS-GROUP-2"], a_group_that_cannot_be_stored_changes_nothing),
    case!(["FS-GROUP-3"], a_group_that_contradicts_itself_is_refused),
    case!(["FS-GROUP-4"], the_largest_group_fits_and_a_larger_one_is_refused),
    case!(["FS-GROUP-4"], a_group_of_too_many_bytes_is_refused),
    case!(["FS-GROUP-5"], an_empty_group),
    case!(["FS-GROUP-6"], loading_a_group_answers_for_each_file),
    case!(["FS-GROUP-7"], a_group_is_never_seen_in_part),
];

async fn a_group_is_stored_at_one_revision(context: Context) {
    let tree = open_with(&context, &["site/key"]).await;
    let stored = tree.store_many([("site/crt", "c"), ("/site/key/", "k"), ("other/json", "")]).await.unwrap();
    let paths: Vec<_> = stored.iter().map(|metadata| metadata.path.as_str()).collect();
    assert_eq!(paths, ["site/crt", "site/key", "other/json"], "in the order given");
    for metadata in &stored {
        assert_eq!(metadata.version, stored[0].version);
        assert_eq!(tree.stat(metadata.path.as_str()).await.unwrap(), *metadata);
    }
    assert_eq!(tree.load("site/key").await.unwrap(), "k");
}

async fn a_group_that_cannot_be_stored_changes_nothing(context: Context) {
    let tree = open_with(&context, &["dir/x", "file"]).await;
    let before = tree.stat("").await.unwrap();
    refused(tree.store_many([("a", "1"), ("dir", "2")]).await, ErrorKind::IsADirectory, "dir");
    refused(tree.store_many([("a", "1"), ("file/x/y", "2")]).await, ErrorKind::NotADirectory, "file");
    refused(tree.store_many([("a", "1"), ("../b", "2")]).await, ErrorKind::InvalidPath, "../b");
    assert_eq!(everything(&tree).await, ["dir", "dir/x", "file"]);
    assert_eq!(tree.stat("").await.unwrap(), before);
}

async fn a_group_that_contradicts_itself_is_refused(context: Context) {
    let tree = open(&context).await;
    refused(tree.store_many([("a", "1"), ("b", "2"), ("/a/", "3")]).await, ErrorKind::InvalidPath, "a");
    refused(tree.store_many([("a/b/c", "1"), ("a", "2")]).await, ErrorKind::NotADirectory, "a");
    refused(tree.store_many([("a/b", "1"), ("a/b/c/d", "2")]).await, ErrorKind::NotADirectory, "a/b");
    assert_eq!(everything(&tree).await, NOTHING);
    tree.store_many([("a/b", "1"), ("a/bc", "2"), ("a/b.d", "3")]).await.unwrap();
}

async fn the_largest_group_fits_and_a_larger_one_is_refused(context: Context) {
    let limit = context.client().await.limits().max_txn_ops;
    let tree = open(&context).await;
    let group = |files: usize| (0..files).map(|n| (format!("group/{n}"), n.to_string())).collect::<Vec<_>>();
    let largest = limit / 2;
    assert_eq!(tree.store_many(group(largest)).await.unwrap().len(), largest, "of a tree without format yet");
    let paths: Vec<String> = group(largest).into_iter().map(|(path, _)| path).collect();
    for (file, (_, content)) in tree.load_many(&paths).await.unwrap().into_iter().zip(group(largest)) {
        assert_eq!(file.unwrap().content, content);
    }
    tree.delete("group").await.unwrap();

    let error = tree.store_many(group(largest + 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
    assert!(error.to_string().contains(&limit.to_string()), "names the limit of {limit}: {error}");
    assert_eq!(everything(&tree).await, NOTHING, "never split");
    let paths: Vec<String> = group(largest + 1).into_iter().map(|(path, _)| path).collect();
    assert_eq!(tree.load_many(&paths).await.unwrap_err().kind(), ErrorKind::TooLarge);
}

async fn a_group_of_too_many_bytes_is_refused(context: Context) {
    let limits = context.client().await.limits();
    let tree = open(&context).await;
    let largest = limits.max_value_bytes.min(limits.max_request_bytes / 2);
    let files = limits.max_request_bytes / largest + 1;
    assert!(files * 2 <= limits.max_txn_ops, "bytes are the limit that is met first: {limits:?}");
    let group = (0..files).map(|n| (n.to_string(), vec![0; largest]));
    let error = tree.store_many(group).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains(&limits.max_request_bytes.to_string()), "{error}");
    assert_eq!(everything(&tree).await, NOTHING);
}

async fn an_empty_group(context: Context) {
    let tree = open(&context).await;
    assert!(tree.store_many(Vec::<(&str, &str)>::new()).await.unwrap().is_empty());
    assert!(tree.load_many(Vec::<&str>::new()).await.unwrap().is_empty());
}

async fn loading_a_group_answers_for_each_file(context: Context) {
    let tree = open_with(&context, &["a", "b/c", "damaged"]).await;
    raw_put(&context, "data/damaged", "other!!").await;
    let loaded = tree.load_many(["b/c", "missing", "/a/", "b", "damaged", "a/below", "a"]).await.unwrap();
    let answers: Vec<_> = loaded
        .into_iter()
        .map(|file| {
            file.map(|file| file.content).map_err(|error| (error.kind(), error.path().unwrap().to_owned()))
        })
        .collect();
    let error = |kind, path: &str| Err((kind, path.to_owned()));
    let expected = [
        Ok("b/c".into()),
        error(ErrorKind::NotFound, "missing"),
        Ok("a".into()),
        error(ErrorKind::IsADirectory, "b"),
        error(ErrorKind::ChecksumMismatch, "damaged"),
        error(ErrorKind::NotFound, "a/below"),
        Ok("a".into()),
    ];
    assert_eq!(answers, expected);
}

/// Two members write the bundle in turn, others load it: a certificate always comes with its own key.
async fn a_group_is_never_seen_in_part(context: Context) {
    let (writer, reader) = (open(&context).await, open(&context).await);
    let bundle = ["site/crt", "site/key", "site/json"];
    let write = async {
        for n in 0..60 {
            writer.store_many(bundle.map(|path| (path, n.to_string()))).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let read = async {
        let mut seen = 0;
        while seen < 59 {
            let files = reader.load_many(bundle).await.unwrap();
            let contents: Vec<_> =
                files.iter().map(|file| file.as_ref().ok().map(|file| &file.content)).collect();
            assert!(contents.iter().all(|content| content == &contents[0]), "torn: {contents:?}");
            if let Some(content) = contents[0] {
                seen = std::str::from_utf8(content).unwrap().parse().unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    futures::join!(write, read);
}
