mod call;
mod locking;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use storage_core::Version;
use storage_core::kv::Revision;
use tokio::time::sleep;

use crate::chance::{Chance, Part};
use crate::client::Client;
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
}
