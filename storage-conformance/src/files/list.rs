//! What listings show, and in which order.

use storage_core::{EntryKind, ErrorKind, File, FilePath, Filter, ListOptions};

use super::support::{open, open_with, paths, refused};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-LIST-1"], listing_what_is_not_there),
    case!(["FS-LIST-2"], listing_a_file),
    case!(["FS-LIST-3"], listing_an_empty_root),
    case!(["FS-LIST-4"], children_are_what_lies_directly_in_a_directory),
    case!(["FS-LIST-5"], descendants_are_everything_below),
    case!(["FS-LIST-6"], entries_come_in_byte_order_of_the_whole_path),
    case!(["FS-LIST-7"], metadata_comes_when_it_is_asked_for),
    case!(["FS-LIST-10"], filters_show_what_passes_all_of_them),
];

/// What a TLS server keeps, and names that sort around a slash.
const FILES: &[&str] = &[
    "acme/ca.example-directory/users/admin/admin.json",
    "acme/ca.example-directory/users/admin/admin.key",
    "certificates/ca.example-directory/a.example/a.example.crt",
    "certificates/ca.example-directory/a.example/a.example.json",
    "certificates/ca.example-directory/a.example/a.example.key",
    "certificates/ca.example-directory/a.example.org/a.example.org.crt",
    "certificates/ca.example-directory/a.example-b/x",
    "certificates/ca.example-directory/a.example0",
    "last_clean.json",
    "locks/md/x",
];

async fn tree(context: &Context) -> Tree {
    open_with(context, FILES).await
}

async fn listing_what_is_not_there(context: Context) {
    let tree = tree(&context).await;
    for missing in ["missing", "acm", "acme2", "locks/m", "last_clean.json/x"] {
        for options in [ListOptions::children(), ListOptions::descendants().with_metadata()] {
            refused(tree.list(missing, options).await, ErrorKind::NotFound, missing);
        }
    }
}

async fn listing_a_file(context: Context) {
    let tree = tree(&context).await;
    for file in ["last_clean.json", "locks/md/x"] {
        for options in [ListOptions::children(), ListOptions::descendants()] {
            refused(tree.list(file, options).await, ErrorKind::NotADirectory, file);
        }
    }
}

async fn listing_an_empty_root(context: Context) {
    let tree = open(&context).await;
    assert!(tree.list("", ListOptions::children()).await.unwrap().is_empty());
    assert!(tree.list("/", ListOptions::descendants().with_metadata()).await.unwrap().is_empty());
}

async fn children_are_what_lies_directly_in_a_directory(context: Context) {
    let tree = tree(&context).await;
    let root = tree.list("", ListOptions::children()).await.unwrap();
    assert_eq!(paths(&root), ["acme", "certificates", "last_clean.json", "locks"]);
    let kinds: Vec<_> = root.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Directory, EntryKind::Directory, EntryKind::File, EntryKind::Directory]);
    let users = tree.list("/acme/ca.example-directory/users/", ListOptions::children()).await.unwrap();
    assert_eq!(paths(&users), ["acme/ca.example-directory/users/admin"]);
    let locks = tree.list("locks", ListOptions::children()).await.unwrap();
    assert_eq!(paths(&locks), ["locks/md"]);
}

async fn descendants_are_everything_below(context: Context) {
    let tree = tree(&context).await;
    let all = tree.list("", ListOptions::descendants()).await.unwrap();
    assert_eq!(paths(&all), expected(""));
    let acme = tree.list("acme", ListOptions::descendants()).await.unwrap();
    assert_eq!(paths(&acme), expected("acme"));
    assert!(!paths(&acme).contains(&"acme"), "never itself");
    for entry in &all {
        let kind = if FILES.contains(&entry.path.as_str()) { EntryKind::File } else { EntryKind::Directory };
        assert_eq!(entry.kind, kind, "{}", entry.path);
    }
}

/// All files of the tree below a directory and the directories above them, in byte order.
fn expected(root: &str) -> Vec<String> {
    let root = FilePath::parse(root).unwrap();
    let files = FILES.iter().map(|file| FilePath::parse(file).unwrap());
    let mut all: Vec<String> = files
        .flat_map(|file| file.ancestors().chain([file.clone()]).collect::<Vec<_>>())
        .filter(|path| root.is_above(path))
        .map(|path| path.to_string())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A slash sorts behind a dash and a dot: keys come in another order than paths do.
async fn entries_come_in_byte_order_of_the_whole_path(context: Context) {
    let tree = tree(&context).await;
    let children = tree.list("certificates/ca.example-directory", ListOptions::children()).await.unwrap();
    let names: Vec<_> = children.iter().map(|entry| entry.path.name()).collect();
    assert_eq!(names, ["a.example", "a.example-b", "a.example.org", "a.example0"]);
    let all = tree.list("", ListOptions::descendants()).await.unwrap();
    assert!(paths(&all).is_sorted(), "{:?}", paths(&all));
}

async fn metadata_comes_when_it_is_asked_for(context: Context) {
    let tree = tree(&context).await;
    for entry in tree.list("", ListOptions::descendants()).await.unwrap() {
        assert!(entry.metadata.is_none(), "{entry:?}");
    }
    for entry in tree.list("", ListOptions::descendants().with_metadata()).await.unwrap() {
        match entry.kind {
            EntryKind::Directory => assert!(entry.metadata.is_none(), "{entry:?}"),
            EntryKind::File => {
                let File { metadata, .. } = tree.load_file(entry.path.as_str()).await.unwrap();
                assert_eq!(entry.metadata.unwrap().unwrap(), metadata);
            }
        }
    }
}

async fn filters_show_what_passes_all_of_them(context: Context) {
    let tree = tree(&context).await;
    let path = |path: &str| FilePath::parse(path).unwrap();
    let domain = "certificates/ca.example-directory/a.example";
    let all = ListOptions::descendants;

    let prefix = tree.list("", all().with_filter(Filter::Prefix(path(domain)))).await.unwrap();
    let mut shown = vec![domain.to_owned()];
    shown.extend(["crt", "json", "key"].map(|kind| format!("{domain}/a.example.{kind}")));
    assert_eq!(paths(&prefix), shown, "by component, and the path itself");

    let exact = tree.list("", all().with_filter(Filter::ExactPrefix(path("")))).await.unwrap();
    assert_eq!(paths(&exact), ["last_clean.json"]);
    let issuer = "certificates/ca.example-directory";
    let exact = tree.list("", all().with_filter(Filter::ExactPrefix(path(issuer)))).await.unwrap();
    assert_eq!(paths(&exact), [format!("{issuer}/a.example0")]);

    let files = tree.list("", all().with_filter(Filter::FilesOnly)).await.unwrap();
    let mut sorted = FILES.to_vec();
    sorted.sort_unstable();
    assert_eq!(paths(&files), sorted);

    let keys =
        Filter::predicate(|entry| entry.path.name() == "admin.key" || entry.path.name() == "a.example.key");
    let narrow = all().with_filter(keys).with_filter(Filter::Prefix(path("acme")));
    let both = tree.list("", narrow).await.unwrap();
    assert_eq!(paths(&both), ["acme/ca.example-directory/users/admin/admin.key"]);

    let children = ListOptions::children().with_filter(Filter::FilesOnly);
    assert_eq!(paths(&tree.list("", children).await.unwrap()), ["last_clean.json"]);
    let none = all().with_filter(Filter::predicate(|_| false));
    assert!(tree.list("acme", none).await.unwrap().is_empty(), "filtered to nothing, and yet a directory");
}
