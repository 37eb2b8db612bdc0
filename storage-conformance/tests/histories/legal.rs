//! What a right store gives is accepted.

use std::time::Duration;

use storage_conformance::history::{check_registers, check_revisions};
use tokio::time::Instant;

use crate::generator::Shape;

#[test]
fn what_a_right_store_gives_is_accepted() {
    let mut files = 0;
    for seed in 0..2_000 {
        let (history, log) = Shape::short(seed).generate();
        let violations = check_revisions(&history, &log);
        assert!(violations.is_empty(), "seed {seed}: {}", violations[0]);
        let checked = check_registers(&history);
        assert!(checked.violations.is_empty(), "seed {seed}: {}", checked.violations[0]);
        files += checked.files;
    }
    assert!(files > 10_000, "{files}");
}

/// A million in a release build, where `cargo xtask faults` runs this as well.
const MANY: usize = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

#[test]
fn many_operations_take_seconds() {
    let (history, log) = Shape::long(1, MANY).generate();
    let began = Instant::now();
    let violations = check_revisions(&history, &log);
    let took = began.elapsed();
    println!("{} operations, {} transactions: {took:?}", history.len(), log.transactions.len());
    assert!(violations.is_empty(), "{}", violations[0]);
    assert!(took < Duration::from_secs(30), "{took:?}");
}
