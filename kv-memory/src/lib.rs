#![doc = include_str!("../README.md")]

mod backend;
mod error;
mod lease;
mod log;
mod options;
mod page;
mod state;
mod store;
mod txn;
mod versions;
mod watch;

pub use backend::MemoryBackend;
pub use options::MemoryOptions;
