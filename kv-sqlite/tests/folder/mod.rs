//! Where the stores of tests are.

use tempfile::TempDir;

/// A folder for a store: in memory where that can be had, because what is tested is rarely the disk.
pub(crate) fn folder() -> TempDir {
    const MEMORY: &str = "/dev/shm";
    let in_memory = tempfile::Builder::new().prefix("kv-sqlite-").tempdir_in(MEMORY);
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}
