//! Leases that end early, late, or not at all, and keys that do not go with them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use storage_core::kv::{
    BackendError, BackendErrorKind, Compare, Key, KeyRange, KvBackendExt, Lease, LeaseId, Op, RangeRequest,
    Txn,
};
use tokio::sync::OnceCell;

use super::support::{pages, txns, without};
use super::twist::{Store, Twist};
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Store, ["KV-LEASE-1"], a_lease_is_granted_for_half_the_time),
    saboteur!(Store, ["KV-LEASE-1"], all_leases_are_one),
    saboteur!(Store, ["KV-LEASE-2"], entries_do_not_show_their_lease),
    saboteur!(Store, ["KV-LEASE-3"], a_lease_ends_early),
    saboteur!(Store, ["KV-LEASE-4"], a_lease_never_ends),
    saboteur!(Store, ["KV-LEASE-4"], a_key_outlives_its_lease),
    saboteur!(Store, ["KV-LEASE-5"], keep_alive_renews_nothing),
    saboteur!(Store, ["KV-LEASE-5"], keep_alive_answers_less_than_was_granted),
    saboteur!(Store, ["KV-LEASE-6"], keep_alive_of_a_dead_lease_is_accepted),
    saboteur!(Store, ["KV-LEASE-6"], revoking_a_dead_lease_is_accepted),
    saboteur!(Store, ["KV-LEASE-6"], a_put_with_a_dead_lease_is_a_put_without_one),
    saboteur!(Store, ["KV-LEASE-7"], a_put_without_a_lease_keeps_the_old_one),
    saboteur!(Store, ["KV-LEASE-8"], revoking_leaves_the_keys_to_the_ttl),
    saboteur!(Store, ["KV-LEASE-8"], revoking_deletes_the_keys_one_by_one),
    saboteur!(Store, ["KV-LEASE-10"], granting_takes_a_revision),
    saboteur!(Store, ["KV-LEASE-11"], asking_for_the_time_left_renews),
    saboteur!(Store, ["KV-LEASE-11"], the_time_left_is_always_the_ttl),
    saboteur!(Store, ["KV-LEASE-2", "KV-TXN-1"], leased_keys_are_put_over_each_other),
];

fn a_lease_is_granted_for_half_the_time() -> Twist {
    Twist::new().grant(|store, ttl| async move {
        let lease = store.grant(ttl).await?;
        Ok(Lease { ttl: lease.ttl / 2, ..lease })
    })
}

fn all_leases_are_one() -> Twist {
    let first = Arc::new(OnceCell::new());
    Twist::new().grant(move |store, ttl| {
        let first = Arc::clone(&first);
        async move {
            let lease = first.get_or_try_init(|| store.grant(Duration::from_secs(3600))).await?;
            Ok(Lease { ttl: ttl.max(store.limits().min_lease_ttl), ..*lease })
        }
    })
}

fn entries_do_not_show_their_lease() -> Twist {
    pages(|_, page| {
        for entry in &mut page.entries {
            entry.lease = None;
        }
    })
}

fn a_lease_ends_early() -> Twist {
    Twist::new().grant(|store, ttl| async move {
        let lease = store.grant(ttl).await?;
        tokio::spawn(async move {
            tokio::time::sleep(lease.ttl / 2).await;
            // It may have ended already.
            drop(store.revoke(lease.id).await);
        });
        Ok(lease)
    })
}

fn a_lease_never_ends() -> Twist {
    Twist::new().grant(|store, ttl| async move {
        let told = store.grant(ttl).await?;
        let endless = store.grant(Duration::from_secs(1_000_000)).await?;
        Ok(Lease { id: endless.id, ttl: told.ttl })
    })
}

fn a_key_outlives_its_lease() -> Twist {
    txns(|txn| {
        for op in &mut txn.success {
            if let Op::Put { lease, .. } = op {
                *lease = None;
            }
        }
    })
}

fn keep_alive_renews_nothing() -> Twist {
    Twist::new().keep_alive(|store, lease| async move {
        let left = store.time_to_live(lease).await?;
        Ok(left.max(Duration::from_secs(3600)))
    })
}

