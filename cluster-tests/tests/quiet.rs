//! What waiting costs.

mod support;

use std::time::Duration;

use cluster_tests::Command;
use support::{Node, let_pass, on_each_store, stress_time};

const WAITING: usize = 30;

/// Short, so that all leases are renewed several times while the test looks.
const TTL: Duration = Duration::from_secs(3);

#[test]
fn waiting_writes_nothing() {
    on_each_store("quiet", |store| {
        let mut nodes = Node::start_many(store, TTL, 1 + WAITING);
        let (holder, waiting) = nodes.split_first_mut().unwrap();
        holder.tell(&Command::Lock { lock: "one".to_owned() });
        holder.locked("one");
        for node in waiting {
            node.tell(&Command::Lock { lock: "one".to_owned() });
        }
        holder.see_queue_of("one", 1 + WAITING);

        let before = store.counters();
        let_pass(stress_time());
        let after = store.counters();
        let written = growth(&before.written, &after.written);
        let alive = growth(&before.alive, &after.alive);
        println!(
            "quiet, {}: {WAITING} processes wait for {:.0?}: written: {written:?}; not written: {alive:?}",
            store.name(),
            stress_time(),
        );
        assert!(written.iter().all(|(_, more)| *more == 0.0), "{written:?}");
        assert!(alive[0].1 > 0.0, "the sessions were alive: {alive:?}");
    });
}

fn growth(before: &[(&'static str, f64)], after: &[(&'static str, f64)]) -> Vec<(&'static str, f64)> {
    before.iter().zip(after).map(|((name, before), (_, after))| (*name, after - before)).collect()
}
