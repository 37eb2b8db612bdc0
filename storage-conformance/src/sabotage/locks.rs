//! Locks that let two in, or nobody.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use storage_core::kv::{
    BackendErrorKind, Compare, Entry, Event, Key, KvBackendExt, Op, OpReply, Revision, Txn, TxnOutcome,
    TxnReply,
};

use super::support::{is_of, made_up, newest, txns, without};
use super::twist::Twist;
use super::{Saboteur, saboteur};

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(Storage, ["FS-LOCK-1"], whoever_comes_is_first),
    saboteur!(Storage, ["FS-LOCK-1", "FS-LOCK-4"], the_queue_is_in_the_order_of_names),
    saboteur!(Storage, ["FS-LOCK-5"], every_token_is_the_same),
    saboteur!(Storage, ["FS-LOCK-7"], who_is_woken_does_not_look_again),
    saboteur!(Storage, ["FS-LOCK-8"], who_waits_writes_now_and_then),
    saboteur!(Storage, ["FS-LOCK-9"], a_try_waits_its_turn),
    saboteur!(Storage, ["FS-LOCK-11"], a_released_lock_stays),
    saboteur!(Storage, ["FS-LOCK-11"], unlocking_answers_before_the_lock_is_free),
    saboteur!(Storage, ["FS-LOCK-13"], a_late_call_takes_a_lock_for_nobody),
    saboteur!(Storage, ["FS-SESSION-1"], the_key_of_a_lock_has_no_lease),
    saboteur!(Storage, ["FS-SESSION-2"], leases_are_not_renewed),
    saboteur!(Storage, ["FS-SESSION-3"], a_failed_renewal_is_taken_for_one),
    saboteur!(Storage, ["FS-SESSION-4", "FS-LOCK-1"], a_waiter_whose_lease_has_ended_gets_the_lock),
    saboteur!(Storage, ["FS-SESSION-7"], closing_leaves_the_locks_to_the_ttl),
    saboteur!(Storage, ["FS-FENCE-2"], fenced_writes_are_not_fenced),
    saboteur!(Storage, ["FS-OPERATOR-2"], a_broken_lock_is_not_broken),
];

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

/// Changes every queue that is read.
fn queues(change: impl Fn(&mut Vec<Entry>) + Clone + Send + Sync + 'static) -> Twist {
    let in_pages = change.clone();
    Twist::new()
        .range(move |store, request| {
            let change = in_pages.clone();
            async move {
                let is_queue = is_of(request.range.start(), "lock");
                let mut page = store.range(request).await?;
                if is_queue {
                    change(&mut page.entries);
                }
                Ok(page)
            }
        })
        .txn(move |store, txn| {
            let change = change.clone();
            async move {
                let is_queue: Vec<bool> = txn
                    .success
                    .iter()
                    .map(|op| matches!(op, Op::Get(get) if is_of(get.range.start(), "lock")))
                    .collect();
                let mut reply = store.txn(txn).await?;
                if let TxnOutcome::Matched(replies) = &mut reply.outcome {
                    for (reply, is_queue) in replies.iter_mut().zip(is_queue) {
                        if let (OpReply::Get(get), true) = (reply, is_queue) {
                            change(&mut get.entries);
                        }
                    }
                }
                Ok(reply)
            }
        })
}

/// Only the newest place is shown, which is that of who asks.
fn whoever_comes_is_first() -> Twist {
    queues(|places| {
        let newest = places.iter().map(|place| place.create_revision).max();
        places.retain(|place| Some(place.create_revision) == newest);
    })
}

fn the_queue_is_in_the_order_of_names() -> Twist {
    queues(|places| {
        let mut revisions: Vec<Revision> = places.iter().map(|place| place.create_revision).collect();
        revisions.sort_unstable();
        for (place, revision) in places.iter_mut().zip(revisions) {
            place.create_revision = revision;
        }
    })
}

fn every_token_is_the_same() -> Twist {
    queues(|places| {
        if let [only] = &mut places[..] {
            only.create_revision = Revision(1);
        }
    })
}

/// The places of this client, as a saboteur that is there once for each client sees them.
fn own_places() -> (Arc<Mutex<HashSet<Key>>>, impl Fn(&Txn) + Clone + Send + Sync + 'static) {
    let own: Arc<Mutex<HashSet<Key>>> = Arc::default();
    let noting = Arc::clone(&own);
    let note = move |txn: &Txn| {
        for op in &txn.success {
            match op {
                Op::Put { key, .. } if is_of(key, "lock") => drop(locked(&noting).insert(key.clone())),
                Op::Delete(key) => drop(locked(&noting).remove(key)),
                _ => {}
            }
        }
    };
    (own, note)
}

/// It is told that its own place is the only one.
fn who_is_woken_does_not_look_again() -> Twist {
    let (own, note) = own_places();
    Twist::new()
        .txn(move |store, txn| {
            note(&txn);
            async move { store.txn(txn).await }
        })
        .range(move |store, request| {
            let own = Arc::clone(&own);
            async move {
                let is_queue = is_of(request.range.start(), "lock");
                let mut page = store.range(request).await?;
                if is_queue {
                    page.entries.retain(|place| locked(&own).is_empty() || locked(&own).contains(&place.key));
                }
                Ok(page)
            }
        })
}

