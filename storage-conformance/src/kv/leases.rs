//! Leases, and the keys attached to them.
//!
//! A lease begins after its grant was sent, so a key that is read as gone sooner than its TTL after that moment was
//! taken away early. That holds without any margin, however slow the machine is; how soon a lease ends *after* its TTL
//! is only bounded by patience.

use std::collections::BTreeSet;
use std::time::Duration;

use storage_core::kv::{BackendErrorKind, Compare, Event, KvBackendExt, Lease, LeaseId, Op, Txn};
use tokio::time::Instant;

use super::support::{
    Changes, Client, deleted, matched, newest, not_matched, ops, put, put_leased, refused, state, there,
};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-LEASE-1"], a_lease_runs_at_least_as_long_as_asked_for),
    case!(["KV-LEASE-1", "KV-ERR-1"], a_lease_that_is_too_long_is_refused),
    case!(["KV-LEASE-2"], a_key_shows_its_lease_to_every_client),
    case!(["KV-LEASE-2"], a_lease_goes_on_without_its_client),
    case!(["KV-LEASE-2", "KV-TXN-1"], a_leased_key_is_created_only_once),
    case!(["KV-LEASE-3", "KV-LEASE-4"], a_lease_does_not_end_early_but_it_ends),
    case!(["KV-LEASE-4", "KV-WATCH-5"], the_keys_of_an_ended_lease_vanish_together),
    case!(["KV-LEASE-4", "KV-CONC-4"], leases_that_end_together_have_revisions_of_their_own),
    case!(["KV-LEASE-5"], keep_alive_starts_the_ttl_again),
    case!(["KV-LEASE-5"], a_lease_kept_alive_outlives_its_ttl),
    case!(["KV-LEASE-6", "KV-ERR-1", "KV-ERR-2"], an_ended_lease_is_not_found),
    case!(["KV-LEASE-6", "KV-ERR-1", "KV-ERR-2"], a_revoked_lease_is_not_found),
    case!(["KV-LEASE-6", "KV-ERR-1", "KV-ERR-2"], a_lease_that_never_was_is_not_found),
    case!(["KV-LEASE-6", "KV-TXN-6"], a_compare_that_does_not_hold_goes_before_a_lease_that_has_ended),
    case!(["KV-LEASE-7"], a_put_decides_anew_about_the_lease),
    case!(["KV-LEASE-8"], revoking_deletes_the_keys_at_once_and_together),
    case!(["KV-LEASE-9"], a_deleted_key_is_detached),
    case!(["KV-LEASE-10"], leases_alone_change_nothing),
    case!(["KV-LEASE-11"], the_time_left_begins_with_the_ttl),
    case!(["KV-LEASE-11"], the_time_left_falls_although_it_is_asked_for),
    case!(["KV-LEASE-11", "KV-LEASE-3", "KV-LEASE-4"], a_lease_that_is_only_asked_about_ends),
    case!(["KV-LEASE-11", "KV-LEASE-5"], keep_alive_raises_the_time_left),
];

async fn a_lease_runs_at_least_as_long_as_asked_for(context: Context) {
    let clients = [context.client().await, context.client().await];
    let client = &clients[0];
    let shortest = client.limits().min_lease_ttl;
    let mut ids = BTreeSet::new();
    let asked = [0, 1, 999, 1000, 1500, 2001, 60_000, 3_600_000].map(Duration::from_millis);
    for (number, ttl) in asked.into_iter().enumerate() {
        let lease = clients[number % 2].grant(ttl).await.unwrap();
        assert!(lease.ttl >= ttl, "asked for {ttl:?}: {lease:?}");
        assert!(lease.ttl >= shortest, "the shortest is {shortest:?}: {lease:?}");
        ids.insert(lease.id);
    }
    assert_eq!(ids.len(), asked.len(), "every lease has a name of its own");
    for id in ids {
        client.revoke(id).await.unwrap();
    }
}

async fn a_lease_that_is_too_long_is_refused(context: Context) {
    let client = context.client().await;
    for ttl in [Duration::from_secs(1 << 40), Duration::from_secs(1 << 62), Duration::MAX] {
        let granted = client.grant(ttl).await;
        match &granted {
            Ok(lease) => assert!(lease.ttl >= ttl, "asked for {ttl:?}: {lease:?}"),
            Err(_) => drop(refused(granted, BackendErrorKind::TooLarge)),
        }
    }
    let lease = long(&client).await.id;
    matched(&client, ops([put_leased(context.key("k"), "v", lease)])).await;
    assert_eq!(there(&client, &context.key("k")).await.lease, Some(lease), "a shorter one can be had");
}

