//! Changes that make a legal history illegal, whatever the rest of it is.

mod locks;
#[expect(clippy::unnecessary_wraps, reason = "all mutations are of one type")]
mod log;
mod reads;
mod writes;

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use storage_conformance::history::{Call, Log, Moment, Operation, Outcome, Transaction};
use storage_core::Version;
use storage_core::kv::Revision;

/// A history that is changed at a random place.
pub(crate) struct Mutant {
    pub(crate) history: Vec<Operation>,
    pub(crate) log: Log,
    pub(crate) random: StdRng,
}

/// A write that is told its revision, and was done.
pub(crate) struct Write {
    pub(crate) index: usize,
    pub(crate) revision: Revision,
    /// Its place in the log.
    pub(crate) number: usize,
}

impl Mutant {
    /// One of the operations of which this is true.
    pub(crate) fn pick(&mut self, is_fit: impl Fn(&Operation) -> bool) -> Option<usize> {
        let fit: Vec<_> = (0..self.history.len()).filter(|index| is_fit(&self.history[*index])).collect();
        fit.choose(&mut self.random).copied()
    }

    /// A write that was told its revision, of those of which this is true.
    pub(crate) fn pick_write(&mut self, is_fit: impl Fn(&Self, &Write) -> bool) -> Option<Write> {
        let mut writes = self.writes();
        writes.retain(|write| is_fit(self, write));
        if writes.is_empty() {
            return None;
        }
        let chosen = self.random.random_range(0..writes.len());
        Some(writes.swap_remove(chosen))
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        let write = |(index, operation): (usize, &Operation)| {
            let Outcome::Wrote(version) = operation.outcome else { return None };
            let revision = version.revision();
            Some(Write { index, revision, number: self.number(revision)? })
        };
        self.history.iter().enumerate().filter_map(write).collect()
    }

    pub(crate) fn number(&self, revision: Revision) -> Option<usize> {
        self.log.transactions.binary_search_by_key(&revision, |transaction| transaction.revision).ok()
    }

    pub(crate) fn last_revision(&self) -> Revision {
        self.log.transactions.last().map_or(Revision::ZERO, |last| last.revision)
    }

    pub(crate) fn last_moment(&self) -> u64 {
        let last = |operation: &Operation| {
            operation.returned.map_or(operation.invoked.order, |returned| returned.order)
        };
        self.history.iter().map(last).max().unwrap_or(0)
    }

    /// Moves an operation behind all others.
    pub(crate) fn move_to_the_end(&mut self, index: usize) {
        let last = self.last_moment();
        let at = self.history[index].invoked.at;
        self.history[index].invoked = Moment { order: last + 1, at };
        self.history[index].returned = Some(Moment { order: last + 2, at });
    }

    /// Adds a transaction behind all others.
    pub(crate) fn append(&mut self, files: Vec<(String, Option<Bytes>)>) {
        let revision = Revision(self.last_revision().0 + 1);
        self.log.transactions.push(Transaction { files, ..Transaction::at(revision) });
    }

    /// The states of a file: since when, and its content.
    pub(crate) fn states(&self, path: &str) -> Vec<(Revision, Option<Bytes>)> {
        let changes = self.log.transactions.iter().flat_map(|transaction| {
            transaction.files.iter().map(move |(path, content)| (transaction.revision, path, content))
        });
        let own = changes.filter(|(_, changed, _)| *changed == path);
        own.map(|(revision, _, content)| (revision, content.clone())).collect()
    }

    /// The files that are there in the end.
    pub(crate) fn files(&self) -> Vec<String> {
        self.log.files().into_keys().map(str::to_owned).collect()
    }

    /// Changes every revision that is named anywhere.
    pub(crate) fn renumber(&mut self, moved: impl Fn(Revision) -> Revision) {
        let renumber = |version: &mut Version| *version = Version::new(moved(version.revision()));
        for transaction in &mut self.log.transactions {
            transaction.revision = moved(transaction.revision);
            for place in &mut transaction.places {
                place.token = moved(place.token);
            }
        }
        for operation in &mut self.history {
            operation.fence = operation.fence.map(&moved);
            match &mut operation.call {
                Call::StoreIf { version, .. } => renumber(version),
                Call::Unlock { token, .. } => *token = moved(*token),
                _ => {}
            }
            match &mut operation.outcome {
                Outcome::Wrote(version) | Outcome::Stat(_, version) => renumber(version),
                Outcome::Loaded(found) => renumber(&mut found.version),
                Outcome::LoadedMany(found) => {
                    found.iter_mut().flatten().for_each(|found| renumber(&mut found.version));
                }
                Outcome::Listed(files) => files.iter_mut().for_each(|(_, version)| renumber(version)),
                Outcome::Acquired(token) => *token = moved(*token),
                _ => {}
            }
        }
    }

    /// Neither of them is a rename: of two of the same file another one could have made it.
    pub(crate) fn pick_own_write(&mut self) -> Option<Write> {
        self.pick_write(|mutant, write| !matches!(mutant.history[write.index].call, Call::Rename { .. }))
    }
}
