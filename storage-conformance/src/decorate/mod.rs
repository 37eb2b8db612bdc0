//! Backends around other backends, which the cases use to look on and to get in the way.

mod counting;
mod faulty;

pub use counting::{Calls, Counting};
pub use faulty::{Call, Fault, Faulty};
