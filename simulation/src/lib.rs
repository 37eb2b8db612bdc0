#![doc = include_str!("../README.md")]

mod chance;
mod client;
mod clock;
mod counts;
mod events;
mod holders;
mod judge;
mod link;
mod locks;
mod many;
mod plan;
mod simulation;
mod store;
mod trace;
mod watcher;
mod watches;
mod worker;
mod world;

pub use counts::Counts;
pub use many::{Many, run_many};
pub use simulation::{Run, run, run_on};
