use bytes::Bytes;
use storage_core::kv::{BackendError, Key, KeyRange, LeaseId, Revision};
use tokio::time::Instant;

use crate::lease::Leases;
use crate::log::Log;
use crate::versions::Versions;
use crate::watch::Watchers;

/// Everything that the store's lock guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) versions: Versions,
    pub(crate) log: Log,
    pub(crate) leases: Leases,
    pub(crate) watchers: Watchers,
    history: u64,
}

impl State {
    /// An empty store that keeps so many revisions.
    pub(crate) fn new(history: u64) -> Self {
        Self {
            versions: Versions::default(),
            log: Log::default(),
            leases: Leases::default(),
            watchers: Watchers::default(),
            history,
        }
    }

    /// Begins the next revision.
    pub(crate) fn change(&mut self) -> Change<'_> {
        let revision = Revision(self.log.revision().0 + 1);
        Change { state: self, revision, keys: Vec::new() }
    }

    /// Ends a lease: its keys go in one revision.
    pub(crate) fn end_lease(&mut self, lease: LeaseId) -> Result<(), BackendError> {
        let keys = self.leases.end(lease)?;
        let mut change = self.change();
        for key in &keys {
            change.delete(key);
        }
        change.commit();
        Ok(())
    }

    /// Ends the leases whose time is over, each in a revision of its own, in the order in which they ran out.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(lease) = self.leases.due(now) {
            self.end_lease(lease).expect("a lease that is due is running");
        }
    }

    /// Forgets everything before the revision, whose own state stays readable.
    pub(crate) fn compact(&mut self, revision: Revision) -> Result<(), BackendError> {
        if revision > self.log.revision() {
            return Err(BackendError::future_revision(revision, self.log.revision()));
        }
        while self.log.compacted() < revision {
            self.forget_oldest();
        }
        Ok(())
    }

    /// The log says which keys the next revision changed, and only their versions before it can be dropped: so each
    /// change is visited once more in its life, and compaction costs every write the same.
    fn forget_oldest(&mut self) {
        let Some((revision, keys)) = self.log.pop() else { return };
        for key in &keys {
            self.versions.forget_before(key, revision);
        }
    }
}

/// A revision in the making.
///
/// There is no way back: whatever can be refused is refused before the first step, and [`commit`](Self::commit) has to
/// follow the last.
#[must_use = "a change has to be committed"]
pub(crate) struct Change<'s> {
    state: &'s mut State,
    revision: Revision,
    keys: Vec<Key>,
}

impl Change<'_> {
    /// The state that the steps so far have left.
    pub(crate) fn state(&self) -> &State {
        self.state
    }

    /// Puts a key that this change has not touched yet, with a lease that is running.
    pub(crate) fn put(&mut self, key: Key, value: Bytes, lease: Option<LeaseId>) {
        let State { versions, leases, .. } = &mut *self.state;
        if let Some(former) = versions.put(&key, value, lease, self.revision).and_then(|before| before.lease)
        {
            leases.detach(former, &key);
        }
        if let Some(lease) = lease {
            leases.attach(lease, key.clone());
        }
        self.keys.push(key);
    }

    /// Deletes a key, which this change must not have put, and answers how many were there: one or none.
    pub(crate) fn delete(&mut self, key: &Key) -> u64 {
        let State { versions, leases, .. } = &mut *self.state;
        let Some(before) = versions.delete(key, self.revision) else { return 0 };
        if let Some(former) = before.lease {
            leases.detach(former, key);
        }
        self.keys.push(key.clone());
        1
    }

    /// Deletes the keys of a range, in which this change must not have put any, and answers how many there were.
    pub(crate) fn delete_range(&mut self, range: &KeyRange) -> u64 {
        let keys: Vec<Key> = self.state.versions.range(range).map(|(key, _)| key.clone()).collect();
        keys.iter().map(|key| self.delete(key)).sum()
    }

    /// Makes the revision, or none if nothing changed; answers the newest.
    pub(crate) fn commit(self) -> Revision {
        let Self { state, revision, mut keys } = self;
        if !keys.is_empty() {
            keys.sort_unstable();
            state.watchers.tell(revision, &keys);
            state.log.push(keys);
            while state.log.len() > state.history {
                state.forget_oldest();
            }
        }
        state.log.revision()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(state: &mut State, key: &str) {
        let mut change = state.change();
        change.put(Key::new(key.to_owned()), Bytes::from_static(b"value"), None);
        change.commit();
    }

    fn delete(state: &mut State, key: &'static str) {
        let mut change = state.change();
        change.delete(&Key::new(key));
        change.commit();
    }

    #[test]
    fn old_versions_and_records_are_dropped_as_new_ones_are_made() {
        let mut state = State::new(8);
        put(&mut state, "once");
        for round in 0..1_000 {
            put(&mut state, "again");
            put(&mut state, &format!("new-{round}"));
            delete(&mut state, "again");
            let (existing, superseded) = state.versions.counts();
            assert_eq!(existing, round + 2);
            assert!(superseded <= 8, "{superseded} superseded versions in round {round}");
            assert!(state.log.len() <= 8);
        }
        assert_eq!(state.log.revision(), Revision(3_001));
        assert_eq!(state.log.compacted(), Revision(2_993));
    }

    #[test]
    fn compaction_drops_all_that_was_superseded_and_nothing_else() {
        let mut state = State::new(100);
        for _ in 0..3 {
            put(&mut state, "a");
            put(&mut state, "b");
        }
        delete(&mut state, "b");
        assert_eq!(state.versions.counts(), (1, 5));
        // Revision 5 put `a` for the last time. Two versions of `b` live beyond it: that of 4, and that of 6.
        state.compact(Revision(5)).unwrap();
        assert_eq!(state.versions.counts(), (1, 2));
        state.compact(Revision(7)).unwrap();
        assert_eq!(state.versions.counts(), (1, 0));
        assert_eq!(state.log.len(), 0);
        assert_eq!(state.log.revision(), Revision(7));
    }

    #[test]
    fn a_change_that_changes_nothing_makes_no_revision() {
        let mut state = State::new(100);
        put(&mut state, "a");
        delete(&mut state, "b");
        assert_eq!(state.log.revision(), Revision(1));
        assert_eq!(state.log.len(), 1);
    }
}
