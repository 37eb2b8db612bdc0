//! `kvfs bench` measures everything, and leaves nothing behind.

use crate::support::started::{interrupt, until};
use crate::support::{Kvfs, on_each_etcd};

const OPERATIONS: [&str; 9] =
    ["bare-read", "bare-write", "store", "load", "stat", "exists", "list-100", "delete", "lock-unlock"];

#[test]
fn everything_is_measured_and_nothing_is_left() {
    on_each_etcd("bench", |kvfs, etcd| {
        kvfs.put("others", b"are not touched");
        let before = etcd.etcdctl(&["get", "--prefix", ""]).unwrap();
        let measured = kvfs.run(&["--json", "bench", "--seconds", "1", "--size", "100", "--clients", "3"]);
        let measured = measured.succeeded().objects();
        let names: Vec<_> = measured.iter().map(|one| one["operation"].as_str().unwrap()).collect();
        assert_eq!(names, OPERATIONS);
        for one in &measured {
            let number = |name: &str| one[name].as_f64().unwrap();
            assert!(number("count") >= 3.0 && number("per_second") > 0.0, "{one}");
            assert!(number("p50_ms") <= number("p90_ms") && number("p99_ms") <= number("max_ms"), "{one}");
            assert!(number("p50_ms") > 0.0, "{one}");
            assert_eq!(
                one.get("ratio").is_none(),
                one["operation"].as_str().unwrap().starts_with("bare"),
                "{one}"
            );
        }
        assert_eq!(etcd.etcdctl(&["get", "--prefix", ""]).unwrap(), before);
    });
}

#[test]
fn a_table_shows_the_same() {
    let table = Kvfs::on_memory().ok(&["bench", "--seconds", "1"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        rows[0],
        ["OPERATION", "COUNT", "PER-SECOND", "P50-MS", "P90-MS", "P99-MS", "MAX-MS", "RATIO"]
    );
    assert_eq!(rows[1..].iter().map(|row| row[0]).collect::<Vec<_>>(), OPERATIONS);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_in_order() {
    on_each_etcd("bench signal", |kvfs, etcd| {
        let bench = kvfs.start(&["bench", "--seconds", "600"]);
        let writes = || etcd.etcdctl(&["get", "--prefix", "/caddy/kvfs-bench-", "--keys-only"]).unwrap();
        until("it should write", || writes().contains("/data/files/0").then_some(()));
        let (signal, code) = interrupt();
        bench.signal(signal);
        let run = bench.wait();
        assert_eq!(run.code, code, "{run:?}");
        run.said(&["kvfs: bench: interrupted; ", " of 9 were measured", "what it has written is removed"]);
        assert_eq!(writes(), "");
    });
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let memory = Kvfs::on_memory();
    memory.run(&["bench", "--size", "2000000"]).failed(2, &["--size is 2000000", "at most 1572864"]);
    // Its metadata has no room beside it.
    memory.run(&["bench", "--size", "1572864"]).failed(2, &["too large", "what it has written is removed"]);
}
