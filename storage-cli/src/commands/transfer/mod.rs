//! Moving whole trees: from and to stores, local directories and tars.
//!
//! A [`Source`](source::Source) is surveyed first: every file with its path, size and time, and all that is wrong. Names
//! are kept, contents never: they are loaded one by one, a few at once and no more than a [`Budget`](budget::Budget)
//! has room for. What the [`Target`](target::Target) has already is passed over, so that running a command again goes on
//! where it was ended. What was written is read back and compared.

mod archive;
mod budget;
pub(super) mod compare;
mod copy;
mod directory;
mod fits;
mod left_out;
mod order;
mod overlap;
mod pack;
mod place;
mod report;
mod side;
mod source;
mod target;
mod tree;

use std::time::SystemTime;

use bytes::Bytes;
use storage_core::{FilePath, Sha1Digest, Version};

use crate::failure::Failure;

pub(super) use order::{Extras, Mode, Order};
pub(super) use side::check_directory;

/// The command that moves something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Import,
    Export,
    Cp,
    Sync,
    Diff,
}

impl Verb {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Export => "export",
            Self::Cp => "cp",
            Self::Sync => "sync",
            Self::Diff => "diff",
        }
    }

    /// What has become of a file that it has moved.
    fn done(self) -> &'static str {
        match self {
            Self::Import => "stored",
            Self::Export => "exported",
            Self::Cp | Self::Sync | Self::Diff => "copied",
        }
    }

    /// The beginning of a message.
    fn about(self, name: &str) -> String {
        format!("{} {name:?}", self.name())
    }
}

/// Which files of a local directory count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    LeftOut,
    Taken,
}

impl From<crate::cli::Hidden> for Hidden {
    fn from(hidden: crate::cli::Hidden) -> Self {
        if hidden.all { Self::Taken } else { Self::LeftOut }
    }
}

/// A file of a tree, without its content.
#[derive(Clone, Debug)]
struct Item {
    /// Its path below the root of the tree.
    path: FilePath,
    size: u64,
    /// When it was written, if that is known.
    modified: Option<SystemTime>,
    /// What its record says, if it has one that can be read.
    sha1: Option<Sha1Digest>,
    version: Option<Version>,
    /// Where its content begins in a tar.
    at: u64,
}

impl Item {
    fn new(path: FilePath, size: u64) -> Self {
        Self { path, size, modified: None, sha1: None, version: None, at: 0 }
    }
}

/// A file with its content.
#[derive(Clone)]
struct Loaded {
    content: Bytes,
    sha1: Sha1Digest,
    modified: Option<SystemTime>,
    version: Option<Version>,
}

impl Loaded {
    fn new(content: Bytes, modified: Option<SystemTime>) -> Self {
        Self { sha1: Sha1Digest::of(&content), content, modified, version: None }
    }
}

/// What is at a location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shape {
    /// A file, which is the one item.
    File,
    #[default]
    Tree,
}

/// What was found at a location.
#[derive(Debug, Default)]
struct Survey {
    shape: Shape,
    /// The files, in the order of their paths, each once.
    items: Vec<Item>,
    /// What is left out, and why.
    skipped: Vec<Failure>,
    /// Why something cannot be a file of a tree, or be read.
    problems: Vec<Failure>,
    /// Files of a store whose records are damaged.
    damaged: Vec<(FilePath, Failure)>,
}

/// The item of this path.
fn find<'i>(items: &'i [Item], path: &FilePath) -> Option<&'i Item> {
    items.binary_search_by(|item| item.path.cmp(path)).ok().map(|at| &items[at])
}

/// Whether one of the items lies above or below this path, which can be no file's then.
fn is_in_the_way(items: &[Item], path: &FilePath) -> bool {
    let below = format!("{path}/");
    let first = items.partition_point(|item| item.path.as_str() < below.as_str());
    items.get(first).is_some_and(|item| item.path.as_str().starts_with(&below))
        || path.ancestors().any(|above| find(items, &above).is_some())
}

/// What is wrong with one file only, or with any.
type OfOneFile<T> = Result<Result<T, Failure>, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_above_or_below_is_in_the_way_and_namesakes_are_not() {
        let path = |path: &str| FilePath::parse(path).unwrap();
        let mut items: Vec<_> =
            ["a/b", "a.txt", "c", "d/e/f"].iter().map(|name| Item::new(path(name), 0)).collect();
        items.sort_by(|a, b| a.path.cmp(&b.path));
        for (name, expected) in
            [("a", true), ("a/b/c", true), ("d", true), ("d/e", true), ("c/x/y", true), ("a/b", false)]
        {
            assert_eq!(is_in_the_way(&items, &path(name)), expected, "{name}");
        }
        for name in ["a/bc", "a.tx", "cc", "d/e/g", "e"] {
            assert!(!is_in_the_way(&items, &path(name)), "{name}");
        }
        assert!(find(&items, &path("a.txt")).is_some() && find(&items, &path("a")).is_none());
    }
}
