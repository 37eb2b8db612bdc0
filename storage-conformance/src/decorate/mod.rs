//! Backends around other backends, which the cases use to look on.

mod counting;

pub use counting::{Calls, Counting};
