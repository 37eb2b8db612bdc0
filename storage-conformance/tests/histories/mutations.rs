//! Legal histories, each with something changed so that it is legal no more: every one is rejected.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use storage_conformance::history::{
    Call, Loaded, Log, Moment, Operation, Outcome, PlaceKind, Transaction, check_registers, check_revisions,
};
use storage_core::kv::Revision;
use storage_core::{ErrorKind, Version};

use crate::generator::Shape;

/// A history that is changed at a random place.
struct Mutant {
    history: Vec<Operation>,
    log: Log,
    random: StdRng,
}

/// Changes something, or nothing if there is no place for it. What it leaves must be illegal whatever the rest is.
type Mutation = fn(&mut Mutant) -> Option<()>;

const MUTATIONS: &[(&str, Mutation)] = &[
    ("a read finds what nobody wrote", Mutant::read_another_content),
    ("a read tells another version", Mutant::read_another_version),
    ("a read finds what was overwritten before", Mutant::read_late),
    ("a read misses what is there", Mutant::read_nothing),
    ("a read finds what is not written yet", Mutant::read_early),
    ("a read finds what was not acknowledged as it is", Mutant::read_failed_write),
    ("a snapshot is of two revisions", Mutant::tear_snapshot),
    ("a listing shows one file more", Mutant::list_more),
    ("a listing shows another version", Mutant::list_another_version),
    ("a refusal names what is not there", Mutant::refuse_without_reason),
    ("an acknowledged write is not in the log", Mutant::lose_write),
    ("a deletion is not in the log", Mutant::lose_deletion),
    ("a write is in the log again", Mutant::write_twice),
    ("an open write is in the log again", Mutant::write_open_one_twice),
    ("a failed write is in the log", Mutant::write_failed_one),
    ("what nobody asked for is in the log", Mutant::write_unasked),
    ("what is in the log was told to have failed", Mutant::fail_write),
    ("what is in the log was told to be refused", Mutant::refuse_write),
    ("a write is told another revision", Mutant::shift_revision),
    ("two writes are told each other's revisions", Mutant::swap_revisions),
    ("two writes are in the log in each other's place", Mutant::swap_in_log),
    ("a content is cut short", Mutant::truncate),
    ("a group is without one of its files", Mutant::tear_group),
    ("a group is written in two steps", Mutant::split_group),
    ("a deletion counts too many", Mutant::count_more),
    ("a deletion leaves a file out", Mutant::delete_less),
    ("a file is created that is there", Mutant::create_existing),
    ("a file of another version is replaced", Mutant::replace_another_version),
    ("two writes are made in each other's time", Mutant::swap_times),
    ("a write is asked for when it is done", Mutant::ask_late),
    ("an open write is asked for when it is done", Mutant::ask_late_for_open_one),
    ("a lock is taken with a token that was another's", Mutant::take_token_again),
    ("a lock is taken while another holds it", Mutant::overlap_holders),
    ("a holder that was overtaken writes", Mutant::write_overtaken),
    ("a revision comes twice", Mutant::repeat_revision),
    ("what is not there is deleted", Mutant::delete_nothing),
    ("a path is a file and a directory", Mutant::store_below_file),
];

#[test]
fn every_mutant_is_rejected() {
    const SEEDS: u64 = 200;
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for seed in 0..SEEDS {
        let (history, log) = Shape::short(seed).generate();
        for (name, mutate) in MUTATIONS {
            let random = StdRng::seed_from_u64(seed);
            let mut mutant = Mutant { history: history.clone(), log: log.clone(), random };
            if mutate(&mut mutant).is_none() {
                continue;
            }
            let count = counts.entry(name).or_default();
            count.0 += 1;
            count.1 += usize::from(!check_revisions(&mutant.history, &mutant.log).is_empty());
        }
    }
    let mut all = (0, 0);
    for (name, (mutants, rejected)) in &counts {
        println!("{mutants:>5} {rejected:>5}  {name}");
        all = (all.0 + mutants, all.1 + rejected);
    }
    println!("{:>5} {:>5}  mutants, and how many were rejected", all.0, all.1);
    for (name, _) in MUTATIONS {
        let (mutants, rejected) = counts.get(name).copied().unwrap_or_default();
        assert!(mutants >= 20, "only {mutants} mutants: {name}");
        assert_eq!(mutants, rejected, "{name}");
    }
}

