use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use storage_core::kv::Revision;
use storage_core::{Error, ErrorKind, LockOptions, Result, Version};
use tokio::time::{Instant, sleep, timeout};

use crate::chance::{Chance, Part};
use crate::client::Client;
use crate::holders::Guard;
use crate::link::LOST_ANSWERS;
use crate::world::World;

/// A task of a client: it calls its storage, one call after the other.
pub(crate) struct Worker {
    world: Arc<World>,
    client: Client,
    task: usize,
    chance: Chance,
    /// How many steps each task of the client still has to do.
    left: Arc<Mutex<Vec<usize>>>,
    /// How many answers the last call has lost.
    lost_answers: u32,
    /// The version of a file that was seen, for conditional writes.
    seen: Option<(&'static str, Version)>,
}

/// Few, so that clients get in each other's way; some can be file and directory.
const PATHS: [&str; 8] = ["a", "a/x", "a/y", "b", "c/d", "c/d/e", "c/f", "g"];
const LOCKS: [&str; 2] = ["p", "q"];

/// How calls can fail.
const EXPECTED: [ErrorKind; 12] = [
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::IsADirectory,
    ErrorKind::NotADirectory,
    ErrorKind::Conflict,
    ErrorKind::LockTimeout,
    ErrorKind::LockLost,
    ErrorKind::NotHeld,
    ErrorKind::Unavailable,
    ErrorKind::Timeout,
    ErrorKind::OutcomeUnknown,
    ErrorKind::NoSpace,
];

/// How much longer than allowed a call may take: timers count in milliseconds.
const TOLERANCE: Duration = Duration::from_millis(20);

impl Worker {
    pub(crate) fn new(
        world: &Arc<World>,
        client: &Client,
        task: usize,
        left: Arc<Mutex<Vec<usize>>>,
    ) -> Self {
        let chance = Chance::of(world.seed, Part::Task(task), client.number);
        Self {
            world: Arc::clone(world),
            client: client.clone(),
            task,
            chance,
            left,
            lost_answers: 0,
            seen: None,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let pause = u64::try_from(self.world.plan.pause.as_millis()).expect("a second or so");
            sleep(self.chance.millis(0, pause)).await;
            if self.chance.happens(self.world.plan.locking) {
                self.use_lock().await;
            } else if self.chance.happens(450) {
                self.read().await;
            } else {
                self.write().await;
            }
            let mut left = self.left.lock().expect("nobody panics under it");
            left[self.task] -= 1;
            if left[self.task] == 0 {
                return;
            }
        }
    }

    fn path(&mut self) -> &'static str {
        self.chance.pick(&PATHS)
    }

    fn content(&self) -> Bytes {
        self.world.next_content(&self.client.name).into()
    }

    fn group(&mut self) -> Vec<(String, Bytes)> {
        let mut paths = vec![self.path()];
        for _ in 0..self.chance.below(3) {
            let path = self.path();
            let goes_with = |other: &&str| !path.starts_with(*other) && !other.starts_with(path);
            if paths.iter().all(goes_with) {
                paths.push(path);
            }
        }
        paths.into_iter().map(|path| (path.to_owned(), self.content())).collect()
    }

    async fn read(&mut self) {
        // One round trip, and more for what is not there.
        let limit = self.world.plan.call_timeout;
        let (path, other, third) = (self.path(), self.path(), self.path());
        let storage = self.client.storage.clone();
        match self.chance.below(6) {
            0 | 1 => {
                let loaded = self.call("load", limit, storage.load_file(path)).await;
                self.seen = loaded.map(|file| (path, file.metadata.version)).or(self.seen);
            }
            2 => {
                self.call("load_many", limit * 4, storage.load_many(&[path, other, third])).await;
            }
            3 => {
                let stat = self.call("stat", limit, storage.stat(path)).await;
                self.seen =
                    stat.filter(|found| !found.is_dir()).map(|file| (path, file.version)).or(self.seen);
            }
            4 => {
                self.call("exists", limit, storage.exists(path)).await;
            }
            _ => {
                let path = if self.chance.happens(500) { "" } else { path };
                self.call("list", limit, storage.list(path)).await;
            }
        }
    }

