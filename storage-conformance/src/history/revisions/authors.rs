use std::collections::{BTreeSet, HashMap};

use storage_core::kv::Revision;

use super::Violations;
use super::effects::{can_be_of, is_of};
use super::sweep::Order;
use super::timeline::Timeline;
use crate::history::log::{Log, Transaction};
use crate::history::operation::{Call, Operation, Outcome};
use crate::history::violation::{Rule, Violation};

/// Which call has made which transaction.
pub(super) struct Authors {
    /// For each transaction of the log the call that has made it.
    pub(super) of: Vec<Option<usize>>,
    /// For each call the revision at which it was done.
    pub(super) revisions: Vec<Option<Revision>>,
}

impl Authors {
    /// Finds the author of each transaction. Calls that were told a revision are those of their transactions; calls that
    /// were told a count only, and those whose outcome is open, are tried on what is left.
    pub(super) fn find(
        history: &[Operation],
        log: &Log,
        timeline: &Timeline<'_>,
        order: &Order<'_>,
        violations: &mut Violations,
    ) -> Self {
        let mut authors =
            Self { of: vec![None; log.transactions.len()], revisions: vec![None; history.len()] };
        for (index, operation) in history.iter().enumerate() {
            if let Outcome::Wrote(version) = operation.outcome {
                authors.claim(history, log, timeline, index, version.revision(), violations);
            }
        }
        let ceilings = Ceilings::new(history, &authors);
        let first_deletion = |index: usize, from: Revision| {
            let operation = &history[index];
            let mut numbers =
                timeline.changes(subject(&operation.call), Revision(from.0 + 1)).filter(|number| {
                    authors.of[*number].is_none()
                        && can_be_of(operation, &log.transactions[*number], timeline)
                });
            let first = numbers.next().map(|number| log.transactions[number].revision);
            first.filter(|first| *first <= ceilings.of(operation))
        };
        let floors = order.floors(&authors.revisions, timeline, first_deletion);
        let mut search = Search::new(history, log, timeline, floors, ceilings, &mut authors);
        search.assign();
        let lost = search.lost();
        for index in lost {
            violations.add(|| {
                let seen = "no deletion in the log that could be this one, and is nobody else's";
                Violation::new(Rule::Lost, "the deletion in the log", seen).with([&history[index]])
            });
        }
        authors
    }

    /// Lets a call have the transaction that it was told of.
    fn claim(
        &mut self,
        history: &[Operation],
        log: &Log,
        timeline: &Timeline<'_>,
        index: usize,
        revision: Revision,
        violations: &mut Violations,
    ) {
        let operation = &history[index];
        let found = timeline.transaction(revision).filter(|_| revision > log.since);
        let found = found.filter(|found| !log.transactions[*found].files.is_empty());
        let Some(found) = found else {
            violations.add(|| {
                let expected = format!("the write in the log at {revision}");
                Violation::new(Rule::Lost, expected, "nothing").with([operation])
            });
            return;
        };
        let transaction = &log.transactions[found];
        if !is_of(operation, transaction, timeline) {
            violations.add(|| {
                let is_there = |path| transaction.files.iter().any(|(file, _)| file == path);
                let is_part = operation.call.paths().into_iter().any(is_there);
                let rule = if is_part { Rule::Torn } else { Rule::Lost };
                let expected = format!("the write in the log at {revision}");
                Violation::new(rule, expected, format!("{:?}", transaction.files)).with([operation])
            });
        } else if let Some(other) = self.of[found] {
            violations.add(|| {
                let expected = format!("one author of what was done at {revision}");
                Violation::new(Rule::Lost, expected, "two").with([&history[other], operation])
            });
        } else {
            self.of[found] = Some(index);
            self.revisions[index] = Some(revision);
        }
    }
}

/// The search for the authors of what nobody was told the revision of.
///
/// Transactions are taken in their order; each goes to the call, among those that were invoked early enough and do what
/// it does, that returned first. Where calls do the same, that finds an assignment whenever there is one: it is the
/// scheduling of jobs with release times and deadlines. Where they do not (a file that is alone in its directory can be
/// deleted in two ways) what is left over is made room for by moving others.
struct Search<'s, 'h> {
    history: &'h [Operation],
    log: &'s Log,
    timeline: &'s Timeline<'s>,
    authors: &'s mut Authors,
    /// The revision that each call comes after.
    floors: Vec<Revision>,
    ceilings: Ceilings,
    /// The claimants by the path that they are about, by floor.
    claimants: HashMap<&'h str, Group>,
}

