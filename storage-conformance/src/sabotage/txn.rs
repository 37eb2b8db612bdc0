//! Transactions whose compares do not compare, or that are none.

use storage_core::kv::{
    BackendError, BackendErrorKind, Compare, GetReply, Key, KeyRange, KvBackendExt, Op, OpReply, Revision,
    Txn, TxnOutcome, TxnReply,
};

use super::support::{
    made_up, newest, one_by_one, puts, replies, txns, with_end, with_namesakes, without, writes,
};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Store, ["KV-TXN-1"], absent_is_ignored),
    saboteur!(Store, ["KV-TXN-1"], present_is_ignored),
    saboteur!(Store, ["KV-TXN-2"], mod_revision_is_ignored),
    saboteur!(Store, ["KV-TXN-2"], any_earlier_mod_revision_will_do),
    saboteur!(Store, ["KV-TXN-3"], a_missing_key_has_mod_revision_zero),
    saboteur!(Store, ["KV-TXN-4"], range_empty_is_ignored),
    saboteur!(Store, ["KV-TXN-4"], range_empty_looks_at_the_end_as_well),
    saboteur!(Store, ["KV-TXN-4"], range_empty_looks_at_namesakes_as_well),
    saboteur!(Store, ["KV-TXN-5"], only_the_first_compare_counts),
    saboteur!(Store, ["KV-TXN-5"], only_the_last_compare_counts),
    saboteur!(Store, ["KV-TXN-6"], a_failed_compare_is_an_error),
    saboteur!(Store, ["KV-TXN-6"], the_reads_of_the_other_branch_are_left_out),
    saboteur!(Store, ["KV-TXN-6"], a_failed_compare_is_reported_as_applied),
    saboteur!(Store, ["KV-TXN-5"], what_was_applied_is_reported_as_not_matched),
    saboteur!(Store, ["KV-READ-4", "KV-TXN-8"], every_seventh_write_is_acknowledged_and_lost),
    saboteur!(Store, ["KV-TXN-7"], compares_judge_the_state_after_the_transaction),
    saboteur!(Store, ["KV-TXN-8"], a_transaction_is_torn),
    saboteur!(Store, ["KV-CONC-1", "KV-CONC-3"], compares_are_judged_before_others_write),
    saboteur!(Store, ["KV-REV-4"], a_failed_compare_takes_a_revision),
    saboteur!(Store, ["KV-REV-4"], deleting_nothing_takes_a_revision),
    saboteur!(Store, ["KV-REV-5"], the_same_value_again_is_no_change),
];

fn absent_is_ignored() -> Twist {
    without(|_, compare| matches!(compare, Compare::Absent(_)))
}

fn present_is_ignored() -> Twist {
    without(|_, compare| matches!(compare, Compare::Present(_)))
}

/// It holds for every key that exists.
fn mod_revision_is_ignored() -> Twist {
    txns(|txn| {
        for compare in &mut txn.compares {
            if let Compare::ModRevision(key, _) = compare {
                *compare = Compare::Present(key.clone());
            }
        }
    })
}

fn any_earlier_mod_revision_will_do() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        for compare in &mut txn.compares {
            if let Compare::ModRevision(key, revision) = compare
                && !key.as_bytes().is_empty()
                && let Some(entry) = store.get(key.clone()).await?
                && (entry.create_revision..entry.mod_revision).contains(revision)
            {
                *revision = entry.mod_revision;
            }
        }
        store.txn(txn).await
    })
}

fn a_missing_key_has_mod_revision_zero() -> Twist {
    txns(|txn| {
        for compare in &mut txn.compares {
            if let Compare::ModRevision(key, Revision::ZERO) = compare {
                *compare = Compare::Absent(key.clone());
            }
        }
    })
}

fn range_empty_is_ignored() -> Twist {
    without(|_, compare| matches!(compare, Compare::RangeEmpty(_)))
}

/// Changes the ranges that are to be empty.
fn empty_ranges(change: fn(&KeyRange) -> KeyRange) -> Twist {
    Twist::new().txn(move |store, mut txn| async move {
        for compare in &mut txn.compares {
            if let Compare::RangeEmpty(range) = compare {
                *range = change(range);
            }
        }
        store.txn(txn).await
    })
}

fn range_empty_looks_at_the_end_as_well() -> Twist {
    empty_ranges(with_end)
}

fn range_empty_looks_at_namesakes_as_well() -> Twist {
    empty_ranges(with_namesakes)
}

