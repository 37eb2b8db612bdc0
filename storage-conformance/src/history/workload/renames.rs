//! Files that change places.

use rand::RngExt;
use storage_core::kv::KvBackend;

use super::worker::Worker;

const FILES: u32 = 5;

pub(super) async fn step<B: KvBackend>(worker: &mut Worker<B>) {
    let (from, to) = (worker.one_of(FILES, "renames"), worker.one_of(FILES, "renames"));
    match worker.random.random_range(0..10) {
        0..4 => drop(worker.tree.rename(&from, &to).await),
        4..6 => drop(worker.tree.load_many(&[&from, &to]).await),
        6 => drop(worker.tree.load_file(&from).await),
        7 => drop(worker.tree.list("renames").await),
        _ => {
            let content = worker.content();
            drop(worker.tree.store(&from, content).await);
        }
    }
}
