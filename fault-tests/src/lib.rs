#![doc = include_str!("../README.md")]

mod check;
mod history;
mod log;
mod raw;
mod report;
mod run;
mod scenarios;
mod witness;
mod workload;

pub use report::Report;
pub use run::{Length, Setting};
pub use scenarios::{SCENARIOS, Scenario};
