//! How many times an operation of the tree asks for memory: a count that does not jitter, as times do.
//!
//! The bounds are what was counted, and a few more. Who needs more raises them, and says why.
#![allow(clippy::unwrap_used, reason = "the helpers of a test are tests")]

use allocation_counter::AllocationInfo;
use kv_memory::MemoryBackend;
use storage_core::{ListOptions, Storage, StorageOptions};
use tokio::runtime::{Builder, Runtime};

const CONTENT: &[u8] = &[7; 2_048];
const PATH: &str = "certificates/acme-v02/example.com/example.com.crt";
const FILES: u64 = 1_000;

/// A tree on a runtime of this thread alone: allocations are counted by thread.
struct Tree {
    runtime: Runtime,
    storage: Storage<MemoryBackend>,
}

impl Tree {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let opened = Storage::open(MemoryBackend::new(), StorageOptions::new());
        let storage = runtime.block_on(opened).unwrap();
        Self { runtime, storage }
    }

    fn measure<T>(&self, call: impl Future<Output = storage_core::Result<T>>) -> AllocationInfo {
        allocation_counter::measure(|| drop(self.runtime.block_on(call).unwrap()))
    }

    /// The second of two calls: the first one makes what lasts, such as the key of the format.
    fn assert_at_most<T, F: Future<Output = storage_core::Result<T>>>(
        &self,
        what: &str,
        most: u64,
        call: impl Fn() -> F,
    ) {
        self.measure(call());
        let counted = self.measure(call());
        println!("{what}: {} allocations, {} bytes", counted.count_total, counted.bytes_total);
        assert!(counted.count_total <= most, "{what}: {} allocations, not {most}", counted.count_total);
    }
}

#[test]
fn operations_on_a_file_take_few_allocations() {
    let tree = Tree::new();
    let storage = &tree.storage;
    tree.assert_at_most("store", 45, || storage.store(PATH, CONTENT));
    tree.assert_at_most("load", 19, || storage.load(PATH));
    tree.assert_at_most("stat", 17, || storage.stat(PATH));
    tree.assert_at_most("exists", 16, || storage.exists(PATH));
    tree.assert_at_most("delete", 47, || storage.delete("nothing/there"));
}

#[test]
fn an_entry_of_a_list_takes_few_allocations() {
    let tree = Tree::new();
    let storage = &tree.storage;
    for number in 0..FILES {
        tree.measure(storage.store(&format!("certificates/acme-v02/site-{number:04}/site.crt"), CONTENT));
    }
    let options = ListOptions::descendants;
    tree.assert_at_most("list by name", 2_060, || storage.list("certificates", options()));
    tree.assert_at_most("list with metadata", 2_060, || {
        storage.list("certificates", options().with_metadata())
    });
}

#[test]
fn a_content_is_not_copied() {
    let tree = Tree::new();
    let content = bytes::Bytes::from(vec![7; 1_000_000]);
    let stored = tree.measure(tree.storage.store(PATH, content.clone()));
    assert!(stored.bytes_total < 100_000, "{stored:?}");
    let loaded = tree.measure(tree.storage.load(PATH));
    assert!(loaded.bytes_total < 100_000, "{loaded:?}");
}