/// What some mutations do besides is no reason to reject them.
#[test]
fn other_numbers_for_the_revisions_are_legal() {
    for seed in 0..50 {
        let (history, log) = Shape::short(seed).generate();
        let mut mutant = Mutant { history, log, random: StdRng::seed_from_u64(seed) };
        mutant.renumber(|revision| Revision(3 * revision.0));
        assert_eq!(check_revisions(&mutant.history, &mutant.log), [], "seed {seed}");
    }
}

/// What can be seen without the log.
#[test]
fn mutants_of_single_files_are_rejected_without_the_log() {
    let seen: [(&str, Mutation); 4] = [
        ("a read finds what nobody wrote", Mutant::read_another_content),
        ("a read finds what was overwritten before", Mutant::read_late),
        ("a read misses what is there", Mutant::read_nothing),
        ("a read finds what is not written yet", Mutant::read_early),
    ];
    for (name, mutate) in seen {
        let mut mutants = 0;
        for seed in 0..300 {
            // Without open calls, which could explain much that is not so.
            let (history, log) = Shape { troubles: 0, ..Shape::of_single_files(seed) }.generate();
            let mut mutant = Mutant { history, log, random: StdRng::seed_from_u64(seed) };
            assert!(check_registers(&mutant.history).violations.is_empty(), "seed {seed}");
            if mutate(&mut mutant).is_some() {
                mutants += 1;
                let violations = check_registers(&mutant.history).violations;
                assert!(!violations.is_empty(), "{name}, seed {seed}");
            }
        }
        println!("{mutants:>5}  {name}");
        assert!(mutants >= 20, "only {mutants} mutants: {name}");
    }
}

/// A write that is told its revision, and was done.
struct Write {
    index: usize,
    revision: Revision,
    /// Its place in the log.
    number: usize,
}

impl Mutant {
    /// One of the operations of which this is true.
    fn pick(&mut self, is_fit: impl Fn(&Operation) -> bool) -> Option<usize> {
        let fit: Vec<_> = (0..self.history.len()).filter(|index| is_fit(&self.history[*index])).collect();
        fit.choose(&mut self.random).copied()
    }

    /// A write that was told its revision, of those of which this is true.
    fn pick_write(&mut self, is_fit: impl Fn(&Self, &Write) -> bool) -> Option<Write> {
        let mut writes = self.writes();
        writes.retain(|write| is_fit(self, write));
        if writes.is_empty() {
            return None;
        }
        let chosen = self.random.random_range(0..writes.len());
        Some(writes.swap_remove(chosen))
    }

    fn writes(&self) -> Vec<Write> {
        let write = |(index, operation): (usize, &Operation)| {
            let Outcome::Wrote(version) = operation.outcome else { return None };
            let revision = version.revision();
            Some(Write { index, revision, number: self.number(revision)? })
        };
        self.history.iter().enumerate().filter_map(write).collect()
    }

    fn number(&self, revision: Revision) -> Option<usize> {
        self.log.transactions.binary_search_by_key(&revision, |transaction| transaction.revision).ok()
    }

    fn last_revision(&self) -> Revision {
        self.log.transactions.last().map_or(Revision::ZERO, |last| last.revision)
    }

    fn last_moment(&self) -> u64 {
        let last = |operation: &Operation| {
            operation.returned.map_or(operation.invoked.order, |returned| returned.order)
        };
        self.history.iter().map(last).max().unwrap_or(0)
    }

    /// Moves an operation behind all others.
    fn move_to_the_end(&mut self, index: usize) {
        let last = self.last_moment();
        let at = self.history[index].invoked.at;
        self.history[index].invoked = Moment { order: last + 1, at };
        self.history[index].returned = Some(Moment { order: last + 2, at });
    }

    /// Adds a transaction behind all others.
    fn append(&mut self, files: Vec<(String, Option<Bytes>)>) {
        let revision = Revision(self.last_revision().0 + 1);
        self.log.transactions.push(Transaction { files, ..Transaction::at(revision) });
    }

    /// The states of a file: since when, and its content.
    fn states(&self, path: &str) -> Vec<(Revision, Option<Bytes>)> {
        let changes = self.log.transactions.iter().flat_map(|transaction| {
            transaction.files.iter().map(move |(path, content)| (transaction.revision, path, content))
        });
        let own = changes.filter(|(_, changed, _)| *changed == path);
        own.map(|(revision, _, content)| (revision, content.clone())).collect()
    }

