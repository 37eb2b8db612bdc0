//! What was aimed at, and what was measured. The names of workloads that only the long run has are those of that run.

use crate::row::{Fact, Figure, Measured, Row};

/// What single calls may cost, against the bare client doing the same in one call.
const SINGLE_CALLS: [&str; 11] = [
    "etcd/store-new/2KiB",
    "etcd/store-again/2KiB",
    "etcd/load/2KiB",
    "etcd/stat/file",
    "etcd/exists/file",
    "etcd/exists/directory",
    "etcd/exists/missing",
    "etcd/delete/file",
    "etcd/store-many/3",
    "etcd/store-many/64",
    "etcd/load-many/3",
];
const KVFS: &str = "kvfs";
const KVFS_IN_MEMORY: &str = "kvfs on kv-memory";
const PEERS: [&str; 2] = ["certmagic", "OpenDAL"];
const PEERS_IN_MEMORY: [&str; 2] = ["object_store + SHA-1", "OpenDAL memory + SHA-1"];

/// One of them.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) limit: Limit,
    pub(crate) unit: &'static str,
    /// The figure, and the workload or the reason why there is none.
    pub(crate) measured: Option<f64>,
    pub(crate) note: String,
}

/// What the figure must not exceed, or must reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    /// Whether it was reached; `None` if it was not measured.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let measured = self.measured?;
        Some(match self.limit {
            Limit::AtMost(most) => measured <= most,
            Limit::AtLeast(least) => measured >= least,
        })
    }
}

/// All of them.
pub(crate) fn goals(rows: &[Row], facts: &[Fact]) -> Vec<Goal> {
    let mut goals: Vec<_> = SINGLE_CALLS
        .into_iter()
        .chain(["etcd/load-many/64"])
        .map(|name| ratio(rows, name, KVFS, Limit::AtMost(1.05)))
        .collect();
    goals.push(ratio(rows, "etcd/lock-and-unlock", KVFS, Limit::AtMost(1.1)));
    goals.push(ratio(rows, "hand-over/2-waiters", KVFS, Limit::AtMost(1.0)));
    goals.push(more_waiters(rows));
    goals.push(ratio(rows, "trees/list-recursive/wide-1000000", KVFS, Limit::AtMost(1.5)));
    goals.push(memory(facts));
    goals.push(ratio(rows, "trees/list-children/wide-300000", KVFS, Limit::AtMost(1.5)));
    goals.push(ratio(rows, "trees/list-children/ten-1000000", KVFS, Limit::AtMost(1.0)));
    for name in ["etcd/clients-64/store", "etcd/clients-64/load"] {
        goals.push(ratio(rows, name, KVFS, Limit::AtLeast(0.95)));
    }
    goals.extend(PEERS.map(|peer| slowest_against(rows, peer)));
    for name in ["memory/threads-8/store", "memory/threads-8/load"] {
        goals.extend(PEERS_IN_MEMORY.map(|peer| against(rows, name, KVFS_IN_MEMORY, peer)));
    }
    for name in ["trees/store-at/1000000", "trees/load-at/1000000"] {
        goals.push(ratio(rows, name, "kvfs, this many", Limit::AtMost(1.1)));
    }
    goals
}

fn row<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.name == name)
}

/// The ratio to the first contender of a workload.
fn ratio(rows: &[Row], name: &str, contender: &str, limit: Limit) -> Goal {
    let row = row(rows, name);
    let floor = row.and_then(|row| row.measured.first()).map_or("the floor", |floor| &floor.contender);
    let measured = row.and_then(|row| row.of(contender));
    let note = measured.map_or_else(not_measured, |measured| {
        let ratio = measured.ratio;
        format!("quartiles {:.2} to {:.2}", ratio.lower_quartile, ratio.upper_quartile)
    });
    Goal {
        what: format!("{name}, against {floor}"),
        limit,
        unit: "×",
        measured: measured.map(|measured| measured.ratio.median),
        note,
    }
}

/// The longest queue against the shortest one.
fn more_waiters(rows: &[Row]) -> Goal {
    let p50 = |waiters| Some(row(rows, &format!("hand-over/{waiters}-waiters"))?.of(KVFS)?.p50_seconds);
    let both = p50(256).zip(p50(2));
    Goal {
        what: "hand-over with 256 waiters, against that with 2".to_owned(),
        limit: Limit::AtMost(1.5),
        unit: "×",
        measured: both.map(|(many, few)| many / few),
        note: both.map_or_else(not_measured, |_| String::new()),
    }
}

fn memory(facts: &[Fact]) -> Goal {
    let name = "trees/list-memory/wide-1000000";
    let fact = facts.iter().find(|fact| fact.name == name && fact.contender.starts_with(KVFS));
    Goal {
        what: format!("{name}, by the stream"),
        limit: Limit::AtMost(50.0),
        unit: "MiB",
        measured: fact.map(|fact| fact.value),
        note: fact.map_or_else(not_measured, |_| String::new()),
    }
}

/// Where kvfs does worst against a peer on etcd.
fn slowest_against(rows: &[Row], peer: &str) -> Goal {
    let shared = rows.iter().filter(|row| !row.name.starts_with("memory/") && !row.name.starts_with("disk/"));
    let compared =
        shared.filter_map(|row| Some((slower(row.figure, row.of(KVFS)?, row.of(peer)?), &row.name)));
    let worst = compared.max_by(|(a, _), (b, _)| a.total_cmp(b));
    Goal {
        what: format!("the worst workload on etcd, against {peer}"),
        limit: Limit::AtMost(1.0),
        unit: "×",
        measured: worst.map(|(ratio, _)| ratio),
        note: worst.map_or_else(not_measured, |(_, name)| name.clone()),
    }
}

/// How much more time one takes than the other.
fn slower(figure: Figure, one: &Measured, other: &Measured) -> f64 {
    match figure {
        Figure::Latency => one.p50_seconds / other.p50_seconds,
        Figure::Throughput => other.per_second / one.per_second,
    }
}

fn against(rows: &[Row], name: &str, contender: &str, peer: &str) -> Goal {
    let both = row(rows, name).and_then(|row| row.of(contender).zip(row.of(peer)));
    Goal {
        what: format!("{name}, against {peer}"),
        limit: Limit::AtLeast(1.0),
        unit: "×",
        measured: both.map(|(one, other)| one.per_second / other.per_second),
        note: both.map_or_else(not_measured, |_| String::new()),
    }
}

fn not_measured() -> String {
    "not measured in this run".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Spread;

    fn measured(contender: &str, p50_seconds: f64, ratio: f64) -> Measured {
        let ratio = Spread { lower_quartile: ratio, median: ratio, upper_quartile: ratio };
        let contender = contender.to_owned();
        Measured {
            contender,
            calls: 1,
            rounds: 1,
            p50_seconds,
            p99_seconds: p50_seconds,
            per_second: 1.0,
            ratio,
        }
    }

    #[test]
    fn a_goal_is_met_missed_or_not_measured() {
        let mut row = Row::new("etcd/load/2KiB".to_owned(), Figure::Latency);
        row.measured =
            vec![measured("raw", 1.0, 1.0), measured(KVFS, 1.2, 1.2), measured("certmagic", 2.0, 2.0)];
        let goals = goals(&[row], &[]);
        let met = |what: &str| goals.iter().find(|goal| goal.what.starts_with(what)).map(Goal::is_met);
        assert_eq!(met("etcd/load/2KiB, against raw"), Some(Some(false)));
        assert_eq!(met("the worst workload on etcd, against certmagic"), Some(Some(true)));
        assert_eq!(met("etcd/stat/file"), Some(None));
    }
}
