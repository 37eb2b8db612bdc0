//! Taking, holding and losing locks.

use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use storage_core::{Error, ErrorKind, LockGuard, LockOptions};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::files::is_outage;
use super::locks::Task;
use super::run::{Attempt, Checked, Client, Disturbed, LOCK_TIMEOUT, Run};
use super::steps::{Kind, LATEST, Trouble, Write};

/// A guard that is kept, also when it has lost its lock.
pub(super) struct Held {
    pub(super) client: usize,
    pub(super) name: String,
    pub(super) task: Task,
    pub(super) guard: LockGuard<Client>,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Held,
    Lost,
    /// By name.
    Released,
}

/// A task that waits for a lock.
pub(super) struct Waiting {
    pub(super) client: usize,
    pub(super) name: String,
    pub(super) task: Task,
    pub(super) deadline: Option<Instant>,
    pub(super) handle: JoinHandle<Result<LockGuard<Client>, Error>>,
}

impl Held {
    pub(super) fn lose(&mut self) {
        if self.state == State::Held {
            self.state = State::Lost;
        }
    }
}

impl Run {
    pub(super) async fn lock(
        &mut self,
        client: usize,
        name: String,
        deadline: Option<Duration>,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        let task = self.next_task();
        let mut options = LockOptions::new().with_label(task.to_string());
        options.deadline = deadline;
        let struck = trouble.map(|trouble| (self.inject(client, trouble), trouble.fault));
        let (storage, wanted) = (self.storages[client].clone(), name.clone());
        let handle = tokio::spawn(async move { storage.lock_with(&wanted, options).await });
        if is_name(&name) {
            self.locks.ask(client, &name, task);
        }
        let deadline = deadline.map(|deadline| Instant::now() + deadline);
        self.waiting.push(Waiting { client, name, task, deadline, handle });
        let Some((struck, fault)) = struck else { return Ok(None) };
        sleep(LATEST).await;
        self.backends[client].heal();
        let is_struck = struck.load(std::sync::atomic::Ordering::SeqCst);
        if is_struck {
            sleep(LATEST).await;
        }
        Ok(is_struck.then_some(fault))
    }

    pub(super) async fn try_lock(
        &mut self,
        client: usize,
        name: String,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        let task = self.next_task();
        let options = LockOptions::new().with_label(task.to_string());
        let storage = self.storages[client].clone();
        let attempt = self.attempt(client, trouble, storage.try_lock_with(&name, options)).await;
        let disturbed = attempt.disturbs_locks();
        let is_free = self.locks.holder(&name).is_none();
        match (attempt.result, attempt.fault) {
            (Some(Err(error)), _) if !is_name(&name) => prop_assert_eq!(error.kind(), ErrorKind::InvalidName),
            (Some(Ok(Some(guard))), fault) => {
                // Who had it may have lost it by the same fault.
                prop_assert!(is_free || matches!(fault, Some(Kind::EndLeases)), "it is taken: {:?}", guard);
                self.locks.ask(client, &name, task);
                self.guards.push(Held { client, name, task, guard, state: State::Held });
            }
            (Some(Ok(None)), fault) => {
                prop_assert!(!is_free || matches!(fault, Some(Kind::EndLeases)), "{:?} is free", name);
            }
            (Some(Err(error)), fault) => {
                prop_assert!(is_lock_outage(&error, fault), "{:?} with {:?}", error, fault);
            }
            (None, fault) => prop_assert!(matches!(fault, Some(Kind::Hang)), "no answer with {:?}", fault),
        }
        Ok(disturbed)
    }

    pub(super) async fn unlock(
        &mut self,
        number: usize,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        let Some(held) = self.take_guard(number) else { return Ok(None) };
        let attempt = self.attempt(held.client, trouble, held.guard.unlock()).await;
        let disturbed = self.disturbs_waiting(&attempt);
        let expected = match held.state {
            State::Held => Ok(()),
            State::Lost => Err(vec![ErrorKind::LockLost]),
            State::Released => Err(vec![ErrorKind::NotHeld]),
        };
        released(&attempt, &expected)?;
        if held.state == State::Held {
            self.locks.leave(held.client, &held.name, held.task);
        }
        Ok(disturbed)
    }