    /// The files that are there in the end.
    fn files(&self) -> Vec<String> {
        self.log.files().into_keys().map(str::to_owned).collect()
    }

    /// A load that has found a file.
    fn pick_read(&mut self) -> Option<(usize, String, Loaded)> {
        let index = self.pick(|operation| {
            matches!((&operation.call, &operation.outcome), (Call::Load { .. }, Outcome::Loaded(_)))
        })?;
        match (&self.history[index].call, &self.history[index].outcome) {
            (Call::Load { path }, Outcome::Loaded(found)) => Some((index, path.clone(), found.clone())),
            _ => None,
        }
    }

    fn read_another_content(&mut self) -> Option<()> {
        let (index, _, found) = self.pick_read()?;
        self.history[index].outcome = Outcome::Loaded(Loaded { content: "nobody's".into(), ..found });
        Some(())
    }

    fn read_another_version(&mut self) -> Option<()> {
        let (index, _, found) = self.pick_read()?;
        let version = Version::new(Revision(found.version.revision().0 + 1));
        self.history[index].outcome = Outcome::Loaded(Loaded { version, ..found });
        Some(())
    }

    /// Behind all others, when a later write was acknowledged.
    fn read_late(&mut self) -> Option<()> {
        let (index, path, found) = self.pick_read()?;
        let is_overwritten = self.writes().into_iter().any(|write| {
            let operation = &self.history[write.index];
            let is_store = matches!(operation.call, Call::Store { .. });
            is_store && write.revision > found.version.revision() && operation.call.paths().contains(&&*path)
        });
        is_overwritten.then(|| self.move_to_the_end(index))
    }

    /// Of a file that was stored before, and neither deleted nor moved at all.
    fn read_nothing(&mut self) -> Option<()> {
        let (index, path, _) = self.pick_read()?;
        let states = self.states(&path);
        let is_stable = states.iter().all(|(_, content)| content.is_some());
        let was_stored = self.writes().into_iter().any(|write| {
            let stored = &self.history[write.index];
            stored.call.paths().contains(&&*path) && stored.is_before(&self.history[index])
        });
        (is_stable && was_stored).then(|| {
            self.history[index].outcome = Outcome::Refused { kind: ErrorKind::NotFound, path };
        })
    }

    /// What a store writes that is asked for when the read has returned.
    fn read_early(&mut self) -> Option<()> {
        let (index, path, _) = self.pick_read()?;
        let later = self.writes().into_iter().find_map(|write| {
            let operation = &self.history[write.index];
            let Call::Store { files } = &operation.call else { return None };
            let (_, content) = files.iter().find(|(stored, _)| *stored == path)?;
            let version = Version::new(write.revision);
            self.history[index].is_before(operation).then(|| Loaded { version, content: content.clone() })
        })?;
        self.history[index].outcome = Outcome::Loaded(later);
        Some(())
    }

    fn read_failed_write(&mut self) -> Option<()> {
        let failed = self.pick(|operation| {
            matches!((&operation.call, &operation.outcome), (Call::Store { .. }, Outcome::Failed { .. }))
        })?;
        let Call::Store { files } = &self.history[failed].call else { return None };
        let (path, content) = files[0].clone();
        let (index, ..) = self.pick_read()?;
        let version = Version::new(Revision(self.last_revision().0 + 1));
        self.history[index].call = Call::Load { path };
        self.history[index].outcome = Outcome::Loaded(Loaded { version, content });
        Some(())
    }

    /// One file as it was before another one came.
    fn tear_snapshot(&mut self) -> Option<()> {
        let (index, path, found) = self.pick_read()?;
        let states = self.states(&path);
        let next = states.iter().find(|(since, _)| *since > found.version.revision())?.0;
        let other = self.pick_write(|mutant, write| {
            let call = &mutant.history[write.index].call;
            write.revision >= next && matches!(call, Call::Store { .. }) && !call.paths().contains(&&*path)
        })?;
        let Call::Store { files } = &self.history[other.index].call else { return None };
        let (other_path, content) = files[0].clone();
        let beside = Loaded { version: Version::new(other.revision), content };
        self.history[index].call = Call::LoadMany { paths: vec![path, other_path] };
        self.history[index].outcome = Outcome::LoadedMany(vec![Some(found), Some(beside)]);
        Some(())
    }

    fn pick_listing(&mut self) -> Option<usize> {
        self.pick(|operation| matches!(&operation.outcome, Outcome::Listed(files) if !files.is_empty()))
    }