async fn a_key_shows_its_lease_to_every_client(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let lease = long(&one).await.id;
    matched(&one, ops([put_leased(context.key("a"), "v", lease), put(context.key("b"), "v")])).await;
    matched(&other, ops([put_leased(context.key("c"), "v", lease)])).await;
    for client in [one, other] {
        let entries = state(&client, context.all()).await.entries;
        let leases: Vec<_> = entries.iter().map(|entry| entry.lease).collect();
        assert_eq!(leases, [Some(lease), None, Some(lease)]);
    }
}

async fn a_lease_goes_on_without_its_client(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let lease = long(&one).await;
    matched(&one, ops([put_leased(context.key("k"), "v", lease.id)])).await;
    drop(one);
    let ttl = other.keep_alive(lease.id).await.unwrap();
    assert!(ttl >= lease.ttl, "{lease:?} was renewed for {ttl:?} only");
    assert_eq!(there(&other, &context.key("k")).await.lease, Some(lease.id));
    other.revoke(lease.id).await.unwrap();
    assert_eq!(other.get(context.key("k")).await.unwrap(), None);
}

async fn a_leased_key_is_created_only_once(context: Context) {
    let client = context.client().await;
    let (first, second) = (long(&client).await.id, long(&client).await.id);
    let key = context.key("lock");
    let create =
        |lease| Txn::new().when(Compare::Absent(key.clone())).then(put_leased(key.clone(), "holder", lease));
    matched(&client, create(first)).await;
    not_matched(&client, create(second)).await;
    assert_eq!(there(&client, &key).await.lease, Some(first));
    client.revoke(first).await.unwrap();
    matched(&client, create(second)).await;
    assert_eq!(there(&client, &key).await.lease, Some(second));
}

async fn a_lease_does_not_end_early_but_it_ends(context: Context) {
    let client = context.client().await;
    let sent = Instant::now();
    let lease = short(&client).await;
    matched(&client, ops([put_leased(context.key("k"), "v", lease.id)])).await;
    let ended = gone(&context, &client, "k", lease.ttl).await;
    assert!(ended - sent >= lease.ttl, "{lease:?} was ended after {:?}", ended - sent);
}

async fn the_keys_of_an_ended_lease_vanish_together(context: Context) {
    let client = context.client().await;
    let lease = short(&client).await;
    let leased = ["a", "b", "c"].map(|name| context.key(name));
    let puts = leased.iter().map(|key| put_leased(key.clone(), "v", lease.id));
    let (revision, _) = matched(&client, ops(puts).then(put(context.key("stays"), "v"))).await;
    let mut changes = Changes::watch(&client, context.all(), revision).await;
    let batch = changes.next().await;
    assert!(batch.revision > revision, "after {revision}: {batch:?}");
    assert_eq!(batch.events, leased.map(|key| deleted(&key, batch.revision)));
    assert_eq!(state(&client, context.all()).await.keys(), [context.key("stays")]);
}

async fn leases_that_end_together_have_revisions_of_their_own(context: Context) {
    let client = context.client().await;
    let start = newest(&client, &context).await;
    let mut changes = Changes::watch(&client, context.all(), start).await;
    let keys = ["a", "b", "c"].map(|name| context.key(name));
    for key in &keys {
        let lease = short(&client).await.id;
        matched(&client, ops([put_leased(key.clone(), "v", lease)])).await;
    }
    let mut ended = Vec::new();
    for _ in 0..2 * keys.len() {
        let batch = changes.next().await;
        assert_eq!(batch.events.len(), 1, "{batch:?}");
        ended.extend(batch.events.into_iter().filter(|event| matches!(event, Event::Delete { .. })));
    }
    ended.sort_by(|one, other| one.key().cmp(other.key()));
    assert_eq!(ended.iter().map(|event| event.key().clone()).collect::<Vec<_>>(), keys);
}

async fn keep_alive_starts_the_ttl_again(context: Context) {
    let client = context.client().await;
    let lease = renewable(&client).await;
    matched(&client, ops([put_leased(context.key("k"), "v", lease.id)])).await;
    context.sleep(lease.ttl / 2).await;
    let sent = Instant::now();
    let ttl = client.keep_alive(lease.id).await.unwrap();
    assert!(ttl >= lease.ttl, "{lease:?} was renewed for {ttl:?} only");
    let ended = gone(&context, &client, "k", ttl).await;
    assert!(ended - sent >= ttl, "it was ended {:?} after it was renewed for {ttl:?}", ended - sent);
}

async fn a_lease_kept_alive_outlives_its_ttl(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let lease = renewable(&one).await;
    matched(&one, ops([put_leased(context.key("k"), "v", lease.id)])).await;
    for client in [&one, &other, &one, &other] {
        context.sleep(lease.ttl * 2 / 5).await;
        client.keep_alive(lease.id).await.unwrap();
    }
    there(&one, &context.key("k")).await;
    one.revoke(lease.id).await.unwrap();
}

