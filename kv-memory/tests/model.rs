//! Whatever is done to the backend, it answers as a naive store does that keeps a copy of everything per revision.
#![allow(clippy::unwrap_used, reason = "the helpers of a test are tests")]

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use bytes::Bytes;
use futures::TryStreamExt;
use kv_memory::MemoryBackend;
use proptest::prelude::*;
use storage_core::kv::{
    BackendErrorKind, Compare, Entry, Event, Get, GetReply, Key, KeyRange, KvBackend, KvBackendExt, Op,
    OpReply, RangeRequest, Revision, Txn, TxnOutcome, TxnReply,
};

type State = BTreeMap<Key, Entry>;

/// One state for each revision.
struct Model {
    states: Vec<State>,
}

impl Model {
    fn txn(&mut self, txn: &Txn) -> TxnReply {
        let newest = self.states.last().unwrap();
        let revision = Revision(self.states.len() as u64 - 1);
        if !txn.compares.iter().all(|compare| holds(newest, compare)) {
            let replies = txn.failure.iter().map(|get| read(newest, get)).collect();
            return TxnReply { revision, outcome: TxnOutcome::NotMatched(replies) };
        }
        let next = Revision(revision.0 + 1);
        let mut state = newest.clone();
        let replies = txn.success.iter().map(|op| apply(&mut state, op, next)).collect();
        let outcome = TxnOutcome::Matched(replies);
        if state == *newest {
            return TxnReply { revision, outcome };
        }
        self.states.push(state);
        TxnReply { revision: next, outcome }
    }
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
    let mut entries: Vec<Entry> =
        state.values().filter(|entry| get.range.contains(&entry.key)).cloned().collect();
    let limit = get.limit.map_or(usize::MAX, |limit| limit.get() as usize);
    let more = entries.len() > limit;
    entries.truncate(limit);
    GetReply { entries, more }
}

fn key() -> impl Strategy<Value = Key> {
    (0..6_u8).prop_map(|number| Key::new(vec![b'a' + number]))
}

fn range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        (key(), key()).prop_map(|(start, end)| KeyRange::new(start, end)),
        key().prop_map(KeyRange::from),
        Just(KeyRange::prefix(Bytes::new())),
    ]
}

fn get() -> impl Strategy<Value = Get> {
    (range(), 0..4_u32).prop_map(|(range, limit)| match NonZeroU32::new(limit) {
        Some(limit) => Get::range(range).with_limit(limit),
        None => Get::range(range),
    })
}

fn compare() -> impl Strategy<Value = Compare> {
    prop_oneof![
        key().prop_map(Compare::Absent),
        key().prop_map(Compare::Present),
        (key(), 0..30_u64).prop_map(|(key, revision)| Compare::ModRevision(key, Revision(revision))),
        range().prop_map(Compare::RangeEmpty),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (key(), any::<u8>()).prop_map(|(key, byte)| Op::Put { key, value: vec![byte].into(), lease: None }),
        2 => key().prop_map(Op::Delete),
        1 => range().prop_map(Op::DeleteRange),
        2 => get().prop_map(Op::Get),
    ]
}

prop_compose! {
    fn txn()(
        compares in prop::collection::vec(compare(), 0..2),
        success in prop::collection::vec(op(), 0..5),
        failure in prop::collection::vec(get(), 0..2),
    ) -> Txn {
        let txn = compares.into_iter().fold(Txn::new(), Txn::when);
        failure.into_iter().fold(success.into_iter().fold(txn, Txn::then), Txn::otherwise)
    }
}

/// Whether its writes collide: two of the same key by name, or a put below a deleted range.
fn is_refused(txn: &Txn) -> bool {
    txn.success.iter().enumerate().any(|(index, one)| {
        txn.success[..index].iter().any(|other| match (one, other) {
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

async fn check(
    txns: Vec<Txn>,
    page: NonZeroU32,
    compacted: prop::sample::Index,
) -> Result<(), TestCaseError> {
    let backend = MemoryBackend::new();
    let mut model = Model { states: vec![State::new()] };
    for txn in txns {
        let answer = backend.txn(txn.clone()).await;
        if is_refused(&txn) {
            prop_assert_eq!(answer.unwrap_err().kind(), BackendErrorKind::InvalidRequest);
        } else {
            prop_assert_eq!(answer.unwrap(), model.txn(&txn), "{:?}", txn);
        }
    }

    let compacted = compacted.index(model.states.len());
    backend.compact(Revision(compacted as u64)).unwrap();
    let everything = KeyRange::prefix(Bytes::new());
    for (revision, state) in model.states.iter().enumerate() {
        let request = RangeRequest::new(everything.clone()).with_revision(Revision(revision as u64));
        let entries: Result<Vec<Entry>, _> = backend.scan(request.with_limit(page)).try_collect().await;
        match entries {
            Ok(entries) => prop_assert_eq!(entries, state.values().cloned().collect::<Vec<_>>()),
            Err(error) => {
                prop_assert_eq!(error.kind(), BackendErrorKind::Compacted);
                prop_assert!(revision < compacted);
            }
        }
    }

    // The changes that are left turn the state at the compacted revision into each later one.
    let mut watch = backend.watch(everything, Revision(compacted as u64)).await.unwrap();
    let mut replayed = model.states[compacted].clone();
    for (revision, state) in model.states.iter().enumerate().skip(compacted + 1) {
        let batch = watch.try_next().await.unwrap().unwrap();
        prop_assert_eq!(batch.revision, Revision(revision as u64));
        for event in batch.events {
            match event {
                Event::Put(entry) => replayed.insert(entry.key.clone(), entry),
                Event::Delete { key, .. } => replayed.remove(&key),
            };
        }
        prop_assert_eq!(&replayed, state);
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_answers_as_the_model_does(
        txns in prop::collection::vec(txn(), 0..40),
        page in 1..4_u32,
        compacted in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(txns, NonZeroU32::new(page).unwrap(), compacted))?;
    }
}
