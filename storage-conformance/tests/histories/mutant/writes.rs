//! What callers that have written were told, and when.

use rand::RngExt;
use storage_conformance::history::{Call, Outcome};
use storage_core::kv::Revision;
use storage_core::{ErrorKind, Version};

use super::Mutant;

impl Mutant {
    pub(crate) fn fail_write(&mut self) -> Option<()> {
        let write = self.pick_own_write()?;
        self.history[write.index].outcome =
            Outcome::Failed { kind: ErrorKind::Unavailable, text: String::new() };
        Some(())
    }

    pub(crate) fn refuse_write(&mut self) -> Option<()> {
        let write = self.pick_own_write()?;
        self.history[write.index].outcome =
            Outcome::Refused { kind: ErrorKind::LockLost, path: String::new() };
        Some(())
    }

    pub(crate) fn shift_revision(&mut self) -> Option<()> {
        let write = self.pick_write(|_, _| true)?;
        let by = if self.random.random_ratio(1, 2) { write.revision.0 + 1 } else { write.revision.0 - 1 };
        self.history[write.index].outcome = Outcome::Wrote(Version::new(Revision(by)));
        Some(())
    }

    pub(crate) fn swap_revisions(&mut self) -> Option<()> {
        let one = self.pick_own_write()?;
        let other = self.pick_write(|_, write| write.index != one.index)?;
        self.history[one.index].outcome = Outcome::Wrote(Version::new(other.revision));
        self.history[other.index].outcome = Outcome::Wrote(Version::new(one.revision));
        Some(())
    }

    pub(crate) fn count_more(&mut self) -> Option<()> {
        let index = self.pick(|operation| matches!(operation.outcome, Outcome::Deleted(1..)))?;
        self.history[index].outcome = Outcome::Deleted(1_000);
        Some(())
    }

    /// Whether a file was there just before it was written.
    pub(crate) fn was_there(&self, path: &str, revision: Revision) -> bool {
        let before = self.states(path).into_iter().rfind(|(since, _)| *since < revision);
        before.is_some_and(|(_, content)| content.is_some())
    }

    pub(crate) fn create_existing(&mut self) -> Option<()> {
        let write = self.pick_write(|mutant, write| {
            matches!(&mutant.history[write.index].call, Call::Store { files }
                if files.len() == 1 && mutant.was_there(&files[0].0, write.revision))
        })?;
        let Call::Store { files } = &self.history[write.index].call else { return None };
        let (path, content) = files[0].clone();
        self.history[write.index].call = Call::Create { path, content };
        Some(())
    }

    pub(crate) fn replace_another_version(&mut self) -> Option<()> {
        let write = self
            .pick_write(|mutant, write| matches!(mutant.history[write.index].call, Call::StoreIf { .. }))?;
        let Call::StoreIf { version, .. } = &mut self.history[write.index].call else { return None };
        *version = Version::new(Revision(version.revision().0 - 1));
        Some(())
    }

    pub(crate) fn swap_times(&mut self) -> Option<()> {
        let one = self.pick_write(|_, _| true)?;
        let first = self.history[one.index].clone();
        let other = self.pick_write(|mutant, write| first.is_before(&mutant.history[write.index]))?;
        let second = self.history[other.index].clone();
        (self.history[one.index].invoked, self.history[one.index].returned) =
            (second.invoked, second.returned);
        (self.history[other.index].invoked, self.history[other.index].returned) =
            (first.invoked, first.returned);
        Some(())
    }

    /// Behind all others, when a later one was acknowledged.
    pub(crate) fn ask_late(&mut self) -> Option<()> {
        let last = self.writes().into_iter().map(|write| write.revision).max()?;
        let write = self.pick_write(|_, write| write.revision < last)?;
        self.move_to_the_end(write.index);
        Some(())
    }

    pub(crate) fn ask_late_for_open_one(&mut self) -> Option<()> {
        let last = self.writes().into_iter().map(|write| write.revision).max()?;
        let done: Vec<_> =
            self.log.transactions.iter().filter(|done| done.revision < last).cloned().collect();
        let index = self.pick(|operation| {
            let Call::Store { files } = &operation.call else { return false };
            let (path, content) = &files[0];
            operation.outcome.is_open()
                && done.iter().any(|done| done.files.contains(&(path.clone(), Some(content.clone()))))
        })?;
        let last = self.last_moment();
        self.history[index].invoked.order = last + 1;
        if let Some(returned) = &mut self.history[index].returned {
            returned.order = last + 2;
        }
        Some(())
    }
}
