//! What becomes of a lock whose session cannot be renewed.

mod support;

use std::time::Duration;

use cluster_tests::{At, Command, Event, Fence};
use support::{Node, Spread, let_pass, on_all_stores};

/// Long enough that a tenth of it, which a guard keeps as a margin, is more than a busy machine takes from a process.
const TTL: Duration = Duration::from_secs(5);

/// How many locks are lost at once.
const HOLDERS: usize = 3;

#[test]
fn a_guard_is_suspect_then_lost_before_the_store_can_end_the_lease() {
    on_all_stores("renewal", |store| {
        let mut next = Node::start(store, Duration::from_secs(30));
        let mut holders = Node::start_many(store, TTL, HOLDERS);
        let names: Vec<_> = (0..HOLDERS).map(|number| format!("lock-{number}")).collect();
        for (holder, name) in holders.iter_mut().zip(&names) {
            holder.tell(&Command::Lock { lock: name.clone() });
            holder.locked(name);
            next.tell(&Command::Lock { lock: name.clone() });
            next.see_queue_of(name, 2);
        }
        for holder in &mut holders {
            holder.tell(&Command::CutLease);
            holder.wait_for("cut", |event| matches!(event, Event::LeaseCut).then_some(()));
            let_pass(TTL / 20);
        }
        let mut margins = Spread::default();
        for (holder, name) in holders.iter_mut().zip(&names) {
            holder.state(name, "Suspect");
            let last_held = holder.state(name, "Lost");
            let lost = holder.lost(name);
            let ends = end_of_lease(holder);
            let (given_away, token) = next.locked(name);
            assert!(last_held < ends, "the guard counted as held {:?} too long", last_held.since(ends));
            assert!(lost < given_away, "`lost` came {:?} too late", lost.since(given_away));
            margins.add(given_away.since(lost));

            // Only renewing was cut: the next try is its own, with a new session.
            holder.tell(&Command::MendLease);
            holder.tell(&Command::Lock { lock: name.clone() });
            next.see_queue_of(name, 2);
            next.tell(&Command::Unlock { lock: name.clone() });
            next.unlocked(name);
            assert!(holder.locked(name).1 > token);
        }
        println!("renewal, {}: TTL {TTL:?}, from lost to given away: {margins}", store.name());
    });
}

#[test]
fn a_guard_is_lost_while_the_store_is_stopped_and_a_new_lock_works_afterwards() {
    on_all_stores("stopped store", |store| {
        let mut node = Node::start(store, TTL);
        node.tell(&Command::Lock { lock: "one".to_owned() });
        let (_, token) = node.locked("one");
        store.pause();
        node.state("one", "Suspect");
        let last_held = node.state("one", "Lost");
        let lost = node.lost("one");
        let ends = end_of_lease(&mut node);
        assert!(last_held < ends, "the guard counted as held {:?} too long", last_held.since(ends));
        // The guard knows it by itself: nobody is there to ask.
        let (lock, path, content) = ("one".to_owned(), "file".to_owned(), "late".to_owned());
        node.tell(&Command::Store { lock, path, content, fence: Fence::Fenced });
        assert_eq!(node.failed(), "LockLost");

        store.resume();
        let resumed = At::now();
        node.tell(&Command::Lock { lock: "one".to_owned() });
        let (at, next) = node.locked("one");
        println!(
            "stopped store, {}: TTL {TTL:?}, lost {:.1?} before the end of the lease; locked again {:.1?} after it went on",
            store.name(),
            ends.since(lost),
            at.since(resumed),
        );
        assert!(next > token);
    });
}

/// When the store could end the lease at the earliest: it counts from when it got the last renewal.
fn end_of_lease(node: &mut Node) -> At {
    node.tell(&Command::LastRenewal);
    let (_, (sent, ttl)) = node.wait_for("renewed", |event| match event {
        Event::Renewed { sent, ttl_millis } => Some((*sent, Duration::from_millis(*ttl_millis))),
        _ => None,
    });
    sent.plus(ttl)
}
