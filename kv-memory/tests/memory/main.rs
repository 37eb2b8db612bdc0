//! The store and the file tree on it, beside what the conformance suite asks of every backend.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod broken_stores;
mod compaction;
mod concurrency;
mod first_steps;
mod golden_tree;
mod histories;
mod history_log;
mod leases;
mod local_queue;
mod lock_runtimes;
mod paging;
mod snapshots;
mod transactions;
mod watching;
