use bad_input::{Pair, Pairs, Seen, Verdict, fuzz};

use super::check_error;
use crate::error::ErrorKind;
use crate::kv::{Key, KeyRange};
use crate::layout::{KeyPrefix, Layout, LayoutKind};
use crate::lock::LockName;
use crate::path::FilePath;

/// What lies below a prefix and holds keys of a tree: a tree must not be put in there.
const PARTS: [&str; 4] = ["data", "meta", "lock", "session"];

#[test]
fn every_key_is_of_one_tree_and_of_one_thing_in_it() {
    let mut seen = Seen::default();
    fuzz!((Pairs, Pairs), |(prefixes, paths): &(Pair, Pair)| {
        let trees: Vec<Layout> =
            [&prefixes.one, &prefixes.other].into_iter().filter_map(|p| tree(p)).collect();
        let files = [&paths.one, &paths.other].into_iter().filter_map(|path| FilePath::parse(path).ok());
        let files: Vec<FilePath> = files.filter(|file| !file.is_root()).collect();
        for tree in &trees {
            for file in &files {
                check_file(tree, file, &mut seen);
            }
            if let [one, other] = &files[..] {
                check_directory(tree, one, other);
                check_directory(tree, &FilePath::root(), other);
            }
            check_foreign(tree, &paths.one);
        }
        if let [one, other] = &trees[..] {
            check_apart(one, other, &files);
        }
        if trees.len() == 2 && files.len() == 2 { Verdict::Accepted } else { Verdict::Refused }
    });
}

/// The layout of the tree with this prefix, if it is one.
fn tree(prefix: &str) -> Option<Layout> {
    let components = prefix.trim_end_matches('/');
    let components = components.strip_prefix('/').unwrap_or(components);
    let is_prefix = !prefix.is_empty()
        && !prefix.contains(|c: char| c.is_control() || c == '\\')
        && (components.is_empty() || !components.split('/').any(|name| ["", ".", ".."].contains(&name)));
    match KeyPrefix::parse(prefix) {
        Ok(parsed) => {
            assert!(is_prefix, "this is no prefix");
            assert_eq!(parsed.as_str(), prefix.trim_end_matches('/'));
            Some(Layout::new(LayoutKind::Native, parsed))
        }
        Err(error) => {
            assert!(!is_prefix, "this is a prefix: {error}");
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            check_error(&error, prefix);
            None
        }
    }
}

fn check_file(tree: &Layout, file: &FilePath, seen: &mut Seen) {
    let (data, meta) = (tree.data(file), tree.meta(file));
    assert_ne!(data, meta);
    for key in [&data, &meta] {
        let below = key.as_bytes().strip_prefix(tree.prefix().as_str().as_bytes());
        assert!(below.is_some_and(|rest| rest.starts_with(b"/")), "{key:?} has left its tree");
    }
    assert_eq!(tree.file(&meta).as_ref(), Some(file));
    assert_eq!(tree.file(&data), None);
    // The name of a prefix may be that of a part of another tree: see `check_apart`.
    if !tree.prefix().as_str().split('/').any(|name| PARTS.contains(&name)) {
        seen.note(data.as_bytes(), (tree.prefix().as_str(), "data", file.as_str()));
        seen.note(meta.as_bytes(), (tree.prefix().as_str(), "meta", file.as_str()));
        seen.note(tree.format().as_bytes(), (tree.prefix().as_str(), "format"));
        seen.note(tree.deletions().as_bytes(), (tree.prefix().as_str(), "deleted"));
    }
}

/// The ranges of a directory hold the keys of what is below it, and nothing else of the tree.
fn check_directory(tree: &Layout, directory: &FilePath, file: &FilePath) {
    let (data, meta) = (all(tree, directory), tree.meta_below(directory));
    let is_below = directory.is_above(file);
    assert_eq!(data.contains(&tree.data(file)), is_below, "{data:?} and {file:?}");
    assert_eq!(meta.contains(&tree.meta(file)), is_below, "{meta:?} and {file:?}");
    assert!(!data.contains(&tree.meta(file)) && !meta.contains(&tree.data(file)));
    for other in [tree.format(), tree.deletions(), tree.session("0f"), tree.place(&name(file), "0f", 1)] {
        assert!(!data.contains(&other) && !meta.contains(&other), "{other:?} is no file's");
    }
}

/// The contents below a directory; the native layout has them in one range.
fn all(tree: &Layout, directory: &FilePath) -> KeyRange {
    let [range] = tree.data_below(directory).try_into().expect("one range");
    range
}

/// Whatever somebody puts below the metadata: it is a file only if this library would have put it there.
fn check_foreign(tree: &Layout, text: &str) {
    let meta = format!("{}/meta/", tree.prefix());
    let keys = [
        text.as_bytes().to_vec(),
        [meta.as_bytes(), text.as_bytes()].concat(),
        [meta.as_bytes(), text.as_bytes(), b"\xff"].concat(),
        [&meta.as_bytes()[1.min(meta.len())..], text.as_bytes()].concat(),
    ];
    for key in keys.map(Key::new) {
        if let Some(file) = tree.file(&key) {
            assert_eq!(tree.meta(&file), key, "a key is read as that of another file");
        }
    }
}

/// Trees do not see each other, unless one is put into a part of the other.
fn check_apart(one: &Layout, other: &Layout, files: &[FilePath]) {
    if one.prefix() == other.prefix() || lies_in_part(one, other) || lies_in_part(other, one) {
        return;
    }
    let keys = |tree: &Layout| -> Vec<Key> {
        let of_files = files.iter().flat_map(|file| {
            [tree.data(file), tree.meta(file), tree.place(&name(file), "0f", 1), tree.session("0f")]
        });
        of_files.chain([tree.format(), tree.deletions()]).collect()
    };
    let ranges = |tree: &Layout| -> [KeyRange; 3] {
        [all(tree, &FilePath::root()), tree.meta_below(&FilePath::root()), tree.locks()]
    };
    let (keys_of_one, keys_of_other) = (keys(one), keys(other));
    assert!(!keys_of_one.iter().any(|key| keys_of_other.contains(key)), "two trees share a key");
    for (tree, keys) in [(one, &keys_of_other), (other, &keys_of_one)] {
        let seen = ranges(tree).into_iter().find(|range| keys.iter().any(|key| range.contains(key)));
        assert_eq!(seen, None, "a tree sees keys of another");
        assert!(keys.iter().all(|key| tree.file(key).is_none() && tree.of_place(key).is_none()));
    }
}

/// Whether the tree `inner` lies in the data, metadata, locks or sessions of the other.
fn lies_in_part(outer: &Layout, inner: &Layout) -> bool {
    let rest = inner.prefix().as_str().strip_prefix(outer.prefix().as_str());
    let first = rest.and_then(|rest| rest.strip_prefix('/')?.split('/').next());
    first.is_some_and(|name| PARTS.contains(&name))
}

/// A lock that is called like the file.
fn name(file: &FilePath) -> LockName {
    LockName::parse(&format!("/{file}")).unwrap_or_else(|_| LockName::parse("too long").expect("a name"))
}
