//! Operations of transactions that do, count or accept something else.

use std::collections::HashSet;

use storage_core::kv::{
    BackendError, BackendErrorKind, GetReply, KeyRange, Op, OpReply, Projection, RangeRequest, Txn,
    TxnOutcome,
};

use super::support::{deleted_ranges, one_by_one, replies, txns, with_end, with_namesakes};
use super::twist::{Store, Twist};
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Store, ["KV-TXN-9"], only_reads_are_answered),
    saboteur!(Store, ["KV-TXN-10"], reads_see_nothing_of_their_transaction),
    saboteur!(Store, ["KV-TXN-11"], a_read_in_a_transaction_ignores_its_limit),
    saboteur!(Store, ["KV-TXN-11"], a_read_in_a_transaction_never_says_more),
    saboteur!(Store, ["KV-TXN-11"], a_read_in_a_transaction_always_says_more),
    saboteur!(Store, ["KV-TXN-11"], a_read_in_a_transaction_is_cut_at_a_thousand),
    saboteur!(Store, ["KV-TXN-12"], every_deletion_counts_one),
    saboteur!(Store, ["KV-TXN-12"], deleting_nothing_is_an_error),
    saboteur!(Store, ["KV-TXN-13"], the_end_of_a_deleted_range_is_deleted),
    saboteur!(Store, ["KV-TXN-13"], deleting_foo_deletes_foobar),
    saboteur!(Store, ["KV-TXN-13"], deleting_an_empty_range_deletes_all_behind_it),
    saboteur!(Store, ["KV-TXN-13", "KV-TXN-12"], deleting_a_range_stops_half_way),
    saboteur!(Store, ["KV-TXN-14"], deleted_ranges_may_not_overlap),
    saboteur!(Store, ["KV-TXN-15"], an_empty_transaction_is_refused),
    saboteur!(Store, ["KV-TXN-16"], the_last_of_two_puts_wins),
    saboteur!(Store, ["KV-TXN-17"], a_put_may_lie_in_a_deleted_range),
    saboteur!(Store, ["KV-TXN-18"], putting_the_empty_key_is_passed_over),
];

fn only_reads_are_answered() -> Twist {
    replies(|_, reply| {
        if let TxnOutcome::Matched(replies) = &mut reply.outcome {
            replies.retain(|reply| matches!(reply, OpReply::Get(_)));
        }
    })
}

fn reads_see_nothing_of_their_transaction() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let (mut first, mut order) = (txn.clone(), Vec::new());
        first.success.clear();
        let is_read = |op: &Op| matches!(op, Op::Get(_));
        for wanted in [true, false] {
            for (index, op) in txn.success.iter().enumerate().filter(|(_, op)| is_read(op) == wanted) {
                first.success.push(op.clone());
                order.push(index);
            }
        }
        let mut reply = store.txn(first).await?;
        if let TxnOutcome::Matched(replies) = &mut reply.outcome {
            let mut placed: Vec<_> = order.into_iter().zip(std::mem::take(replies)).collect();
            placed.sort_by_key(|(index, _)| *index);
            *replies = placed.into_iter().map(|(_, reply)| reply).collect();
        }
        Ok(reply)
    })
}

fn a_read_in_a_transaction_ignores_its_limit() -> Twist {
    txns(|txn| {
        for op in &mut txn.success {
            if let Op::Get(get) = op {
                get.limit = None;
            }
        }
    })
}

/// Changes what the reads of transactions answer.
fn reads(change: fn(&mut GetReply)) -> Twist {
    Twist::new().txn(move |store, txn| async move {
        let mut reply = store.txn(txn).await?;
        match &mut reply.outcome {
            TxnOutcome::Matched(replies) => {
                for reply in replies {
                    if let OpReply::Get(get) = reply {
                        change(get);
                    }
                }
            }
            TxnOutcome::NotMatched(gets) => gets.iter_mut().for_each(change),
        }
        Ok(reply)
    })
}

fn a_read_in_a_transaction_never_says_more() -> Twist {
    reads(|get| get.more = false)
}

fn a_read_in_a_transaction_always_says_more() -> Twist {
    reads(|get| get.more = true)
}

fn a_read_in_a_transaction_is_cut_at_a_thousand() -> Twist {
    reads(|get| {
        get.more |= get.entries.len() > 1000;
        get.entries.truncate(1000);
    })
}

