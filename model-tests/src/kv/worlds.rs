//! All the stores that are possible after what was seen.

use std::time::Duration;

use proptest::test_runner::TestCaseError;
use storage_core::kv::{KeyRange, LeaseId, Limits, Revision};
use tokio::time::Instant;

use super::call::Call;
use super::model::Model;

/// The models that have given all answers so far.
///
/// Where the contract leaves freedom, or a call may have been applied, there are several; whatever is seen afterwards
/// rules some of them out. A backend is wrong when none is left.
#[derive(Debug)]
pub(super) struct Worlds {
    possible: Vec<Model>,
    /// How long after its TTL a lease may still be there.
    lag: Duration,
}

impl Worlds {
    pub(super) fn new(revision: Revision, limits: Limits, lag: Duration) -> Self {
        Self { possible: vec![Model::new(revision, limits)], lag }
    }

    /// One of them, for choosing what to do next.
    pub(super) fn any(&self) -> &Model {
        self.possible.first().expect("one is always left")
    }

    /// The newest revision that certainly exists.
    pub(super) fn newest(&self) -> Revision {
        self.possible.iter().map(Model::newest).min().expect("one is always left")
    }

    /// Something was seen: rules out those to which it does not fit.
    pub(super) fn observe(
        &mut self,
        what: impl FnOnce() -> String,
        mut fit: impl FnMut(&mut Model) -> Result<(), String>,
    ) -> Result<(), TestCaseError> {
        let mut misfits = Vec::new();
        self.possible.retain_mut(|model| fit(model).map_err(|misfit| misfits.push(misfit)).is_ok());
        if self.possible.is_empty() {
            misfits.dedup();
            return Err(TestCaseError::fail(
                format!("{}\n{}", what(), misfits.join("\nor ")).replace('\n', "\n  "),
            ));
        }
        self.merge();
        Ok(())
    }

    /// Something happened for certain.
    pub(super) fn happen(&mut self, change: impl Fn(&mut Model)) {
        self.possible.iter_mut().for_each(change);
        self.merge();
    }

    /// Something may have happened or not.
    pub(super) fn split(&mut self, change: impl Fn(&mut Model)) {
        let mut changed = self.possible.clone();
        changed.iter_mut().for_each(change);
        self.possible.append(&mut changed);
        self.merge();
    }

    /// Some leases end, in any order. Of those without keys nobody can tell when.
    pub(super) fn end(&mut self, leases: &[LeaseId]) {
        for model in &mut self.possible {
            for lease in leases.iter().filter(|lease| !model.has_keys(**lease)).collect::<Vec<_>>() {
                model.end(*lease);
            }
        }
        for _ in leases {
            let models = self.possible.drain(..).flat_map(|model| without_one(&model, leases)).collect();
            self.possible = models;
            self.merge();
        }
    }

    /// It is now so late: leases whose time is over end, in any order in which they can, and late calls arrive.
    pub(super) fn pass(&mut self, now: Instant) {
        let mut waiting: Vec<Model> = self.possible.drain(..).collect();
        while let Some(mut model) = waiting.pop() {
            let due: Vec<_> = model.leases().filter(|(_, running)| running.ends <= now).collect();
            let must_end = due.iter().map(|(_, running)| running.ends + self.lag).min();
            let late = model.next_late().filter(|at| *at <= now);
            if late.is_none() {
                // Nobody can tell when one without keys has ended.
                let over = due
                    .iter()
                    .find(|(lease, running)| running.ends + self.lag <= now && !model.has_keys(*lease));
                if let Some((lease, _)) = over {
                    model.end(*lease);
                    waiting.push(model);
                    continue;
                }
                if due.is_empty() {
                    self.possible.push(model);
                    continue;
                }
                if must_end.is_none_or(|at| at > now) {
                    self.possible.push(model.clone());
                }
            }
            let first = must_end.into_iter().chain(late).min();
            for (lease, running) in due {
                if first.is_some_and(|first| running.ends <= first) {
                    let mut model = model.clone();
                    model.end(lease);
                    waiting.push(model);
                }
            }
            // What arrives when a lease certainly ends comes after that.
            if late.is_some_and(|late| must_end.is_none_or(|at| late < at)) {
                model.arrive();
                waiting.push(model);
            }
        }
        self.merge();
    }

    pub(super) fn late(&mut self, at: Instant, call: &Call) {
        self.happen(|model| model.expect_late(at, call.clone()));
    }

    /// Whether in each of them something is left to be told to who watches this range from there.
    pub(super) fn all_have_changes(&self, range: &KeyRange, after: Revision) -> bool {
        self.possible.iter().all(|model| model.next_change(range, after).is_some())
    }

    fn merge(&mut self) {
        let mut distinct: Vec<Model> = Vec::with_capacity(self.possible.len());
        for model in self.possible.drain(..) {
            if !distinct.contains(&model) {
                distinct.push(model);
            }
        }
        self.possible = distinct;
    }
}

/// What becomes of a store when one of these leases ends, if one of them is running.
fn without_one(model: &Model, leases: &[LeaseId]) -> Vec<Model> {
    let running = leases.iter().filter(|lease| model.lease(**lease).is_some());
    let ended = running.map(|lease| {
        let mut model = model.clone();
        model.end(*lease);
        model
    });
    let ended: Vec<_> = ended.collect();
    if ended.is_empty() { vec![model.clone()] } else { ended }
}
