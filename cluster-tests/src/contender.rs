//! Taking a lock in turns with others, with a check in every turn that nobody else has one.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cluster_tests::Event;
use storage_core::{FencingToken, Storage};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::faults::FaultyBackend;
use crate::report::{report, report_failure};

/// Lets so many tasks take turns until the word is given.
pub(crate) async fn contend(
    storage: Storage<FaultyBackend>,
    lock: String,
    tasks: usize,
    folder: PathBuf,
    stop: watch::Receiver<bool>,
) {
    let arena = Arc::new(Arena::open(&folder));
    let mut contenders = JoinSet::new();
    for _ in 0..tasks {
        contenders.spawn(take_turns(storage.clone(), lock.clone(), Arc::clone(&arena), stop.clone()));
    }
    let turns = contenders.join_all().await.into_iter().sum();
    report(Event::Contended { turns });
}

/// Answers how many turns there were.
async fn take_turns(
    storage: Storage<FaultyBackend>,
    lock: String,
    arena: Arc<Arena>,
    mut stop: watch::Receiver<bool>,
) -> u32 {
    const LONGEST_STAY_MICROS: u64 = 2000;
    let mut turns = 0;
    loop {
        // Whoever waits when the word is given goes away, and must leave nothing behind.
        let locked = tokio::select! {
            biased;
            _ = stop.wait_for(|is_over| *is_over) => return turns,
            locked = storage.lock(&lock) => locked,
        };
        let Some(guard) = report_failure("lock", locked) else { return turns };
        arena.enter(guard.token());
        tokio::time::sleep(Duration::from_micros(rand::random_range(0..=LONGEST_STAY_MICROS))).await;
        arena.leave(guard.token());
        turns += 1;
        if report_failure("unlock", guard.unlock().await).is_none() {
            return turns;
        }
    }
}

/// What the lock protects: a place for one, in a folder that all processes share. Who comes to it while somebody is
/// there sees that by a file.
struct Arena {
    marker: PathBuf,
    log: File,
}

impl Arena {
    fn open(folder: &Path) -> Self {
        let log = File::options().create(true).append(true).open(folder.join("log"));
        Self { marker: folder.join("marker"), log: log.expect("the test has made the folder") }
    }

    fn enter(&self, token: FencingToken) {
        // `O_EXCL`: fails if the file is there.
        if let Err(error) = File::create_new(&self.marker) {
            report(Event::Violation(format!("{token} comes in, and somebody is there: {error}")));
        }
    }

    fn leave(&self, token: FencingToken) {
        // One write, which appends as a whole.
        let written = (&self.log).write_all(format!("{token}\n").as_bytes());
        if let Err(error) = written.and_then(|()| fs::remove_file(&self.marker)) {
            report(Event::Violation(format!("{token} leaves, and is not there: {error}")));
        }
    }
}
