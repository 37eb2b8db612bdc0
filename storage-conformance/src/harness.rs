use std::sync::Arc;

use async_trait::async_trait;
use storage_core::kv::{KvBackend, Revision};

/// How the suite gets at stores of one kind. One harness is one column of the test report: "memory", "etcd-3.4.23".
///
/// No method has a default, so that nothing is left out by oversight.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// The first part of every test name.
    fn name(&self) -> String;

    /// Which clock the cases run on.
    fn time(&self) -> Time;

    /// Why the harness cannot run here, for instance that the server's program is not installed; `None` if it can.
    ///
    /// Its cases are then ignored, visibly, and fail where the environment variable `CI` is set.
    fn missing(&self) -> Option<String>;

    /// An empty store for one case.
    ///
    /// Until it is dropped nobody else writes to it, compacts it or makes leases in it: revisions count the case's own
    /// transactions only. A harness whose cases share one server therefore hands it out one at a time. It is called
    /// within the case's own runtime, and panics if there is no store to be had.
    async fn fresh(&self) -> Box<dyn TestStore>;
}

/// A store that belongs to one case. Dropping it is the teardown; it happens within the case's runtime, after a failed
/// case as well.
#[async_trait]
pub trait TestStore: Send + Sync {
    /// A new client of the store, independent of those before: what goes for two processes must go for two clients.
    async fn client(&self) -> Arc<dyn KvBackend>;

    /// What all keys of the case begin with. No key that begins with it exists yet.
    fn prefix(&self) -> String;

    /// Gives up all states before `revision`, and returns when the store does not answer for them any more.
    async fn compact(&self, revision: Revision);
}

/// Which clock the cases of a harness run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Tokio's paused clock: it jumps to the next timer whenever nothing can run. For a store inside this process
    /// whose leases use `tokio::time`; hours pass in no time.
    Paused,
    /// The machine's clock, for a store outside this process.
    Real,
}
