//! How long a released lock takes to its next holder.

mod support;

use std::time::Duration;

use cluster_tests::{At, Command, Event};
use support::{Node, Spread, let_pass, on_each_etcd, stress_time};

const TTL: Duration = Duration::from_secs(30);

/// How often at least.
const ROUNDS: usize = 100;

#[test]
fn a_released_lock_is_handed_over_in_three_round_trips() {
    on_each_etcd("hand_over", |etcd| {
        let (mut a, mut b) = (Node::start(etcd, TTL), Node::start(etcd, TTL));
        let (mut hand_overs, mut raw) = (Spread::default(), Spread::default());
        let began = At::now();
        // In turns, so that what else the machine does meets both alike.
        while hand_overs.len() < ROUNDS || began.elapsed() < stress_time() / 2 {
            hand_overs.add(hand_over(&mut a, &mut b));
            raw.add(put_watch_read(&mut a, &mut b));
        }
        let ratio = hand_overs.median().as_secs_f64() / raw.median().as_secs_f64();
        println!("hand_over, {}: from unlock to locked: {hand_overs}", support::name(etcd));
        println!("hand_over, {}: put, watch, read:      {raw}", support::name(etcd));
        println!("hand_over, {}: ratio of the medians:  {ratio:.2}", support::name(etcd));
        // It takes the same three round trips; the rest is for a machine that does other things as well.
        assert!(ratio <= 3.0, "{ratio}");
    });
}

/// From just before `a` calls unlock until `b`, which was waiting, has the lock.
fn hand_over(a: &mut Node, b: &mut Node) -> Duration {
    let lock = || "one".to_owned();
    a.tell(&Command::Lock { lock: lock() });
    a.locked("one");
    b.tell(&Command::Lock { lock: lock() });
    a.see_queue_of("one", 2);
    settle();
    a.tell(&Command::Unlock { lock: lock() });
    let began = a.unlocked("one");
    let (at, _) = b.locked("one");
    b.tell(&Command::Unlock { lock: lock() });
    b.unlocked("one");
    at.since(began)
}

/// The same with the bare client: from just before `a` puts a key until `b`, which was watching it, has read it.
fn put_watch_read(a: &mut Node, b: &mut Node) -> Duration {
    let key = || "/raw/key".to_owned();
    b.tell(&Command::RawWatch { key: key() });
    b.wait_for("watching", |event| matches!(event, Event::RawWatching).then_some(()));
    settle();
    a.tell(&Command::RawPut { key: key() });
    let (_, began) = a.wait_for("put", |event| match event {
        Event::RawPut { began } => Some(*began),
        _ => None,
    });
    let (at, ()) = b.wait_for("seen", |event| matches!(event, Event::RawSeen).then_some(()));
    at.since(began)
}

/// Lets whoever waits come to rest: what is measured is being woken, not going to sleep. Nothing depends on it but the
/// figures.
fn settle() {
    let_pass(Duration::from_millis(5));
}