fn every_deletion_counts_one() -> Twist {
    replies(|_, reply| {
        if let TxnOutcome::Matched(replies) = &mut reply.outcome {
            for reply in replies {
                if let OpReply::Deleted(count) = reply {
                    *count = 1;
                }
            }
        }
    })
}

fn deleting_nothing_is_an_error() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let reply = store.txn(txn).await?;
        match &reply.outcome {
            TxnOutcome::Matched(replies) if replies.contains(&OpReply::Deleted(0)) => {
                let kind = BackendErrorKind::InvalidRequest;
                Err(BackendError::new(kind, "there is no such key"))
            }
            _ => Ok(reply),
        }
    })
}

fn the_end_of_a_deleted_range_is_deleted() -> Twist {
    txns(|txn| deleted_ranges(txn).for_each(|range| *range = with_end(range)))
}

fn deleting_foo_deletes_foobar() -> Twist {
    txns(|txn| deleted_ranges(txn).for_each(|range| *range = with_namesakes(range)))
}

fn deleting_an_empty_range_deletes_all_behind_it() -> Twist {
    txns(|txn| {
        for range in deleted_ranges(txn).filter(|range| range.is_empty()) {
            *range = KeyRange::from(range.start().clone());
        }
    })
}

/// The first half of the keys of a range.
async fn first_half(store: &Store, range: &KeyRange) -> Result<KeyRange, BackendError> {
    let request = RangeRequest::new(range.clone()).with_projection(Projection::KeysOnly);
    let keys = store.range(request).await?.entries;
    let end = keys.get(keys.len().div_ceil(2)).map(|entry| entry.key.clone());
    Ok(end.map_or_else(|| range.clone(), |end| KeyRange::new(range.start().clone(), end)))
}

fn deleting_a_range_stops_half_way() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        for range in deleted_ranges(&mut txn) {
            *range = first_half(&store, range).await?;
        }
        store.txn(txn).await
    })
}

fn deleted_ranges_may_not_overlap() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        let ranges: Vec<KeyRange> = deleted_ranges(&mut txn).map(|range| range.clone()).collect();
        let overlaps = ranges.iter().enumerate().any(|(index, one)| {
            let meets = |other: &KeyRange| one.contains(other.start()) || other.contains(one.start());
            ranges[..index].iter().any(meets)
        });
        if overlaps {
            let kind = BackendErrorKind::InvalidRequest;
            return Err(BackendError::new(kind, "ranges overlap"));
        }
        store.txn(txn).await
    })
}

fn an_empty_transaction_is_refused() -> Twist {
    Twist::new().txn(|store, txn| async move {
        if txn.success.is_empty() && txn.compares.is_empty() {
            let kind = BackendErrorKind::InvalidRequest;
            return Err(BackendError::new(kind, "there is nothing to do"));
        }
        store.txn(txn).await
    })
}

fn the_last_of_two_puts_wins() -> Twist {
    txns(|txn| {
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for op in txn.success.drain(..).rev() {
            let is_new = match &op {
                Op::Put { key, .. } | Op::Delete(key) => seen.insert(key.clone()),
                Op::DeleteRange(_) | Op::Get(_) => true,
            };
            if is_new {
                kept.push(op);
            }
        }
        kept.reverse();
        txn.success = kept;
    })
}

fn a_put_may_lie_in_a_deleted_range() -> Twist {
    Twist::new().txn(|store, txn| async move {
        match store.txn(txn.clone()).await {
            Err(error) if error.kind() == BackendErrorKind::InvalidRequest && has_both(&txn) => {
                one_by_one(store, txn).await
            }
            result => result,
        }
    })
}

fn has_both(txn: &Txn) -> bool {
    txn.success.iter().any(|op| matches!(op, Op::Put { .. }))
        && txn.success.iter().any(|op| matches!(op, Op::DeleteRange(_)))
}

fn putting_the_empty_key_is_passed_over() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        let is_empty = |op: &Op| matches!(op, Op::Put { key, .. } if key.as_bytes().is_empty());
        let passed_over = txn.success.iter().filter(|op| is_empty(op)).count();
        txn.success.retain(|op| !is_empty(op));
        let mut reply = store.txn(txn).await?;
        if let TxnOutcome::Matched(replies) = &mut reply.outcome {
            replies.extend(std::iter::repeat_n(OpReply::Put, passed_over));
        }
        Ok(reply)
    })
}