    pub(super) async fn unlock_by_name(
        &mut self,
        client: usize,
        name: &str,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        let storage = self.storages[client].clone();
        let attempt = self.attempt(client, trouble, storage.unlock(name)).await;
        let disturbed = self.disturbs_waiting(&attempt);
        let is_it =
            |held: &&mut Held| held.client == client && held.name == name && held.state == State::Held;
        let held = self.guards.iter_mut().find(is_it);
        let expected = match &held {
            _ if !is_name(name) => Err(vec![ErrorKind::InvalidName]),
            Some(_) => Ok(()),
            None => Err(vec![ErrorKind::NotHeld, ErrorKind::LockLost]),
        };
        if let Some(held) = held {
            held.state = State::Released;
            let task = held.task;
            self.locks.leave(client, name, task);
        }
        released(&attempt, &expected)?;
        Ok(disturbed)
    }

    pub(super) async fn renew(
        &mut self,
        number: usize,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        if self.guards.is_empty() {
            return Ok(None);
        }
        let held = &self.guards[number % self.guards.len()];
        let attempt = self.attempt(held.client, trouble, held.guard.renew()).await;
        let disturbed = attempt.disturbs_locks();
        let expected = if held.state == State::Held { Ok(()) } else { Err(vec![ErrorKind::LockLost]) };
        released(&attempt, &expected)?;
        Ok(disturbed)
    }

    pub(super) fn drop_guard(&mut self, number: usize) -> Disturbed {
        if let Some(held) = self.take_guard(number)
            && held.state == State::Held
        {
            self.locks.leave(held.client, &held.name, held.task);
        }
        None
    }

    pub(super) fn abandon(&mut self, number: usize) -> Disturbed {
        if !self.waiting.is_empty() {
            let waiting = self.waiting.swap_remove(number % self.waiting.len());
            waiting.handle.abort();
            self.locks.leave(waiting.client, &waiting.name, waiting.task);
        }
        None
    }

    pub(super) async fn fenced(
        &mut self,
        number: usize,
        write: &Write,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        if self.guards.is_empty() {
            return Ok(None);
        }
        let number = number % self.guards.len();
        let write = match write.clone() {
            Write::Create(path, content)
            | Write::StoreIf(path, content, _)
            | Write::LoadOrStore(path, content) => Write::Store(path, content),
            Write::DeleteFile(path) => Write::Delete(path),
            Write::DeleteAll => Write::Delete("a".to_owned()),
            write => write,
        };
        self.write(self.guards[number].client, &write, Some(number), trouble).await
    }

