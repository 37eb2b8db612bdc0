//! Histories of what concurrent clients did, and whether a right store can have given them.
//!
//! A [`Recorder`] writes down what clients ask for and are told; [`RecordedStorage`] does that for every call of a
//! storage. [`Log`] is what the store itself says was done. [`check_revisions`] holds the two against each other; [`check_registers`] does
//! without the log.
//!
//! [`Load`] lets clients work on any storage, in ways that are likely to show what is wrong with it, and [`check_work`]
//! says whether something is. To hold it against a backend of your own:
//!
//! ```no_run
//! # use storage_core::{Storage, StorageOptions, kv::{KvBackend, Revision}};
//! # async fn example<B: KvBackend>(open: impl AsyncFn() -> Storage<B>) -> Result<(), storage_core::kv::BackendError> {
//! use storage_conformance::history::{Load, Log, Plan, Recorder, check_work};
//!
//! let (recorder, trees) = (Recorder::new(), [open().await, open().await, open().await]);
//! Load::start(&trees, &Plan::mixed(1, 1_000), &recorder).done().await;
//! let log = Log::read(trees[0].backend(), trees[0].prefix(), Revision::ZERO).await?;
//! assert_eq!(check_work(&recorder.history(), &log), []);
//! # Ok(())
//! # }
//! ```

mod log;
mod operation;
mod recorded;
mod recorder;
mod registers;
mod revisions;
mod violation;
mod workload;

pub use log::{Log, PlaceChange, PlaceKind, Transaction};
pub use operation::{Call, Loaded, Moment, Operation, Outcome};
pub use recorded::{RecordedGuard, RecordedStorage};
pub use recorder::{Begun, Recorder};
pub use registers::{
    Effect, Guard, MOST_AT_ONCE, NotLinearizable, RegisterCall, RegistersChecked, check_register,
    check_registers,
};
pub use revisions::check_revisions;
pub use violation::{Rule, Violation};
pub use workload::{Fencing, Load, Plan, Work, check_work};
