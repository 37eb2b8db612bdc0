//! What a path may be, and what it names.

use storage_core::{ErrorKind, KeyPrefix, ListOptions, StorageOptions};

use super::support::{everything, open, open_with, store_all, tree_prefix};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-PATH-1"], slashes_around_a_path_do_not_matter),
    case!(["FS-PATH-2"], irregular_paths_are_refused_by_every_operation),
    case!(["FS-PATH-3"], paths_up_to_the_limits_are_files_and_beyond_are_refused),
    case!(["FS-PATH-4"], different_paths_are_different_files),
    case!(["FS-PATH-4", "FS-PATH-5"], a_directory_is_no_pattern),
    case!(["FS-PATH-5"], names_that_begin_alike_are_not_touched),
    case!(["FS-PATH-6"], no_name_is_reserved),
    case!(["FS-PATH-7"], trees_do_not_see_each_other),
];

async fn slashes_around_a_path_do_not_matter(context: Context) {
    let tree = open(&context).await;
    tree.store("/a/b/", "1").await.unwrap();
    for spelling in ["a/b", "/a/b", "a/b/", "//a/b//"] {
        assert_eq!(tree.load(spelling).await.unwrap(), "1", "{spelling}");
        assert_eq!(tree.stat(spelling).await.unwrap().path.as_str(), "a/b");
    }
    assert_eq!(everything(&tree).await, ["a", "a/b"]);
    for root in ["", "/", "//"] {
        assert!(tree.exists(root).await.unwrap(), "{root:?}");
    }
}

/// Every operation with this path, as the kind of error that it ends with.
async fn every_operation(tree: &Tree, path: &str) -> Vec<(&'static str, Option<ErrorKind>)> {
    fn kind<T>(result: storage_core::Result<T>) -> Option<ErrorKind> {
        result.err().map(|error| error.kind())
    }
    let version = tree.stat("there").await.unwrap().version;
    vec![
        ("store", kind(tree.store(path, "x").await)),
        ("create", kind(tree.create(path, "x").await)),
        ("store_if", kind(tree.store_if(path, "x", version).await)),
        ("load_or_store", kind(tree.load_or_store(path, "x").await)),
        ("store_many", kind(tree.store_many([("fine", "x"), (path, "x")]).await)),
        ("load", kind(tree.load(path).await)),
        ("load_file", kind(tree.load_file(path).await)),
        ("load_many", kind(tree.load_many(["there", path]).await)),
        ("exists", kind(tree.exists(path).await)),
        ("stat", kind(tree.stat(path).await)),
        ("list", kind(tree.list(path, ListOptions::children()).await)),
        ("delete", kind(tree.delete(path).await)),
        ("delete_file", kind(tree.delete_file(path).await)),
        ("rename from", kind(tree.rename(path, "fine").await)),
        ("rename to", kind(tree.rename("there", path).await)),
    ]
}

async fn irregular_paths_are_refused_by_every_operation(context: Context) {
    let tree = open_with(&context, &["there"]).await;
    for path in [
        "..",
        "../there",
        "a/../there",
        "a/..",
        ".",
        "./there",
        "a/./b",
        "a//b",
        "a\0",
        "\0",
        "a\nb",
        "a\u{7f}",
        "a\u{80}",
        "a\\b",
        "..\\there",
    ] {
        for (operation, kind) in every_operation(&tree, path).await {
            assert_eq!(kind, Some(ErrorKind::InvalidPath), "{operation} {path:?}");
        }
        let error = tree.store(path, "x").await.unwrap_err();
        assert_eq!(error.path(), Some(path), "the error names the path as it was given");
        assert!(
            error.to_string().len() > format!("store {path:?}: invalid path: ").len(),
            "no reason: {error}"
        );
    }
    assert_eq!(everything(&tree).await, ["there"], "a refused operation changes nothing");
}

async fn paths_up_to_the_limits_are_files_and_beyond_are_refused(context: Context) {
    let tree = open(&context).await;
    let component = "c".repeat(255);
    let longest = format!("{}/{}/x", ["d".repeat(255).as_str(); 3].join("/"), "e".repeat(254));
    assert_eq!(longest.len(), 1024);
    let deep = ["p"; 64].join("/");
    // A store asks for every component above a file, and for a few things more.
    let room = context.client().await.limits().max_txn_ops >= 64 + 8;
    let deepest = room.then_some(deep.as_str());
    for path in [component.as_str(), longest.as_str()].into_iter().chain(deepest) {
        tree.store(path, "x").await.unwrap();
        assert_eq!(tree.load(path).await.unwrap(), "x");
        assert!(tree.exists(path).await.unwrap(), "{path:?}");
        assert_eq!(tree.delete(path).await.unwrap(), 1);
    }
    tree.store("there", "x").await.unwrap();
    for path in [format!("{component}c"), format!("{longest}x"), format!("{deep}/p")] {
        for (operation, kind) in every_operation(&tree, &path).await {
            assert_eq!(kind, Some(ErrorKind::InvalidPath), "{operation} of {} bytes", path.len());
        }
    }
}