/// The claimants of a path.
#[derive(Default)]
struct Group {
    /// By floor.
    all: Vec<usize>,
    /// How many of them were released: their floors are lower than what is looked at.
    released: usize,
    /// Those released that have nothing yet, by their return, then by their invocation.
    waiting: BTreeSet<(u64, u64, usize)>,
}

impl<'s, 'h> Search<'s, 'h> {
    fn new(
        history: &'h [Operation],
        log: &'s Log,
        timeline: &'s Timeline<'s>,
        floors: Vec<Revision>,
        ceilings: Ceilings,
        authors: &'s mut Authors,
    ) -> Self {
        let mut claimants: HashMap<&str, Group> = HashMap::new();
        for (index, operation) in history.iter().enumerate() {
            let is_told_a_count = matches!(operation.outcome, Outcome::Deleted(1..));
            if is_told_a_count || operation.is_open_write() {
                claimants.entry(subject(&operation.call)).or_default().all.push(index);
            }
        }
        for group in claimants.values_mut() {
            group.all.sort_by_key(|index| floors[*index]);
        }
        Self { history, log, timeline, authors, floors, ceilings, claimants }
    }

    fn assign(&mut self) {
        let mut left = Vec::new();
        for (number, transaction) in self.log.transactions.iter().enumerate() {
            if transaction.revision <= self.log.since || transaction.files.is_empty() {
                continue;
            }
            if self.authors.of[number].is_some() {
                continue;
            }
            match self.first_waiting(transaction) {
                Some(index) => self.give(number, index),
                None => left.push(number),
            }
        }
        for number in left {
            self.make_room(number, &mut BTreeSet::new());
        }
        for index in self.lost() {
            self.take_over(index, &mut BTreeSet::new());
        }
    }

    /// The calls that were told that they had deleted something, and have no transaction.
    fn lost(&self) -> Vec<usize> {
        let groups = self.claimants.values().flat_map(|group| &group.all);
        let mut lost: Vec<_> = groups
            .filter(|index| matches!(self.history[**index].outcome, Outcome::Deleted(_)))
            .filter(|index| self.authors.revisions[**index].is_none())
            .copied()
            .collect();
        lost.sort_unstable();
        lost
    }

    fn give(&mut self, number: usize, index: usize) {
        self.authors.of[number] = Some(index);
        self.authors.revisions[index] = Some(self.log.transactions[number].revision);
    }

    /// Of the calls that may have made a transaction, and have none, the one that returned first.
    fn first_waiting(&mut self, transaction: &Transaction) -> Option<usize> {
        let revision = transaction.revision;
        let mut best: Option<((u64, u64, usize), &str)> = None;
        for path in subjects(transaction) {
            let Some((subject, _)) = self.claimants.get_key_value(path) else { continue };
            let subject = *subject;
            let group = self.claimants.get_mut(subject).expect("it was found");
            while let Some(index) = group.all.get(group.released)
                && self.floors[*index] < revision
            {
                let operation = &self.history[*index];
                // Whose outcome is open may be applied after he has returned.
                let returned = operation.returned.filter(|_| !operation.outcome.is_open());
                let returned = returned.map_or(u64::MAX, |returned| returned.order);
                group.waiting.insert((returned, operation.invoked.order, *index));
                group.released += 1;
            }
            let mut late = Vec::new();
            for waiting in &group.waiting {
                if self.ceilings.of(&self.history[waiting.2]) < revision {
                    late.push(*waiting);
                } else if best.is_some_and(|(best, _)| best < *waiting) {
                    break;
                } else if can_be_of(&self.history[waiting.2], transaction, self.timeline) {
                    best = Some((*waiting, subject));
                    break;
                }
            }
            for waiting in late {
                group.waiting.remove(&waiting);
            }
        }
        let (waiting, subject) = best?;
        self.claimants.get_mut(subject)?.waiting.remove(&waiting);
        Some(waiting.2)
    }

