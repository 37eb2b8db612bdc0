//! Whether watches have delivered what was done.

use std::collections::BTreeSet;

use storage_conformance::history::Log;
use storage_core::ChangeKind;
use storage_core::kv::Revision;

use crate::watcher::{Seen, WatchEnd, Watched};

/// A change of a file.
type Change<'l> = (Revision, &'l str, ChangeKind);

/// What is wrong with what watches have delivered: each change of the path once, in order, and all of them from where the
/// watch begins, or from where it said that it goes on.
pub(crate) fn check(watched: &[Watched], log: &Log) -> Vec<String> {
    let changes = changes(log);
    let wrong = watched.iter().enumerate();
    wrong
        .filter_map(|(index, watched)| Some(format!("watch {index}: {}", check_one(watched, &changes)?)))
        .collect()
}

fn changes(log: &Log) -> Vec<Change<'_>> {
    let mut files = BTreeSet::new();
    let mut changes = Vec::new();
    for transaction in &log.transactions {
        for (path, content) in &transaction.files {
            let kind = match content {
                None => ChangeKind::Deleted,
                Some(_) if files.contains(path.as_str()) => ChangeKind::Modified,
                Some(_) => ChangeKind::Created,
            };
            match kind {
                ChangeKind::Deleted => files.remove(path.as_str()),
                ChangeKind::Created | ChangeKind::Modified => files.insert(path.as_str()),
            };
            changes.push((transaction.revision, path.as_str(), kind));
        }
    }
    changes
}

fn check_one(watched: &Watched, changes: &[Change<'_>]) -> Option<String> {
    let Watched { path, after: (least, most), seen, end, client } = watched;
    let is_watched = |file: &str| {
        path.is_empty() || file == *path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    };
    let expected: Vec<_> = changes.iter().filter(|(_, file, _)| is_watched(file)).collect();
    let behind = |revision: &Revision| expected.partition_point(|(at, _, _)| at <= revision);
    let mut next = behind(least);
    // Where it begins is not known exactly: it may leave out what lies between.
    let mut may_begin = behind(most);
    for seen in seen {
        match seen {
            Seen::Resync(revision) => {
                next = behind(revision);
                may_begin = next;
            }
            Seen::Change(revision, file, kind) => {
                let is_it =
                    |change: &&Change<'_>| change.0 == *revision && change.1 == file && change.2 == *kind;
                let begins = (next..=may_begin).find(|index| expected.get(*index).is_some_and(is_it));
                let found =
                    begins.or_else(|| expected.get(next).filter(|change| is_it(change)).map(|_| next));
                let Some(found) = found else {
                    return Some(format!(
                        "client {client} watches {path:?} after {least} to {most}: expected {:?}, seen {seen:?}",
                        expected.get(next)
                    ));
                };
                next = found + 1;
                may_begin = next.saturating_sub(1);
            }
        }
    }
    let is_complete = next.max(may_begin) >= expected.len();
    (*end == WatchEnd::GoesOn && !is_complete)
        .then(|| format!("client {client} watches {path:?} and was never told of {:?}", expected.get(next)))
}