async fn an_ended_lease_is_not_found(context: Context) {
    let client = context.client().await;
    let lease = short(&client).await;
    matched(&client, ops([put_leased(context.key("k"), "v", lease.id)])).await;
    gone(&context, &client, "k", lease.ttl).await;
    not_found(&context, &client, lease.id).await;
}

async fn a_revoked_lease_is_not_found(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let lease = long(&one).await;
    one.revoke(lease.id).await.unwrap();
    not_found(&context, &one, lease.id).await;
    not_found(&context, &other, lease.id).await;
}

async fn a_lease_that_never_was_is_not_found(context: Context) {
    let client = context.client().await;
    let real = long(&client).await.id;
    let never = LeaseId::new(real.get() ^ 0x5555).expect("no lease differs from zero in these bits only");
    not_found(&context, &client, never).await;
    client.keep_alive(real).await.unwrap();
}

async fn a_compare_that_does_not_hold_goes_before_a_lease_that_has_ended(context: Context) {
    let client = context.client().await;
    let lease = long(&client).await.id;
    client.revoke(lease).await.unwrap();
    let fails = Txn::new().when(Compare::Present(context.key("missing")));
    not_matched(&client, fails.then(put_leased(context.key("k"), "v", lease))).await;
    assert_eq!(state(&client, context.all()).await.entries, []);
}

async fn a_put_decides_anew_about_the_lease(context: Context) {
    let client = context.client().await;
    let (first, second) = (long(&client).await.id, long(&client).await.id);
    let [detached, moved, kept] = ["detached", "moved", "kept"].map(|name| context.key(name));
    let all = [&detached, &moved, &kept].map(|key| put_leased(key.clone(), "1", first));
    matched(&client, ops(all)).await;
    let again = [
        put(detached.clone(), "2"),
        put_leased(moved.clone(), "2", second),
        put_leased(kept.clone(), "2", first),
    ];
    matched(&client, ops(again)).await;
    let entries = state(&client, context.all()).await.entries;
    let leases: Vec<_> = entries.iter().map(|entry| entry.lease).collect();
    assert_eq!(leases, [None, Some(first), Some(second)]);
    client.revoke(first).await.unwrap();
    assert_eq!(state(&client, context.all()).await.keys(), [detached.clone(), moved]);
    client.revoke(second).await.unwrap();
    assert_eq!(state(&client, context.all()).await.keys(), [detached]);
}

async fn revoking_deletes_the_keys_at_once_and_together(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let lease = long(&one).await.id;
    let leased = ["a", "b/1", "c"].map(|name| context.key(name));
    let puts = leased.iter().map(|key| put_leased(key.clone(), "v", lease));
    let (revision, _) = matched(&one, ops(puts).then(put(context.key("stays"), "v"))).await;
    let mut changes = Changes::watch(&other, context.all(), revision).await;
    one.revoke(lease).await.unwrap();
    let after = state(&other, context.all()).await;
    assert_eq!(after.keys(), [context.key("stays")]);
    assert!(after.revision > revision, "after {revision}: {after:?}");
    changes.expect(after.revision, leased.iter().map(|key| deleted(key, after.revision)).collect()).await;
}

async fn a_deleted_key_is_detached(context: Context) {
    let client = context.client().await;
    let lease = long(&client).await.id;
    let keys = ["a", "b"].map(|name| context.key(name));
    matched(&client, ops(keys.clone().map(|key| put_leased(key, "1", lease)))).await;
    matched(&client, ops([Op::Delete(keys[0].clone()), Op::DeleteRange(context.below("b"))])).await;
    matched(&client, ops(keys.clone().map(|key| put(key, "2")))).await;
    client.revoke(lease).await.unwrap();
    let left = state(&client, context.all()).await;
    assert_eq!(left.keys(), keys);
    assert!(left.entries.iter().all(|entry| entry.lease.is_none()), "{left:?}");
}

async fn leases_alone_change_nothing(context: Context) {
    let client = context.client().await;
    let lease = long(&client).await.id;
    matched(&client, ops([put_leased(context.key("k"), "v", lease)])).await;
    let before = state(&client, context.all()).await;
    client.keep_alive(lease).await.unwrap();
    client.time_to_live(lease).await.unwrap();
    let unused = long(&client).await.id;
    client.keep_alive(unused).await.unwrap();
    client.time_to_live(unused).await.unwrap();
    client.revoke(unused).await.unwrap();
    assert_eq!(state(&client, context.all()).await, before);
    assert_eq!(newest(&client, &context).await, before.revision);
    client.revoke(lease).await.unwrap();
    assert_eq!(state(&client, context.all()).await.entries, []);
}