async fn different_paths_are_different_files(context: Context) {
    let tree = open(&context).await;
    let names = [
        "a", "A", "a ", " a", "a.", ".a", "a*", "a?", "a%", "%61", "a_", "_a", "a-b", "a_b", "a.b", "*",
        "[a]", "~a", "ä", "a\u{308}", "é", "e\u{301}", "ß", "ss", "K", "\u{212a}", "日本", "a:b", "'a'",
        "\"a\"", "a#", "a&b=c",
    ];
    store_all(&tree, &names).await;
    for name in names {
        assert_eq!(tree.load(name).await.unwrap(), name, "{name:?}");
    }
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(everything(&tree).await, sorted);
    assert_eq!(tree.delete("*").await.unwrap(), 1);
    assert_eq!(everything(&tree).await.len(), names.len() - 1, "a star is a name like any other");
}

/// A store with a query language has characters that stand for any other.
async fn a_directory_is_no_pattern(context: Context) {
    let directories = ["a_b", "a.b", "a%b", "a*b", "a?b", "axb", "a[x]b", "A_B"];
    let files = directories.map(|directory| format!("{directory}/file"));
    let tree = open_with(&context, &files.each_ref().map(String::as_str)).await;
    for (number, directory) in directories.iter().enumerate() {
        let below = tree.list(directory, ListOptions::descendants()).await.unwrap();
        let below: Vec<_> = below.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(below, [files[number].as_str()], "below {directory:?}");
        assert_eq!(tree.stat(directory).await.unwrap().size, files[number].len() as u64, "{directory:?}");
    }
    for (number, directory) in directories.iter().enumerate() {
        assert_eq!(tree.delete(directory).await.unwrap(), 1, "{directory:?}");
        assert_eq!(
            everything(&tree).await.len(),
            2 * (directories.len() - number - 1),
            "{directory:?} is gone"
        );
    }
}

async fn names_that_begin_alike_are_not_touched(context: Context) {
    let tree = open_with(&context, &["foo/bar", "foobar/x", "foo.txt", "foo-1/x", "fo"]).await;
    let below = tree.list("foo", ListOptions::descendants()).await.unwrap();
    assert_eq!(below.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(), ["foo/bar"]);
    assert_eq!(tree.stat("foo").await.unwrap().size, "foo/bar".len() as u64);
    assert_eq!(tree.delete("foo").await.unwrap(), 1);
    assert!(!tree.exists("foo").await.unwrap());
    assert_eq!(everything(&tree).await, ["fo", "foo-1", "foo-1/x", "foo.txt", "foobar", "foobar/x"]);
}

async fn no_name_is_reserved(context: Context) {
    let names = [
        "md/x",
        "meta/x",
        "data/x",
        "format",
        "lock/x",
        "session/x",
        "x",
        "tree/data/x",
        "a/md/b",
        "a/meta/b",
        "caddyfile",
    ];
    let tree = open_with(&context, &names).await;
    for name in names {
        assert_eq!(tree.load(name).await.unwrap(), name);
        assert!(everything(&tree).await.contains(&name.to_owned()), "{name} is listed");
    }
    assert_eq!(tree.delete("meta").await.unwrap(), 1);
    assert_eq!(tree.load("x").await.unwrap(), "x");
}

async fn trees_do_not_see_each_other(context: Context) {
    let client = context.client().await;
    let prefix = tree_prefix(&context);
    let mut trees = Vec::new();
    for prefix in [
        format!("{prefix}/sem"),
        format!("{prefix}/sem2"),
        format!("{prefix}/sem-2/"),
        format!("{prefix}/se"),
        format!("{prefix}/sem/below"),
    ] {
        let options = StorageOptions::new().with_prefix(KeyPrefix::parse(&prefix).unwrap());
        trees.push(Tree::open_with(&context, client.clone(), options).await.unwrap());
    }
    for (n, tree) in trees.iter().enumerate() {
        tree.store("own", n.to_string()).await.unwrap();
        tree.store(&format!("only/{n}"), "x").await.unwrap();
    }
    for (n, tree) in trees.iter().enumerate() {
        assert_eq!(everything(tree).await, ["only".to_owned(), format!("only/{n}"), "own".to_owned()]);
        assert_eq!(tree.load("own").await.unwrap(), n.to_string());
    }
    assert_eq!(trees[0].delete_all().await.unwrap(), 2);
    for tree in &trees[1..] {
        assert_eq!(everything(tree).await.len(), 3);
    }
}
