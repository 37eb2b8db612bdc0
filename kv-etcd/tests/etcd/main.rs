//! The backend on real servers, beside what the conformance suite asks of every backend.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod bootstrap;
mod deadline;
mod dropped_reads;
mod errors;
mod first_steps;
mod grant_repeated;
mod health;
mod large_sums;
mod member_lost;
mod membership;
mod no_member;
mod old_data;
mod oversize;
mod paging;
mod silent_links;
mod support;
mod txn_rules;
mod unreachable;
mod watching;
