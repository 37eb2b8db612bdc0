//! What the log says was done.

use bytes::Bytes;
use rand::RngExt;
use rand::seq::IndexedRandom;
use storage_conformance::history::{Call, Outcome, Transaction};
use storage_core::kv::Revision;

use super::{Mutant, Write};

impl Mutant {
    pub(crate) fn lose_write(&mut self) -> Option<()> {
        let write = self.pick_write(|_, _| true)?;
        self.log.transactions.remove(write.number);
        Some(())
    }

    /// The last deletion of a history without open ones, so that no other can stand for it.
    pub(crate) fn lose_deletion(&mut self) -> Option<()> {
        let deletes = |call: &Call| matches!(call, Call::Delete { .. } | Call::DeleteFile { .. });
        let is_open =
            self.history.iter().any(|operation| deletes(&operation.call) && operation.outcome.is_open());
        let is_deletion = |transaction: &Transaction| {
            !transaction.files.is_empty() && transaction.files.iter().all(|(_, content)| content.is_none())
        };
        let deletions: Vec<_> = (0..self.log.transactions.len())
            .filter(|index| is_deletion(&self.log.transactions[*index]))
            .collect();
        let lost = *deletions.choose(&mut self.random)?;
        (!is_open).then(|| drop(self.log.transactions.remove(lost)))
    }

    pub(crate) fn write_twice(&mut self) -> Option<()> {
        let write = self.pick_write(|mutant, write| {
            let files = &mutant.log.transactions[write.number].files;
            // Files that are there in the end, so that it stays a tree; and no rename, which is another's content.
            let there = mutant.files();
            files.iter().all(|(path, content)| content.is_some() && there.contains(path))
                && !matches!(mutant.history[write.index].call, Call::Rename { .. })
        })?;
        self.append(self.log.transactions[write.number].files.clone());
        Some(())
    }

    pub(crate) fn write_open_one_twice(&mut self) -> Option<()> {
        let there = self.files();
        let logged: Vec<_> =
            self.log.transactions.iter().map(|transaction| transaction.files.clone()).collect();
        let is_done = |files: &[(String, Bytes)]| {
            logged.iter().any(|done| {
                done.len() == files.len()
                    && files
                        .iter()
                        .all(|(path, content)| done.contains(&(path.clone(), Some(content.clone()))))
            })
        };
        let index = self.pick(|operation| {
            let Call::Store { files } = &operation.call else { return false };
            operation.outcome.is_open()
                && is_done(files)
                && files.iter().all(|(path, _)| there.contains(path))
        })?;
        self.write_again(index)
    }

    pub(crate) fn write_failed_one(&mut self) -> Option<()> {
        let there = self.files();
        let index = self.pick(|operation| {
            let Call::Store { files } = &operation.call else { return false };
            matches!(operation.outcome, Outcome::Failed { .. })
                && files.iter().all(|(path, _)| there.contains(path))
        })?;
        self.write_again(index)
    }

    pub(crate) fn write_again(&mut self, index: usize) -> Option<()> {
        let Call::Store { files } = &self.history[index].call else { return None };
        let mut files: Vec<_> =
            files.iter().map(|(path, content)| (path.clone(), Some(content.clone()))).collect();
        files.sort();
        self.append(files);
        Some(())
    }

    pub(crate) fn write_unasked(&mut self) -> Option<()> {
        self.append(vec![("nobody's".to_owned(), Some("nobody's".into()))]);
        Some(())
    }

    pub(crate) fn swap_in_log(&mut self) -> Option<()> {
        let one = self.pick_own_write()?;
        let other = self.pick_write(|_, write| write.index != one.index)?;
        let files = self.log.transactions[one.number].files.clone();
        self.log.transactions[one.number].files =
            std::mem::replace(&mut self.log.transactions[other.number].files, files);
        Some(())
    }

    pub(crate) fn truncate(&mut self) -> Option<()> {
        let write = self.pick_own_write()?;
        let (_, content) = &mut self.log.transactions[write.number].files[0];
        let content = content.as_mut()?;
        *content = content.slice(..content.len() - 1);
        Some(())
    }

    pub(crate) fn pick_group(&mut self) -> Option<Write> {
        self.pick_write(|mutant, write| {
            let call = &mutant.history[write.index].call;
            matches!(call, Call::Store { files } if files.len() > 1)
        })
    }

    pub(crate) fn tear_group(&mut self) -> Option<()> {
        let write = self.pick_group()?;
        self.log.transactions[write.number].files.pop();
        Some(())
    }

    pub(crate) fn write_more(&mut self) -> Option<()> {
        let write = self.pick_write(|_, _| true)?;
        let files = &mut self.log.transactions[write.number].files;
        files.push(("nobody's".to_owned(), Some(Bytes::new())));
        files.sort();
        Some(())
    }

    pub(crate) fn split_group(&mut self) -> Option<()> {
        let write = self.pick_group()?;
        let second = self.log.transactions[write.number].files.split_off(1);
        // Between revisions there is no room: all that come later move by one.
        let moved = |revision: Revision| Revision(revision.0 + u64::from(revision > write.revision));
        self.renumber(moved);
        let revision = Revision(write.revision.0 + 1);
        let second = Transaction { files: second, ..Transaction::at(revision) };
        self.log.transactions.insert(write.number + 1, second);
        Some(())
    }

    pub(crate) fn delete_less(&mut self) -> Option<()> {
        let is_of_several = |transaction: &Transaction| {
            transaction.files.len() > 1 && transaction.files.iter().all(|(_, content)| content.is_none())
        };
        let several: Vec<_> = (0..self.log.transactions.len())
            .filter(|index| is_of_several(&self.log.transactions[*index]))
            .collect();
        let number = *several.choose(&mut self.random)?;
        self.log.transactions[number].files.pop();
        Some(())
    }

    pub(crate) fn repeat_revision(&mut self) -> Option<()> {
        let number = self.random.random_range(1..self.log.transactions.len());
        self.log.transactions[number].revision = self.log.transactions[number - 1].revision;
        Some(())
    }

    pub(crate) fn delete_nothing(&mut self) -> Option<()> {
        self.append(vec![("nobody's".to_owned(), None)]);
        Some(())
    }

    pub(crate) fn store_below_file(&mut self) -> Option<()> {
        let file = self.files().choose(&mut self.random)?.clone();
        self.append(vec![(format!("{file}/below"), Some(Bytes::new()))]);
        Some(())
    }
}