    /// Whether a call may have made a transaction.
    fn may_have_made(&self, index: usize, transaction: &Transaction) -> bool {
        self.floors[index] < transaction.revision
            && transaction.revision <= self.ceilings.of(&self.history[index])
            && can_be_of(&self.history[index], transaction, self.timeline)
    }

    /// Finds an author for a transaction among those that have another one, which then needs another author.
    fn make_room(&mut self, number: usize, seen: &mut BTreeSet<usize>) -> bool {
        let transaction = &self.log.transactions[number];
        let mut candidates = Vec::new();
        for path in subjects(transaction) {
            let group = self.claimants.get(path).map_or(&[][..], |group| &group.all);
            candidates.extend(group.iter().copied().filter(|index| self.may_have_made(*index, transaction)));
        }
        for index in candidates {
            if !seen.insert(index) {
                continue;
            }
            let other =
                self.authors.revisions[index].and_then(|revision| self.timeline.transaction(revision));
            if other.is_none_or(|other| self.make_room(other, seen)) {
                self.give(number, index);
                return true;
            }
        }
        false
    }

    /// Finds a transaction for a call that was told that it had deleted something: one of a call that needs none, or
    /// whose author can have another one.
    fn take_over(&mut self, index: usize, seen: &mut BTreeSet<usize>) -> bool {
        let after = Revision(self.floors[index].0 + 1);
        let numbers = self.timeline.changes(subject(&self.history[index].call), after);
        let candidates: Vec<usize> =
            numbers.filter(|number| self.may_have_made(index, &self.log.transactions[*number])).collect();
        for number in candidates {
            if !seen.insert(number) {
                continue;
            }
            let Some(owner) = self.authors.of[number] else { continue };
            if matches!(self.history[owner].outcome, Outcome::Wrote(_)) {
                continue;
            }
            if self.history[owner].outcome.is_open() {
                self.authors.revisions[owner] = None;
            } else if !self.take_over(owner, seen) {
                continue;
            }
            self.give(number, index);
            return true;
        }
        false
    }
}

/// The path under which a write is found from what it changes.
fn subject(call: &Call) -> &str {
    match call {
        Call::Store { files } => files.first().map_or("", |(path, _)| path),
        Call::Rename { to, .. } => to,
        call => call.paths().first().copied().unwrap_or_default(),
    }
}

/// The paths under which the writes are found that may have made a transaction.
fn subjects(transaction: &Transaction) -> Vec<&str> {
    let puts =
        transaction.files.iter().filter(|(_, content)| content.is_some()).map(|(path, _)| path.as_str());
    let mut subjects: Vec<&str> = puts.collect();
    if subjects.is_empty() {
        // Deletions: what all of them lie below.
        let mut path = transaction.files.first().map(|(path, _)| path.as_str());
        while let Some(above) = path {
            subjects.push(above);
            path = match above {
                "" => None,
                above => Some(above.rsplit_once('/').map_or("", |(parent, _)| parent)),
            };
        }
    }
    subjects
}

/// The revisions that calls do not come after: they had returned when a write was invoked whose revision is known. Each
/// invocation of such a write, with one less than the least revision from there on.
struct Ceilings(Vec<(u64, Revision)>);

impl Ceilings {
    fn new(history: &[Operation], authors: &Authors) -> Self {
        let known = history.iter().zip(&authors.revisions);
        let mut known: Vec<(u64, Revision)> =
            known.filter_map(|(operation, revision)| Some((operation.invoked.order, (*revision)?))).collect();
        known.sort_unstable();
        let mut least = Revision(u64::MAX);
        for (_, revision) in known.iter_mut().rev() {
            least = least.min(Revision(revision.0.saturating_sub(1)));
            *revision = least;
        }
        Self(known)
    }

    /// The last revision at which a call can have been made.
    fn of(&self, operation: &Operation) -> Revision {
        let returned = operation.returned.filter(|_| !operation.outcome.is_open());
        let later = returned.and_then(|returned| {
            let later = self.0.partition_point(|(invoked, _)| *invoked < returned.order);
            self.0.get(later)
        });
        later.map_or(Revision(u64::MAX), |(_, least)| *least)
    }
}
