//! The cases of `docs/fs-contract.md` about following the tree.

use crate::Case;

mod changes;
mod interrupted;
mod sharing;
mod support;

/// The case tables, in the order of the contract.
pub(crate) const SUBJECTS: &[&[Case]] = &[changes::CASES, interrupted::CASES, sharing::CASES];
