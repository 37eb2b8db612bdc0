//! Every operation with every fault at every call that it makes: [`check`].

mod faults;
mod operations;
mod scene;

use std::fmt;

use storage_conformance::Harness;

use self::faults::{BLOWS, Blow};
use self::operations::{OPERATIONS, Operation};
use self::scene::{Played, Scene};
use crate::property::in_runtime;

/// How much was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Operations, in all situations in which they are tried.
    pub operations: usize,
    /// Kinds of faults.
    pub faults: usize,
    /// Operations with a fault at one of their calls.
    pub combinations: usize,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, faults, combinations } = self;
        write!(
            f,
            "{combinations} combinations of {operations} operations, {faults} faults and each of their calls"
        )
    }
}

/// Lets the first call of each operation fail, then the second, and so on until it makes no more, in every way in which
/// calls can fail. After each the tree is as before or as it should be, as the answer says; no lock is held twice, no
/// key is left without an owner, and the storage can be used.
///
/// The stores of the harness must be empty from end to end and run on the paused clock.
///
/// # Panics
///
/// When that does not hold, with the operation, the fault and the call.
pub fn check(harness: &dyn Harness) -> Tried {
    let mut combinations = 0;
    for operation in OPERATIONS {
        let fair = in_runtime(async {
            Scene::set(harness.fresh().await, operation.start).await.play(operation).await
        });
        for blow in BLOWS {
            let mut call = 1;
            while in_runtime(strikes(harness, &Trial { operation, blow: *blow, call }, &fair)) {
                combinations += 1;
                call += 1;
                assert!(call < 200, "{} never comes to its end with {blow:?}", operation.name);
            }
            assert!(call > 1, "{} makes no call: nothing of it was tried", operation.name);
        }
    }
    Tried { operations: OPERATIONS.len(), faults: BLOWS.len(), combinations }
}

/// The operations that are tried: `Storage::store`, `LockGuard::unlock`, and so on, some of them several times.
pub fn operations() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|operation| operation.name)
}

/// An operation, of which the call of this number suffers a fault.
struct Trial<'o> {
    operation: &'o Operation,
    blow: Blow,
    call: u32,
}

impl fmt::Display for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation: Operation { name, start, .. }, blow, call } = self;
        write!(f, "{name} ({start:?}) with {blow:?} at call {call}")
    }
}

/// Plays the operation and looks at everything. Whether it has made the call that suffers the fault.
async fn strikes(harness: &dyn Harness, trial: &Trial<'_>, fair: &Played) -> bool {
    let mut scene = Scene::set(harness.fresh().await, trial.operation.start).await;
    let old = scene.contents().await;
    let struck = trial.blow.prepare(&scene.faulty, trial.call);
    let played = scene.play_within(trial.operation, trial.blow.patience()).await;
    scene.faulty.heal();
    let is_struck = struck.load(std::sync::atomic::Ordering::SeqCst);
    faults::nothing_is_on_its_way().await;
    scene.check_outcome(trial, &old, &played, fair).await;
    scene.check_locks(trial).await;
    scene.check_use(trial).await;
    scene.check_nothing_is_left(trial).await;
    is_struck
}
