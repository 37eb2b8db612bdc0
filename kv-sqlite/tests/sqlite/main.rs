//! The backend on real files, beside what the conformance suite asks of every backend.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[path = "../folder/mod.rs"]
mod folder;
mod histories;
mod history;
mod leases;
mod log_length;
mod opening;
#[cfg(target_os = "linux")]
mod refusals;
mod sharing;
mod support;
