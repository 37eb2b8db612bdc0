use rusqlite::Connection;
use storage_core::kv::{Compare, Get, GetReply, Op, OpReply, Revision, Txn, TxnOutcome, TxnReply};

use crate::change::Write;
use crate::error::Failure;
use crate::meta::Meta;
use crate::{lease, page, versions};

/// Whether a transaction changes nothing in any case.
pub(crate) fn only_reads(txn: &Txn) -> bool {
    txn.success.iter().all(|op| matches!(op, Op::Get(_)))
}

/// A transaction that only reads.
pub(crate) fn read(connection: &Connection, txn: &Txn) -> Result<TxnReply, Failure> {
    let revision = Meta::read(connection)?.revision;
    if !matches(connection, &txn.compares)? {
        return not_matched(connection, revision, &txn.failure);
    }
    let gets = txn.success.iter().filter_map(|op| if let Op::Get(get) = op { Some(get) } else { None });
    let replies = gets.map(|get| Ok(OpReply::Get(page::get(connection, get)?)));
    let replies = replies.collect::<Result<_, Failure>>()?;
    Ok(TxnReply { revision, outcome: TxnOutcome::Matched(replies) })
}

/// Runs a transaction that has been checked.
pub(crate) fn run(write: &mut Write<'_>, txn: &Txn) -> Result<TxnReply, Failure> {
    if !matches(write.connection, &txn.compares)? {
        return not_matched(write.connection, write.meta.revision, &txn.failure);
    }
    let leases =
        txn.success.iter().filter_map(|op| if let Op::Put { lease, .. } = op { *lease } else { None });
    for lease in leases {
        lease::require(write.connection, lease)?;
    }
    let mut change = write.change();
    let mut replies = Vec::with_capacity(txn.success.len());
    for op in &txn.success {
        replies.push(match op {
            Op::Put { key, value, lease } => {
                change.put(key, value, *lease)?;
                OpReply::Put
            }
            Op::Delete(key) => OpReply::Deleted(change.delete(key)?),
            Op::DeleteRange(range) => OpReply::Deleted(change.delete_range(range)?),
            Op::Get(get) => OpReply::Get(page::get(change.connection(), get)?),
        });
    }
    Ok(TxnReply { revision: change.commit(), outcome: TxnOutcome::Matched(replies) })
}

fn not_matched(connection: &Connection, revision: Revision, gets: &[Get]) -> Result<TxnReply, Failure> {
    let replies = gets.iter().map(|get| page::get(connection, get));
    let replies = replies.collect::<Result<Vec<GetReply>, Failure>>()?;
    Ok(TxnReply { revision, outcome: TxnOutcome::NotMatched(replies) })
}

fn matches(connection: &Connection, compares: &[Compare]) -> Result<bool, Failure> {
    for compare in compares {
        let holds = match compare {
            Compare::Absent(key) => versions::newest(connection, key)?.is_none(),
            Compare::Present(key) => versions::newest(connection, key)?.is_some(),
            Compare::ModRevision(key, revision) => {
                versions::newest(connection, key)?.is_some_and(|version| version.modified == *revision)
            }
            Compare::RangeEmpty(range) => versions::is_empty(connection, range)?,
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}
