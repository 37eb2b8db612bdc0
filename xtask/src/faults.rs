//! `cargo xtask faults`: the fault catalogue, for as long as it asks.

use anyhow::{Result, bail};

use crate::process;
use crate::setup::{self, Effort};

/// Rows of the catalogue that tests of other crates check, with the arguments of `cargo test`.
const ELSEWHERE: [(&str, &str, &[&str]); 6] = [
    (
        "F12",
        "certificates, names and passwords that are wrong",
        &[
            "--package",
            "kv-etcd",
            "--test",
            "tls",
            "--test",
            "tls_files",
            "--test",
            "auth",
            "--test",
            "secrets",
        ],
    ),
    (
        "C1",
        "every future is dropped at every await",
        &["--package", "kv-etcd", "--test", "conformance", "--", "cancel"],
    ),
    (
        "H",
        "a million operations pass the checker of histories",
        &[
            "--release",
            "--package",
            "storage-conformance",
            "--test",
            "histories",
            "--",
            "--nocapture",
            "many_operations",
        ],
    ),
    (
        "C2",
        "runtimes end under guards",
        &["--package", "kv-memory", "--test", "memory", "--", "lock_runtimes::"],
    ),
    (
        "C3",
        "the holder of a lock is killed",
        &["--package", "cluster-tests", "--test", "killed_holder", "--", "--nocapture", "--test-threads=1"],
    ),
    (
        "C5",
        "only renewals are cut off",
        &["--package", "cluster-tests", "--test", "renewal", "--", "--nocapture", "--test-threads=1"],
    ),
];

/// Runs the scenarios with these options; and without any, the tests elsewhere as well.
pub(crate) fn run(options: &[String]) -> Result<()> {
    let tools = setup::ensure(Effort::Sufficient)?;
    let mut table = Vec::new();
    if !options.iter().any(|option| option.starts_with("--only")) {
        for (name, what, arguments) in ELSEWHERE {
            let result = process::run(tools.cargo().arg("test").args(arguments));
            table.push((name, what, result.is_ok()));
        }
    }
    let mut cargo = tools.cargo();
    cargo.args(["run", "--release", "--package", "fault-tests", "--"]).args(options);
    let scenarios = process::run(&mut cargo);
    for (name, what, is_passed) in &table {
        let verdict = if *is_passed { "passed" } else { "FAILED" };
        println!("{name:<5} {:<8} {verdict:<7} {what}", "");
    }
    if table.iter().any(|(_, _, is_passed)| !is_passed) {
        bail!("some rows of the catalogue failed");
    }
    scenarios
}
