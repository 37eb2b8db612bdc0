use std::sync::{Arc, Mutex, MutexGuard};

use storage_conformance::history::Recorder;
use storage_core::KeyPrefix;
use storage_core::kv::Revision;

use crate::counts::Counts;
use crate::holders::Holders;
use crate::locks::Seen;
use crate::plan::Plan;
use crate::store::Store;
use crate::trace::Trace;
use crate::watcher::{WatchEnd, Watched};

/// What all parts of a simulation share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
    pub(crate) prefix: KeyPrefix,
    pub(crate) store: Store,
    pub(crate) recorder: Recorder,
    pub(crate) holders: Holders,
    notes: Mutex<Notes>,
}

/// What is written down.
#[derive(Debug)]
pub(crate) struct Notes {
    pub(crate) trace: Trace,
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<String>,
    pub(crate) watched: Vec<Watched>,
    /// The tokens of locks that were held until they were released, and a revision that the store had before.
    pub(crate) releases: Vec<(Revision, Revision)>,
    /// The number of the next client, and of the next content.
    clients: usize,
    contents: u64,
}

impl Notes {
    /// Nobody listens to the watches of a client any more.
    pub(crate) fn end_watches(&mut self, client: usize) {
        for watched in self.watched.iter_mut().filter(|watched| watched.client == client) {
            watched.end = WatchEnd::Dropped;
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64, store: Store) -> Arc<Self> {
        let notes = Notes {
            trace: Trace::new(),
            counts: Counts::default(),
            violations: Vec::new(),
            watched: Vec::new(),
            releases: Vec::new(),
            clients: 0,
            contents: 0,
        };
        Arc::new(Self {
            seed,
            plan: Plan::of(seed),
            prefix: KeyPrefix::parse("/sim").expect("a prefix"),
            store,
            recorder: Recorder::new(),
            holders: Holders::default(),
            notes: Mutex::new(notes),
        })
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("nobody panics under it")
    }

    /// Counts something, and has it in the trace.
    pub(crate) fn note(&self, what: &'static str, line: impl FnOnce() -> String) {
        let mut notes = self.notes();
        notes.counts.add(what);
        notes.trace.add(line());
    }

    pub(crate) fn count(&self, what: &'static str) {
        self.notes().counts.add(what);
    }

    /// Something that must not happen has happened.
    pub(crate) fn violation(&self, what: String) {
        let mut notes = self.notes();
        notes.trace.add(format!("VIOLATION {what}"));
        notes.violations.push(what);
    }

    /// Looks at what has become of a place in the queue of a lock.
    pub(crate) fn look_at(&self, place: &Seen) {
        match place {
            Seen::Two(one, other) => {
                self.violation(format!("a client has two places in a queue: {one:?} and {other:?}"));
            }
            // Where nobody takes locks away a holder knows before the store that its lease has ended.
            Seen::Went(token) if !self.plan.has_operators() => {
                for holder in self.holders.of(*token) {
                    self.violation(format!("{holder} believes in the lock {token}, whose place is gone"));
                }
            }
            Seen::Went(_) | Seen::Nothing => {}
        }
    }

    /// A number that no client had before.
    pub(crate) fn next_client(&self) -> usize {
        let mut notes = self.notes();
        notes.clients += 1;
        notes.clients - 1
    }

    /// A content that nobody has written before.
    pub(crate) fn next_content(&self, client: &str) -> String {
        let mut notes = self.notes();
        notes.contents += 1;
        format!("{client}, content {}", notes.contents)
    }
}