fn who_waits_writes_now_and_then() -> Twist {
    Twist::new().watch(|store, (range, after)| async move {
        let is_place = is_of(range.start(), "lock");
        let changes = store.watch(range, after).await?;
        if is_place {
            tokio::spawn(async move {
                for _ in 0..1000 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if store.put(Key::new("waiting"), "still".into()).await.is_err() {
                        return;
                    }
                }
            });
        }
        Ok(changes)
    })
}

/// The lock that was tried for is waited for, as long as the case has patience.
fn a_try_waits_its_turn() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let is_try =
            |compare: &Compare| matches!(compare, Compare::RangeEmpty(queue) if is_of(queue.start(), "lock"));
        if !txn.compares.iter().any(is_try) {
            return store.txn(txn).await;
        }
        for _ in 0..100 {
            let reply = store.txn(txn.clone()).await?;
            if matches!(reply.outcome, TxnOutcome::Matched(_)) {
                return Ok(reply);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        store.txn(txn).await
    })
}

fn a_released_lock_stays() -> Twist {
    txns(|txn| {
        for op in &mut txn.success {
            if let Op::Delete(key) = op
                && is_of(key, "lock")
            {
                *op = Op::Delete(Key::new("nothing"));
            }
        }
    })
}

fn unlocking_answers_before_the_lock_is_free() -> Twist {
    Twist::new().txn(|store, txn| async move {
        let is_release = |op: &Op| matches!(op, Op::Delete(key) if is_of(key, "lock"));
        if !txn.success.iter().any(is_release) {
            return store.txn(txn).await;
        }
        let revision = newest(&store).await?;
        let outcome = TxnOutcome::Matched(made_up(&txn));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(store.txn(txn).await);
        });
        Ok(TxnReply { revision, outcome })
    })
}

fn a_late_call_takes_a_lock_for_nobody() -> Twist {
    without(|_, compare| matches!(compare, Compare::ModRevision(key, _) if is_of(key, "session")))
}

fn the_key_of_a_lock_has_no_lease() -> Twist {
    txns(|txn| {
        for op in &mut txn.success {
            if let Op::Put { key, lease, .. } = op
                && is_of(key, "lock")
            {
                *lease = None;
            }
        }
    })
}

fn leases_are_not_renewed() -> Twist {
    Twist::new().keep_alive(|store, lease| async move { store.time_to_live(lease).await })
}

fn a_failed_renewal_is_taken_for_one() -> Twist {
    Twist::new().keep_alive(|store, lease| async move {
        match store.keep_alive(lease).await {
            Err(error) if error.kind() != BackendErrorKind::LeaseNotFound => Ok(Duration::from_secs(300)),
            result => result,
        }
    })
}

/// The session never learns that its lease has ended, and its places are shown to it for ever.
fn a_waiter_whose_lease_has_ended_gets_the_lock() -> Twist {
    let (own, note) = own_places();
    let shown = Arc::clone(&own);
    Twist::new()
        .keep_alive(|store, lease| async move {
            drop(store.keep_alive(lease).await);
            Ok(Duration::from_secs(300))
        })
        .watch(|store, (range, after)| async move {
            let is_session = is_of(range.start(), "session");
            let changes = store.watch(range, after).await?;
            Ok(changes
                .map(move |item| {
                    item.map(|mut batch| {
                        batch.events.retain(|event| !is_session || matches!(event, Event::Put(_)));
                        batch
                    })
                })
                .boxed())
        })
        .txn(move |store, txn| {
            note(&txn);
            async move { store.txn(txn).await }
        })
        .range(move |store, request| {
            let own = Arc::clone(&shown);
            async move {
                let range = request.range.clone();
                let mut page = store.range(request).await?;
                let gone = locked(&own).iter().find(|key| range.contains(key)).cloned();
                if let Some(key) = gone
                    && page.entries.iter().all(|entry| entry.key != key)
                {
                    let (create_revision, mod_revision) = (Revision(1), Revision(1));
                    let value = Bytes::new();
                    page.entries.insert(0, Entry { key, value, create_revision, mod_revision, lease: None });
                }
                Ok(page)
            }
        })
}

fn closing_leaves_the_locks_to_the_ttl() -> Twist {
    Twist::new().revoke(|store, lease| async move { store.time_to_live(lease).await.map(drop) })
}

fn fenced_writes_are_not_fenced() -> Twist {
    without(|_, compare| matches!(compare, Compare::Present(key) if is_of(key, "lock")))
}

/// It is looked for among the sessions, where it is not.
fn a_broken_lock_is_not_broken() -> Twist {
    Twist::new().txn(|store, mut txn| async move {
        let breaks = txn.success.iter().any(|op| matches!(op, Op::Put { key, .. } if is_of(key, "session")));
        if breaks {
            for op in &mut txn.success {
                if let Op::Delete(key) = op {
                    *key = Key::new("nothing");
                }
            }
        }
        store.txn(txn).await
    })
}
