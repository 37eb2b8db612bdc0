//! Counters that are raised by who finds them as they were.

use std::collections::HashMap;

use storage_core::kv::KvBackend;

use super::worker::Worker;
use crate::history::log::Log;
use crate::history::violation::{Rule, Violation};

const FILES: u32 = 3;
const DIRECTORY: &str = "counters";

/// Raises a counter, unless somebody else does so first.
pub(super) async fn step<B: KvBackend>(worker: &mut Worker<B>) {
    let path = worker.one_of(FILES, DIRECTORY);
    let raised = |count: u64, signature: String| format!("{} {signature}", count + 1);
    match worker.tree.load_file(&path).await {
        Ok(file) => {
            let Some(count) = count(&file.content) else { return };
            let content = raised(count, worker.signature());
            drop(worker.tree.store_if(&path, content, file.metadata.version).await);
        }
        Err(error) if error.is_not_found() => {
            let content = raised(0, worker.signature());
            drop(worker.tree.create(&path, content).await);
        }
        // It is in the history.
        Err(_) => {}
    }
}

/// Each counter counts from one on, one by one.
pub(super) fn check(log: &Log) -> Vec<Violation> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let mut violations = Vec::new();
    for transaction in &log.transactions {
        for (path, content) in &transaction.files {
            if !path.starts_with(DIRECTORY) {
                continue;
            }
            let before = counts.get(path.as_str()).copied().unwrap_or(0);
            let now = content.as_ref().and_then(|content| count(content));
            if now != Some(before + 1) {
                let expected = format!("{path} to count {} at {}", before + 1, transaction.revision);
                violations.push(Violation::new(Rule::Invariant, expected, format!("{content:?}")));
            }
            counts.insert(path, now.unwrap_or(before));
        }
    }
    violations
}

fn count(content: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(content).ok()?;
    text.split(' ').next()?.parse().ok()
}
