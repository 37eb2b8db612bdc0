//! The only place that maps paths and the names of locks to keys, and files to what is stored of them.

mod choice;
mod detect;
pub(crate) mod go;
mod keys;
mod locks;
mod parts;
mod prefix;
mod quarantine;
mod values;

pub use choice::{LayoutChoice, LayoutKind};
pub(crate) use detect::{READS, detect, mixed, reads};
pub(crate) use keys::Layout;
pub(crate) use parts::Half;
pub use prefix::KeyPrefix;
pub(crate) use quarantine::QuarantinePart;
