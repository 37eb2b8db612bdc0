#![doc = include_str!("../README.md")]

pub mod countdown;
mod files;
pub mod kv;
mod property;
mod raw;
pub mod tree;

pub use property::{Property, Weather};
