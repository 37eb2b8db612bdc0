//! What the tests here have in common: an etcd of each version that is installed, nodes, and waiting for what they say.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(unused_imports, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod figures;
mod node;
mod store;
mod time;

pub(crate) use figures::Spread;
pub(crate) use node::Node;
pub(crate) use store::{granted_ttl, keys_below, metric};
pub(crate) use time::{in_rounds, let_pass, stress_time, until};

use etcd_process::{EtcdBinary, EtcdProcess};

/// What the keys of the nodes' tree begin with.
pub(crate) const PREFIX: &str = "/cluster";

/// Runs a test against each version of etcd, one after the other.
pub(crate) fn on_each_etcd(test: &str, body: impl Fn(&mut EtcdProcess)) {
    for binary in EtcdBinary::find_all_for_test(test) {
        body(&mut EtcdProcess::start(&binary).unwrap());
    }
}

/// Runs a test that mostly waits against all versions of etcd at once.
pub(crate) fn on_all_etcds(test: &str, body: impl Fn(&mut EtcdProcess) + Sync) {
    std::thread::scope(|scope| {
        for binary in EtcdBinary::find_all_for_test(test) {
            let body = &body;
            scope.spawn(move || body(&mut EtcdProcess::start(&binary).unwrap()));
        }
    });
}

/// How a test calls the server in what it prints.
pub(crate) fn name(etcd: &EtcdProcess) -> String {
    format!("etcd {}", etcd.binary().version)
}

/// Whether no newer version is installed.
pub(crate) fn is_newest(etcd: &EtcdProcess) -> bool {
    EtcdBinary::find_all().last() == Some(etcd.binary())
}
