//! The model of the file tree, its locks and its watches: [`check`] and [`check_long_listings`].

mod files;
mod follow;
mod guards;
mod listing;
mod locks;
mod queues;
mod run;
mod steps;

use crate::{Property, Weather};
use storage_conformance::Harness;

/// Holds random operations on a tree, through two storages, against the model.
///
/// The stores of the harness must be empty from end to end and run on the paused clock.
///
/// # Panics
///
/// When an answer is none that `docs/fs-contract.md` allows, or the store holds something else than was answered.
pub fn check(property: &Property, harness: &dyn Harness, weather: Weather) {
    property.check(steps::steps(weather), async |steps| run::run(harness.fresh().await, steps).await);
}

/// The same for trees whose listings take several pages: what is written and compacted between these must not matter.
///
/// # Panics
///
/// As [`check`].
pub fn check_long_listings(property: &Property, harness: &dyn Harness) {
    property.check(steps::long_listings(), async |steps| run::run(harness.fresh().await, steps).await);
}