async fn the_time_left_begins_with_the_ttl(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let sent = Instant::now();
    let lease = long(&one).await;
    for client in [one, other] {
        let left = client.time_to_live(lease.id).await.unwrap();
        assert!(left > Duration::ZERO && left <= lease.ttl, "{left:?} of {lease:?}");
        assert!(left + ROUNDING + sent.elapsed() > lease.ttl, "{left:?} of {lease:?}");
    }
}

async fn the_time_left_falls_although_it_is_asked_for(context: Context) {
    let client = context.client().await;
    let lease = renewable(&client).await;
    let granted = Instant::now();
    until_half_over(&context, &client, lease, granted).await;
    client.revoke(lease.id).await.unwrap();
}

async fn a_lease_that_is_only_asked_about_ends(context: Context) {
    let client = context.client().await;
    let sent = Instant::now();
    let lease = short(&client).await;
    matched(&client, ops([put_leased(context.key("k"), "v", lease.id)])).await;
    let probe = || async {
        let answer = client.time_to_live(lease.id).await;
        answer.is_err().then(|| {
            refused(answer, BackendErrorKind::LeaseNotFound);
            Instant::now()
        })
    };
    let ended = context.eventually("the lease ends", lease.ttl + Context::PATIENCE, probe).await;
    assert!(ended - sent >= lease.ttl, "{lease:?} was ended after {:?}", ended - sent);
    assert_eq!(client.get(context.key("k")).await.unwrap(), None, "its key goes with it");
}

async fn keep_alive_raises_the_time_left(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let lease = renewable(&one).await;
    let granted = Instant::now();
    until_half_over(&context, &one, lease, granted).await;
    let sent = Instant::now();
    let ttl = one.keep_alive(lease.id).await.unwrap();
    for client in [&one, &other] {
        let left = client.time_to_live(lease.id).await.unwrap();
        assert!(left <= ttl, "{left:?} of {ttl:?}");
        assert!(left + ROUNDING + sent.elapsed() > ttl, "{left:?} of {ttl:?}");
    }
    one.revoke(lease.id).await.unwrap();
}

/// By less than this the time left may be rounded down.
const ROUNDING: Duration = Duration::from_secs(1);

/// Asks a lease that was known to be granted at this moment for the time left, until half of it is over. No answer is
/// more than can be left by then.
async fn until_half_over(context: &Context, client: &Client, lease: Lease, granted: Instant) {
    let probe = || async {
        let asked = Instant::now();
        let left = client.time_to_live(lease.id).await.unwrap();
        assert!(left + (asked - granted) <= lease.ttl, "{left:?} of {lease:?} after {:?}", asked - granted);
        (left <= lease.ttl / 2).then_some(())
    };
    context.eventually("half of the lease is over", lease.ttl, probe).await;
}

/// A lease that a case waits out.
async fn short(client: &Client) -> Lease {
    client.grant(Duration::from_secs(1)).await.unwrap()
}

/// A lease that a case keeps alive: long enough that a machine under load does so in time.
async fn renewable(client: &Client) -> Lease {
    client.grant(Duration::from_secs(5)).await.unwrap()
}

/// A lease that does not end before its case does.
async fn long(client: &Client) -> Lease {
    client.grant(Duration::from_secs(600)).await.unwrap()
}

/// Waits until the key of a lease has gone, and answers when that was known.
async fn gone(context: &Context, client: &Client, name: &str, ttl: Duration) -> Instant {
    let key = context.key(name);
    let probe = || async {
        let entry = client.get(key.clone()).await.unwrap();
        entry.is_none().then(Instant::now)
    };
    context.eventually("the lease ends and takes its key along", ttl + Context::PATIENCE, probe).await
}

async fn not_found(context: &Context, client: &Client, lease: LeaseId) {
    let before = state(client, context.all()).await;
    refused(client.keep_alive(lease).await, BackendErrorKind::LeaseNotFound);
    refused(client.time_to_live(lease).await, BackendErrorKind::LeaseNotFound);
    refused(client.revoke(lease).await, BackendErrorKind::LeaseNotFound);
    let alone = ops([put_leased(context.key("late"), "v", lease)]);
    let among_others = ops([
        put(context.key("other"), "v"),
        put_leased(context.key("late"), "v", lease),
        Op::DeleteRange(context.below("old")),
    ]);
    for txn in [alone, among_others] {
        refused(client.txn(txn).await, BackendErrorKind::LeaseNotFound);
        assert_eq!(state(client, context.all()).await, before);
    }
    // The keys concerned are free for others.
    matched(
        client,
        Txn::new().when(Compare::Absent(context.key("late"))).then(put(context.key("late"), "v")),
    )
    .await;
    matched(client, ops([Op::Delete(context.key("late"))])).await;
}
