//! What a right store gives is accepted.

use storage_conformance::history::{check_registers, check_revisions};
use tokio::time::Instant;

use crate::generator::Shape;

#[test]
fn what_a_right_store_gives_is_accepted() {
    let mut files = 0;
    for seed in 0..3_000 {
        let (history, log) = Shape::short(seed).generate();
        let violations = check_revisions(&history, &log);
        assert!(violations.is_empty(), "seed {seed}: {}", violations[0]);
        let checked = check_registers(&history);
        assert!(checked.violations.is_empty(), "seed {seed}: {}", checked.violations[0]);
        files += checked.files;
    }
    assert!(files > 10_000, "{files}");
}

#[test]
fn a_million_operations_take_seconds() {
    let began = Instant::now();
    let (history, log) = Shape::long(1, 1_000_000).generate();
    println!("generated in {:?}", began.elapsed());
    let began = Instant::now();
    let violations = check_revisions(&history, &log);
    println!("{} operations, {} transactions: {:?}", history.len(), log.transactions.len(), began.elapsed());
    assert!(violations.is_empty(), "{}", violations[0]);
}
