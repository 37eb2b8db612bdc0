#![doc = include_str!("../README.md")]

mod clock;
mod protocol;

pub use clock::At;
pub use protocol::{Command, Event, Failure, Fence, Report, Seen};
