use storage_core::kv::{BackendError, Compare, Get, GetReply, Op, OpReply, Txn, TxnOutcome, TxnReply};

use crate::page;
use crate::state::State;
use crate::store::Store;

/// Runs a transaction that has been checked.
pub(crate) fn run(store: &Store, txn: Txn) -> Result<TxnReply, BackendError> {
    if txn.success.iter().all(|op| matches!(op, Op::Get(_))) {
        return Ok(read(&store.read(), &txn));
    }
    let mut state = store.write();
    if !matches(&state, &txn.compares) {
        return Ok(not_matched(&state, &txn.failure));
    }
    let leases =
        txn.success.iter().filter_map(|op| if let Op::Put { lease, .. } = op { *lease } else { None });
    for lease in leases {
        state.leases.require(lease)?;
    }
    Ok(write(&mut state, txn.success))
}

/// A transaction without writes, which shares the store with others.
fn read(state: &State, txn: &Txn) -> TxnReply {
    if !matches(state, &txn.compares) {
        return not_matched(state, &txn.failure);
    }
    let gets = txn.success.iter().filter_map(|op| if let Op::Get(get) = op { Some(get) } else { None });
    let replies = gets.map(|get| OpReply::Get(page::get(state, get))).collect();
    TxnReply { revision: state.log.revision(), outcome: TxnOutcome::Matched(replies) }
}

fn not_matched(state: &State, gets: &[Get]) -> TxnReply {
    let replies: Vec<GetReply> = gets.iter().map(|get| page::get(state, get)).collect();
    TxnReply { revision: state.log.revision(), outcome: TxnOutcome::NotMatched(replies) }
}

fn write(state: &mut State, ops: Vec<Op>) -> TxnReply {
    let mut change = state.change();
    let mut replies = Vec::with_capacity(ops.len());
    for op in ops {
        replies.push(match op {
            Op::Put { key, value, lease } => {
                change.put(key, value, lease);
                OpReply::Put
            }
            Op::Delete(key) => OpReply::Deleted(change.delete(&key)),
            Op::DeleteRange(range) => OpReply::Deleted(change.delete_range(&range)),
            Op::Get(get) => OpReply::Get(page::get(change.state(), &get)),
        });
    }
    TxnReply { revision: change.commit(), outcome: TxnOutcome::Matched(replies) }
}

fn matches(state: &State, compares: &[Compare]) -> bool {
    compares.iter().all(|compare| match compare {
        Compare::Absent(key) => state.versions.newest(key).is_none(),
        Compare::Present(key) => state.versions.newest(key).is_some(),
        Compare::ModRevision(key, revision) => {
            state.versions.newest(key).is_some_and(|version| version.mod_revision == *revision)
        }
        Compare::RangeEmpty(range) => state.versions.range(range).next().is_none(),
    })
}
