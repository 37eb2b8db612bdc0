//! Which entries the files of a listing make, and in which order. No store is needed to work that out.

use std::collections::BTreeMap;

use super::list_options::Depth;
use crate::metadata::EntryKind;
use crate::path::FilePath;

/// Turns files, in key order, into files and directories.
///
/// Keys put a directory's files behind names that continue its own with a character below `/`: `a-b` comes before
/// `a/x`, while the entry `a` belongs before `a-b`. Within a page sorting is enough. At the end of a page there may be
/// directories that belong on it though their files have not come yet; they are always among the beginnings of the
/// last name, so a few questions decide them, and what was decided is remembered as long as it matters.
#[derive(Debug)]
pub(super) struct Walk {
    /// Where in a path the names below the listed directory begin.
    base: usize,
    depth: Depth,
    /// The file visited last.
    last: String,
    /// Directories whose files lie behind `last`, and whether there are any.
    decided: BTreeMap<String, bool>,
}

impl Walk {
    pub(super) fn new(root: &FilePath, depth: Depth) -> Self {
        let base = if root.is_root() { 0 } else { root.as_str().len() + 1 };
        Self { base, depth, last: String::new(), decided: BTreeMap::new() }
    }

    /// Goes on to the next file: names the directories that begin with it, then, if it is shown itself, the file.
    pub(super) fn visit(&mut self, path: &str, mut show: impl FnMut(&str, EntryKind)) {
        for end in self.slashes(path) {
            let directory = &path[..end];
            let entered = self.last.get(..=end).is_some_and(|last| last == &path[..=end]);
            if !entered && self.decided.get(directory) != Some(&true) {
                show(directory, EntryKind::Directory);
            }
            if self.depth == Depth::Children {
                break;
            }
        }
        if self.depth == Depth::Descendants || self.slashes(path).next().is_none() {
            show(path, EntryKind::File);
        }
        self.last.clear();
        self.last.push_str(path);
    }

    /// The directories that belong before the last file, but whose files, if there are any, lie behind it.
    pub(super) fn undecided(&mut self) -> Vec<FilePath> {
        let last = self.last.clone();
        self.decided.retain(|directory, _| last.starts_with(directory.as_str()));
        let reach = match self.depth {
            Depth::Children => self.slashes(&last).next().unwrap_or(last.len()),
            Depth::Descendants => last.len(),
        };
        let ends = (self.base + 1..reach).filter(|end| last.as_bytes()[*end] < b'/');
        let beginnings = ends.filter_map(|end| {
            let beginning = &last[..end];
            // What ends in a slash, or is otherwise no path, is no directory.
            FilePath::parse(beginning).ok().filter(|path| path.as_str() == beginning)
        });
        beginnings.filter(|path| !self.decided.contains_key(path.as_str())).collect()
    }

    pub(super) fn decide(&mut self, directories: &[(FilePath, bool)]) {
        self.decided.extend(directories.iter().map(|(path, exists)| (path.as_str().to_owned(), *exists)));
    }

    /// The directory directly below the root of the listing in which a file lies, if it lies in one.
    pub(super) fn child_directory(&self, file: &str) -> Option<FilePath> {
        let end = self.slashes(file).next()?;
        Some(FilePath::known(&file[..end]))
    }

    /// Where the directories below the root of the listing end in this path.
    fn slashes<'p>(&self, path: &'p str) -> impl Iterator<Item = usize> + use<'p> {
        let base = self.base;
        path.get(base..).unwrap_or_default().match_indices('/').map(move |(at, _)| base + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn path(path: &str) -> FilePath {
        FilePath::parse(path).unwrap()
    }

    /// Lists files in pages of a size as the lister does, with a set in place of the store.
    fn list(files: &BTreeSet<String>, root: &str, depth: Depth, page: usize) -> Vec<String> {
        let root = path(root);
        let below: Vec<FilePath> = files.iter().map(|f| path(f)).filter(|f| root.is_above(f)).collect();
        let mut walk = Walk::new(&root, depth);
        let mut listed = Vec::new();
        for files_of_page in below.chunks(page) {
            let mut shown = Vec::new();
            for file in files_of_page {
                walk.visit(file.as_str(), |path, _| shown.push(FilePath::known(path)));
            }
            let decided: Vec<_> = walk
                .undecided()
                .into_iter()
                .map(|dir| (dir.clone(), below.iter().any(|f| dir.is_above(f))))
                .collect();
            walk.decide(&decided);
            shown.extend(decided.into_iter().filter(|(_, exists)| *exists).map(|(dir, _)| dir));
            shown.sort();
            listed.extend(shown.into_iter().map(|path| path.to_string()));
        }
        listed
    }

    fn expected(files: &BTreeSet<String>, root: &str, depth: Depth) -> Vec<String> {
        let root = path(root);
        let mut entries = BTreeSet::new();
        for file in files.iter().map(|f| path(f)).filter(|f| root.is_above(f)) {
            let all = file.ancestors().filter(|dir| root.is_above(dir)).chain([file.clone()]);
            match depth {
                Depth::Descendants => entries.extend(all),
                Depth::Children => entries.extend(all.take(1)),
            }
        }
        entries.into_iter().map(|path| path.to_string()).collect()
    }

    #[test]
    fn a_directory_comes_before_names_that_continue_its_own() {
        let files: BTreeSet<String> = ["a-b", "a.txt", "a/x", "a/x.d/y", "a0"].map(str::to_owned).into();
        for page in 1..6 {
            assert_eq!(list(&files, "", Depth::Children, page), ["a", "a-b", "a.txt", "a0"]);
            assert_eq!(
                list(&files, "", Depth::Descendants, page),
                ["a", "a-b", "a.txt", "a/x", "a/x.d", "a/x.d/y", "a0"]
            );
            assert_eq!(list(&files, "a", Depth::Children, page), ["a/x", "a/x.d"]);
        }
    }

    /// No path both file and directory, as the storage guarantees.
    fn tree() -> impl Strategy<Value = BTreeSet<String>> {
        proptest::collection::btree_set("[ab.\\-/]{1,7}", 0..24).prop_map(|names| {
            let paths = names.iter().filter_map(|name| FilePath::parse(name).ok()).filter(|p| !p.is_root());
            let paths: BTreeSet<FilePath> = paths.collect();
            let free = paths.iter().filter(|file| !paths.iter().any(|other| file.is_above(other)));
            free.map(ToString::to_string).collect()
        })
    }

    proptest! {
        #[test]
        fn every_page_size_lists_the_same_in_byte_order(files in tree(), root in "[ab]{0,1}", page in 1_usize..6) {
            for depth in [Depth::Children, Depth::Descendants] {
                prop_assert_eq!(list(&files, &root, depth, page), expected(&files, &root, depth));
            }
        }
    }
}
