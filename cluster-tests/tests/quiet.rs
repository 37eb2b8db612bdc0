//! What waiting costs.

mod support;

use std::time::Duration;

use cluster_tests::Command;
use etcd_process::EtcdProcess;
use support::{Node, let_pass, metric, on_all_etcds, stress_time};

const WAITING: usize = 30;

/// Short, so that all leases are renewed several times while the test looks.
const TTL: Duration = Duration::from_secs(3);

#[test]
fn waiting_writes_nothing() {
    on_all_etcds("quiet", |etcd| {
        let mut nodes = Node::start_many(etcd, TTL, 1 + WAITING);
        let (holder, waiting) = nodes.split_first_mut().unwrap();
        holder.tell(&Command::Lock { lock: "one".to_owned() });
        holder.locked("one");
        for node in waiting {
            node.tell(&Command::Lock { lock: "one".to_owned() });
        }
        holder.see_queue_of("one", 1 + WAITING);

        let before = Counters::read(etcd);
        let_pass(stress_time());
        let after = Counters::read(etcd);
        let [renewals, reads] = [after.renewals - before.renewals, after.reads - before.reads];
        let written: [f64; 4] = std::array::from_fn(|index| after.written[index] - before.written[index]);
        let [puts, deletions, txns, revisions] = written;
        println!(
            "quiet, {}: {WAITING} processes wait for {:.0?}: {puts} puts, {deletions} deletions, {txns} transactions, \
             {revisions} revisions; {renewals} renewals, {reads} reads",
            support::name(etcd),
            stress_time(),
        );
        assert!(written.iter().all(|more| *more == 0.0), "{written:?} of {:?}", Counters::WRITTEN);
        assert!(renewals > 0.0, "the sessions were alive: {renewals} renewals");
    });
}

struct Counters {
    /// Those that grow when something is written.
    written: [f64; 4],
    renewals: f64,
    reads: f64,
}

impl Counters {
    const WRITTEN: [&str; 4] = [
        "etcd_mvcc_put_total",
        "etcd_mvcc_delete_total",
        "etcd_mvcc_txn_total",
        "etcd_debugging_mvcc_current_revision",
    ];

    fn read(etcd: &EtcdProcess) -> Self {
        Self {
            written: Self::WRITTEN.map(|name| metric(etcd, name)),
            renewals: metric(etcd, "etcd_debugging_lease_renewed_total"),
            reads: metric(etcd, "etcd_mvcc_range_total"),
        }
    }
}
