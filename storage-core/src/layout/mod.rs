//! The only place that maps paths and the names of locks to keys.

mod locks;
mod native;
mod prefix;

pub(crate) use native::Layout;
pub use prefix::KeyPrefix;
