//! Histories of what concurrent clients did, and whether a right store can have given them.
//!
//! A [`Recorder`] writes down what clients ask for and are told; [`RecordedStorage`] does that for every call of a
//! storage. [`Log`] is what the store itself says was done. [`check_revisions`] holds the two against each other.

mod log;
mod operation;
mod recorded;
mod recorder;
mod revisions;
mod violation;

pub use log::{Log, PlaceChange, PlaceKind, Transaction};
pub use operation::{Call, Loaded, Moment, Operation, Outcome};
pub use recorded::{RecordedGuard, RecordedStorage};
pub use recorder::{Begun, Recorder};
pub use revisions::check_revisions;
pub use violation::{Rule, Violation};
