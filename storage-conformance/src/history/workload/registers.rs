//! Files that all clients read and write.

use rand::RngExt;
use storage_core::kv::KvBackend;

use super::worker::Worker;

const FILES: u32 = 16;

/// How a call has ended is in the history: nothing here depends on it.
pub(super) async fn step<B: KvBackend>(worker: &mut Worker<B>) {
    let path = worker.one_of(FILES, "registers");
    match worker.random.random_range(0..100) {
        0..45 => drop(worker.tree.load_file(&path).await),
        45..68 => {
            let content = worker.content();
            drop(worker.tree.store(&path, content).await);
        }
        68..76 => {
            let content = worker.content();
            let first = worker.random.random_range(0..FILES);
            let group = (0..3).map(|n| (format!("registers/{}", (first + n) % FILES), content.clone()));
            drop(worker.tree.store_many(group.collect()).await);
        }
        76..82 => {
            let paths: Vec<_> = (0..FILES).map(|file| format!("registers/{file}")).collect();
            let paths: Vec<_> = paths.iter().map(String::as_str).collect();
            drop(worker.tree.load_many(&paths).await);
        }
        82..86 => {
            let content = worker.content();
            drop(worker.tree.create(&path, content).await);
        }
        86..90 => {
            let content = worker.content();
            drop(worker.tree.load_or_store(&path, content).await);
        }
        90..95 => drop(worker.tree.delete(&path).await),
        95..98 => drop(worker.tree.delete_file(&path).await),
        _ => drop(worker.tree.stat(&path).await),
    }
}
