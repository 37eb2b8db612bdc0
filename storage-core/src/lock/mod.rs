//! Locks: a queue per name in the store, whose places are bound to the leases of sessions.

mod acquire;
mod gate;
mod guard;
mod hold;
mod local;
mod name;
mod operator;
mod options;
mod place;
mod queue;
mod state;
mod wait;

pub(crate) use gate::Gate;
pub use guard::LockGuard;
pub(crate) use hold::Hold;
pub(crate) use local::LocalQueues;
pub use name::LockName;
pub use operator::LockEntry;
pub use options::LockOptions;
pub use state::{FencingToken, LockState};
