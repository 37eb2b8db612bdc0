//! Verifying: every file is told of, whole or not.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use storage_core::kv::{KeyRange, KvBackend, KvBackendExt, Op, RangeRequest, Txn};
use storage_core::{ErrorKind, LayoutKind, Problem, ProblemKind, VerifyItem, VerifyOptions};

use super::support::{open, open_with, raw_delete, raw_get, raw_key, raw_put, tree_prefix};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-VERIFY-1"], every_kind_of_damage_is_found),
    case!(["FS-VERIFY-1"], what_lies_at_a_path_and_below_it_is_verified_and_nothing_else),
    case!(["FS-VERIFY-2"], a_path_that_is_both_file_and_directory_is_found),
    case!(["FS-VERIFY-2"], keys_that_no_path_is_mapped_to_are_found),
    case!(["FS-VERIFY-3"], what_is_no_file_is_looked_at_too),
    case!(["FS-VERIFY-4"], verifying_changes_nothing),
    case!(["FS-VERIFY-4"], what_is_not_there_cannot_be_verified),
    case!(["FS-VERIFY-5"], what_is_replaced_meanwhile_is_no_damage),
    case!(["FS-VERIFY-6"], large_trees_are_verified_completely),
    case!(["FS-VERIFY-6"], a_compaction_makes_it_go_on_where_it_was),
];

/// What verifying a path has found, without the paths of what is no file's.
pub(super) async fn verify(tree: &Tree, path: &str) -> Vec<VerifyItem> {
    tree.verify(path, VerifyOptions::new()).try_collect().await.unwrap()
}

pub(crate) async fn problems(tree: &Tree, path: &str) -> Vec<Problem> {
    let items = verify(tree, path).await;
    items
        .into_iter()
        .filter_map(|item| if let VerifyItem::Problem(problem) = item { Some(problem) } else { None })
        .collect()
}

fn path_of(item: &VerifyItem) -> Option<String> {
    match item {
        VerifyItem::Whole(metadata) => Some(metadata.path.to_string()),
        VerifyItem::Problem(problem) => problem.path.as_ref().map(ToString::to_string),
        other => panic!("unexpected: {other:?}"),
    }
}

/// The paths with the names of their problems, or `whole`.
fn told(items: &[VerifyItem]) -> Vec<(String, &'static str)> {
    let name = |item: &VerifyItem| match item {
        VerifyItem::Problem(problem) => problem.kind.name(),
        _ => "whole",
    };
    items.iter().map(|item| (path_of(item).unwrap_or_default(), name(item))).collect()
}

fn expected(told: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    told.iter().map(|(path, what)| ((*path).to_owned(), *what)).collect()
}

/// What content without metadata is called.
fn content_alone(context: &Context) -> ProblemKind {
    match context.layout() {
        LayoutKind::Native => ProblemKind::ContentAlone,
        _ => ProblemKind::ContentUnclaimed,
    }
}

/// One file of every kind of damage that there can be, to be put in between whole ones.
pub(super) fn damaged(context: &Context) -> Vec<(&'static str, ProblemKind)> {
    let mut damaged = vec![
        ("a/flipped", ProblemKind::ChecksumMismatch),
        ("a/longer", ProblemKind::SizeMismatch { stored: 8, found: 9 }),
        ("b/emptied", ProblemKind::SizeMismatch { stored: 9, found: 0 }),
        ("b/no-record", ProblemKind::MetadataUnreadable),
        ("c/content", content_alone(context)),
        ("c/record", ProblemKind::MetadataAlone),
        ("z/unread-record", ProblemKind::MetadataUnreadable),
    ];
    // The records of the Go module have no version.
    if context.layout() == LayoutKind::Native {
        damaged.push(("c/later", ProblemKind::MetadataLater { version: 2 }));
    }
    damaged
}