    async fn write(&mut self) {
        let limit = self.world.plan.request_timeout;
        let (path, other, content) = (self.path(), self.path(), self.content());
        let storage = self.client.storage.clone();
        match self.chance.below(20) {
            0..5 => {
                self.call("store", limit, storage.store(path, content)).await;
            }
            5..7 => {
                let group = self.group();
                self.call("store_many", limit, storage.store_many(group)).await;
            }
            7..9 => {
                self.call("create", limit, storage.create(path, content)).await;
            }
            9..12 => {
                let (path, version) = self.seen.unwrap_or((path, Version::new(Revision::ZERO)));
                let stored = self.call("store_if", limit, storage.store_if(path, content, version)).await;
                self.seen = stored.map(|file| (path, file.version)).or(self.seen);
            }
            12 => {
                self.call("load_or_store", limit, storage.load_or_store(path, content)).await;
            }
            13..16 => {
                self.call("delete", limit, storage.delete(path)).await;
            }
            16 => {
                self.call("delete_file", limit, storage.delete_file(path)).await;
            }
            17 if self.chance.happens(200) => {
                self.call("delete_all", limit, storage.delete_all()).await;
            }
            _ => {
                self.call("rename", limit, storage.rename(path, other)).await;
            }
        }
    }

    /// Takes a lock, does something under it, and leaves it in one way or another.
    async fn use_lock(&mut self) {
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

    async fn take_lock(
        &mut self,
    ) -> Option<storage_conformance::history::RecordedGuard<Arc<crate::link::Link>>> {
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

    /// Makes a call, which has to return within its limit; or drops it somewhere on the way. What it has answered, if it
    /// has succeeded.
    async fn call<T>(
        &mut self,
        name: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Option<T> {
        let polls = self.chance.happens(self.world.plan.dropped).then(|| self.chance.between(1, 6));
        let (world, client) = (Arc::clone(&self.world), self.client.name.clone());
        let (began, stops) = (Instant::now(), self.client.link.stops());
        let lost = Cell::new(0);
        let observed = async {
            // Far beyond what is allowed: so that a call that never returns ends somewhere.
            let ended = timeout(2 * limit + Duration::from_secs(60), or_dropped(polls, call)).await;
            (ended, LOST_ANSWERS.with(Cell::get))
        };
        let (ended, lost_answers) = LOST_ANSWERS.scope(lost, observed).await;
        self.lost_answers = lost_answers;
        let took = began.elapsed();
        // What a process does in time while it does not run nobody knows.
        let was_running = stops.is_some() && stops == self.client.link.stops();
        if was_running && took > limit + TOLERANCE {
            world.violation(format!("{name} of {client} took {took:?}, at most {limit:?} are allowed"));
        }
        let Ok(Some(result)) = ended else {
            world.note("calls: dropped", || format!("{client} has dropped {name}"));
            return None;
        };
        if let Err(error) = &result
            && !EXPECTED.contains(&error.kind())
        {
            world.violation(format!("{name} of {client} fails for a reason that there is not: {error}"));
        }
        let what = match &result {
            Ok(_) => "calls: succeeded",
            Err(error) => outcome(error),
        };
        world.note(what, || match &result {
            Ok(_) => format!("{client} {name}: ok"),
            Err(error) => format!("{client} {name}: {error}"),
        });
        if lost_answers > 0 && what != "calls: left open" {
            world.count("answers: lost and found out about");
        }
        if name.starts_with("fenced") && what == "calls: refused" {
            let is_lost = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::LockLost);
            if is_lost {
                world.count("locks: writes fenced off");
            }
        }
        result.ok()
    }
}

fn outcome(error: &Error) -> &'static str {
    if error.is_outcome_unknown() {
        "calls: left open"
    } else if error.is_connection() || error.kind() == ErrorKind::NoSpace {
        "calls: failed"
    } else {
        "calls: refused"
    }
}

/// Polls a future so often at most; `None` if it was dropped before it was done.
async fn or_dropped<F: Future>(polls: Option<u64>, future: F) -> Option<F::Output> {
    let Some(mut polls) = polls else { return Some(future.await) };
    let mut future = Box::pin(future);
    std::future::poll_fn(move |context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
