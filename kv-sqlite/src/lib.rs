#![doc = include_str!("../README.md")]

mod backend;
mod change;
mod clock;
mod error;
mod history;
mod hub;
mod lease;
mod meta;
mod notify_file;
mod open;
mod options;
mod page;
mod patience;
mod place;
#[cfg(test)]
mod plans;
mod readers;
mod schema;
mod store;
mod txn;
mod versions;
mod watch;
mod writer;

pub use backend::SqliteBackend;
pub use options::{Durability, SqliteOptions};
