//! Refuses what no store would run, before anything happens.
//!
//! What a transaction writes may not depend on the order of its writes, except for who counts a deleted key: no key is
//! put twice, put and deleted, or deleted twice by name, and none that is put lies in a deleted range. Deleted ranges
//! may overlap one another and cover a key deleted by name; the later one finds nothing left in the common part.

use storage_core::kv::{BackendError, Compare, Get, Key, KeyRange, Limits, Op, Txn};

use crate::error;
use crate::log;

/// A range may begin anywhere, but the range of the empty key alone is a request for it.
pub(crate) fn range(range: &KeyRange) -> Result<(), BackendError> {
    range.as_single().map_or(Ok(()), key)
}

pub(crate) fn txn(txn: &Txn, limits: &Limits) -> Result<(), BackendError> {
    sizes(txn, limits)?;
    txn.compares.iter().try_for_each(compare)?;
    txn.success.iter().try_for_each(op)?;
    txn.failure.iter().try_for_each(get)?;
    writes_do_not_collide(&txn.success)
}

fn sizes(txn: &Txn, limits: &Limits) -> Result<(), BackendError> {
    let lists = [
        ("compares", txn.compares.len()),
        ("operations", txn.success.len()),
        ("reads of the other branch", txn.failure.len()),
    ];
    let values = txn.success.iter().filter_map(|op| match op {
        Op::Put { value, .. } => Some(("bytes of a value", value.len())),
        _ => None,
    });
    let ops = lists.into_iter().map(|list| (list, "max_txn_ops", limits.max_txn_ops));
    let values = values.map(|value| (value, "max_value_bytes", limits.max_value_bytes));
    let whole =
        (("bytes of the request", txn.request_bytes()), "max_request_bytes", limits.max_request_bytes);
    let mut all = ops.chain(values).chain([whole]);
    match all.find(|((_, size), _, most)| size > most) {
        Some(((what, size), limit, most)) => Err(error::too_large(what, size, limit, most)),
        None => Ok(()),
    }
}

fn key(key: &Key) -> Result<(), BackendError> {
    if key.as_bytes().is_empty() { Err(error::invalid("empty key")) } else { Ok(()) }
}

fn compare(compare: &Compare) -> Result<(), BackendError> {
    match compare {
        Compare::Absent(of) | Compare::Present(of) | Compare::ModRevision(of, _) => key(of),
        Compare::RangeEmpty(of) => range(of),
    }
}

fn op(op: &Op) -> Result<(), BackendError> {
    match op {
        Op::Put { key: of, .. } | Op::Delete(of) => key(of),
        Op::DeleteRange(of) => range(of),
        Op::Get(of) => get(of),
    }
}

fn get(get: &Get) -> Result<(), BackendError> {
    range(&get.range)
}

fn writes_do_not_collide(ops: &[Op]) -> Result<(), BackendError> {
    let written = sorted(ops, |op| match op {
        Op::Put { key, .. } | Op::Delete(key) => Some(key),
        _ => None,
    });
    if let Some((key, _)) = written.iter().zip(written.iter().skip(1)).find(|(one, next)| one == next) {
        return Err(error::invalid(format!("key written twice: {key:?}")));
    }
    let put = sorted(ops, |op| if let Op::Put { key, .. } = op { Some(key) } else { None });
    let deleted =
        ops.iter().filter_map(|op| if let Op::DeleteRange(range) = op { Some(range) } else { None });
    for range in deleted {
        if let Some(key) = log::keys_in(range, &put).first() {
            return Err(error::invalid(format!(
                "deleted range covers a key that is put: {key:?} in {range:?}"
            )));
        }
    }
    Ok(())
}

fn sorted(ops: &[Op], key: impl Fn(&Op) -> Option<&Key>) -> Vec<Key> {
    let mut keys: Vec<Key> = ops.iter().filter_map(key).cloned().collect();
    keys.sort_unstable();
    keys
}
