//! The only place that maps paths and the names of locks to keys.

mod locks;
mod native;
mod parts;
mod prefix;
mod quarantine;

pub(crate) use native::Layout;
pub(crate) use parts::Half;
pub use prefix::KeyPrefix;
pub(crate) use quarantine::QuarantinePart;
