use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use storage_core::kv::Revision;

use super::Violations;
use crate::history::log::{Log, PlaceKind, Transaction};
use crate::history::violation::{Rule, Violation};

/// The log, indexed: how each file, each directory and each place in a queue was at every revision.
pub(super) struct Timeline<'l> {
    log: &'l Log,
    nodes: Vec<Node<'l>>,
    by_path: HashMap<&'l str, usize>,
    places: HashMap<Revision, Place>,
}

/// A path, and what has become of it.
struct Node<'l> {
    /// The node of the path above; the root is its own.
    parent: usize,
    /// The states of the file of this path, each from a revision on. There is none before the first.
    file: Vec<FileState<'l>>,
    /// The states of what lies below, likewise; of a path that is no directory there are none.
    below: Vec<BelowState>,
}

/// A state of a file.
#[derive(Clone, Copy)]
pub(super) struct FileState<'l> {
    pub(super) since: Revision,
    pub(super) content: Option<&'l Bytes>,
}

/// A state of a directory.
#[derive(Clone, Copy)]
pub(super) struct BelowState {
    pub(super) since: Revision,
    /// How many files lie below.
    pub(super) count: u64,
    /// A sum over the paths and versions of these files: see [`print`].
    pub(super) print: u64,
}

/// When a place was first in its queue.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// From this revision on it holds the lock; never if it is `None`.
    pub(super) first: Option<Revision>,
    /// At this revision it went.
    pub(super) went: Option<Revision>,
}

const ROOT: usize = 0;

impl<'l> Timeline<'l> {
    /// Replays the log; what is no log of a tree is a violation, and replayed as far as that makes sense.
    pub(super) fn new(log: &'l Log, violations: &mut Violations) -> Self {
        let root = Node { parent: ROOT, file: Vec::new(), below: Vec::new() };
        let places = HashMap::new();
        let mut timeline = Self { log, nodes: vec![root], by_path: HashMap::from([("", ROOT)]), places };
        let mut before = Revision::ZERO;
        for transaction in &log.transactions {
            let revision = transaction.revision;
            let mut wrong = |what: String| {
                violations
                    .add(|| Violation::new(Rule::Log, "a log of a tree", format!("{revision}: {what}")));
            };
            if revision <= before {
                wrong(format!("it comes after {before}"));
                // Nothing below could be looked up.
                return timeline;
            }
            before = revision;
            if let Some(torn) = &transaction.torn {
                wrong(torn.clone());
            }
            timeline.replay(transaction, &mut wrong);
        }
        timeline.replay_places(violations);
        timeline
    }

    fn replay(&mut self, transaction: &'l Transaction, wrong: &mut impl FnMut(String)) {
        let since = transaction.revision;
        for (path, content) in &transaction.files {
            let node = self.intern(path);
            let before = self.nodes[node].file.last().copied().filter(|state| state.content.is_some());
            if before.is_none() && content.is_none() {
                wrong(format!("{path} is deleted, and was not there"));
            }
            self.nodes[node].file.push(FileState { since, content: content.as_ref() });
            let removed = before.map_or(0, |state| print(path, state.since));
            let added = content.as_ref().map_or(0, |_| print(path, since));
            let mut above = node;
            while above != ROOT {
                above = self.nodes[above].parent;
                let last = self.nodes[above].below.last().copied();
                let mut state = last.unwrap_or(BelowState { since, count: 0, print: 0 });
                state.print = state.print.wrapping_sub(removed).wrapping_add(added);
                state.count += u64::from(content.is_some());
                state.count = state.count.saturating_sub(u64::from(before.is_some()));
                state.since = since;
                match self.nodes[above].below.last_mut() {
                    Some(last) if last.since == since => *last = state,
                    _ => self.nodes[above].below.push(state),
                }
            }
        }
        for (path, _) in transaction.files.iter().filter(|(_, content)| content.is_some()) {
            let node = self.by_path[path.as_str()];
            if self.nodes[node].below.last().is_some_and(|state| state.count > 0) {
                wrong(format!("{path} is a file and a directory"));
            }
            let mut above = node;
            while above != ROOT {
                above = self.nodes[above].parent;
                if self.nodes[above].file.last().is_some_and(|state| state.content.is_some()) {
                    wrong(format!("{path} lies below a file"));
                }
            }
        }
    }

