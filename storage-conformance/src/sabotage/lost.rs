//! Storages that guess what became of a write whose answer was lost.

use storage_core::kv::{BackendError, BackendErrorKind, Compare, Txn, TxnOutcome, TxnReply};

use super::support::{made_up, newest, without, writes};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Storage, ["FS-LOST-2", "FS-LOST-3"], a_write_without_an_answer_is_sent_again_blindly),
    saboteur!(Storage, ["FS-LOST-1"], a_write_without_an_answer_is_reported_as_not_applied),
    saboteur!(Storage, ["FS-LOST-1"], a_write_without_an_answer_is_reported_as_applied),
    saboteur!(Storage, ["FS-LOST-2"], nothing_keeps_a_late_attempt_out),
    saboteur!(Storage, ["FS-LOST-6"], a_full_store_is_believed),
];

fn is_lost(error: &BackendError, txn: &Txn) -> bool {
    error.is_maybe_applied() && writes(txn)
}

fn a_write_without_an_answer_is_sent_again_blindly() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let mut tries = 3;
        loop {
            match store.txn(txn.clone()).await {
                Err(error) if is_lost(&error, &txn) && tries > 0 => tries -= 1,
                result => return result,
            }
        }
    })
}

fn a_write_without_an_answer_is_reported_as_not_applied() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let lost = |error: BackendError| {
            if is_lost(&error, &txn) { error.not_applied() } else { error }
        };
        store.txn(txn.clone()).await.map_err(lost)
    })
}

fn a_write_without_an_answer_is_reported_as_applied() -> Twist {
    Twist::new().txn(|store, txn| async move {
        match store.txn(txn.clone()).await {
            Err(error) if is_lost(&error, &txn) => {
                let outcome = TxnOutcome::Matched(made_up(&txn));
                Ok(TxnReply { revision: newest(&store).await?, outcome })
            }
            result => result,
        }
    })
}

/// Writes do not compare the format key, which is put to fence them off.
fn nothing_keeps_a_late_attempt_out() -> Twist {
    without(
        |_, compare| matches!(compare, Compare::ModRevision(key, _) if key.as_bytes().ends_with(b"/tree/format")),
    )
}

fn a_full_store_is_believed() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let believed = |error: BackendError| match error.kind() {
            BackendErrorKind::NoSpace => error.not_applied(),
            _ => error,
        };
        store.txn(txn).await.map_err(believed)
    })
}