/// The tree with those, and how many they are.
pub(super) async fn damaged_tree(context: &Context) -> (Tree, usize) {
    let damaged = damaged(context);
    let mut files: Vec<&str> = damaged.iter().map(|(path, _)| *path).collect();
    files.extend(["a/well", "m/well", "z/well"]);
    let tree = open_with(context, &files).await;
    raw_put(context, "data/a/flipped", "a/flippeD").await;
    raw_put(context, "data/a/longer", "a/longer!").await;
    raw_put(context, "data/b/emptied", "").await;
    raw_put(context, "meta/b/no-record", "no json").await;
    raw_delete(context, "meta/c/content").await;
    let read = async |path: &str| {
        let record = raw_get(context, &format!("meta/{path}")).await.unwrap();
        String::from_utf8(record.to_vec()).unwrap()
    };
    if files.contains(&"c/later") {
        let record = read("c/later").await;
        raw_put(context, "meta/c/later", record.replace("\"version\":1", "\"version\":2")).await;
    }
    raw_delete(context, "data/c/record").await;
    let record = read("z/unread-record").await;
    raw_put(context, "meta/z/unread-record", record[..record.len() - 1].to_owned()).await;
    (tree, damaged.len())
}

async fn every_kind_of_damage_is_found(context: Context) {
    let (tree, damaged_files) = damaged_tree(&context).await;
    let items = verify(&tree, "").await;
    let paths: Vec<_> = items.iter().filter_map(path_of).collect();
    assert!(paths.is_sorted(), "{paths:?}");
    assert_eq!(paths.len(), damaged_files + 3, "{paths:?}");
    let found: BTreeMap<String, &Problem> = items
        .iter()
        .filter_map(|item| {
            if let VerifyItem::Problem(problem) = item { Some((path_of(item)?, problem)) } else { None }
        })
        .collect();
    assert_eq!(found.len(), damaged_files);
    for (path, kind) in damaged(&context) {
        let problem = found[path];
        assert_eq!(problem.kind, kind, "{path}");
        assert!(problem.kind.is_damage(), "{path}");
        assert!(problem.to_string().starts_with(&format!("{path:?}: ")), "{problem}");
    }
    for item in &items {
        if let VerifyItem::Whole(metadata) = item {
            let stat = tree.stat(metadata.path.as_str()).await.unwrap();
            assert_eq!(*metadata, stat, "with its metadata");
            assert!(metadata.path.as_str().ends_with("/well"));
        }
    }
}

async fn what_lies_at_a_path_and_below_it_is_verified_and_nothing_else(context: Context) {
    let tree = open_with(&context, &["a", "dir/a", "dir/b/c", "dir-x", "dir.y/z", "dir0", "e"]).await;
    raw_put(&context, "data/e", "E").await;
    raw_put(&context, "notes", "who put this here?").await;
    for (path, below) in [
        ("dir", expected(&[("dir/a", "whole"), ("dir/b/c", "whole")])),
        ("dir/b", expected(&[("dir/b/c", "whole")])),
        ("/dir/a/", expected(&[("dir/a", "whole")])),
        ("e", expected(&[("e", "checksum_mismatch")])),
        ("dir-x", expected(&[("dir-x", "whole")])),
    ] {
        assert_eq!(told(&verify(&tree, path).await), below, "{path}");
    }
    assert_eq!(verify(&tree, "").await.len(), 8);
}

async fn a_path_that_is_both_file_and_directory_is_found(context: Context) {
    let tree = open_with(&context, &["dir/sub/file", "dir-x", "dir/a"]).await;
    for half in ["data", "meta"] {
        let value = raw_get(&context, &format!("{half}/dir-x")).await.unwrap();
        raw_put(&context, &format!("{half}/dir"), value).await;
    }
    let whole = ["dir", "dir-x"].map(|path| (path, "whole"));
    let below = [("dir", "file_and_directory"), ("dir/a", "whole"), ("dir/sub/file", "whole")];
    let all = expected(&[&whole[..], &below[..]].concat());
    assert_eq!(told(&verify(&tree, "").await), all);
    let there = expected(&[&whole[..1], &below[..]].concat());
    assert_eq!(told(&verify(&tree, "dir").await), there);
    let problem = problems(&tree, "dir").await.remove(0);
    assert!(problem.kind.is_damage() && problem.to_string().contains("\"dir/a\""), "{problem}");
}

