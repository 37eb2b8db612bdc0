use storage_core::kv::Revision;

use super::Violations;
use super::authors::Authors;
use super::timeline::Timeline;
use crate::history::log::{Log, Transaction};
use crate::history::operation::{Call, Operation, Outcome};
use crate::history::violation::{Rule, Violation};

/// Whether a transaction is the whole of what a call does to the tree as it was before, and nothing else.
pub(super) fn is_of(operation: &Operation, transaction: &Transaction, timeline: &Timeline<'_>) -> bool {
    let files = &transaction.files;
    let puts_only = |path: &String, content| matches!(files.as_slice(), [(put, Some(stored))] if put == path && stored == content);
    match &operation.call {
        Call::Store { files: stored } => {
            stored.len() == files.len()
                && stored.iter().all(|(path, content)| {
                    let put = files.binary_search_by(|(put, _)| put.as_str().cmp(path));
                    put.is_ok_and(|put| files[put].1.as_ref() == Some(content))
                })
        }
        Call::Create { path, content }
        | Call::StoreIf { path, content, .. }
        | Call::LoadOrStore { path, content } => puts_only(path, content),
        Call::Delete { path } => {
            let below = timeline.count_before(path, transaction.revision);
            let file = timeline.file_before(path, transaction.revision).is_some();
            let is_told = match operation.outcome {
                Outcome::Deleted(count) => count == files.len() as u64,
                _ => true,
            };
            is_told
                && below + u64::from(file) == files.len() as u64
                && files.iter().all(|(deleted, content)| content.is_none() && is_at_or_below(deleted, path))
        }
        Call::DeleteFile { path } => {
            matches!(operation.outcome, Outcome::Deleted(1) | Outcome::Unknown(_) | Outcome::Pending)
                && matches!(files.as_slice(), [(deleted, None)] if deleted == path)
                && timeline.count_before(path, transaction.revision) == 0
        }
        Call::Rename { from, to } => {
            let content = |wanted: &String| {
                files.iter().find(|(path, _)| path == wanted).map(|(_, content)| content.as_ref())
            };
            let moved = timeline.file_before(from, transaction.revision).and_then(|file| file.content);
            files.len() == 2
                && content(from) == Some(None)
                && moved.is_some()
                && content(to).flatten() == moved
        }
        Call::Load { .. }
        | Call::LoadMany { .. }
        | Call::Stat { .. }
        | Call::Exists { .. }
        | Call::List { .. }
        | Call::Lock { .. }
        | Call::Unlock { .. } => false,
    }
}

/// Whether a call of which nobody knows when it was done can have made a transaction. What it has put tells a call from
/// all others; deletions and renames look alike, and only those whose lock was held can have made it.
pub(super) fn can_be_of(operation: &Operation, transaction: &Transaction, timeline: &Timeline<'_>) -> bool {
    let looks_alike =
        matches!(operation.call, Call::Delete { .. } | Call::DeleteFile { .. } | Call::Rename { .. });
    let fence = operation.fence.filter(|_| looks_alike);
    fence.is_none_or(|token| is_held(token, transaction.revision, timeline))
        && is_of(operation, transaction, timeline)
}

fn is_at_or_below(file: &str, path: &str) -> bool {
    let rest = file.strip_prefix(path);
    path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Looks at every write that was done: whether its condition held, and its lock was held.
pub(super) fn check(
    history: &[Operation],
    log: &Log,
    timeline: &Timeline<'_>,
    authors: &Authors,
    violations: &mut Violations,
) {
    for (operation, revision) in history.iter().zip(&authors.revisions) {
        let Some(revision) = *revision else { continue };
        if let Some((expected, seen)) = broken_condition(operation, revision, timeline) {
            violations.add(|| Violation::new(Rule::Condition, expected, seen).with([operation]));
        }
        if let Some(token) = operation.fence
            && !is_held(token, revision, timeline)
        {
            violations.add(|| {
                let seen = match timeline.place(token) {
                    Some(place) => format!("it was first at {:?} and went at {:?}", place.first, place.went),
                    None => "there is no such place in the log".to_owned(),
                };
                let expected = format!("the lock {token} to be held at {revision}");
                Violation::new(Rule::Lock, expected, seen).with([operation])
            });
        }
    }
    for (transaction, author) in log.transactions.iter().zip(&authors.of) {
        if author.is_none() && transaction.revision > log.since && !transaction.files.is_empty() {
            violations.add(|| {
                let seen = format!("at {} {:?}", transaction.revision, transaction.files);
                let alike = history.iter().filter(|other| is_of(other, transaction, timeline)).take(3);
                let expected = "only what somebody has asked for, once, who was not told that it has failed";
                Violation::new(Rule::Unwritten, expected, seen).with(alike)
            });
        }
    }
}

/// What had to hold for a write that was done at this revision, and how it was.
fn broken_condition(
    operation: &Operation,
    revision: Revision,
    timeline: &Timeline<'_>,
) -> Option<(String, String)> {
    let before = |path: &str| timeline.file_before(path, revision).map(|file| file.since);
    let (path, expected) = match &operation.call {
        Call::Create { path, .. } | Call::LoadOrStore { path, .. } | Call::Rename { to: path, .. } => {
            (path, None)
        }
        Call::StoreIf { path, version, .. } => (path, Some(version.revision())),
        _ => return None,
    };
    let seen = before(path);
    let shown = |version: Option<Revision>| {
        version.map_or_else(|| "no file".to_owned(), |version| format!("the file of version {version}"))
    };
    let is_broken = seen != expected;
    is_broken.then(|| (format!("{} at {path} before {revision}", shown(expected)), shown(seen)))
}

/// Whether the place with this token was first in its queue just before a revision, and still at it.
fn is_held(token: Revision, revision: Revision, timeline: &Timeline<'_>) -> bool {
    timeline.place(token).is_some_and(|place| {
        place.first.is_some_and(|first| first < revision) && place.went.is_none_or(|went| went > revision)
    })
}
