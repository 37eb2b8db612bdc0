//! Stores and storages that are broken on purpose, each in one way: a case that names the broken clause must find it out.
//!
//! A saboteur sits in front of a good store and changes what goes in or comes out. There are three places to sit:
//!
//! - between the cases and the store: then the *store* is broken;
//! - between the file tree and its store, above whatever faults a case injects there: then the *storage* is;
//! - in front of the file tree: then calls to it are answered wrongly.
//!
//! A new one is a function and a line in the table of its file.

use std::fmt;

mod calls;
mod files;
mod files_written;
mod leases;
mod limits;
mod locks;
mod lost;
mod ranges;
mod reads;
mod run;
mod snapshots;
mod support;
mod twist;
mod txn;
mod txn_ops;
mod verifying;
mod watch;
mod watching;

pub(crate) use calls::Calls;
pub use run::run_saboteurs;
pub(crate) use twist::Twist;

/// A way to break a store or a storage.
pub struct Saboteur {
    module: &'static str,
    name: &'static str,
    /// The clauses of the contract that it breaks.
    clauses: &'static [&'static str],
    seat: Seat,
}

/// Where a saboteur sits, and how to make what it does there.
#[derive(Clone, Copy)]
pub(crate) enum Seat {
    /// In front of the store; once for each store, for all its clients.
    Store(fn() -> Twist),
    /// Between the file tree and its client; once for each tree that is opened.
    Storage(fn() -> Twist),
    /// In front of the file tree.
    Calls(Calls),
}

impl Saboteur {
    /// Its subject and its name: `ranges::the_end_of_a_range_belongs_to_it`.
    pub fn full_name(&self) -> String {
        let subject = self.module.rsplit("::").next().unwrap_or_default();
        format!("{subject}::{}", self.name)
    }

    /// The clauses of the contract that it breaks. A case that names one of them has to fail.
    pub fn clauses(&self) -> &'static [&'static str] {
        self.clauses
    }

    pub(crate) fn seat(&self) -> Seat {
        self.seat
    }
}

impl fmt::Debug for Saboteur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saboteur")
            .field("name", &self.full_name())
            .field("clauses", &self.clauses)
            .finish_non_exhaustive()
    }
}

/// A line of a table of saboteurs: where it sits, the clauses that it breaks, then the function.
macro_rules! saboteur {
    ($seat:ident, [$($clause:literal),+], $function:ident) => {
        $crate::sabotage::Saboteur {
            module: module_path!(),
            name: stringify!($function),
            clauses: &[$($clause),+],
            seat: $crate::sabotage::Seat::$seat($function),
        }
    };
}
use saboteur;

/// All saboteurs.
pub fn saboteurs() -> impl Iterator<Item = &'static Saboteur> {
    [
        reads::SABOTEURS,
        ranges::SABOTEURS,
        snapshots::SABOTEURS,
        txn::SABOTEURS,
        txn_ops::SABOTEURS,
        leases::SABOTEURS,
        watch::SABOTEURS,
        limits::SABOTEURS,
        files::SABOTEURS,
        files_written::SABOTEURS,
        lost::SABOTEURS,
        verifying::SABOTEURS,
        locks::SABOTEURS,
        watching::SABOTEURS,
        calls::SABOTEURS,
    ]
    .into_iter()
    .flatten()
}
