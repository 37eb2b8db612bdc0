//! The cases of `docs/kv-contract.md`.

use crate::Case;

mod concurrency;
mod errors;
mod leases;
mod limits;
mod ranges;
mod reads;
mod revisions;
mod snapshots;
mod support;
mod txn;
mod watch;
mod watch_edges;

/// The case tables, in the order of the contract.
pub(crate) const SUBJECTS: &[&[Case]] = &[
    reads::CASES,
    ranges::CASES,
    snapshots::CASES,
    txn::CASES,
    revisions::CASES,
    concurrency::CASES,
    leases::CASES,
    watch::CASES,
    watch_edges::CASES,
    limits::CASES,
    errors::CASES,
];
