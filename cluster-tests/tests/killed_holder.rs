//! What becomes of the lock of a process that is killed.

mod support;

use std::time::Duration;

use cluster_tests::Command;
use support::{Node, PREFIX, Spread, Store, in_rounds, let_pass, on_all_stores};

/// The shortest that etcd grants with its default settings.
const TTL: Duration = Duration::from_secs(2);

/// How many are killed in a round, each holding a lock of its own.
const HOLDERS: usize = 5;

/// What may come on top of the TTL: etcd looks twice a second for leases that have ended.
const MARGIN: Duration = Duration::from_secs(1);

#[test]
fn the_next_in_the_queue_has_the_lock_of_a_killed_process_when_its_lease_ends() {
    on_all_stores("killed_holder", |store| {
        let mut spread = Spread::default();
        in_rounds(|number| round(store, number, &mut spread));
        println!("killed_holder, {}: TTL {TTL:?}, from kill -9 to locked: {spread}", store.name());
        assert!(spread.max() <= TTL + MARGIN, "{spread}");
    });
}

fn round(store: &Store, round: u32, spread: &mut Spread) {
    let mut next = Node::start(store, Duration::from_secs(30));
    let mut holders = Node::start_many(store, TTL, HOLDERS);
    let names: Vec<_> = (0..HOLDERS).map(|number| format!("lock-{round}-{number}")).collect();
    for (holder, name) in holders.iter_mut().zip(&names) {
        holder.tell(&Command::Lock { lock: name.clone() });
        holder.locked(name);
        assert_eq!(store.granted_ttl(&format!("{PREFIX}/lock/{name}/")), TTL);
        next.tell(&Command::Lock { lock: name.clone() });
        next.see_queue_of(name, 2);
    }
    // At different times since the last renewal.
    let killed: Vec<_> = holders
        .iter_mut()
        .map(|holder| {
            let_pass(TTL / 10);
            holder.kill()
        })
        .collect();
    for (name, killed) in names.iter().zip(killed) {
        let (at, _) = next.locked(name);
        spread.add(at.since(killed));
    }
}