async fn keys_that_no_path_is_mapped_to_are_found(context: Context) {
    let tree = open_with(&context, &["dir/a"]).await;
    let foreign = ["data/dir//b", "data/dir/x\n", "meta/", "meta/dir/", "meta/dir/../c", "meta/dir//b"];
    for key in foreign {
        raw_put(&context, key, "who put this here?").await;
    }
    let found = problems(&tree, "").await;
    let mut keys: Vec<_> = found.iter().map(|problem| problem.key.clone()).collect();
    keys.sort();
    assert_eq!(keys, foreign.map(|key| raw_key(&context, key)));
    for problem in &found {
        assert_eq!((problem.kind, &problem.path), (ProblemKind::UnknownKey, &None));
        assert!(!problem.kind.is_damage() && !problem.to_string().contains('\n'), "{problem}");
    }
    assert_eq!(problems(&tree, "dir").await.len(), 5, "below the path only");
}

pub(crate) async fn what_is_no_file_is_looked_at_too(context: Context) {
    let tree = open_with(&context, &["a", "b"]).await;
    let guard = tree.lock("held").await.unwrap();
    tree.delete("b").await.unwrap();
    assert_eq!(told(&verify(&tree, "").await), expected(&[("a", "whole")]), "all is well");

    let place = "lock/held/0123456789abcdef-1";
    raw_put(&context, place, r#"{"version":1,"host":"a","pid":1,"since":"2023-11-14T22:13:20Z"}"#).await;
    // In the layout of caddy-etcd what lies beside these would be among the files.
    let foreign: &[&str] = match context.layout() {
        LayoutKind::Native => &["notes", "other/data/a", "other/format", "other/meta/a"],
        _ => &[],
    };
    let known = ["deleted", "lock/held", "lock/held/x", "session/0123456789abcdef", "session/a/b"];
    for key in known.iter().chain(foreign) {
        raw_put(&context, key, "x").await;
    }
    let mut found: Vec<_> = problems(&tree, "")
        .await
        .iter()
        .map(|problem| {
            assert!(!problem.kind.is_damage(), "{problem}");
            (problem.key.clone(), problem.kind)
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut expected = vec![
        ("deleted", ProblemKind::RecordUnreadable),
        ("lock/held", ProblemKind::UnknownKey),
        (place, ProblemKind::LockWithoutLease),
        ("lock/held/x", ProblemKind::UnknownKey),
        ("session/0123456789abcdef", ProblemKind::RecordUnreadable),
        ("session/a/b", ProblemKind::UnknownKey),
    ];
    if !foreign.is_empty() {
        let unknown = [("notes", 1), ("other/", 3)];
        expected.extend(unknown.map(|(key, count)| (key, ProblemKind::UnknownKeys { count })));
    }
    let mut expected: Vec<_> =
        expected.into_iter().map(|(key, kind)| (raw_key(&context, key), kind)).collect();
    expected.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!(found, expected);
    assert_eq!(problems(&tree, "a").await, [], "only at the root");
    drop(guard);
}

/// Everything below the tree's prefix, values and revisions included.
pub(super) async fn raw_tree(context: &Context) -> Vec<storage_core::kv::Entry> {
    let client = context.client().await;
    let below = KeyRange::prefix(format!("{}/", tree_prefix(context)));
    client.scan(RangeRequest::new(below)).try_collect().await.unwrap()
}

async fn verifying_changes_nothing(context: Context) {
    let (tree, damaged_files) = damaged_tree(&context).await;
    let before = raw_tree(&context).await;
    assert_eq!(verify(&tree, "").await.len(), damaged_files + 3);
    assert_eq!(raw_tree(&context).await, before);
}

async fn what_is_not_there_cannot_be_verified(context: Context) {
    let tree = open(&context).await;
    assert_eq!(verify(&tree, "").await, [], "an empty root is whole");
    assert_eq!(raw_tree(&context).await, [], "and stays empty");
    tree.store("a/b", "x").await.unwrap();
    for (path, kind) in [
        ("b", ErrorKind::NotFound),
        ("a/b/c", ErrorKind::NotFound),
        ("a/bc", ErrorKind::NotFound),
        ("a//b", ErrorKind::InvalidPath),
    ] {
        let result: Result<Vec<_>, _> = tree.verify(path, VerifyOptions::new()).try_collect().await;
        super::support::refused(result, kind, path);
    }
}

/// The first page is read, then everything that comes behind it changes.
async fn what_is_replaced_meanwhile_is_no_damage(context: Context) {
    let names: Vec<String> = (0..60).map(|number| format!("{number:02}")).collect();
    let files: Vec<&str> = names.iter().map(String::as_str).collect();
    let (tree, other) = (open_with(&context, &files).await, open(&context).await);
    for name in ["50", "51", "52"] {
        raw_put(&context, &format!("data/{name}"), "XX").await;
    }
    // A few at a time.
    let mut items = tree.verify("", VerifyOptions::new().with_buffer_bytes(8));
    let first = items.next().await.unwrap().unwrap();
    assert_eq!(told(&[first]), expected(&[("00", "whole")]));
    for name in ["40", "50"] {
        other.store(name, "something else").await.unwrap();
    }
    other.rename("41", "moved").await.unwrap();
    for name in ["42", "51"] {
        other.delete(name).await.unwrap();
    }
    let rest: Vec<VerifyItem> = items.try_collect().await.unwrap();
    let problems: Vec<_> = told(&rest).into_iter().filter(|(_, what)| *what != "whole").collect();
    assert_eq!(problems, expected(&[("52", "checksum_mismatch")]), "the others were replaced or deleted");
}

/// More than several pages, with contents of all sizes and some without records or the reverse.
async fn make(context: &Context, tree: &Tree, count: usize) {
    tree.store("template", "x").await.unwrap();
    let client = context.client().await;
    let mut values = Vec::new();
    for half in ["data/template", "meta/template"] {
        values.push(client.get(raw_key(context, half)).await.unwrap().unwrap().value);
    }
    let [stored, record] = &values[..] else { unreachable!("there are two") };
    tree.delete("template").await.unwrap();
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(client.limits().max_txn_ops / 2) {
        let mut txn = Txn::new();
        for number in chunk {
            let put = |half: &str, value: Bytes| Op::Put {
                key: raw_key(context, &format!("{half}/d/{number:05}")),
                value,
                lease: None,
            };
            if number % 100 != 7 {
                txn = txn.then(put("data", stored.clone()));
            }
            if number % 100 != 8 {
                txn = txn.then(put("meta", record.clone()));
            }
        }
        client.txn(txn).await.unwrap();
    }
}

async fn large_trees_are_verified_completely(context: Context) {
    const MANY: usize = 2_300;
    let tree = open(&context).await;
    make(&context, &tree, MANY).await;
    tree.store("d/00500-large", vec![7; 6_000]).await.unwrap();
    for buffer_bytes in [0, 1_000, 4 * 1024 * 1024] {
        let items = tree.verify("d", VerifyOptions::new().with_buffer_bytes(buffer_bytes));
        let items: Vec<VerifyItem> = items.try_collect().await.unwrap();
        let told = told(&items);
        assert!(told.is_sorted(), "in the order of paths");
        let count = |wanted: &str| told.iter().filter(|(_, what)| *what == wanted).count();
        assert_eq!(
            (count(content_alone(&context).name()), count("metadata_alone")),
            (MANY / 100, MANY / 100)
        );
        assert_eq!(count("whole"), MANY - 2 * (MANY / 100) + 1, "{buffer_bytes}");
        if buffer_bytes == 0 {
            // One content at a time is slow enough for once.
            assert_eq!(items.len(), MANY + 1);
        }
    }
}

async fn a_compaction_makes_it_go_on_where_it_was(context: Context) {
    const MANY: usize = 1_200;
    let tree = open(&context).await;
    make(&context, &tree, MANY).await;
    let mut items = tree.verify("", VerifyOptions::new().with_buffer_bytes(50));
    let mut told_of: Vec<(String, &'static str)> = Vec::new();
    while let Some(item) = items.next().await {
        told_of.extend(told(&[item.unwrap()]));
        if told_of.len() % 300 == 1 {
            // A newer revision, for all below it can be compacted.
            let newest = tree.store("zz/other", told_of.len().to_string()).await.unwrap();
            context.compact(newest.version.revision()).await;
        }
    }
    let other = told_of.pop().unwrap();
    assert_eq!(other, ("zz/other".to_owned(), "whole"), "written meanwhile, and seen at a newer revision");
    let paths: Vec<_> = told_of.iter().map(|(path, _)| path.clone()).collect();
    let expected: Vec<_> = (0..MANY).map(|number| format!("d/{number:05}")).collect();
    assert_eq!(paths, expected, "each once");
    let wrong = told_of.iter().filter(|(_, what)| *what != "whole").count();
    assert_eq!(wrong, 2 * (MANY / 100));
}
