#![doc = include_str!("../README.md")]

mod choice;
mod json;
mod keys;
mod seen;
mod target;
mod text;

pub use bolero;
pub use choice::Choice;
pub use json::{Json, value};
pub use keys::KeyBytes;
pub use seen::Seen;
pub use target::{QUICK_INPUTS, Target, Verdict, counted};
pub use text::{Pair, Pairs, Texts, one_line};
