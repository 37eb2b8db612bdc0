//! The keys below the prefix that are no file's.

use super::{Snapshot, Step, StepError};
use crate::identity::Identity;
use crate::kv::{Cursor, Entry, Key, KeyRange, KvBackend, Projection};
use crate::layout::Layout;
use crate::problem::{Problem, ProblemKind, VerifyItem};
use crate::record::Deletion;

/// How many are read at once.
const AT_ONCE: u32 = 1_000;

/// What keys are expected in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Deletions,
    Locks,
    Sessions,
    /// Those of members that run the Go module.
    GoLocks,
    /// None.
    Nothing,
}

impl Subject {
    /// Every range below the prefix that has no files, with what belongs there.
    pub(super) fn all(layout: &Layout) -> impl Iterator<Item = (Self, KeyRange)> {
        let known = [
            (Self::Deletions, KeyRange::single(layout.deletions())),
            (Self::Locks, layout.locks()),
            (Self::Sessions, layout.sessions()),
        ];
        let of_go = layout.locks_of_go().into_iter().map(|range| (Self::GoLocks, range));
        known
            .into_iter()
            .chain(of_go)
            .chain(layout.elsewhere().into_iter().map(|range| (Self::Nothing, range)))
    }
}

/// A range of such keys.
pub(super) struct Others {
    subject: Subject,
    range: KeyRange,
    cursor: Option<Cursor>,
    /// The keys of no part of the tree that have been counted and not told of yet.
    counted: Option<(Key, u64)>,
}

impl Others {
    pub(super) fn new(subject: Subject, range: KeyRange) -> Self {
        Self { subject, range, cursor: None, counted: None }
    }

    pub(super) async fn step<B: KvBackend>(&mut self, snapshot: &mut Snapshot<B>) -> Result<Step, StepError> {
        let projection = match self.subject {
            Subject::Nothing => Projection::KeysOnly,
            _ => Projection::KeysAndValues,
        };
        let page = snapshot.page(&self.range, self.cursor.as_ref(), AT_ONCE, projection).await?;
        let layout = snapshot.storage.keyspace();
        let found_keys = !page.entries.is_empty();
        let mut problems: Vec<Problem> = Vec::new();
        for entry in page.entries {
            if self.subject == Subject::Nothing {
                problems.extend(self.count(layout.component(&entry.key)));
            } else {
                let wrong = self.wrong_with(layout, &entry);
                problems.extend(wrong.map(|kind| Problem::of_key(kind, entry.key)));
            }
        }
        let is_last = page.next.is_none();
        self.cursor = page.next;
        if is_last {
            problems.extend(self.counted.take().map(unknown));
        }
        Ok(Step { items: problems.into_iter().map(VerifyItem::Problem).collect(), found_keys, is_last })
    }

    /// Counts a key; the problem of those before it if it is not one of them.
    fn count(&mut self, component: Key) -> Option<Problem> {
        match &mut self.counted {
            Some((counted, count)) if *counted == component => {
                *count += 1;
                None
            }
            counted => counted.replace((component, 1)).map(unknown),
        }
    }

    fn wrong_with(&self, layout: &Layout, entry: &Entry) -> Option<ProblemKind> {
        let is_readable = match self.subject {
            Subject::Nothing => return Some(ProblemKind::UnknownKey),
            Subject::Deletions => Deletion::decode(&entry.value).is_some(),
            Subject::Locks if layout.of_place(&entry.key).is_none() => return Some(ProblemKind::UnknownKey),
            Subject::Locks if entry.lease.is_none() => return Some(ProblemKind::LockWithoutLease),
            Subject::Sessions if !layout.is_session(&entry.key) => return Some(ProblemKind::UnknownKey),
            Subject::GoLocks if layout.of_go_lock(&entry.key).is_none() => {
                return Some(ProblemKind::UnknownKey);
            }
            Subject::GoLocks => layout.is_go_lock(&entry.value),
            Subject::Locks | Subject::Sessions => Identity::decode(&entry.value).is_some(),
        };
        (!is_readable).then_some(ProblemKind::RecordUnreadable)
    }
}

fn unknown((key, count): (Key, u64)) -> Problem {
    Problem::of_key(ProblemKind::UnknownKeys { count }, key)
}