    fn list_more(&mut self) -> Option<()> {
        let index = self.pick_listing()?;
        let Outcome::Listed(files) = &mut self.history[index].outcome else { return None };
        let version = files[0].1;
        files.push(("d/nobody's".to_owned(), version));
        Some(())
    }

    fn list_another_version(&mut self) -> Option<()> {
        let after = Version::new(Revision(self.last_revision().0 + 1));
        let index = self.pick_listing()?;
        let Outcome::Listed(files) = &mut self.history[index].outcome else { return None };
        files[0].1 = after;
        Some(())
    }

    fn refuse_without_reason(&mut self) -> Option<()> {
        let index = self.pick(|operation| matches!(operation.call, Call::Load { .. }))?;
        let path = "nobody's".to_owned();
        self.history[index].call = Call::Create { path: path.clone(), content: Bytes::new() };
        self.history[index].outcome = Outcome::Refused { kind: ErrorKind::AlreadyExists, path };
        Some(())
    }

    fn lose_write(&mut self) -> Option<()> {
        let write = self.pick_write(|_, _| true)?;
        self.log.transactions.remove(write.number);
        Some(())
    }

    /// The last deletion of a history without open ones, so that no other can stand for it.
    fn lose_deletion(&mut self) -> Option<()> {
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

    fn write_twice(&mut self) -> Option<()> {
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

    fn write_open_one_twice(&mut self) -> Option<()> {
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

    fn write_failed_one(&mut self) -> Option<()> {
        let there = self.files();
        let index = self.pick(|operation| {
            let Call::Store { files } = &operation.call else { return false };
            matches!(operation.outcome, Outcome::Failed { .. })
                && files.iter().all(|(path, _)| there.contains(path))
        })?;
        self.write_again(index)
    }

    fn write_again(&mut self, index: usize) -> Option<()> {
        let Call::Store { files } = &self.history[index].call else { return None };
        let mut files: Vec<_> =
            files.iter().map(|(path, content)| (path.clone(), Some(content.clone()))).collect();
        files.sort();
        self.append(files);
        Some(())
    }

    fn write_unasked(&mut self) -> Option<()> {
        self.append(vec![("nobody's".to_owned(), Some("nobody's".into()))]);
        Some(())
    }

    /// Neither of them is a rename: of two of the same file another one could have made it.
    fn pick_own_write(&mut self) -> Option<Write> {
        self.pick_write(|mutant, write| !matches!(mutant.history[write.index].call, Call::Rename { .. }))
    }

    fn fail_write(&mut self) -> Option<()> {
        let write = self.pick_own_write()?;
        self.history[write.index].outcome =
            Outcome::Failed { kind: ErrorKind::Unavailable, text: String::new() };
        Some(())
    }

    fn refuse_write(&mut self) -> Option<()> {
        let write = self.pick_own_write()?;
        self.history[write.index].outcome =
            Outcome::Refused { kind: ErrorKind::LockLost, path: String::new() };
        Some(())
    }

    fn shift_revision(&mut self) -> Option<()> {
        let write = self.pick_write(|_, _| true)?;
        let by = if self.random.random_ratio(1, 2) { write.revision.0 + 1 } else { write.revision.0 - 1 };
        self.history[write.index].outcome = Outcome::Wrote(Version::new(Revision(by)));
        Some(())
    }

    fn swap_revisions(&mut self) -> Option<()> {
        let one = self.pick_own_write()?;
        let other = self.pick_write(|_, write| write.index != one.index)?;
        self.history[one.index].outcome = Outcome::Wrote(Version::new(other.revision));
        self.history[other.index].outcome = Outcome::Wrote(Version::new(one.revision));
        Some(())
    }

    fn swap_in_log(&mut self) -> Option<()> {
        let one = self.pick_own_write()?;
        let other = self.pick_write(|_, write| write.index != one.index)?;
        let files = self.log.transactions[one.number].files.clone();
        self.log.transactions[one.number].files =
            std::mem::replace(&mut self.log.transactions[other.number].files, files);
        Some(())
    }

    fn truncate(&mut self) -> Option<()> {
        let write = self.pick_own_write()?;
        let (_, content) = &mut self.log.transactions[write.number].files[0];
        let content = content.as_mut()?;
        *content = content.slice(..content.len() - 1);
        Some(())
    }

    fn pick_group(&mut self) -> Option<Write> {
        self.pick_write(|mutant, write| {
            let call = &mutant.history[write.index].call;
            matches!(call, Call::Store { files } if files.len() > 1)
        })
    }

    fn tear_group(&mut self) -> Option<()> {
        let write = self.pick_group()?;
        self.log.transactions[write.number].files.pop();
        Some(())
    }

    fn split_group(&mut self) -> Option<()> {
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

    /// Changes every revision that is named anywhere.
    fn renumber(&mut self, moved: impl Fn(Revision) -> Revision) {
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

    fn count_more(&mut self) -> Option<()> {
        let index = self.pick(|operation| matches!(operation.outcome, Outcome::Deleted(1..)))?;
        self.history[index].outcome = Outcome::Deleted(1_000);
        Some(())
    }

    fn delete_less(&mut self) -> Option<()> {
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

    /// Whether a file was there just before it was written.
    fn was_there(&self, path: &str, revision: Revision) -> bool {
        let before = self.states(path).into_iter().rfind(|(since, _)| *since < revision);
        before.is_some_and(|(_, content)| content.is_some())
    }

    fn create_existing(&mut self) -> Option<()> {
        let write = self.pick_write(|mutant, write| {
            matches!(&mutant.history[write.index].call, Call::Store { files }
                if files.len() == 1 && mutant.was_there(&files[0].0, write.revision))
        })?;
        let Call::Store { files } = &self.history[write.index].call else { return None };
        let (path, content) = files[0].clone();
        self.history[write.index].call = Call::Create { path, content };
        Some(())
    }

    fn replace_another_version(&mut self) -> Option<()> {
        let write = self
            .pick_write(|mutant, write| matches!(mutant.history[write.index].call, Call::StoreIf { .. }))?;
        let Call::StoreIf { version, .. } = &mut self.history[write.index].call else { return None };
        *version = Version::new(Revision(version.revision().0 - 1));
        Some(())
    }

    fn swap_times(&mut self) -> Option<()> {
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
    fn ask_late(&mut self) -> Option<()> {
        let last = self.writes().into_iter().map(|write| write.revision).max()?;
        let write = self.pick_write(|_, write| write.revision < last)?;
        self.move_to_the_end(write.index);
        Some(())
    }

    fn ask_late_for_open_one(&mut self) -> Option<()> {
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

    /// An acquisition, and one of the same lock that was made when it had returned.
    fn pick_two_acquisitions(&mut self) -> Option<(usize, usize)> {
        let first = self.pick(|operation| matches!(operation.outcome, Outcome::Acquired(_)))?;
        let one = self.history[first].clone();
        let second = self.pick(|operation| {
            matches!(operation.outcome, Outcome::Acquired(_))
                && operation.call == one.call
                && one.is_before(operation)
        })?;
        Some((first, second))
    }

    fn take_token_again(&mut self) -> Option<()> {
        let (first, second) = self.pick_two_acquisitions()?;
        self.history[second].outcome = self.history[first].outcome.clone();
        Some(())
    }

    fn overlap_holders(&mut self) -> Option<()> {
        let (first, _) = self.pick_two_acquisitions()?;
        let Outcome::Acquired(token) = self.history[first].outcome else { return None };
        for transaction in &mut self.log.transactions {
            transaction.places.retain(|place| place.token != token || place.kind != PlaceKind::Went);
        }
        Some(())
    }

    fn write_overtaken(&mut self) -> Option<()> {
        let write = self.pick_write(|mutant, write| mutant.history[write.index].fence.is_some())?;
        let gone = self.log.transactions[..write.number].iter().flat_map(|transaction| &transaction.places);
        let gone: Vec<_> =
            gone.filter(|place| place.kind == PlaceKind::Went).map(|place| place.token).collect();
        self.history[write.index].fence = Some(*gone.choose(&mut self.random)?);
        Some(())
    }

    fn repeat_revision(&mut self) -> Option<()> {
        let number = self.random.random_range(1..self.log.transactions.len());
        self.log.transactions[number].revision = self.log.transactions[number - 1].revision;
        Some(())
    }

    fn delete_nothing(&mut self) -> Option<()> {
        self.append(vec![("nobody's".to_owned(), None)]);
        Some(())
    }

    fn store_below_file(&mut self) -> Option<()> {
        let file = self.files().choose(&mut self.random)?.clone();
        self.append(vec![(format!("{file}/below"), Some(Bytes::new()))]);
        Some(())
    }
}
