//! The tasks of one process that want the same lock queue here, so that one process has one place in the store's queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::hold::Hold;
use super::name::LockName;
use crate::session::lock;

/// Every lock that a task of this storage holds or waits for.
#[derive(Debug, Default)]
pub(crate) struct LocalQueues(Mutex<HashMap<LockName, Local>>);

#[derive(Debug)]
struct Local {
    /// One permit; its waiters are served first come, first served.
    turn: Arc<Semaphore>,
    held: Weak<Hold>,
}

/// A task's turn among the tasks of its process: until it is dropped no other has it.
#[derive(Debug)]
pub(super) struct Turn {
    queues: Arc<LocalQueues>,
    name: LockName,
    semaphore: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// Waits for the turn.
    pub(super) async fn wait(queues: &Arc<LocalQueues>, name: &LockName) -> Self {
        let mut turn = Self::begin(queues, name);
        let semaphore = turn.semaphore.clone().expect("there until it is dropped");
        turn.permit = Some(semaphore.acquire_owned().await.expect("the semaphore is never closed"));
        turn
    }

    /// The turn, if no other task has it or waits for it.
    pub(super) fn at_once(queues: &Arc<LocalQueues>, name: &LockName) -> Option<Self> {
        let mut turn = Self::begin(queues, name);
        let semaphore = turn.semaphore.clone().expect("there until it is dropped");
        turn.permit = Some(semaphore.try_acquire_owned().ok()?);
        Some(turn)
    }

    fn begin(queues: &Arc<LocalQueues>, name: &LockName) -> Self {
        let mut locals = lock(&queues.0);
        let local = locals
            .entry(name.clone())
            .or_insert_with(|| Local { turn: Arc::new(Semaphore::new(1)), held: Weak::new() });
        let semaphore = Some(Arc::clone(&local.turn));
        Self { queues: Arc::clone(queues), name: name.clone(), semaphore, permit: None }
    }

    /// Makes known what the task holds now, for [`LocalQueues::held`].
    pub(super) fn publish(queues: &LocalQueues, name: &LockName, hold: &Arc<Hold>) {
        if let Some(local) = lock(&queues.0).get_mut(name) {
            local.held = Arc::downgrade(hold);
        }
    }
}

impl LocalQueues {
    /// What a task of this storage holds of this name.
    pub(super) fn held(&self, name: &LockName) -> Option<Arc<Hold>> {
        lock(&self.0).get(name)?.held.upgrade()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.permit = None;
        self.semaphore = None;
        let mut locals = lock(&self.queues.0);
        if locals.get(&self.name).is_some_and(|local| Arc::strong_count(&local.turn) == 1) {
            locals.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn name() -> LockName {
        LockName::parse("a").unwrap()
    }

    #[test]
    fn turns_come_one_at_a_time_in_the_order_of_asking() {
        let (queues, name) = (Arc::default(), name());
        let first = Turn::at_once(&queues, &name).unwrap();
        let mut second = Box::pin(Turn::wait(&queues, &name));
        let mut third = Box::pin(Turn::wait(&queues, &name));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert!(Turn::at_once(&queues, &name).is_none());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none());
        let second = second.now_or_never().unwrap();
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn nothing_is_kept_of_a_name_that_nobody_wants_any_more() {
        let (queues, name) = (Arc::<LocalQueues>::default(), name());
        let first = Turn::at_once(&queues, &name).unwrap();
        let mut waiting = Box::pin(Turn::wait(&queues, &name));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(Turn::at_once(&queues, &name).is_none());
        drop(waiting);
        assert_eq!(lock(&queues.0).len(), 1);
        drop(first);
        assert_eq!(lock(&queues.0).len(), 0);
    }
}
