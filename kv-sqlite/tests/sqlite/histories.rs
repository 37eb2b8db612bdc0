//! Whatever clients that share nothing but the file do at the same time, what they are told is what was done.

use std::num::NonZeroU64;
use std::time::Duration;

use kv_sqlite::{SqliteBackend, SqliteOptions};
use storage_conformance::history::{Load, Log, Plan, Recorder, Work, check_work};
use storage_core::kv::Revision;
use storage_core::{Storage, StorageOptions};

use crate::support;

const CLIENTS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_in_parallel_are_told_what_was_done() {
    for (work, _) in Work::MIXED {
        let folder = support::folder();
        let file = folder.path().join("store.db");
        let options = SqliteOptions::default().with_history(NonZeroU64::new(1_000_000).unwrap());
        let mut trees = Vec::new();
        for _ in 0..CLIENTS {
            let backend = SqliteBackend::open(&file, options).await.unwrap();
            let tree_options = StorageOptions::new().with_lock_timeout(Duration::from_secs(30));
            trees.push(Storage::open(backend, tree_options).await.unwrap());
        }
        let recorder = Recorder::new();
        Load::start(&trees, &Plan::of(work, 1, 100), &recorder).done().await;
        let history = recorder.history();
        let observer = SqliteBackend::open(&file, options).await.unwrap();
        let log = Log::read(&observer, trees[0].prefix(), Revision::ZERO).await.unwrap();
        let violations = check_work(&history, &log);
        assert!(violations.is_empty(), "{work:?}: {}", violations[0]);
        assert!(history.iter().all(|operation| !operation.outcome.is_error()), "{work:?}");
        assert!(history.len() >= 100 * CLIENTS, "{work:?}: {} calls", history.len());
    }
}
