#![doc = include_str!("../README.md")]
// The case tables are complete because a case function that no table lists is dead code, and dead code does not build.
#![deny(dead_code)]
#![allow(clippy::unwrap_used, reason = "this crate is test code: what is unexpected fails the case")]

// First: its macro is there for what comes behind it.
#[macro_use]
mod assertions;
mod caddy_etcd;
mod case;
mod context;
pub mod contract;
pub mod decorate;
#[cfg(test)]
mod fakes;
mod files;
mod harness;
pub mod history;
mod kv;
mod layouts;
mod locks;
mod runner;
mod sabotage;
mod tree;
mod watching;

pub use case::cases;
pub use harness::{Harness, TestStore, Time};
pub use layouts::{Column, Exclusion, exclusions};
pub use runner::{check, run};
pub use sabotage::{Saboteur, run_saboteurs, saboteurs};

use case::{Case, case};
use context::Context;