    pub(super) async fn list_locks(
        &mut self,
        client: usize,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        let storage = self.storages[client].clone();
        let attempt = self.attempt(client, trouble, storage.locks()).await;
        let disturbed = attempt.disturbs_locks();
        match (attempt.result, attempt.fault) {
            (Some(Ok(listed)), fault) if !matches!(fault, Some(Kind::EndLeases)) => {
                let shown = listed.iter().map(|entry| {
                    let label = entry.label.clone().unwrap_or_default();
                    (entry.name.clone(), entry.position, label)
                });
                let expected = self.locks.names().flat_map(|name| {
                    let places = self.locks.places(name).into_iter().enumerate();
                    places.map(move |(position, task)| (name.to_owned(), position, task.to_string()))
                });
                prop_assert_eq!(shown.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
                for entry in listed {
                    prop_assert!(entry.remaining.is_some_and(|left| left <= LOCK_TIMEOUT), "{:?}", entry);
                    prop_assert_eq!(entry.is_holder(), entry.position == 0);
                }
            }
            (Some(Ok(_)), _) => {}
            (Some(Err(error)), fault) => {
                prop_assert!(is_outage(&error, fault), "{:?} with {:?}", error, fault);
            }
            (None, fault) => prop_assert!(matches!(fault, Some(Kind::Hang)), "no answer with {:?}", fault),
        }
        Ok(disturbed)
    }

    pub(super) async fn break_lock(
        &mut self,
        client: usize,
        name: &str,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        let storage = self.storages[client].clone();
        let attempt = self.attempt(client, trouble, storage.break_lock(name)).await;
        let disturbed = self.disturbs_waiting(&attempt);
        let holder = self.locks.holder(name);
        match (attempt.result, attempt.fault) {
            (Some(Err(error)), _) if !is_name(name) => prop_assert_eq!(error.kind(), ErrorKind::InvalidName),
            (Some(Ok(broken)), fault) if !matches!(fault, Some(Kind::EndLeases)) => {
                let label = broken.and_then(|entry| entry.label);
                prop_assert_eq!(label, holder.map(|task| task.to_string()), "whose lock it was");
                let lost = self.locks.break_lock(name);
                self.lost(&Vec::from_iter(lost));
            }
            // Of the leases that end one may have been the holder's.
            (Some(Ok(_)), _) => {}
            (Some(Err(error)), fault) => {
                prop_assert!(is_lock_outage(&error, fault), "{:?} with {:?}", error, fault);
            }
            (None, fault) => prop_assert!(matches!(fault, Some(Kind::Hang)), "no answer with {:?}", fault),
        }
        Ok(disturbed)
    }

    /// The fault if nobody can tell what an operation that frees a lock has done to the queues. It may have freed it before
    /// or after somebody's deadline, who has the lock now or has given up.
    fn disturbs_waiting<T>(&self, attempt: &Attempt<T>) -> Disturbed {
        attempt.disturbs_locks().or(attempt.fault.filter(|_| self.is_deadline_in(&attempt.took)))
    }

    /// Whether the deadline of somebody who waits, or waited, is within this time.
    pub(super) fn is_deadline_in(&self, time: &RangeInclusive<Instant>) -> bool {
        self.waiting.iter().any(|waiting| waiting.deadline.is_some_and(|at| time.contains(&at)))
    }

    pub(super) fn lose_session(&mut self, client: usize) {
        let lost = self.locks.lose_session(client);
        self.lost(&lost);
    }

    fn lost(&mut self, tasks: &[Task]) {
        self.guards.iter_mut().filter(|held| tasks.contains(&held.task)).for_each(Held::lose);
    }

    fn next_task(&mut self) -> Task {
        self.tasks += 1;
        self.tasks
    }

    fn take_guard(&mut self, number: usize) -> Option<Held> {
        if self.guards.is_empty() { None } else { Some(self.guards.swap_remove(number % self.guards.len())) }
    }
}

/// Compares what an operation has answered that is either carried out or refused.
fn released(attempt: &Attempt<()>, expected: &Result<(), Vec<ErrorKind>>) -> Checked {
    let fits = match (&attempt.result, expected) {
        (Some(Ok(())), expected) => expected.is_ok(),
        (Some(Err(error)), Err(kinds)) if kinds.contains(&error.kind()) => true,
        (Some(Err(error)), _) => is_lock_outage(error, attempt.fault),
        (None, _) => matches!(attempt.fault, Some(Kind::Hang)),
    };
    prop_assert!(fits, "{:?} with {:?}, expected {:?}", attempt.result, attempt.fault, expected);
    Ok(())
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// Whether this is what an operation on locks may answer after such a fault.
pub(super) fn is_lock_outage(error: &Error, fault: Option<Kind>) -> bool {
    is_outage(error, fault)
        || matches!(
            (error.kind(), fault),
            (
                ErrorKind::OutcomeUnknown,
                Some(Kind::LoseAnswer | Kind::Late(_) | Kind::Hang | Kind::NoSpace { .. })
            ) | (ErrorKind::LockLost, Some(Kind::EndLeases | Kind::Hang))
        )
}
