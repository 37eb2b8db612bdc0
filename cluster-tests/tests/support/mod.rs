//! What the tests here have in common: a store of each kind and version, nodes, and waiting for what they say.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(unused_imports, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod figures;
mod node;
mod store;
mod time;
mod tree;

pub(crate) use figures::Spread;
pub(crate) use node::Node;
pub(crate) use store::Store;
pub(crate) use time::{in_rounds, let_pass, stress_time, until};
pub(crate) use tree::open_tree;

/// What the keys of the nodes' tree begin with.
pub(crate) const PREFIX: &str = "/cluster";

/// Runs a test on each store, one after the other.
pub(crate) fn on_each_store(test: &str, body: impl Fn(&mut Store)) {
    for start in Store::each(test) {
        body(&mut start());
    }
}

/// Runs a test that mostly waits on all stores at once.
pub(crate) fn on_all_stores(test: &str, body: impl Fn(&mut Store) + Sync) {
    std::thread::scope(|scope| {
        for start in Store::each(test) {
            let body = &body;
            scope.spawn(move || body(&mut start()));
        }
    });
}
