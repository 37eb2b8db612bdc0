//! Trees whose calls are answered by somebody in front of them.

use super::{Saboteur, Seat};

/// What is wrong with the calls of a tree: what no store can bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// `a/../b` is `b`.
    ResolvePaths,
    /// `a//b` is `a/b`.
    MergeSlashes,
    /// What is not there is listed as if it were empty.
    ListNothing,
    /// Who has a lock gets it again.
    LockAgain,
    /// A lock that is taken is an error instead of a wait.
    LockNow,
    /// Unlocking frees whoever's lock it is.
    UnlockAnybody,
}

macro_rules! saboteur {
    ([$($clause:literal),+], $name:ident, $calls:ident) => {
        Saboteur {
            module: module_path!(),
            name: stringify!($name),
            clauses: &[$($clause),+],
            seat: Seat::Calls(Calls::$calls),
        }
    };
}

pub(super) const SABOTEURS: &[Saboteur] = &[
    saboteur!(["FS-PATH-2"], dots_are_resolved, ResolvePaths),
    saboteur!(["FS-PATH-2"], double_slashes_are_one, MergeSlashes),
    saboteur!(["FS-LIST-1"], what_is_not_there_is_an_empty_list, ListNothing),
    saboteur!(["FS-LOCK-1"], a_lock_is_reentrant, LockAgain),
    saboteur!(["FS-LOCK-4"], a_lock_that_is_taken_is_an_error, LockNow),
    saboteur!(["FS-LOCK-12"], unlocking_frees_anybodys_lock, UnlockAnybody),
];
