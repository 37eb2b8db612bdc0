//! Pasts that change, and revisions that do not mean what they say.

use storage_core::kv::{
    BackendError, BackendErrorKind, Consistency, KeyRange, RangePage, RangeRequest, Revision, TxnOutcome,
};

use super::support::{newest, pages, replies, requests, writes};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Store, ["KV-SNAP-1"], a_page_is_as_old_as_its_newest_entry),
    saboteur!(Store, ["KV-SNAP-2"], entries_of_the_past_have_the_lease_of_today),
    saboteur!(Store, ["KV-SNAP-3"], a_snapshot_moves),
    saboteur!(Store, ["KV-SNAP-4"], a_serializable_read_of_the_past_lags_behind),
    saboteur!(Store, ["KV-SNAP-5"], the_future_is_now),
    saboteur!(Store, ["KV-SNAP-6"], a_compaction_is_not_reported),
    saboteur!(Store, ["KV-SNAP-6"], compaction_forgets_the_state_that_it_should_keep),
    saboteur!(Store, ["KV-SNAP-7"], revision_zero_is_the_newest),
    saboteur!(Store, ["KV-SNAP-8"], only_the_last_hundred_states_are_kept),
    saboteur!(Store, ["KV-SNAP-9"], a_serializable_read_is_of_two_states),
    saboteur!(Store, ["KV-REV-1"], a_revision_goes_back),
    saboteur!(Store, ["KV-REV-2"], a_transaction_answers_another_revision),
    saboteur!(Store, ["KV-REV-3"], a_key_is_created_with_every_put),
    saboteur!(Store, ["KV-REV-3"], a_key_that_returns_is_the_old_one),
];

/// The same request at the newest revision.
fn at_newest(request: &RangeRequest) -> RangeRequest {
    let mut request = request.clone();
    request.at = None;
    request
}

fn a_page_is_as_old_as_its_newest_entry() -> Twist {
    pages(|request, page| {
        if request.at.is_none()
            && let Some(newest) = page.entries.iter().map(|entry| entry.mod_revision).max()
        {
            page.revision = newest;
        }
    })
}

fn entries_of_the_past_have_the_lease_of_today() -> Twist {
    Twist::new().range(|store, request| async move {
        let mut page = store.range(request.clone()).await?;
        if request.at.is_some() {
            let now = at_newest(&request);
            for entry in store.range(now).await?.entries {
                let then = page.entries.iter_mut().find(|then| then.key == entry.key);
                if let Some(then) = then {
                    then.lease = entry.lease;
                }
            }
        }
        Ok(page)
    })
}

fn a_snapshot_moves() -> Twist {
    Twist::new().range(|store, request| async move {
        let now = at_newest(&request);
        // What is not there cannot be read, here neither.
        let then = store.range(request.clone()).await?;
        let page = store.range(now).await?;
        Ok(RangePage { revision: then.revision, ..page })
    })
}

fn a_serializable_read_of_the_past_lags_behind() -> Twist {
    Twist::new().range(|store, request| async move {
        let lagging = match request.at {
            Some(at) if request.consistency == Consistency::Serializable && at.0 > 1 => {
                request.clone().with_revision(Revision(at.0 - 1))
            }
            _ => request.clone(),
        };
        let mut page = store.range(lagging).await?;
        page.revision = request.at.unwrap_or(page.revision);
        Ok(page)
    })
}

/// Reads at the newest revision where the one asked for fails so, and says that it is that one.
fn newest_instead(kind: BackendErrorKind) -> Twist {
    Twist::new().range(move |store, request| async move {
        match store.range(request.clone()).await {
            Err(error) if error.kind() == kind => {
                let mut page = store.range(at_newest(&request)).await?;
                page.revision = request.at.unwrap_or(page.revision);
                Ok(page)
            }
            result => result,
        }
    })
}

fn the_future_is_now() -> Twist {
    newest_instead(BackendErrorKind::FutureRevision)
}

fn a_compaction_is_not_reported() -> Twist {
    newest_instead(BackendErrorKind::Compacted)
}

fn compaction_forgets_the_state_that_it_should_keep() -> Twist {
    Twist::new().range(|store, request| async move {
        if let Some(at) = request.at.filter(|at| at.0 > 1) {
            store.range(request.clone().with_revision(Revision(at.0 - 1))).await?;
        }
        store.range(request).await
    })
}

fn revision_zero_is_the_newest() -> Twist {
    requests(|request| request.at = request.at.filter(|at| *at != Revision::ZERO))
}

fn only_the_last_hundred_states_are_kept() -> Twist {
    Twist::new().range(|store, request| async move {
        let newest = newest(&store).await?;
        if request.at.is_some_and(|at| at.0 + 100 < newest.0) {
            return Err(BackendError::new(BackendErrorKind::Compacted, "only the last hundred are kept"));
        }
        store.range(request).await
    })
}

/// It says that it is as old as the change before.
fn a_serializable_read_is_of_two_states() -> Twist {
    pages(|request, page| {
        if request.at.is_none() && request.consistency == Consistency::Serializable {
            page.revision = Revision(page.revision.0.saturating_sub(1));
        }
    })
}

fn a_revision_goes_back() -> Twist {
    replies(|txn, reply| {
        if writes(txn)
            && matches!(reply.outcome, TxnOutcome::Matched(_))
            && reply.revision.0.is_multiple_of(3)
        {
            reply.revision = Revision(reply.revision.0 - 2);
        }
    })
}

fn a_transaction_answers_another_revision() -> Twist {
    replies(|_, reply| reply.revision = Revision(reply.revision.0 + 1))
}

fn a_key_is_created_with_every_put() -> Twist {
    pages(|_, page| {
        for entry in &mut page.entries {
            entry.create_revision = entry.mod_revision;
        }
    })
}

fn a_key_that_returns_is_the_old_one() -> Twist {
    Twist::new().range(|store, request| async move {
        let mut page = store.range(request.clone()).await?;
        for entry in &mut page.entries {
            for at in 1..entry.create_revision.0 {
                let then = RangeRequest::new(KeyRange::single(entry.key.clone()));
                let found = store.range(then.with_revision(Revision(at))).await;
                if let Some(old) = found.ok().and_then(|mut page| page.entries.pop()) {
                    entry.create_revision = old.create_revision;
                    break;
                }
            }
        }
        Ok(page)
    })
}
