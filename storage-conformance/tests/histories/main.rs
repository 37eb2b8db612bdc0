//! The checkers of histories: what is legal passes, what is not is found.
#![allow(clippy::unwrap_used, reason = "the helpers of a test are tests")]

mod generator;
mod known;
mod legal;
mod mutant;
mod mutations;
mod registers;
mod world;