fn only_the_first_compare_counts() -> Twist {
    txns(|txn| txn.compares.truncate(1))
}

fn only_the_last_compare_counts() -> Twist {
    txns(|txn| {
        let last = txn.compares.pop();
        txn.compares = last.into_iter().collect();
    })
}

fn a_failed_compare_is_an_error() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let reply = store.txn(txn).await?;
        match reply.outcome {
            TxnOutcome::NotMatched(_) => {
                Err(BackendError::new(BackendErrorKind::InvalidRequest, "a compare did not hold"))
            }
            TxnOutcome::Matched(_) => Ok(reply),
        }
    })
}

fn the_reads_of_the_other_branch_are_left_out() -> Twist {
    replies(|_, reply| {
        if let TxnOutcome::NotMatched(reads) = &mut reply.outcome {
            reads.clear();
        }
    })
}

fn a_failed_compare_is_reported_as_applied() -> Twist {
    replies(|txn, reply| {
        if matches!(reply.outcome, TxnOutcome::NotMatched(_)) {
            reply.outcome = TxnOutcome::Matched(made_up(txn));
        }
    })
}

fn what_was_applied_is_reported_as_not_matched() -> Twist {
    replies(|txn, reply| {
        if !txn.compares.is_empty() && writes(txn) {
            reply.outcome = TxnOutcome::NotMatched(vec![GetReply::default(); txn.failure.len()]);
        }
    })
}

fn every_seventh_write_is_acknowledged_and_lost() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let next = newest(&store).await?.0 + 1;
        if txn.compares.is_empty() && writes(&txn) && next.is_multiple_of(7) {
            // The revision is taken, by something else.
            let noise = Op::Put { key: Key::new("noise"), value: next.to_string().into(), lease: None };
            let revision = store.txn(Txn::new().then(noise)).await?.revision;
            return Ok(TxnReply { revision, outcome: TxnOutcome::Matched(made_up(&txn)) });
        }
        store.txn(txn).await
    })
}

fn compares_judge_the_state_after_the_transaction() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        let all = txn.clone();
        for compare in &mut txn.compares {
            if let Compare::Absent(key) = compare
                && puts(&all, key)
            {
                // It is there then.
                *compare = Compare::ModRevision(key.clone(), Revision(u64::MAX));
            }
        }
        store.txn(txn).await
    })
}

fn a_transaction_is_torn() -> Twist {
    Twist::new().txn(|store, txn| async move {
        // What is refused is refused whole all the same.
        txn.check(&store.limits())?;
        if writes(&txn) { one_by_one(store, txn).await } else { store.txn(txn).await }
    })
}

/// Get, then put: what several of the peers do for a lock.
fn compares_are_judged_before_others_write() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        txn.check(&store.limits())?;
        let mut judging = Txn::new();
        judging.compares = std::mem::take(&mut txn.compares);
        judging.failure = txn.failure.clone();
        let judged = store.txn(judging).await?;
        if matches!(judged.outcome, TxnOutcome::NotMatched(_)) {
            return Ok(judged);
        }
        tokio::task::yield_now().await;
        store.txn(txn).await
    })
}

/// Writes beside the case's keys after transactions of which this is said.
fn noise_after(is_noisy: fn(&Txn, &TxnReply) -> bool) -> Twist {
    Twist::new().txn(move |store, txn| async move {
        let reply = store.txn(txn.clone()).await?;
        if is_noisy(&txn, &reply) {
            store.put(Key::new("noise"), reply.revision.0.to_string().into()).await?;
        }
        Ok(reply)
    })
}

fn a_failed_compare_takes_a_revision() -> Twist {
    noise_after(|_, reply| matches!(reply.outcome, TxnOutcome::NotMatched(_)))
}

fn deleting_nothing_takes_a_revision() -> Twist {
    noise_after(
        |_, reply| matches!(&reply.outcome, TxnOutcome::Matched(replies) if replies.contains(&OpReply::Deleted(0))),
    )
}

fn the_same_value_again_is_no_change() -> Twist {
    Twist::new().txn(|store, txn| async move {
        if let ([], [Op::Put { key, value, lease: None }]) = (&txn.compares[..], &txn.success[..])
            && !key.as_bytes().is_empty()
            && store.get(key.clone()).await?.is_some_and(|entry| entry.value == *value)
        {
            let outcome = TxnOutcome::Matched(vec![OpReply::Put]);
            return Ok(TxnReply { revision: newest(&store).await?, outcome });
        }
        store.txn(txn).await
    })
}
