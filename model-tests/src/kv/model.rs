//! One store as the contract describes it, kept as naively as can be: a copy of everything for each revision.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use storage_core::kv::{
    BackendErrorKind, Compare, Entry, Event, Get, GetReply, Key, KeyRange, Lease, LeaseId, Limits, Op,
    OpReply, Projection, Revision, Txn, TxnOutcome, TxnReply,
};
use tokio::time::Instant;

use super::call::Call;

pub(super) type State = BTreeMap<Key, Entry>;

/// What a call answers: or the kinds of errors of which it must have one.
pub(super) type Expected<T> = Result<T, Vec<BackendErrorKind>>;

/// A store that is possible after all that was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Model {
    /// The state of each revision, from 0 on.
    states: Vec<Rc<State>>,
    compacted: Revision,
    leases: BTreeMap<LeaseId, Running>,
    /// Calls that arrive later, in the order in which they do.
    late: Vec<(Instant, Call)>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Running {
    pub(super) ttl: Duration,
    pub(super) ends: Instant,
}

impl Model {
    /// A store in which nothing was ever put, at this revision.
    pub(super) fn new(revision: Revision, limits: Limits) -> Self {
        let states = (0..=revision.0).map(|_| Rc::default()).collect();
        Self { states, compacted: Revision::ZERO, leases: BTreeMap::new(), late: Vec::new(), limits }
    }

    pub(super) fn newest(&self) -> Revision {
        Revision(self.states.len() as u64 - 1)
    }

    pub(super) fn compacted(&self) -> Revision {
        self.compacted
    }

    pub(super) fn state(&self) -> &State {
        self.states.last().expect("there is always a state")
    }

    pub(super) fn lease(&self, lease: LeaseId) -> Option<Running> {
        self.leases.get(&lease).copied()
    }

    pub(super) fn leases(&self) -> impl Iterator<Item = (LeaseId, Running)> {
        self.leases.iter().map(|(lease, running)| (*lease, *running))
    }

    pub(super) fn has_keys(&self, lease: LeaseId) -> bool {
        self.state().values().any(|entry| entry.lease == Some(lease))
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The state that a read at this revision shows.
    pub(super) fn at(&self, revision: Revision) -> Expected<&State> {
        if revision > self.newest() {
            return Err(vec![BackendErrorKind::FutureRevision]);
        }
        if revision < self.compacted {
            return Err(vec![BackendErrorKind::Compacted]);
        }
        let index = usize::try_from(revision.0).expect("no more revisions than states");
        Ok(&self.states[index])
    }

    pub(super) fn compact(&mut self, revision: Revision) {
        self.compacted = self.compacted.max(revision);
    }

    /// Runs a transaction.
    pub(super) fn txn(&mut self, txn: &Txn) -> Expected<TxnReply> {
        let refusals = refusals(txn, &self.limits);
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let (newest, state) = (self.newest(), self.state());
        if !txn.compares.iter().all(|compare| holds(state, compare)) {
            let replies = txn.failure.iter().map(|get| read(state, get)).collect();
            return Ok(TxnReply { revision: newest, outcome: TxnOutcome::NotMatched(replies) });
        }
        let leases = txn.success.iter().filter_map(|op| match op {
            Op::Put { lease, .. } => *lease,
            Op::Delete(_) | Op::DeleteRange(_) | Op::Get(_) => None,
        });
        if leases.into_iter().any(|lease| !self.leases.contains_key(&lease)) {
            return Err(vec![BackendErrorKind::LeaseNotFound]);
        }
        let next = Revision(newest.0 + 1);
        let mut state = state.clone();
        let replies = txn.success.iter().map(|op| apply(&mut state, op, next)).collect();
        Ok(TxnReply { revision: self.change(state), outcome: TxnOutcome::Matched(replies) })
    }

    /// Makes a state the newest, unless it is what there is; answers the newest revision.
    fn change(&mut self, state: State) -> Revision {
        if state != *self.state() {
            self.states.push(Rc::new(state));
        }
        self.newest()
    }

    pub(super) fn grant(&mut self, lease: Lease, now: Instant) {
        self.leases.insert(lease.id, Running { ttl: lease.ttl, ends: now + lease.ttl });
    }

    /// Renews a lease, which from now on runs for so long.
    pub(super) fn renew(&mut self, lease: LeaseId, ttl: Duration, now: Instant) {
        if let Some(running) = self.leases.get_mut(&lease) {
            *running = Running { ttl, ends: now + ttl };
        }
    }

    /// Ends a lease with its keys; whether it was running.
    pub(super) fn end(&mut self, lease: LeaseId) -> bool {
        let was_running = self.leases.remove(&lease).is_some();
        if !self.has_keys(lease) {
            return was_running;
        }
        let mut state = self.state().clone();
        state.retain(|_, entry| entry.lease != Some(lease));
        self.change(state);
        was_running
    }

    /// A call that will be carried out at this time, without anybody hearing of it.
    pub(super) fn expect_late(&mut self, at: Instant, call: Call) {
        let behind = self.late.partition_point(|(other, _)| *other <= at);
        self.late.insert(behind, (at, call));
    }

    /// When the next late call arrives.
    pub(super) fn next_late(&self) -> Option<Instant> {
        self.late.first().map(|(at, _)| *at)
    }

    /// Carries out the next late call.
    pub(super) fn arrive(&mut self) {
        if !self.late.is_empty() {
            let (at, call) = self.late.remove(0);
            self.apply(&call, at);
        }
    }

    /// The first change of a range after a revision.
    pub(super) fn next_change(&self, range: &KeyRange, after: Revision) -> Option<(Revision, Vec<Event>)> {
        let first = usize::try_from(after.0).unwrap_or(usize::MAX).saturating_add(1);
        (first..self.states.len()).find_map(|index| {
            let (before, state) = (&self.states[index - 1], &self.states[index]);
            let revision = Revision(index as u64);
            let put = state.values().filter(|entry| before.get(&entry.key) != Some(entry));
            let gone = before.keys().filter(|key| !state.contains_key(key));
            let put = put.map(|entry| Event::Put(entry.clone()));
            let gone = gone.map(|key| Event::Delete { key: key.clone(), revision });
            let mut events: Vec<_> = put.chain(gone).filter(|event| range.contains(event.key())).collect();
            events.sort_by(|one, other| one.key().cmp(other.key()));
            (!events.is_empty()).then_some((revision, events))
        })
    }
}

/// The entries of a range, as they are shown.
pub(super) fn entries<'s>(
    state: &'s State,
    range: &KeyRange,
    projection: Projection,
) -> impl Iterator<Item = Entry> + use<'s> {
    let range = range.clone();
    state.values().filter(move |entry| range.contains(&entry.key)).map(move |entry| match projection {
        Projection::KeysAndValues => entry.clone(),
        Projection::KeysOnly => Entry { value: bytes::Bytes::new(), ..entry.clone() },
    })
}

