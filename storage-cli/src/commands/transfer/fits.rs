//! Finds out what a store will accept, without asking it.

use kv_memory::{MemoryBackend, MemoryOptions};
use storage_core::kv::KvBackend;
use storage_core::{FilePath, Storage, StorageOptions};

use crate::failure::Failure;
use crate::local::too_large;
use crate::session::Tree;

/// Refuses a file that is too large for the store, and says what it is called.
pub(super) async fn check(tree: &Tree, path: &FilePath, size: u64, about: &str) -> Result<(), Failure> {
    let most = tree.backend().limits().max_value_bytes;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > most || !fits(tree, path, size).await {
        return Err(too_large(about, most)
            .with_note(format!("it has {size}, and needs some more for its path and metadata")));
    }
    Ok(())
}

/// Whether a transaction has room for a file of this size with its keys and metadata. Near the limit that is found out
/// by storing one like it in a store of our own that has the same limits.
async fn fits(tree: &Tree, path: &FilePath, size: usize) -> bool {
    // More than the keys and the metadata of any path take: 64 components of a path of 1,024 bytes.
    const ROOM: usize = 128 * 1024;
    let limits = tree.backend().limits();
    if size.saturating_add(ROOM) <= limits.max_request_bytes {
        return true;
    }
    let memory = MemoryBackend::with_options(MemoryOptions::default().with_limits(limits));
    let options = StorageOptions::new().with_prefix(tree.prefix().clone());
    let Ok(like) = Storage::open(memory, options).await else { return false };
    like.store(path.as_str(), vec![0; size]).await.is_ok()
}
