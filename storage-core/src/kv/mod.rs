//! What a store must offer, and the words for it.
//!
//! [`KvBackend`] is the one trait that a store implements: a page of a key range, an atomic transaction, leases, and
//! a watch. It has no default methods and no capability flags. Every backend meets the whole contract
//! (`docs/kv-contract.md`, whose clause numbers stand in the documentation below); only its numeric [`Limits`] differ.
//! Sugar for callers lives in [`KvBackendExt`].
//!
//! This module imports nothing else of the crate: a backend needs to know nothing about files or locks.

mod backend;
mod check;
mod error;
mod ext;
mod key;
mod lease;
mod limits;
mod range;
mod revision;
mod txn;
mod watch;

pub use backend::KvBackend;
pub use error::{BackendError, BackendErrorKind};
pub use ext::{KvBackendExt, ScanStream};
pub use key::{Key, KeyRange};
pub use lease::{Lease, LeaseId};
pub use limits::Limits;
pub use range::{Consistency, Cursor, Entry, Projection, RangePage, RangeRequest};
pub use revision::Revision;
pub use txn::{Compare, Get, GetReply, Op, OpReply, Txn, TxnOutcome, TxnReply};
pub use watch::{Event, WatchBatch, WatchStream};
