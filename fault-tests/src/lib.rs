#![doc = include_str!("../README.md")]

mod raw;
mod report;
mod run;
mod scenarios;
mod tree;
mod witness;

pub use report::Report;
pub use run::{Length, Setting};
pub use scenarios::{SCENARIOS, Scenario};
