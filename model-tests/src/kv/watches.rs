//! Watches: what has come of each, and what must.

use futures::StreamExt;
use proptest::test_runner::TestCaseError;
use storage_core::kv::{BackendErrorKind, KeyRange, Revision, WatchBatch, WatchStream};
use tokio::time::timeout;

use super::PATIENCE;
use super::call::fits;
use super::model::{Model, is_no_range};
use super::worlds::Worlds;

/// An open watch.
pub(super) struct Watch {
    pub(super) client: usize,
    pub(super) range: KeyRange,
    /// Everything up to here has been delivered.
    pub(super) position: Revision,
    /// Up to here it has certainly looked: compaction up to here does not concern it.
    looked: Revision,
    /// It begins before what is compacted.
    is_too_old: bool,
    /// It was broken from outside.
    pub(super) is_broken: bool,
    changes: WatchStream,
}

/// What became of reading a watch.
pub(super) enum Read {
    /// There was something.
    Batch,
    /// There is nothing, for now.
    Nothing,
    /// It has ended with an error, as it may.
    Ended,
}

impl Watch {
    pub(super) fn new(
        client: usize,
        range: KeyRange,
        after: Revision,
        changes: WatchStream,
        worlds: &Worlds,
    ) -> Self {
        // It may begin with the compacted revision or leave that out, and has to say so when it leaves out more.
        let is_too_old = after.0.saturating_add(1) < worlds.any().compacted().0;
        Self { client, range, position: after, looked: after, is_too_old, is_broken: false, changes }
    }

    /// Reads the next item, if there is or must be one, and compares it with what must come.
    pub(super) async fn read(&mut self, worlds: &mut Worlds) -> Result<Read, TestCaseError> {
        let must_come =
            self.is_broken || self.is_too_old || worlds.all_have_changes(&self.range, self.position);
        // So that the budget of this task is no reason to say that there is nothing.
        tokio::task::yield_now().await;
        let wait = if must_come { PATIENCE } else { std::time::Duration::ZERO };
        let Ok(item) = timeout(wait, self.changes.next()).await else {
            worlds.observe(
                || format!("nothing comes from {self:?}"),
                |model| {
                    fits!(!self.is_broken && !self.is_too_old, "it has to end");
                    let expected = model.next_change(&self.range, self.position);
                    fits!(expected.is_none(), "expected {expected:?}");
                    Ok(())
                },
            )?;
            self.looked = self.looked.max(worlds.newest());
            return Ok(Read::Nothing);
        };
        match item {
            Some(Ok(batch)) => {
                worlds
                    .observe(|| format!("{batch:?} comes from {self:?}"), |model| self.fit(&batch, model))?;
                self.position = self.position.max(batch.revision);
                self.looked = self.looked.max(self.position);
                Ok(Read::Batch)
            }
            Some(Err(error)) => {
                worlds.observe(
                    || format!("{error:?} comes from {self:?}"),
                    |model| {
                        match error.kind() {
                            BackendErrorKind::Unavailable => fits!(self.is_broken, "nobody has broken it"),
                            BackendErrorKind::Compacted => {
                                let compacted = model.compacted();
                                fits!(self.looked < compacted, "only {compacted} is compacted");
                            }
                            _ => return Err("expected no such error".to_owned()),
                        }
                        Ok(())
                    },
                )?;
                let next = self.changes.next().await;
                worlds.observe(
                    || format!("{next:?} comes behind the error of {self:?}"),
                    |_| {
                        fits!(next.is_none(), "an error is the last item");
                        Ok(())
                    },
                )?;
                Ok(Read::Ended)
            }
            None => {
                let never = |_: &mut Model| Err("a watch goes on".to_owned());
                worlds.observe(|| format!("the end comes from {self:?}"), never)?;
                Ok(Read::Ended)
            }
        }
    }

    fn fit(&self, batch: &WatchBatch, model: &Model) -> Result<(), String> {
        fits!(!self.is_broken, "the break comes first");
        fits!(!self.is_too_old, "the beginning is compacted");
        fits!(!is_no_range(&self.range), "the empty key is no key");
        let expected = model.next_change(&self.range, self.position);
        if batch.events.is_empty() {
            let newest = model.newest();
            fits!(batch.revision >= self.position && batch.revision <= newest, "newest is {newest}");
            let passed_over = expected.filter(|(revision, _)| *revision <= batch.revision);
            fits!(passed_over.is_none(), "it has passed over {passed_over:?}");
            return Ok(());
        }
        let mut events = batch.events.clone();
        events.sort_by(|one, other| one.key().cmp(other.key()));
        fits!(expected.as_ref() == Some(&(batch.revision, events)), "expected {expected:?}");
        Ok(())
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("range", &self.range)
            .field("position", &self.position)
            .field("is_broken", &self.is_broken)
            .finish_non_exhaustive()
    }
}
