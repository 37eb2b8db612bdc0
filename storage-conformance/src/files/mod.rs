//! The cases of `docs/fs-contract.md`.

use crate::Case;

pub(crate) mod cancel;
mod conditions;
mod cost;
mod damage;
mod delete;
mod directories;
mod errors;
mod file;
mod format;
mod groups;
mod list;
mod list_pages;
mod lost_answers;
mod lost_races;
mod paths;
pub(crate) mod quarantine;
mod rename;
mod stat;
pub(crate) mod support;
pub(crate) mod verify;

/// The case tables, in the order of the contract.
pub(crate) const SUBJECTS: &[&[Case]] = &[
    paths::CASES,
    file::CASES,
    directories::CASES,
    delete::CASES,
    stat::CASES,
    errors::CASES,
    list::CASES,
    list_pages::CASES,
    groups::CASES,
    conditions::CASES,
    rename::CASES,
    format::CASES,
    damage::CASES,
    verify::CASES,
    quarantine::CASES,
    lost_answers::CASES,
    lost_races::CASES,
    cost::CASES,
    cancel::CASES,
];
