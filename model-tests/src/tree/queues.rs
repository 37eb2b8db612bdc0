//! Whether those hold locks and wait for them who have to.

use std::collections::BTreeMap;

use futures::FutureExt;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use storage_core::{ErrorKind, LockState};
use tokio::time::Instant;

use super::guards::{Held, State, Waiting, is_lock_outage, is_name};
use super::locks::Task;
use super::run::{Checked, Disturbed, Run};
use crate::raw::Snapshot;

impl Run {
    /// Compares who holds and who waits with the queues. After something that is not predicted (`disturbed`) the queues
    /// of the store are taken over, if they are ones that can be.
    pub(super) fn check_locks(&mut self, snapshot: &Snapshot, disturbed: Disturbed) -> Checked {
        let shown: BTreeMap<String, Vec<Task>> = snapshot
            .queues
            .iter()
            .map(|(name, places)| {
                let tasks = places.iter().map(|place| place.label.parse().unwrap_or_default());
                (name.replace("%2F", "/").replace("%25", "%"), tasks.collect())
            })
            .collect();
        if disturbed.is_some() {
            self.adopt(&shown, disturbed)?;
        }
        self.let_late_ones_go()?;
        let expected: BTreeMap<String, Vec<Task>> =
            self.locks.names().map(|name| (name.to_owned(), self.locks.places(name))).collect();
        prop_assert_eq!(&shown, &expected, "the queues in the store");
        self.admit_holders()?;
        for held in &self.guards {
            let is_held = held.state == State::Held;
            prop_assert_eq!(held.guard.is_held(), is_held, "{:?} of {:?}", held.guard, held.task);
            prop_assert_eq!(
                held.guard.lost().now_or_never().is_none(),
                is_held,
                "lost() of {:?}",
                held.guard
            );
            if is_held {
                prop_assert_eq!(self.locks.holder(&held.name), Some(held.task), "who holds {:?}", held.name);
                let escaped = held.name.replace('%', "%25").replace('/', "%2F");
                let token = snapshot.queues[&escaped][0].token;
                prop_assert_eq!(held.guard.token().get(), token, "the token of {:?}", held.guard);
                prop_assert!(
                    disturbed.is_some() || held.guard.state() == LockState::Held,
                    "{:?}",
                    held.guard
                );
            }
        }
        Ok(())
    }

    /// Who has waited long enough has left; and who wanted what is no lock is refused.
    fn let_late_ones_go(&mut self) -> Checked {
        self.waiting.sort_by_key(|waiting| waiting.deadline);
        let now = Instant::now();
        let is_late = |waiting: &mut Waiting, holder: Option<Task>| {
            waiting.deadline.is_some_and(|at| at <= now) && holder != Some(waiting.task)
                || !is_name(&waiting.name)
        };
        let mut index = 0;
        while index < self.waiting.len() {
            let holder = self.locks.holder(&self.waiting[index].name);
            if !is_late(&mut self.waiting[index], holder) {
                index += 1;
                continue;
            }
            let waiting = self.waiting.remove(index);
            let expected =
                if is_name(&waiting.name) { ErrorKind::LockTimeout } else { ErrorKind::InvalidName };
            let ended = waiting.handle.now_or_never().map(|ended| ended.expect("no task panics"));
            let kind = ended.map(|ended| ended.map_err(|error| error.kind()).map(|guard| guard.token()));
            prop_assert_eq!(kind, Some(Err(expected)), "{:?}", waiting.name);
            self.locks.leave(waiting.client, &waiting.name, waiting.task);
        }
        Ok(())
    }

    fn adopt(&mut self, shown: &BTreeMap<String, Vec<Task>>, fault: Disturbed) -> Checked {
        let now = Instant::now();
        for waiting in
            self.waiting.extract_if(.., |waiting| is_name(&waiting.name) && waiting.handle.is_finished())
        {
            let Waiting { client, name, task, handle, deadline } = waiting;
            let is_late = deadline.is_some_and(|at| at <= now);
            match handle.now_or_never().map(|ended| ended.expect("no task panics")) {
                Some(Ok(guard)) => self.guards.push(Held { client, name, task, guard, state: State::Held }),
                Some(Err(error)) if is_late && error.kind() == ErrorKind::LockTimeout => {}
                Some(Err(error)) => {
                    prop_assert!(is_lock_outage(&error, fault), "{:?} with {:?}", error, fault);
                }
                None => prop_assert!(false, "it is finished"),
            }
        }
        for held in self.guards.iter_mut().filter(|held| !held.guard.is_held()) {
            held.lose();
        }
        let (guards, waiting) = (&self.guards, &self.waiting);
        let mut owners: BTreeMap<Task, usize> =
            waiting.iter().map(|waiting| (waiting.task, waiting.client)).collect();
        let held = guards.iter().filter(|held| held.state == State::Held);
        owners.extend(held.map(|held| (held.task, held.client)));
        let adopted =
            self.locks.adopt(shown, |task| owners.get(&task).copied(), |task| owners.contains_key(&task));
        if let Err(reason) = adopted {
            return Err(TestCaseError::fail(format!("{reason}: {shown:?}")));
        }
        Ok(())
    }

    /// Whose turn it is has the lock now, and nobody else.
    fn admit_holders(&mut self) -> Checked {
        let locks = &self.locks;
        let is_holder = |waiting: &mut Waiting| locks.holder(&waiting.name) == Some(waiting.task);
        for waiting in self.waiting.extract_if(.., is_holder) {
            let Some(ended) = waiting.handle.now_or_never() else {
                return Err(TestCaseError::fail(format!("{} does not get {:?}", waiting.task, waiting.name)));
            };
            match ended.expect("no task panics") {
                Ok(guard) => {
                    let Waiting { client, name, task, .. } = waiting;
                    let before = self.guards.iter().filter(|held| held.name == name);
                    let before = before.map(|held| held.guard.token()).max();
                    prop_assert!(
                        before.is_none_or(|before| guard.token() > before),
                        "{:?} after {:?}",
                        guard,
                        before
                    );
                    self.guards.push(Held { client, name, task, guard, state: State::Held });
                }
                Err(error) => {
                    prop_assert!(false, "{} should have {:?}: {:?}", waiting.task, waiting.name, error);
                }
            }
        }
        for waiting in &self.waiting {
            prop_assert!(
                !waiting.handle.is_finished(),
                "{} does not wait for {:?}",
                waiting.task,
                waiting.name
            );
        }
        Ok(())
    }
}
