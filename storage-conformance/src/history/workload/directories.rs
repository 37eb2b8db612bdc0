//! Directories that are deleted while files are stored into them.

use rand::RngExt;
use storage_core::kv::KvBackend;

use super::worker::Worker;

pub(super) async fn step<B: KvBackend>(worker: &mut Worker<B>) {
    let top = worker.one_of(2, "directories");
    let deep = worker.one_of(2, &top);
    let file = worker.one_of(3, &deep);
    match worker.random.random_range(0..100) {
        0..40 => {
            let content = worker.content();
            drop(worker.tree.store(&file, content).await);
        }
        40..48 => {
            let content = worker.content();
            let group = (0..3).map(|number| (format!("{deep}/{number}"), content.clone()));
            drop(worker.tree.store_many(group.collect()).await);
        }
        // What is a directory for most of the time.
        48..51 => {
            let content = worker.content();
            drop(worker.tree.store(&deep, content).await);
        }
        51..59 => drop(worker.tree.delete(&deep).await),
        59..67 => drop(worker.tree.delete(&top).await),
        67..72 => drop(worker.tree.delete(&file).await),
        72..74 => drop(worker.tree.delete_file(&deep).await),
        74..82 => drop(worker.tree.list(&top).await),
        82..88 => drop(worker.tree.exists(&deep).await),
        88..92 => drop(worker.tree.stat(&deep).await),
        92..95 => {
            let to = worker.one_of(3, &deep);
            drop(worker.tree.rename(&file, &to).await);
        }
        _ => drop(worker.tree.load_file(&file).await),
    }
}