fn holds(state: &State, compare: &Compare) -> bool {
    match compare {
        Compare::Absent(key) => !state.contains_key(key),
        Compare::Present(key) => state.contains_key(key),
        Compare::ModRevision(key, revision) => {
            state.get(key).is_some_and(|entry| entry.mod_revision == *revision)
        }
        Compare::RangeEmpty(range) => !state.keys().any(|key| range.contains(key)),
    }
}

fn apply(state: &mut State, op: &Op, revision: Revision) -> OpReply {
    let delete = |state: &mut State, range: &KeyRange| {
        let before = state.len();
        state.retain(|key, _| !range.contains(key));
        OpReply::Deleted((before - state.len()) as u64)
    };
    match op {
        Op::Put { key, value, lease } => {
            let create_revision = state.get(key).map_or(revision, |entry| entry.create_revision);
            let (key, value, lease) = (key.clone(), value.clone(), *lease);
            let entry = Entry { key: key.clone(), value, create_revision, mod_revision: revision, lease };
            state.insert(key, entry);
            OpReply::Put
        }
        Op::Delete(key) => delete(state, &KeyRange::single(key.clone())),
        Op::DeleteRange(range) => delete(state, range),
        Op::Get(get) => OpReply::Get(read(state, get)),
    }
}

fn read(state: &State, get: &Get) -> GetReply {
    let mut entries: Vec<Entry> = entries(state, &get.range, get.projection).collect();
    let limit = get.limit.map_or(usize::MAX, |limit| limit.get() as usize);
    let more = entries.len() > limit;
    entries.truncate(limit);
    GetReply { entries, more }
}

/// Whether a range is that of the empty key alone, which is no key.
pub(super) fn is_no_range(range: &KeyRange) -> bool {
    range.start().as_bytes().is_empty() && range.end().is_some_and(|end| end.as_bytes() == [0])
}

/// Every reason to refuse a transaction whatever the state is.
fn refusals(txn: &Txn, limits: &Limits) -> Vec<BackendErrorKind> {
    let is_too_long = [txn.compares.len(), txn.success.len(), txn.failure.len()]
        .iter()
        .any(|len| *len > limits.max_txn_ops);
    let is_value_too_large = txn
        .success
        .iter()
        .any(|op| matches!(op, Op::Put { value, .. } if value.len() > limits.max_value_bytes));
    let is_too_large = is_too_long || is_value_too_large || txn.request_bytes() > limits.max_request_bytes;
    let mut refusals = Vec::new();
    if is_too_large {
        refusals.push(BackendErrorKind::TooLarge);
    }
    if collide(&txn.success) || has_no_key(txn) {
        refusals.push(BackendErrorKind::InvalidRequest);
    }
    refusals
}

/// Whether writes collide: two of the same key by name, or a put in a deleted range.
fn collide(ops: &[Op]) -> bool {
    ops.iter().enumerate().any(|(index, one)| {
        ops[..index].iter().any(|other| match (one, other) {
            (Op::Put { key: one, .. } | Op::Delete(one), Op::Put { key: other, .. } | Op::Delete(other)) => {
                one == other
            }
            (Op::Put { key, .. }, Op::DeleteRange(range)) | (Op::DeleteRange(range), Op::Put { key, .. }) => {
                range.contains(key)
            }
            _ => false,
        })
    })
}

fn has_no_key(txn: &Txn) -> bool {
    let is_empty = |key: &Key| key.as_bytes().is_empty();
    txn.compares.iter().any(|compare| match compare {
        Compare::Absent(key) | Compare::Present(key) | Compare::ModRevision(key, _) => is_empty(key),
        Compare::RangeEmpty(range) => is_no_range(range),
    }) || txn.success.iter().any(|op| match op {
        Op::Put { key, .. } | Op::Delete(key) => is_empty(key),
        Op::DeleteRange(range) => is_no_range(range),
        Op::Get(get) => is_no_range(&get.range),
    }) || txn.failure.iter().any(|get| is_no_range(&get.range))
}
