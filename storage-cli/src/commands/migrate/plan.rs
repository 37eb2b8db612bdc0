//! What has to be done so that the destination has what the source has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use storage_core::{FilePath, Finding, FindingKind, Metadata, Survey, Version};

use super::report::{Problem, Trouble};
use crate::cli::Refused;

/// The work of a pass.
#[derive(Debug, Default)]
pub(super) struct Plan<'s> {
    pub(super) copies: Vec<Copy<'s>>,
    /// Files of the destination that the source does not have.
    pub(super) extra: Vec<(FilePath, Version)>,
    pub(super) unchanged: u64,
    pub(super) skipped: u64,
    pub(super) problems: Vec<Problem>,
}

/// A file to copy.
#[derive(Debug)]
pub(super) struct Copy<'s> {
    pub(super) origin: Origin<'s>,
    pub(super) to: FilePath,
    /// What is there now.
    pub(super) over: Option<&'s Metadata>,
}

/// Where a file is in the source.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin<'s> {
    File(&'s Metadata),
    /// Its name is no path.
    Finding(&'s Finding),
}

impl<'s> Origin<'s> {
    pub(super) fn name(self) -> &'s str {
        match self {
            Origin::File(file) => file.path.as_str(),
            Origin::Finding(finding) => &finding.name,
        }
    }
}

impl<'s> Plan<'s> {
    pub(super) fn new(source: &'s Survey, destination: &'s Survey, refused: &Refused) -> Self {
        let mut plan = Self::default();
        let mut wanted: BTreeMap<FilePath, Origin<'s>> = BTreeMap::new();
        let mut irregular: BTreeMap<FilePath, String> = BTreeMap::new();
        for finding in &source.findings {
            let why = why(&finding.kind);
            match (&finding.kind, finding.path()) {
                (FindingKind::NoPath(_), _) => {
                    plan.refuse(&mut wanted, Origin::Finding(finding), why, refused);
                }
                (_, Some(path)) => drop(irregular.insert(path, why)),
                _ => plan.problems.push(Problem::new(Trouble::Damaged, &finding.name, why)),
            }
        }
        for file in &source.files {
            match irregular.remove(&file.path) {
                Some(why) => plan.refuse(&mut wanted, Origin::File(file), why, refused),
                None => plan.want(&mut wanted, file.path.clone(), Origin::File(file)),
            }
        }
        let there: BTreeMap<&FilePath, &Metadata> =
            destination.files.iter().map(|file| (&file.path, file)).collect();
        // What cannot be read in the source is not taken for gone.
        let known: BTreeSet<&str> = source.findings.iter().map(|finding| finding.name.as_str()).collect();
        for (path, file) in &there {
            if !wanted.contains_key(path) && !known.contains(path.as_str()) {
                plan.extra.push(((*path).clone(), file.version));
            }
        }
        for (to, origin) in wanted {
            let over = there.get(&to).copied();
            match (origin, over) {
                (Origin::File(file), Some(copy)) if is_copy(file, copy) => plan.unchanged += 1,
                (Origin::File(file), Some(copy)) if copy.modified > file.modified => {
                    let why = "the destination has a newer one, which stays; remove it to have it copied";
                    plan.problems.push(Problem::new(Trouble::Newer, to.as_str(), why));
                }
                _ => plan.copies.push(Copy { origin, to, over }),
            }
        }
        plan
    }

    /// A file whose name is refused goes where the user wants it.
    fn refuse(
        &mut self,
        wanted: &mut BTreeMap<FilePath, Origin<'s>>,
        origin: Origin<'s>,
        why: String,
        refused: &Refused,
    ) {
        match refused {
            Refused::Report => self.problems.push(Problem::new(Trouble::Refused, origin.name(), why)),
            Refused::Skip => self.skipped += 1,
            Refused::Rename(directory) => match directory.join(&escaped(origin.name())) {
                Ok(to) => self.want(wanted, to, origin),
                Err(error) => {
                    self.problems.push(Problem::new(Trouble::Refused, origin.name(), error.to_string()));
                }
            },
        }
    }

    fn want(&mut self, wanted: &mut BTreeMap<FilePath, Origin<'s>>, to: FilePath, origin: Origin<'s>) {
        if let Some(other) = wanted.get(&to) {
            let why = format!("{:?} goes to {to:?} too", other.name());
            self.problems.push(Problem::new(Trouble::Conflict, origin.name(), why));
        } else {
            wanted.insert(to, origin);
        }
    }
}

/// Whether a file is a copy of another one. The same content may have been stored anew, later.
pub(super) fn is_copy(file: &Metadata, copy: &Metadata) -> bool {
    file.size == copy.size && file.sha1 == copy.sha1 && copy.modified >= file.modified
}

fn why(kind: &FindingKind) -> String {
    match kind {
        FindingKind::NoPath(error) => {
            let text = error.to_string();
            text.split_once(": ").map_or(text.clone(), |(_, why)| why.to_owned())
        }
        FindingKind::FileAndDirectory => "it is a file, and files lie below it".to_owned(),
        FindingKind::StoredAs(name) => format!("it was stored as {name:?}, which is no path"),
        FindingKind::Damaged(error) => {
            let cause =
                std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("its metadata is damaged{cause}")
        }
        FindingKind::NoContent => "there is metadata without content".to_owned(),
        FindingKind::NoMetadata => "there is content without metadata".to_owned(),
        _ => "this version does not know what is wrong with it".to_owned(),
    }
}

/// A name as a path: what no path may have in it is written as in URLs.
fn escaped(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for (number, component) in name.split('/').enumerate() {
        if number > 0 {
            path.push('/');
        }
        match component {
            "" => path.push('%'),
            "." => path.push_str("%2E"),
            ".." => path.push_str("%2E%2E"),
            _ => {
                for c in component.chars() {
                    if c.is_control() || matches!(c, '\\' | '%') {
                        let mut bytes = [0; 4];
                        for byte in c.encode_utf8(&mut bytes).bytes() {
                            write!(path, "%{byte:02X}").expect("a string takes whatever is written");
                        }
                    } else {
                        path.push(c);
                    }
                }
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_paths_become_different_ones() {
        let names = ["a\\b", "a\nb", "a%5Cb", "a//b", "a/./b", "a/../b", "md/x", "a/%/b"];
        let mut paths: Vec<_> = names.iter().map(|name| escaped(name)).collect();
        assert_eq!(paths[..4], ["a%5Cb", "a%0Ab", "a%255Cb", "a/%/b"]);
        for path in &paths {
            FilePath::parse(path).unwrap();
        }
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), names.len());
    }
}
