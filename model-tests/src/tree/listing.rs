//! What a listing shows.

use std::collections::BTreeMap;

use proptest::prelude::*;
use storage_core::{DirEntry, EntryKind, ErrorKind, FilePath, Filter, ListOptions};

use crate::files::{Expected, Stat, Tree, ancestors, any_path, is_below};

/// What is asked of a listing.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    is_deep: bool,
    has_metadata: bool,
    filter: Option<Sieve>,
}

#[derive(Clone, Debug)]
enum Sieve {
    Prefix(String),
    ExactPrefix(String),
    FilesOnly,
    LongerThan(usize),
}

/// An entry; a file's metadata if it was asked for, or the kind of its error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    path: String,
    is_dir: bool,
    metadata: Option<Result<Stat, ErrorKind>>,
}

impl Listing {
    /// With filters about one of these paths.
    pub(super) fn any(path: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = Self> {
        let sieve = prop_oneof![
            path.clone().prop_map(Sieve::Prefix),
            path.prop_map(Sieve::ExactPrefix),
            Just(Sieve::FilesOnly),
            (0..6_usize).prop_map(Sieve::LongerThan),
        ];
        (any::<bool>(), any::<bool>(), prop::option::weighted(0.3, sieve))
            .prop_map(|(is_deep, has_metadata, filter)| Self { is_deep, has_metadata, filter })
    }

    pub(super) fn options(&self) -> ListOptions {
        let mut options = if self.is_deep { ListOptions::descendants() } else { ListOptions::children() };
        if self.has_metadata {
            options = options.with_metadata();
        }
        let path = |path: &str| FilePath::parse(path).unwrap_or(FilePath::root());
        match &self.filter {
            None => options,
            Some(Sieve::Prefix(prefix)) => options.with_filter(Filter::Prefix(path(prefix))),
            Some(Sieve::ExactPrefix(prefix)) => options.with_filter(Filter::ExactPrefix(path(prefix))),
            Some(Sieve::FilesOnly) => options.with_filter(Filter::FilesOnly),
            Some(Sieve::LongerThan(length)) => {
                let length = *length;
                let is_longer = move |entry: &DirEntry| entry.path.as_str().len() > length;
                options.with_filter(Filter::predicate(is_longer))
            }
        }
    }

    fn shows(&self, path: &str, is_dir: bool) -> bool {
        match &self.filter {
            None => true,
            Some(Sieve::Prefix(prefix)) => {
                let prefix = any_path(prefix).unwrap_or_default();
                path == prefix || is_below(&prefix, path)
            }
            Some(Sieve::ExactPrefix(prefix)) => {
                let prefix = any_path(prefix).unwrap_or_default();
                !is_dir && path.rsplit_once('/').map_or("", |(parent, _)| parent) == prefix
            }
            Some(Sieve::FilesOnly) => !is_dir,
            Some(Sieve::LongerThan(length)) => path.len() > *length,
        }
    }
}

impl Tree {
    pub(super) fn list(&self, path: &str, listing: &Listing) -> Expected<Vec<Shown>> {
        let root = any_path(path)?;
        if !self.is_dir(&root) {
            let is_file = self.meta.contains_key(&root);
            return Err(vec![if is_file { ErrorKind::NotADirectory } else { ErrorKind::NotFound }]);
        }
        let mut entries: BTreeMap<&str, bool> = BTreeMap::new();
        for file in self.meta.keys().filter(|file| is_below(&root, file)) {
            let above = ancestors(file).filter(|above| is_below(&root, above));
            let all = above.map(|above| (above, true)).chain([(file.as_str(), false)]);
            entries.extend(all.take(if listing.is_deep { usize::MAX } else { 1 }));
        }
        let shown = entries.into_iter().filter(|(path, is_dir)| listing.shows(path, *is_dir));
        let shown = shown.map(|(path, is_dir)| {
            let stat = || self.meta[path].stat().map_err(|kinds| kinds[0]);
            let metadata = (listing.has_metadata && !is_dir).then(stat);
            Shown { path: path.to_owned(), is_dir, metadata }
        });
        Ok(shown.collect())
    }
}

impl Shown {
    pub(super) fn of(entry: &DirEntry) -> Self {
        let metadata = entry.metadata.as_ref();
        Self {
            path: entry.path.to_string(),
            is_dir: entry.kind == EntryKind::Directory,
            metadata: metadata
                .map(|metadata| metadata.as_ref().map(Stat::of).map_err(storage_core::Error::kind)),
        }
    }
}

impl Stat {
    pub(super) fn of(metadata: &storage_core::Metadata) -> Self {
        Self {
            is_dir: metadata.is_dir(),
            size: metadata.size,
            sha1: metadata.sha1,
            modified: metadata.modified,
            version: metadata.version,
        }
    }
}
