//! The model of a backend: [`check`].

mod call;
mod model;
mod run;
mod steps;
mod watches;
mod worlds;

use std::time::Duration;

use crate::{Property, Weather};
use storage_conformance::Harness;

/// How long a change may take to come to who watches it: far more than any store needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Holds random calls of two clients against the model.
///
/// The stores of the harness must be empty from end to end and run on the paused clock. `lag` is how long after its TTL a
/// lease may still be there.
///
/// # Panics
///
/// When an answer is none that `docs/kv-contract.md` allows, with the fewest steps that were found to lead to it.
pub fn check(property: &Property, harness: &dyn Harness, lag: Duration, weather: Weather) {
    property.check(steps::steps(weather == Weather::Foul), async |steps| {
        run::run(harness.fresh().await, steps, lag).await
    });
}