    fn replay_places(&mut self, violations: &mut Violations) {
        let mut queues: BTreeMap<&str, BTreeSet<Revision>> = BTreeMap::new();
        for transaction in &self.log.transactions {
            let revision = transaction.revision;
            for change in &transaction.places {
                let queue = queues.entry(&change.queue).or_default();
                match change.kind {
                    PlaceKind::Came => {
                        queue.insert(change.token);
                        let is_new = self.places.insert(change.token, Place { first: None, went: None });
                        if change.token != revision || is_new.is_some() {
                            let seen = format!("at {revision} {change:?}");
                            violations.add(|| Violation::new(Rule::Lock, "a new token", seen));
                        }
                    }
                    PlaceKind::Went => {
                        queue.remove(&change.token);
                        if let Some(place) = self.places.get_mut(&change.token) {
                            place.went = Some(revision);
                        }
                    }
                }
            }
            for change in &transaction.places {
                if let Some(first) = queues[change.queue.as_str()].first()
                    && let Some(place) = self.places.get_mut(first)
                {
                    place.first.get_or_insert(revision);
                }
            }
        }
    }

    fn intern(&mut self, path: &'l str) -> usize {
        if let Some(node) = self.by_path.get(path) {
            return *node;
        }
        let parent = self.intern(path.rsplit_once('/').map_or("", |(parent, _)| parent));
        self.nodes.push(Node { parent, file: Vec::new(), below: Vec::new() });
        self.by_path.insert(path, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// The transaction of a revision.
    pub(super) fn transaction(&self, revision: Revision) -> Option<usize> {
        self.log.transactions.binary_search_by_key(&revision, |transaction| transaction.revision).ok()
    }

    /// The transactions, from a revision on, that have changed a file or what lies below it, in order.
    pub(super) fn changes(&self, path: &str, from: Revision) -> impl Iterator<Item = usize> {
        let (file, below) = (self.file(path), self.below(path));
        let file = file[file.partition_point(|state| state.since < from)..].iter().map(|state| state.since);
        let below =
            below[below.partition_point(|state| state.since < from)..].iter().map(|state| state.since);
        let (mut file, mut below) = (file.peekable(), below.peekable());
        let revisions = std::iter::from_fn(move || match (file.peek().copied(), below.peek().copied()) {
            (Some(one), Some(other)) if one == other => {
                below.next();
                file.next()
            }
            (Some(one), other) if other.is_none_or(|other| one < other) => file.next(),
            _ => below.next(),
        });
        revisions.filter_map(|revision| self.transaction(revision))
    }

    /// The states of a file, oldest first.
    pub(super) fn file(&self, path: &str) -> &[FileState<'l>] {
        self.by_path.get(path).map_or(&[], |node| &self.nodes[*node].file)
    }

    /// The states of what lies below a path, oldest first.
    pub(super) fn below(&self, path: &str) -> &[BelowState] {
        self.by_path.get(path).map_or(&[], |node| &self.nodes[*node].below)
    }

    /// The file just before a revision.
    pub(super) fn file_before(&self, path: &str, revision: Revision) -> Option<FileState<'l>> {
        let states = self.file(path);
        let next = states.partition_point(|state| state.since < revision);
        states[..next].last().copied().filter(|state| state.content.is_some())
    }

    /// How many files lay below a path just before a revision.
    pub(super) fn count_before(&self, path: &str, revision: Revision) -> u64 {
        let states = self.below(path);
        let next = states.partition_point(|state| state.since < revision);
        states[..next].last().map_or(0, |state| state.count)
    }

    /// The place with this token.
    pub(super) fn place(&self, token: Revision) -> Option<Place> {
        self.places.get(&token).copied()
    }
}

/// A number that tells a file of this path and version from others. Those of the files of a directory are added up.
pub(super) fn print(path: &str, version: Revision) -> u64 {
    // FNV-1a, and the finish of SplitMix64 so that sums do not cancel out.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ version.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in path.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
