//! The cases of `docs/fs-contract.md` about trees that are shared with members that run the Go module caddy-etcd.

use crate::Case;

mod detection;
mod locks;
mod member;
mod names;
mod stored;
mod verifying;

/// The case tables, in the order of the contract.
pub(crate) const SUBJECTS: &[&[Case]] =
    &[stored::CASES, detection::CASES, names::CASES, locks::CASES, verifying::CASES];
