//! What a task does with locks.

use std::sync::Arc;
use std::time::Duration;

use storage_conformance::history::RecordedGuard;
use storage_core::LockOptions;
use storage_core::kv::Revision;
use tokio::time::sleep;

use super::Worker;
use crate::holders::Guard;
use crate::link::Link;

const LOCKS: [&str; 2] = ["p", "q"];

impl Worker {
    /// Takes a lock, does something under it, and leaves it in one way or another.
    pub(super) async fn use_lock(&mut self) {
        let Some(guard) = self.take_lock().await else { return };
        self.world.count("locks: taken");
        let guard: Guard = Arc::new(guard);
        self.world.holders.add(&self.client, &guard);
        self.look_at_holders();
        let lock_timeout = u64::try_from(self.world.plan.lock_timeout.as_millis()).expect("some seconds");
        for _ in 0..self.chance.below(4) {
            let longest = self.chance.pick(&[10, 500, lock_timeout, 2 * lock_timeout]);
            sleep(self.chance.millis(0, longest)).await;
            self.work_under(&guard).await;
        }
        self.look_at_holders();
        if !guard.guard().is_held() {
            self.world.count("locks: lost");
        }
        let limit = self.world.plan.request_timeout;
        match self.chance.below(4) {
            0 => drop(guard),
            1 => {
                let storage = self.client.storage.storage().clone();
                self.call("unlock by name", limit, storage.unlock(guard.guard().name())).await;
            }
            _ => {
                let Ok(guard) = Arc::try_unwrap(guard) else { return };
                let (token, asked_at) = (Revision(guard.guard().token().get()), self.world.store.newest());
                let unlocked = self.call("unlock", limit, guard.unlock()).await;
                // Whether a deletion whose answer was lost has found anything nobody knows.
                if unlocked.is_some() && self.lost_answers == 0 {
                    self.world.notes().releases.push((token, asked_at));
                }
            }
        }
    }

    async fn take_lock(&mut self) -> Option<RecordedGuard<Arc<Link>>> {
        let name = self.chance.pick(&LOCKS[..self.world.plan.locks]);
        let storage = self.client.storage.clone();
        match self.chance.below(4) {
            0 => {
                let limit = self.world.plan.request_timeout;
                self.call("try_lock", limit, storage.try_lock(name, LockOptions::new())).await?
            }
            1 | 2 => {
                let limit = self.chance.millis(1, 12_000);
                let options = LockOptions::new().with_deadline(limit).with_label("by a deadline");
                self.call("lock", limit, storage.lock(name, options)).await
            }
            // However long the others take.
            _ => self.call("lock", Duration::from_secs(3_600), storage.lock(name, LockOptions::new())).await,
        }
    }

    async fn work_under(&mut self, guard: &Guard) {
        let limit = self.world.plan.request_timeout;
        let (path, other, content) = (self.path(), self.path(), self.content());
        match self.chance.below(8) {
            0..3 => {
                self.call("fenced store", limit, guard.store(path, content)).await;
            }
            3 => {
                let group = self.group();
                self.call("fenced store_many", limit, guard.store_many(group)).await;
            }
            4 => {
                self.call("fenced delete", limit, guard.delete(path)).await;
            }
            5 => {
                self.call("fenced rename", limit, guard.rename(path, other)).await;
            }
            _ => {
                self.call("renew", self.world.plan.call_timeout, guard.guard().renew()).await;
            }
        }
    }

    /// No two clients may believe at the same time that they hold a lock.
    fn look_at_holders(&self) {
        if !self.world.plan.has_operators() {
            for overlap in self.world.holders.overlapping() {
                self.world.violation(overlap);
            }
        }
    }
}
