//! The only place that maps paths to keys.

mod native;
mod prefix;

pub(crate) use native::{FORMAT, Layout};
pub use prefix::KeyPrefix;
