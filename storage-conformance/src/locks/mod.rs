//! The cases of `docs/fs-contract.md` about locks and sessions.

use crate::Case;

mod cancel;
mod cost;
mod exclusion;
mod fence;
pub(crate) mod lost_answers;
mod operator;
mod queue;
mod release;
mod sessions;
pub(crate) mod support;
mod try_lock;

/// The case tables, in the order of the contract.
pub(crate) const SUBJECTS: &[&[Case]] = &[
    exclusion::CASES,
    queue::CASES,
    try_lock::CASES,
    release::CASES,
    sessions::CASES,
    fence::CASES,
    operator::CASES,
    cost::CASES,
    cancel::CASES,
    lost_answers::CASES,
];