fn keep_alive_answers_less_than_was_granted() -> Twist {
    Twist::new().keep_alive(|store, lease| async move { Ok(store.keep_alive(lease).await? / 2) })
}

fn keep_alive_of_a_dead_lease_is_accepted() -> Twist {
    Twist::new().keep_alive(|store, lease| async move {
        match store.keep_alive(lease).await {
            Err(error) if error.kind() == BackendErrorKind::LeaseNotFound => Ok(Duration::from_secs(60)),
            result => result,
        }
    })
}

fn revoking_a_dead_lease_is_accepted() -> Twist {
    Twist::new().revoke(|store, lease| async move {
        match store.revoke(lease).await {
            Err(error) if error.kind() == BackendErrorKind::LeaseNotFound => Ok(()),
            result => result,
        }
    })
}

fn a_put_with_a_dead_lease_is_a_put_without_one() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        match store.txn(txn.clone()).await {
            Err(error) if error.kind() == BackendErrorKind::LeaseNotFound => {
                for op in &mut txn.success {
                    if let Op::Put { lease, .. } = op {
                        *lease = None;
                    }
                }
                store.txn(txn).await
            }
            result => result,
        }
    })
}

fn a_put_without_a_lease_keeps_the_old_one() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        for op in &mut txn.success {
            if let Op::Put { key, lease: lease @ None, .. } = op
                && !key.as_bytes().is_empty()
            {
                *lease = store.get(key.clone()).await?.and_then(|entry| entry.lease);
            }
        }
        store.txn(txn).await
    })
}

fn revoking_leaves_the_keys_to_the_ttl() -> Twist {
    Twist::new().revoke(|store, lease| async move { store.time_to_live(lease).await.map(drop) })
}

/// The keys of a lease, wherever in the store.
async fn keys_of(store: &Store, lease: LeaseId) -> Result<Vec<Key>, BackendError> {
    let page = store.range(RangeRequest::new(KeyRange::prefix(Key::new("").into_bytes()))).await?;
    let leased = page.entries.into_iter().filter(|entry| entry.lease == Some(lease));
    Ok(leased.map(|entry| entry.key).collect())
}

fn revoking_deletes_the_keys_one_by_one() -> Twist {
    Twist::new().revoke(|store, lease| async move {
        for key in keys_of(&store, lease).await? {
            store.txn(Txn::new().then(Op::Delete(key))).await?;
        }
        store.revoke(lease).await
    })
}

fn granting_takes_a_revision() -> Twist {
    Twist::new().grant(|store, ttl| async move {
        let lease = store.grant(ttl).await?;
        store.put(Key::new("leases"), lease.id.to_string().into()).await?;
        Ok(lease)
    })
}

fn asking_for_the_time_left_renews() -> Twist {
    Twist::new().time_to_live(|store, lease| async move {
        let left = store.time_to_live(lease).await?;
        store.keep_alive(lease).await?;
        Ok(left)
    })
}

fn the_time_left_is_always_the_ttl() -> Twist {
    let granted = Arc::new(Mutex::new(HashMap::new()));
    let noted = Arc::clone(&granted);
    Twist::new()
        .grant(move |store, ttl| {
            let granted = Arc::clone(&granted);
            async move {
                let lease = store.grant(ttl).await?;
                granted.lock().expect("not poisoned").insert(lease.id, lease.ttl);
                Ok(lease)
            }
        })
        .time_to_live(move |store, lease| {
            let ttl = noted.lock().expect("not poisoned").get(&lease).copied();
            async move {
                let left = store.time_to_live(lease).await?;
                Ok(ttl.unwrap_or(left))
            }
        })
}

fn leased_keys_are_put_over_each_other() -> Twist {
    without(|txn, compare| {
        let Compare::Absent(wanted) = compare else { return false };
        let puts = |op: &Op| matches!(op, Op::Put { key, lease: Some(_), .. } if key == wanted);
        txn.success.iter().any(puts)
    })
}
