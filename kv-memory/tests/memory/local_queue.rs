//! Tasks of one process queue in the process: without that, a waiting key for each of them would lie in the store.
//! What the other mechanisms of a lock are needed for is shown by the saboteurs.

use std::time::Duration;

use kv_memory::MemoryBackend;
use storage_core::kv::{KeyRange, KvBackend, RangeRequest};
use storage_core::{LockGuard, Storage, StorageOptions};

/// Tasks that share a storage queue in the process; each with one of its own, they all queue in the store.
#[tokio::test(start_paused = true)]
async fn without_a_queue_in_the_process_each_task_has_a_key_in_the_store() {
    const TASKS: usize = 100;
    let backend = MemoryBackend::new();
    let open = async || Storage::open(backend.clone(), StorageOptions::new()).await.unwrap();
    let guard: LockGuard<MemoryBackend> = open().await.lock("a").await.unwrap();
    let keys_while_waiting = async |trees: Vec<Storage<MemoryBackend>>| {
        let tasks: Vec<_> = trees
            .into_iter()
            .map(|tree| tokio::spawn(async move { tree.lock("a").await.map(drop) }))
            .collect();
        // Nothing moves while the lock is held, so whoever is to come to the queue has come.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let range = RangeRequest::new(KeyRange::prefix("/caddy/lock/a/"));
        let keys = backend.range(range).await.unwrap().entries.len();
        for task in tasks {
            task.abort();
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        keys - 1
    };
    let shared = open().await;
    assert_eq!(keys_while_waiting(vec![shared; TASKS]).await, 1);
    let mut own = Vec::new();
    for _ in 0..TASKS {
        own.push(open().await);
    }
    assert_eq!(keys_while_waiting(own).await, TASKS);
    guard.unlock().await.unwrap();
}
