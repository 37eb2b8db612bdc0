//! Limits that do not limit, and failures that mislead.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use storage_core::kv::{BackendError, BackendErrorKind, Key, Op, Txn, TxnOutcome};

use super::support::{errors, one_by_one};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Store, ["KV-LIMIT-1"], the_limits_change),
    saboteur!(Store, ["KV-LIMIT-2"], half_of_the_operations_are_accepted),
    saboteur!(Store, ["KV-LIMIT-3"], too_many_operations_are_split),
    saboteur!(Store, ["KV-LIMIT-3"], too_many_reads_are_left_out),
    saboteur!(Store, ["KV-LIMIT-4"], too_large_a_value_is_cut),
    saboteur!(Store, ["KV-LIMIT-5"], too_large_a_request_is_split),
    saboteur!(Store, ["KV-LIMIT-3", "KV-LIMIT-4", "KV-LIMIT-5"], a_refusal_does_not_name_the_limit),
    saboteur!(Store, ["KV-LIMIT-6"], long_keys_are_refused),
    saboteur!(Store, ["KV-LIMIT-7"], a_transaction_has_eight_operations_at_most),
    saboteur!(Store, ["KV-ERR-1"], a_refusal_is_worth_another_attempt),
    saboteur!(Store, ["KV-ERR-1"], a_refusal_may_have_been_applied),
    saboteur!(Store, ["KV-ERR-1", "KV-LEASE-6"], every_failure_is_internal),
    saboteur!(Store, ["KV-ERR-2"], a_refused_transaction_is_applied_in_part),
    saboteur!(Store, ["KV-ERR-2"], a_refused_transaction_takes_a_revision),
    saboteur!(Store, ["KV-ERR-3"], an_error_has_two_lines),
    saboteur!(Store, ["KV-ERR-4"], a_dropped_transaction_is_torn),
];

fn the_limits_change() -> Twist {
    let asked = AtomicUsize::new(0);
    Twist::new().limits(move |limits| {
        let asked = asked.fetch_add(1, Relaxed);
        limits.with_max_txn_ops(limits.max_txn_ops - asked % 2)
    })
}

fn half_of_the_operations_are_accepted() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let most = store.limits().max_txn_ops / 2;
        if txn.compares.len() > most {
            let told = format!("at most {} operations", store.limits().max_txn_ops);
            return Err(BackendError::new(BackendErrorKind::TooLarge, told));
        }
        store.txn(txn).await
    })
}

fn too_many_operations_are_split() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        let most = store.limits().max_txn_ops;
        if txn.success.len() <= most {
            return store.txn(txn).await;
        }
        let rest = txn.success.split_off(most);
        let mut reply = store.txn(txn).await?;
        if let TxnOutcome::Matched(replies) = &mut reply.outcome {
            let rest = store.txn(rest.into_iter().fold(Txn::new(), Txn::then)).await?;
            reply.revision = rest.revision;
            if let TxnOutcome::Matched(mut more) = rest.outcome {
                replies.append(&mut more);
            }
        }
        Ok(reply)
    })
}

fn too_many_reads_are_left_out() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        txn.failure.truncate(store.limits().max_txn_ops);
        store.txn(txn).await
    })
}

fn too_large_a_value_is_cut() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        let most = store.limits().max_value_bytes;
        let mut cut = 0;
        for op in &mut txn.success {
            if let Op::Put { value, .. } = op
                && value.len() > most
            {
                cut += value.len() - most;
                value.truncate(most);
            }
        }
        // Where a value fills a request its key has to find room as well.
        let over = txn.request_bytes().saturating_sub(store.limits().max_request_bytes);
        if cut > 0
            && let Some(Op::Put { value, .. }) = txn.success.last_mut()
        {
            value.truncate(value.len().saturating_sub(over));
        }
        store.txn(txn).await
    })
}

fn too_large_a_request_is_split() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        let over = txn.request_bytes().saturating_sub(store.limits().max_request_bytes);
        if over == 0 {
            return store.txn(txn).await;
        }
        if let Some(Op::Put { value, .. }) = txn.success.first_mut() {
            value.truncate(value.len().saturating_sub(over));
        }
        store.txn(txn).await
    })
}

fn a_refusal_does_not_name_the_limit() -> Twist {
    errors(|error| match error.kind() {
        BackendErrorKind::TooLarge => BackendError::new(BackendErrorKind::TooLarge, "it is too large"),
        _ => error,
    })
}

fn a_transaction_has_eight_operations_at_most() -> Twist {
    Twist::new().limits(|limits| limits.with_max_txn_ops(8))
}

fn long_keys_are_refused() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let is_long = |op: &Op| matches!(op, Op::Put { key, .. } if key.as_bytes().len() > 1024);
        if txn.success.iter().any(is_long) {
            return Err(BackendError::new(BackendErrorKind::InvalidRequest, "the key is long"));
        }
        store.txn(txn).await
    })
}

fn is_refusal(error: &BackendError) -> bool {
    !error.is_retryable() && !error.is_maybe_applied()
}

fn a_refusal_is_worth_another_attempt() -> Twist {
    errors(|error| if is_refusal(&error) { error.retryable() } else { error })
}

fn a_refusal_may_have_been_applied() -> Twist {
    errors(|error| if is_refusal(&error) { error.maybe_applied() } else { error })
}

fn every_failure_is_internal() -> Twist {
    errors(|error| BackendError::new(BackendErrorKind::Internal, error.message()).not_applied())
}

fn a_refused_transaction_is_applied_in_part() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let first = txn.success.first().cloned();
        let result = store.txn(txn).await;
        if let (Err(_), Some(first)) = (&result, first) {
            // The first step may be the one that was refused.
            drop(store.txn(Txn::new().then(first)).await);
        }
        result
    })
}

fn a_refused_transaction_takes_a_revision() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let result = store.txn(txn).await;
        if result.is_err() {
            let key = Key::new("refusals");
            store.txn(Txn::new().then(Op::Put { key, value: "one more".into(), lease: None })).await?;
        }
        result
    })
}

fn an_error_has_two_lines() -> Twist {
    errors(|error| {
        let refused = BackendError::new(error.kind(), format!("{}\nand more", error.message()));
        if is_refusal(&error) { refused.not_applied().not_retryable() } else { refused }
    })
}

fn a_dropped_transaction_is_torn() -> Twist {
    Twist::new().txn(|store, txn| async move {
        txn.check(&store.limits())?;
        one_by_one(store, txn).await
    })
}
